"""Identity of the model of a saved state: one number over all that gives its bits a meaning."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from tpsgd_edge.memory.state import StateLayout, state_layout
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedPool, dense_parts

# Fields that ids know by an older name: a word that is renamed changes no saved model.
_NAMES_IN_IDS = {"std": "deviation", "reset_before": "resets_first"}

# How a model goes on learning, and where it began, do not change what its state means. Whatever
# is not named here counts, so that a new field is never forgotten.
_NO_MEANING = {
    "QuantizedModel": {"name", "schedule", "gate", "learn_every", "rule"},
    "QuantizedGru": {"loss_layer"},
    "InputScaling": {"raw"},
    "Projection": {"rate", "rate_f32"},
    "layer": {
        "loss",
        "rate",
        "rate_f32",
        "update_shift",
        "dead_zone",
        "error_scale",
        "input_gradient",
        "input_bound",
        "bias_bound",
    },
}


def model_id(model: QuantizedModel) -> int:
    """A CRC-32 over shapes, formats, scales, seed, projections, constants and the struct's layout.

    Initial weights of layers that learn, learning rates and losses leave it as it is.
    """
    lines = [*_lines("", model), *_lines("layout", state_layout(model))]
    return zlib.crc32("".join(f"{line}\n" for line in lines).encode())


def model_id_text(model: QuantizedModel) -> str:
    """The same in hexadecimal, as a manifest has it."""
    return f"0x{model_id(model):08X}"


def _lines(path: str, value: Any) -> Iterator[str]:
    """A value as text, one line for each number; reals in nine digits, as far as binary32 goes."""
    if is_dataclass(value):
        yield f"{path} {type(value).__name__}"
        for field in fields(value):
            if field.name not in _left_out(value):
                name = _NAMES_IN_IDS.get(field.name, field.name)
                yield from _lines(f"{path}.{name}", getattr(value, field.name))
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


def _left_out(value: Any) -> set[str]:
    kind = type(value).__name__
    if isinstance(value, QuantizedModel) and value.edges.is_chain:
        # Whether a chain says what its layers read or leaves it out, it is the same model.
        return _NO_MEANING[kind] | {"reads"}
    if isinstance(value, QuantizedModel | StateLayout | QuantizedPool) or not _is_layer(value):
        return _NO_MEANING.get(kind, set())
    first = {"init"} if getattr(value, "trains", False) else set()
    return _NO_MEANING["layer"] | _NO_MEANING.get(kind, set()) | first


def _is_layer(value: Any) -> bool:
    return bool(hasattr(value, "weight_type")) and bool(dense_parts(value))
