"""A trained model back in real numbers, for other tools."""

from dataclasses import replace
from pathlib import Path

from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.exports.onnx_net import Ends, to_onnx
from tpsgd_edge.graph import Graph
from tpsgd_edge.memory.dump import State, read_dump
from tpsgd_edge.quantize.restore import real_weights
from tpsgd_edge.stages.prepare import Prepared

# More than the memory of any microcontroller that this is for.
_LARGEST = 1 << 26


def read_state(prepared: Prepared, dump: Path, *, crc: int | None = None) -> State:
    """The state in a file that holds the raw bytes of the state struct.

    Raises:
        DataError: the file cannot be read, or is no state of this model.
    """
    try:
        with dump.open("rb") as file:
            raw = file.read(_LARGEST)
    except (OSError, ValueError) as error:
        raise DataError(
            f"the dump '{dump.name}' cannot be read",
            where=str(dump),
            found=getattr(error, "strerror", None) or str(error),
        ) from None
    return read_dump(prepared.model, raw, where=dump.name, crc=crc)


def with_state(prepared: Prepared, state: State) -> Graph:
    """The graph with the weights that a state stands for."""
    return replace(prepared.graph, weights=real_weights(prepared.model, state))


def onnx_of(prepared: Prepared, state: State, *, scaled_input: bool = False) -> bytes:
    """The trained net as an ONNX file.

    Args:
        scaled_input: leave out what `data.scaling` does to samples.
    """
    model = prepared.model
    adaptors = [layer.name for layer in model.weighted if layer.residual]
    if adaptors:
        raise SpecError(
            f"the adaptor '{adaptors[0]}' cannot be exported",
            where=f"{prepared.spec.source}, [model]",
            help="export writes chains; what an adaptor adds to its input is a branch",
        )
    inputs, labels = (model.inputs.mean, model.inputs.deviation), None
    if model.labels.kind == "vector":
        labels = (model.labels.mean, model.labels.deviation)
    ends = Ends(
        inputs=None if scaled_input else inputs,
        labels=labels,
        has_softmax=model.last.loss.kind == "softmax_cross_entropy",
    )
    scaling = "scaled as by data.scaling of the spec" if scaled_input else "as the data file has it"
    note = f"{model.name} after {int(state['step'])} training steps; x is {scaling}, channels last"
    names = prepared.dataset.class_names
    return to_onnx(with_state(prepared, state), ends, note=note, class_names=names)
