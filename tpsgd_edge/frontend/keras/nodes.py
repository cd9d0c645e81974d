"""Nodes of the form in which nets are read, made from layers of Keras."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.call import Attributes, Node
from tpsgd_edge.frontend.imports.file import HeldTensor


@dataclass(frozen=True, slots=True)
class KerasLayer:
    """A layer as its config says it, and its weights in the order of Keras.

    Attributes:
        kind: the name of its class.
        config: what it was made with.
        inputs: names of the layers that it reads.
        ndim: axes of the value that it reads, that of the samples among them; 0 where unknown.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    inputs: tuple[str, ...]
    ndim: int
    weights: tuple[Array, ...] = ()


class Nodes:
    """Nodes and constants of a net in the making; values go by the names of their layers."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.made: list[Node] = []
        self.tensors: dict[str, HeldTensor] = {}
        self.held: dict[str, str] = {}

    def error(self, layer: KerasLayer, what: str, found: str | None, help: str) -> DataError:  # noqa: A002 - as in errors
        """Make an error about a layer."""
        where = f"{self.file}, layer '{layer.name[:60]}' ({layer.kind[:40]})"
        return DataError(what, where=where, found=found, help=help)

    def constant(self, layer: KerasLayer, what: str, array: Array) -> str:
        """The name of a new constant of any shape."""
        name = f"{layer.name}/{what}"
        self.tensors[name] = HeldTensor(np.asarray(array))
        return name

    def node(
        self, layer: KerasLayer, op: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any
    ) -> str:
        """Add a node; return the name of its last output."""
        names = tuple(f"{layer.name}/{len(self.made)}/{i}" for i in range(outputs))
        known = {name: value for name, value in attributes.items() if value is not None}
        held = Attributes(known)
        self.made.append(Node(op, "", layer.name, tuple(inputs), names, held, said=layer.kind))
        return names[-1]

    def turned(self, layer: KerasLayer, x: str, ndim: int, *, back: bool = False) -> str:
        """Values with their channels behind the samples, or back at the end."""
        inner = tuple(range(1, ndim))
        axes = (0, *inner[1:], 1) if back else (0, ndim - 1, *inner[:-1])
        return self.node(layer, "Transpose", [x], perm=axes)

    def weight(self, layer: KerasLayer, place: int, *shape: int | None) -> Array:
        """One of the layer's weights, of a shape in which None may be any length.

        Raises:
            DataError: there is none, or of another shape.
        """
        array = layer.weights[place] if place < len(layer.weights) else None
        fits = array is not None and array.ndim == len(shape)
        if (
            array is None
            or not fits
            or any(
                asked not in (None, given) for asked, given in zip(shape, array.shape, strict=True)
            )
        ):
            found = "no array" if array is None else f"shape {array.shape}"
            help = "build the net and give it weights before it is read"  # noqa: A001
            raise self.error(layer, f"weight {place} of the layer does not fit", found, help)
        return array

    def setting(self, layer: KerasLayer, name: str, kind: type, default: Any = None) -> Any:
        """A setting of the layer; DataError if it is none of its kind."""
        value = layer.config.get(name, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(
                layer,
                f"the setting '{name}' is of a kind that is not read",
                f"{value!r:.60}",
                f"expected: {kind.__name__}",
            )
        return value

    def lengths(self, layer: KerasLayer, name: str, count: int) -> tuple[int, ...]:
        """A setting of one whole number for all axes, or of one for each.

        Raises:
            DataError: it is something else.
        """
        value = layer.config.get(name)
        values = [value] * count if type(value) is int else value
        if (
            not isinstance(values, list | tuple)
            or len(values) != count
            or not all(type(n) is int and 0 <= n <= 65_535 for n in values)
        ):
            what = f"the setting '{name}' is not read"
            raise self.error(layer, what, f"{value!r:.60}", f"expected: {count} whole numbers")
        return tuple(values)
