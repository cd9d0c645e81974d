"""A trained model back in real numbers, for other tools."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.files import is_plain, write_whole
from tpsgd_edge.frontend.exports.onnx_net import Ends, to_onnx
from tpsgd_edge.frontend.tflite.export import to_tflite
from tpsgd_edge.graph import Graph
from tpsgd_edge.memory import StateLayout, model_id, model_id_text, state_layout
from tpsgd_edge.memory.checkpoint import headers, newest
from tpsgd_edge.memory.dump import State, read_dump
from tpsgd_edge.quantize.restore import real_read_outs, real_weights
from tpsgd_edge.stages.preparation import Prepared

# More than the memory of any microcontroller that this is for.
_LARGEST = 1 << 26
_LARGEST_NOTE = 1 << 16


def write_state(prepared: Prepared, state: bytes, path: Path) -> None:
    """Write a state as a debugger dumps it, and beside it, in JSON, which model it belongs to.

    Raises:
        OutputError: a file cannot be written.
    """
    note = {
        "model": prepared.model.name,
        "model_id": model_id_text(prepared.model),
        "sha256": hashlib.sha256(state).hexdigest(),
    }
    write_whole(state, path, what="the state")
    text = json.dumps(note, indent=2) + "\n"
    write_whole(text.encode(), note_of(path), what="the note beside the state")


def note_of(dump: Path) -> Path:
    """The file that says which model a dump belongs to."""
    return dump.with_name(dump.name + ".json")


def noted_model(dump: Path, raw: bytes) -> int | None:
    """The id in the note beside a dump; None where there is none, or one of other bytes."""
    path = note_of(dump)
    try:
        if not is_plain(path) or path.stat().st_size > _LARGEST_NOTE:
            return None
        note = json.loads(path.read_text(encoding="utf-8"))
        is_of_these = note["sha256"] == hashlib.sha256(raw).hexdigest()
        return int(note["model_id"], 16) if is_of_these else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def read_state(
    prepared: Prepared, dump: Path, *, crc: int | None = None, model: int | None = None
) -> tuple[State, bool]:
    """The state in a file: the raw bytes of the state struct, a checkpoint, or a copy of a storage.

    Returns:
        The tensors by name, and whether anything said which model they are of.

    Args:
        crc: what NAME_digest() gave on the device, to be compared.
        model: NAME_MODEL_ID of the firmware that it comes from; what the note beside the file says
            where not given, or the checkpoint itself.

    Raises:
        DataError: the file cannot be read, or is no state of this model.
    """
    raw = _read(dump)
    expected, found = model_id(prepared.model), noted_model(dump, raw) if model is None else model
    if found is not None and found != expected:
        raise DataError(
            "the dump is of another model: with these scales and formats it means something else",
            where=dump.name,
            found=f"model id 0x{found:08X}, this spec makes 0x{expected:08X}",
            help="use the spec and the data that the firmware was built from",
        )
    layout = state_layout(prepared.model)
    if len(raw) != layout.size and any(headers(raw)):
        raw, found = newest_state(layout, raw, expected, where=dump.name), expected
    return read_dump(prepared.model, raw, where=dump.name, crc=crc), found is not None


def newest_state(layout: StateLayout, raw: bytes, model: int, *, where: str) -> bytes:
    """The state struct of the newest checkpoint in some bytes, with the padding at its end.

    Raises:
        DataError: no checkpoint there is of this model and whole.
    """
    found = newest(raw, model, layout.used_bytes, where=where)
    assert found.state is not None, "only whole ones have a state"
    return found.state.ljust(layout.size, b"\0")


def _read(dump: Path) -> bytes:
    try:
        with dump.open("rb") as file:
            return file.read(_LARGEST)
    except (OSError, ValueError) as error:
        raise DataError(
            f"the dump '{dump.name}' cannot be read",
            where=str(dump),
            found=getattr(error, "strerror", None) or str(error),
        ) from None


def with_state(prepared: Prepared, state: State) -> Graph:
    """The graph with the weights that a state stands for, and the read-outs that carry scores."""
    model = prepared.model
    weights, read_outs = real_weights(model, state), real_read_outs(model, state)
    return replace(prepared.graph, weights=weights, read_outs=read_outs)


def onnx_of(prepared: Prepared, state: State, *, scaled_input: bool = False) -> bytes:
    """Write the trained net as the bytes of an ONNX file.

    Args:
        scaled_input: leave out what `data.scaling` does to samples.

    Raises:
        SpecError: the net has an adaptor, which no chain of operators can express, or a detector.
    """
    ends, note = _ends(prepared, scaled_input=scaled_input), _note(prepared, state, scaled_input)
    names = prepared.dataset.class_names
    return to_onnx(with_state(prepared, state), ends, note=note, class_names=names)


def tflite_of(prepared: Prepared, state: State, *, scaled_input: bool = False) -> bytes:
    """Write the trained net as the bytes of a TensorFlow Lite file.

    Args:
        scaled_input: leave out what `data.scaling` does to samples.

    Raises:
        SpecError: as for `onnx_of`, or a layer that TensorFlow Lite has no operators for.
    """
    ends, note = _ends(prepared, scaled_input=scaled_input), _note(prepared, state, scaled_input)
    return to_tflite(with_state(prepared, state), ends, note=note)


def _note(prepared: Prepared, state: State, scaled_input: bool) -> str:  # noqa: FBT001
    scaling = "scaled as by data.scaling of the spec" if scaled_input else "as the data file has it"
    steps = int(state["step"])
    return f"{prepared.model.name} after {steps} training steps; x is {scaling}, channels last"


def _ends(prepared: Prepared, *, scaled_input: bool) -> Ends:
    """Steps before the first layer and behind the last one; SpecError for what is no net."""
    model = prepared.model
    if model.detectors:
        raise SpecError(
            f"the detector '{model.last.name}' cannot be exported",
            where=f"{prepared.spec.source}, [model], layer '{model.last.name}'",
            help="its score and its threshold are integers; a checkpoint keeps all of them",
        )
    adaptors = [layer.name for layer in model.weighted if layer.residual]
    if adaptors:
        raise SpecError(
            f"the adaptor '{adaptors[0]}' cannot be exported",
            where=f"{prepared.spec.source}, [model]",
            help="export writes chains; what an adaptor adds to its input is a branch",
        )
    inputs, labels = (model.inputs.mean, model.inputs.std), None
    if model.labels.kind == "vector":
        labels = (model.labels.mean, model.labels.std)
    return Ends(
        inputs=None if scaled_input else inputs,
        labels=labels,
        has_softmax=model.last.loss.kind == "softmax_cross_entropy",
    )
