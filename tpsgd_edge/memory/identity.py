"""Identity of the model of a saved state: one number over all that gives its bits a meaning."""

import itertools
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from tpsgd_edge.memory.state import state_layout
from tpsgd_edge.quantize.model import FloatSum, IntegerSum, QuantizedModel, Weighted

# Classes and fields that ids know by an older name: a word that is renamed, or a class that is
# taken apart, changes no saved model.
_NAMES_IN_IDS = {
    "std": "deviation",
    "reset_before": "resets_first",
    "settings": "numbers",
    "Conv2dShape": "Geometry",
    "dense": "QuantizedDense",
    "conv2d": "QuantizedConv2d",
    "rnn": "QuantizedRnn",
}

# How a model goes on learning, and where it began, do not change what its state means. Whatever
# is not named here counts, so that a new field is never forgotten.
_NO_MEANING = {
    "QuantizedModel": {"name", "schedule", "gate", "learn_every", "rule"},
    "QuantizedGru": {"loss_layer"},
    "QuantizedLstm": {"loss_layer"},
    "QuantizedDetector": {"loss_layer", "up", "down"},
    "Replay": {"again"},
    "InputScaling": {"raw"},
    "Projection": {"rate"},
    "LayerLearning": {"loss", "steps", "input_gradient"},
    "IntegerSteps": {"rate", "update_shift", "dead_zone", "error_scale"},
    "FloatSteps": {"rate", "dead_zone"},
}
# A layer with weights is written as if it had no parts: in this order, and as in integers where it
# is in binary32. Fields that are not named here come behind them.
_WEIGHTED = (
    *("name", "n_in", "n_out", "activation", "weight_type", "x_type", "y_type", "is_last"),
    *("weight_bits", "weight_scale", "x_scale", "y_scale", "bias_shift", "bias_one"),
    *("z", "z_min", "z_max", "accumulator", "projection", "unit_offset", "init", "trains"),
    *("residual", "negative_slope", "settings", "curve"),
)
_OF_KIND = {"dense": (), "conv2d": ("geometry",), "rnn": ("leak_shifts", "has_traces", "own_shift")}
_IN_BINARY32: dict[str, object] = {
    **{"weight_bits": 0, "bias_shift": 0, "bias_one": 0, "z": None, "z_min": 0, "z_max": 0},
    "own_shift": 0,
}


def model_id(model: QuantizedModel) -> int:
    """A CRC-32 over shapes, formats, scales, seed, projections, constants and the struct's layout.

    Initial weights of layers that learn, learning rates and losses leave it as it is.
    """
    lines = [*_lines("", model), *_lines("layout", state_layout(model)), *_readout_lines(model)]
    return zlib.crc32("".join(f"{line}\n" for line in lines).encode())


def model_id_text(model: QuantizedModel) -> str:
    """The same in hexadecimal, as a manifest has it."""
    return f"0x{model_id(model):08X}"


def _readout_lines(model: QuantizedModel) -> Iterator[str]:
    """Read-outs of layers that carry scores: what the net answers is made of them."""
    for layer in model.with_loss:
        if layer.name in model.carrying:
            yield from _lines(f"readout.{layer.name}", layer.loss.readout)


def _lines(path: str, value: Any) -> Iterator[str]:
    """A value as text, one line for each number; reals in nine digits, as far as binary32 goes."""
    if is_dataclass(value):
        yield f"{path} {_class_name(value)}"
        for name, entry in _entries(value):
            yield from _lines(f"{path}.{_NAMES_IN_IDS.get(name, name)}", entry)
    elif isinstance(value, np.ndarray) and value.dtype.kind != "f":
        little = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        yield f"{path} {value.dtype.name} {value.shape} {zlib.crc32(little.tobytes())}"
    elif isinstance(value, Mapping):
        for key, entry in sorted(value.items()):
            yield from _lines(f"{path}.{key}", entry)
    elif isinstance(value, tuple | np.ndarray):
        yield f"{path} {np.shape(value) if isinstance(value, np.ndarray) else len(value)}"
        for entry in value.ravel().tolist() if isinstance(value, np.ndarray) else value:
            yield from _lines(path, entry)
    else:
        yield f"{path} {value:.9g}" if isinstance(value, float) else f"{path} {value}"


def _class_name(value: Any) -> str:
    name = value.kind if isinstance(value, Weighted) else type(value).__name__
    return _NAMES_IN_IDS.get(name, name)


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Fields that count, with their values."""
    if isinstance(value, Weighted):
        yield from _of_weighted(value)
        return
    for name, entry in _own_fields(value):
        if isinstance(entry, IntegerSum | FloatSum):
            yield from _of_sum(entry, len(value.x_scales))
        else:
            yield name, entry


def _own_fields(value: Any) -> Iterator[tuple[str, Any]]:
    left_out = _NO_MEANING.get(type(value).__name__, set())
    if isinstance(value, QuantizedModel) and value.edges.is_chain:
        # Whether a chain says what its layers read or leaves it out, it is the same model.
        left_out = left_out | {"reads"}
    if isinstance(value, QuantizedModel) and not value.carrying:
        # Models without scores that are carried have the ids of old.
        left_out = left_out | {"scores"}
    if isinstance(value, QuantizedModel) and value.replay is None:
        left_out = left_out | {"replay"}
    for field in fields(value):
        if field.name not in left_out:
            yield field.name, getattr(value, field.name)


def _of_weighted(layer: Weighted[Any, Any, Any]) -> Iterator[tuple[str, Any]]:
    parts = (layer, layer.shape, layer.numbers, layer.learning, layer.learning.steps)
    own = dict(entry for part in parts for entry in _own_fields(part)) | {"geometry": layer.shape}
    for part in ("shape", "numbers", "learning"):
        del own[part]
    names = (*_WEIGHTED, *_OF_KIND[layer.kind])
    known = {*_WEIGHTED, *itertools.chain.from_iterable(_OF_KIND.values())}
    shape = {field.name for field in fields(layer.shape)}
    for name in (*names, *(name for name in own if name not in known | shape)):
        if name != "init" or not layer.trains:
            yield name, own[name] if name in own else _common(layer, name)


def _common(layer: Weighted[Any, Any, Any], name: str) -> Any:
    """A fact that is no field of this layer's parts, but of others' parts."""
    for part in (layer, layer.numbers):
        if hasattr(part, name):
            return getattr(part, name)
    return _IN_BINARY32[name]


def _of_sum(numbers: IntegerSum | FloatSum, count: int) -> Iterator[tuple[str, Any]]:
    if isinstance(numbers, FloatSum):
        numbers = IntegerSum((0,) * count, 0, 0, 0)
    yield from _own_fields(numbers)
