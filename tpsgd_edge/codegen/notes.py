"""Notes about the model in words, for the files of a project."""

from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.kinds import KINDS
from tpsgd_edge.quantize.model import QuantizedModel


@dataclass(frozen=True, slots=True)
class NotesView:
    """Lines of comments.

    Attributes:
        inputs: how raw values become inputs.
        outputs: what a unit of an output is.
        summary: a table of the layers.
    """

    inputs: str
    outputs: str
    summary: tuple[str, ...]


def notes_view(model: QuantizedModel) -> NotesView:
    """The notes on a model."""
    return NotesView(_input_note(model), _outputs_note(model), tuple(_summary_rows(model)))


def _input_note(model: QuantizedModel) -> str:
    unit = (
        "" if model.value_type == "f32" else f" / {model.inputs.scale:.6g}, rounded and saturated"
    )
    per = "" if model.inputs.mean.size == 1 else " of each input"
    if model.inputs.mean.size == 1:
        mean, std = float(model.inputs.mean[0]), float(model.inputs.std[0])
        return f"x = (raw - {mean:.6g}) / {std:.6g}{unit}"
    return f"x = (raw - mean) / std{per}{unit}; see manifest.json"


def _outputs_note(model: QuantizedModel) -> str:
    if model.value_type == "f32":
        return "real numbers"
    if model.last.loss.kind == "softmax_cross_entropy":
        return (
            f"{2.0 ** (8 - model.last.loss.logit_shift):g} units are a factor of two in probability"
        )
    if model.detectors and model.detectors[0].code is None:
        return f"one unit is {model.last.y_scale:.6g} standard deviations"
    return f"one unit is {model.last.y_scale:.6g}"


def _summary_rows(model: QuantizedModel) -> Iterator[str]:
    yield "layer             in    out  weights  activation  loss"
    for layer in model.layers:
        words = KINDS[layer.kind].words(layer)
        yield f"{layer.name:<14}{layer.x_count:>6} {layer.y_count:>6}  {words}"
