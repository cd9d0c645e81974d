"""Operators and tensors of a TensorFlow Lite file as they are put together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.frontend.tflite.schema import (
    BYTES,
    MARK,
    ONE_BY_DEFAULT,
    OPERATORS,
    OPTIONS,
    REALS,
    WIDE,
)
from tpsgd_edge.frontend.tflite.serial import Fields, serialized

_VERSION = 3
_REAL, _WHOLE = 0, 2
# Which fields of options are lists.
_LISTS = ("new_shape", "squeeze_dims")


class TfliteWriter:
    """A net in the making. Operators come in the order of computing, tensors are places."""

    def __init__(self) -> None:
        self._codes: list[str] = []
        self._tensors: list[Fields] = []
        self._buffers: list[Fields] = [Fields({}, {})]
        self._operators: list[Fields] = []
        self._shapes: list[tuple[int, ...]] = []

    def value(self, name: str, shape: tuple[int, ...]) -> int:
        """Add a tensor that is computed, with one sample on its first axis, which is open."""
        open_one = np.array((-1, *shape[1:]), "<i4")
        return self._add(name, shape, _REAL, 0, {7: open_one})

    def constant(self, name: str, values: Array) -> int:
        """Add a constant in its shape, of binary32 or of whole numbers of 32 bits."""
        is_real = values.dtype.kind == "f"
        array = values.astype("<f4" if is_real else "<i4")
        self._buffers.append(Fields({}, {0: array.tobytes()}))
        kind = _REAL if is_real else _WHOLE
        return self._add(name, array.shape, kind, len(self._buffers) - 1, {})

    def shape_of(self, tensor: int) -> tuple[int, ...]:
        """The shape of a tensor with one sample."""
        return self._shapes[tensor]

    def op(
        self, op: str, inputs: Sequence[int], name: str, shape: tuple[int, ...], **options: Any
    ) -> int:
        """Add an operator; return the tensor that it makes."""
        if op not in self._codes:
            self._codes.append(op)
        output = self.value(name, shape)
        kind, names = OPTIONS.get(op, (0, ()))
        numbers = {0: ("I", self._codes.index(op))}
        parts: dict[int, Any] = {
            1: np.array(inputs, "<i4"),
            2: np.array([output], "<i4"),
        }
        if kind:
            numbers[3] = ("B", kind)
            parts[4] = _options(names, options)
        self._operators.append(Fields(numbers, parts))
        return output

    def model(self, name: str, x: int, y: int, *, note: str) -> bytes:
        """The finished file, with the net's name and what the file says of itself."""
        graph = Fields(
            {},
            {
                0: self._tensors,
                1: np.array([x], "<i4"),
                2: np.array([y], "<i4"),
                3: self._operators,
                4: name,
            },
        )
        codes = [_code(op) for op in self._codes]
        # What the file says of itself comes first.
        parts = {3: note, 1: codes, 2: [graph], 4: self._buffers}
        return serialized(Fields({0: ("I", _VERSION)}, parts), MARK)

    def _add(
        self, name: str, shape: tuple[int, ...], kind: int, buffer: int, more: dict[int, Any]
    ) -> int:
        parts = {0: np.array(shape, "<i4"), 3: name, **more}
        self._tensors.append(Fields({1: ("b", kind), 2: ("I", buffer)}, parts))
        self._shapes.append(tuple(shape))
        return len(self._tensors) - 1


def _code(op: str) -> Fields:
    number = OPERATORS.index(op)
    return Fields({0: ("b", min(number, WIDE)), 2: ("i", 1), 3: ("i", number)}, {})


def _options(names: Sequence[str], options: dict[str, Any]) -> Fields:
    """The table of an operator's options; those that are not named have their defaults."""
    numbers: dict[int, tuple[str, Any]] = {}
    parts: dict[int, Any] = {}
    for field, name in enumerate(names):
        value = options.get(name, int(name in ONE_BY_DEFAULT))
        if name in _LISTS:
            parts[field] = np.array(options[name], "<i4")
        else:
            numbers[field] = ("f" if name in REALS else "b" if name in BYTES else "i", value)
    return Fields(numbers, parts)
