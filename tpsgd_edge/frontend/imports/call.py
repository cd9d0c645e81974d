"""A node of a net with what is constant of its inputs, and what messages say of it."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array, Real
from tpsgd_edge.errors import DataError, visible

# What a microcontroller holds in one map or vector, generously.
LARGEST_MAP = 1 << 20


class Attributes(Mapping[str, Any]):
    """The attributes of a node, which remember those that were looked at.

    What nobody looks at was not heeded: the reader refuses such a node.
    """

    def __init__(self, values: Mapping[str, Any], seen: set[str] | None = None) -> None:
        self._values = dict(values)
        self._seen: set[str] = set() if seen is None else seen

    def __getitem__(self, name: str) -> Any:
        self._seen.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def changed(self, change: Callable[[str, Any], Any]) -> "Attributes":
        """The same attributes with other values; what is looked at there counts here too."""
        values = {name: change(name, value) for name, value in self._values.items()}
        return Attributes(values, self._seen)

    @property
    def unseen(self) -> tuple[str, ...]:
        """The names of those that were not looked at."""
        return tuple(name for name in self._values if name not in self._seen)


@dataclass(frozen=True, slots=True)
class Node:
    """One operator of an ONNX graph.

    `said` is what the operator is called in the file, where that is no ONNX file.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Attributes
    said: str = ""

    def place(self, file: str) -> str:
        """Place of the node, for messages."""
        name = self.name or (self.outputs[0] if self.outputs else "")
        op = f"{self.said}, read as {self.op}" if self.said else self.op
        return f"{file}, node '{visible(name[:60])}' ({visible(op[:60])})"


@dataclass(frozen=True, slots=True)
class Call:
    """A node as its handler sees it.

    `arrays` are the constant inputs, None where an input is left out or comes from the layer
    before; `batch` is how many samples the file says come at once, 1 where it leaves that open;
    `opset` is the version of ONNX's operators that the file asks for.
    Every method raises a `DataError` where the node holds something else than asked for.
    """

    node: Node
    arrays: tuple[Array | None, ...]
    file: str
    batch: int = 1
    opset: int = 17

    def error(self, what: str, *, found: str | None = None, help: str | None = None) -> DataError:  # noqa: A002 - as in errors
        """Make an error about this node."""
        return DataError(what, where=self.node.place(self.file), found=found, help=help)

    def has(self, index: int) -> bool:
        """Tell whether an input is there."""
        return index < len(self.node.inputs) and self.node.inputs[index] != ""

    def array(self, index: int, what: str) -> Array:
        """Return a constant input, in the shape that the file has.

        Raises:
            DataError: there is no such input, or it is no constant.
        """
        array = self.optional(index, what)
        if array is None:
            raise self.error(f"{self.node.op} has no {what}")
        return array

    def optional(self, index: int, what: str) -> Array | None:
        """Return a constant input that may be left out, in the shape that the file has.

        Raises:
            DataError: it is computed from the samples.
        """
        if not self.has(index):
            return None
        array = self.arrays[index]
        if array is None:
            raise self.error(
                f"the {what} of {self.node.op} is not a constant",
                found=f"'{self.node.inputs[index][:60]}' is computed from the samples",
                help="only what is fixed in the file can become weights",
            )
        return array

    def real(self, index: int, what: str, shape: tuple[int, ...] | None = None) -> Real:
        """Return a constant input of finite real numbers, of the given shape if there is one.

        Raises:
            DataError: it is missing, no constant, of another shape, or not finite.
        """
        array = self.array(index, what)
        if shape is not None and array.shape != shape:
            raise self.error(
                f"the {what} of {self.node.op} does not fit",
                found=f"shape {array.shape}, expected {shape}",
            )
        return self.finite(array, what)

    def finite(self, array: Array, what: str) -> Real:
        """Return the numbers of an array of any shape as binary64.

        Raises:
            DataError: they are whole numbers without a scale, no numbers, or not finite.
        """
        if array.dtype.kind in "iu":
            raise self.error(
                f"the {what} of {self.node.op}: whole numbers without a scale",
                found=f"{array.dtype} {array.shape}",
                help="nets in integers are read with QuantizeLinear and DequantizeLinear around "
                "what computes (QDQ), or give the net in real numbers",
            )
        if array.dtype.kind != "f":
            raise self.error(
                f"the {what} of {self.node.op} must be real numbers", found=f"{array.dtype}"
            )
        with np.errstate(invalid="ignore"):
            numbers = array.astype(np.float64)
        # Squares and sums of such numbers must stay finite too.
        if not (np.abs(numbers) <= np.finfo(np.float32).max).all():
            raise self.error(
                f"the {what} of {self.node.op} holds NaN, infinity or too large numbers"
            )
        return numbers

    def whole(self, array: Array, what: str) -> tuple[int, ...]:
        """Return the entries of a list (n,) of whole numbers.

        Raises:
            DataError: it is something else.
        """
        if array.dtype.kind not in "iu" or array.ndim > 1 or array.size > 64:
            raise self.error(
                f"the {what} of {self.node.op} must be a list of whole numbers",
                found=f"{array.dtype} {array.shape}",
            )
        return tuple(int(entry) for entry in array.ravel())

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """Return an attribute that is a list of whole numbers.

        Raises:
            DataError: it is something else.
        """
        value = self.node.attributes.get(name, default)
        if not isinstance(value, tuple) or not all(type(entry) is int for entry in value):
            raise self._odd(name, value, "a list of whole numbers")
        return value

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number.

        Raises:
            DataError: it is something else.
        """
        value = self.node.attributes.get(name, default)
        if type(value) is not int:
            raise self._odd(name, value, "a whole number")
        return value

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a finite number.

        Raises:
            DataError: it is something else.
        """
        value = self.node.attributes.get(name, default)
        if not isinstance(value, float) or not math.isfinite(value):
            raise self._odd(name, value, "a number")
        return value

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is text.

        Raises:
            DataError: it is something else.
        """
        value = self.node.attributes.get(name, default)
        if not isinstance(value, str):
            raise self._odd(name, value, "text")
        return value

    def _odd(self, name: str, value: object, expected: str) -> DataError:
        return self.error(
            f"the attribute '{name[:40]}' of {self.node.op} must be {expected}",
            found=f"{value!r:.60}",
        )
