"""Error of the integer net against the same net in real numbers, layer by layer."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Graph
from tpsgd_edge.graph.forward import outputs
from tpsgd_edge.memory import state_layout
from tpsgd_edge.memory.dump import State
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.quantize.model import QuantizedLayer, limits
from tpsgd_edge.quantize.restore import real_read_outs
from tpsgd_edge.reference import Reference
from tpsgd_edge.stages.export import with_state
from tpsgd_edge.stages.preparation import Prepared
from tpsgd_edge.stages.training import Progress, score
from tpsgd_edge.toolchain.device import Device

# Samples at once: the maps of all of them would fill the memory.
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class LayerError:
    """Error of a layer's integer outputs against real ones, errors of earlier layers included.

    Attributes:
        reach: the largest real output.
        full_scale: the largest that its integers hold; 0 in f32.
        clipped: share of its outputs that stand at the end of that range.
        error: root mean square of the difference, as a share of that of the real outputs.
    """

    layer: str
    kind: str
    reach: float
    full_scale: float
    clipped: float
    error: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Both nets on the test set; `agreement` is None for label vectors."""

    real: float
    integers: float
    agreement: float | None


def layer_errors(
    prepared: Prepared, state: State | None, samples: int, progress: Progress
) -> tuple[LayerError, ...]:
    """Errors of all layers over some test samples, spread evenly; of sequences at the last step.

    Args:
        state: of a trained model; None for the initial weights.

    Raises:
        SpecError: the net ends in a detector.
    """
    model, x = prepared.model, prepared.dataset.x_test
    if model.detectors:
        raise SpecError(
            f"there is no quantization error of the detector '{model.last.name}'",
            where=f"{prepared.spec.source}, [model], layer '{model.last.name}'",
            found="a threshold that is learned in integers, and nowhere else",
            help='compare weights = "s8" and "s16" by the AUROC that simulate tells',
        )
    x = x[:: max(1, len(x) // samples)][:samples]
    reference = Reference(model)
    if state is not None:
        reference.load_state(state)
    rows: list[list[NDArray[Any]]] = []
    for index, row in enumerate(quantize_inputs(model, x)):
        progress("layer by layer", index, len(x))
        rows.append(reference.layer_outputs(row))
    progress("layer by layer", len(x), len(x))
    real = _real_outputs(prepared, _graph(prepared, state), x)
    made = (np.array(column) for column in zip(*rows, strict=True))
    return tuple(
        _error(layer, integers, values)
        for layer, integers, values in zip(model.layers, made, real, strict=True)
    )


def compare_scores(device: Device, prepared: Prepared, state: State | None) -> Scores:
    """Scores of device and real numbers on all test samples; of labelled steps, at the last one."""
    model, dataset = prepared.model, prepared.dataset
    if state is not None:
        device.load_state(state_layout(prepared.model).write(state))
    answers = device.outputs(quantize_inputs(model, dataset.x_test))
    y_test = dataset.y_test
    if model.labels.each_step:
        answers, y_test = answers[:, -1], y_test[:, -1]
    graph, count = _graph(prepared, state), len(dataset.x_test)
    blocks = (dataset.x_test[i : i + _BLOCK] for i in range(0, count, _BLOCK))
    real = np.concatenate([_real_outputs(prepared, graph, block)[-1] for block in blocks])
    agreement = None
    if model.labels.kind == "class":
        agreement = float(np.mean(real.argmax(axis=1) == answers.argmax(axis=1)))
    # In the units of the device, because `score` knows of no others.
    scores = [score(model, out, y_test).value for out in (real / model.last.y_scale, answers)]
    return Scores(scores[0], scores[1], agreement)


def _graph(prepared: Prepared, state: State | None) -> Graph:
    if state is None:
        return replace(prepared.graph, read_outs=real_read_outs(prepared.model, None))
    return with_state(prepared, state)


def _real_outputs(prepared: Prepared, graph: Graph, x: NDArray[Any]) -> list[Real]:
    inputs = prepared.model.inputs
    scaled = np.asarray((x - inputs.mean) / inputs.std, np.float64)
    return list(outputs(graph, scaled, prepared.spec.seed))


def _error(layer: QuantizedLayer, integers: NDArray[Any], real: Real) -> LayerError:
    difference = integers * layer.y_scale - real
    power = float(np.sqrt(np.mean(real**2)))
    loss = float(np.sqrt(np.mean(difference**2)))
    full_scale, clipped = 0.0, 0.0
    if layer.y_type != "f32":
        low, high = limits(layer.y_type)
        full_scale = layer.y_scale * (high + 1)
        # Where an activation is bounded by itself, the end of the range is no loss.
        if not FACTS[getattr(layer, "activation", "tanh")].is_bounded:
            clipped = float(np.mean((integers <= low) | (integers >= high)))
    return LayerError(
        layer=layer.name,
        kind=layer.kind,
        reach=float(np.abs(real).max()),
        full_scale=full_scale,
        clipped=clipped,
        error=loss / power if power > 0 else float("nan"),
    )
