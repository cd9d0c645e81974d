"""Values that each layer of a net reads.

A value has the name of the layer that makes it; the sample is `x`. Layers stand in an order in
which they can be computed, so a layer reads values of layers before it only, and no cycle can be
said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SAMPLE = "x"


@dataclass(frozen=True, slots=True)
class Edges:
    """The values that layers read.

    Attributes:
        names: the layers in the order of computing.
        inputs: the values that each of them reads, in the order in which it takes them.
    """

    names: tuple[str, ...]
    inputs: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, names: Sequence[str], reads: Mapping[str, tuple[str, ...]]) -> "Edges":
        """Edges of layers that read the one before them, but for those in `reads`.

        >>> Edges.of(["a", "b", "c"], {"c": ("a", "b")}).inputs
        (('x',), ('a',), ('a', 'b'))
        """
        before = [SAMPLE, *names[:-1]]
        pairs = zip(names, before, strict=True)
        return cls(tuple(names), tuple(reads.get(name, (one,)) for name, one in pairs))

    def inputs_of(self, layer: str) -> tuple[str, ...]:
        """The values that a layer reads."""
        return self.inputs[self.names.index(layer)]

    def input_of(self, layer: str) -> str:
        """The value that a layer reads which reads one; ValueError where it reads more."""
        (value,) = self.inputs_of(layer)
        return value

    def consumers_of(self, value: str) -> tuple[str, ...]:
        """The layers that read a value, in the order of computing.

        >>> Edges.of(["a", "b", "c"], {"c": ("a", "b")}).consumers_of("a")
        ('b', 'c')
        """
        pairs = zip(self.names, self.inputs, strict=True)
        return tuple(name for name, inputs in pairs if value in inputs)

    def producer_of(self, value: str) -> int | None:
        """The place of the layer that makes a value; None for the sample."""
        return None if value == SAMPLE else self.names.index(value)

    def producers_of(self, layer: str) -> tuple[int, ...]:
        """The places of the layers whose values a layer reads; the sample has none."""
        found = (self.producer_of(value) for value in self.inputs_of(layer))
        return tuple(place for place in found if place is not None)

    def places(self) -> tuple[tuple[int, ...], ...]:
        """Places of each layer's inputs in a list of the sample and all values.

        >>> Edges.of(["a", "b", "c"], {"c": ("a", "b")}).places()
        ((0,), (1,), (1, 2))
        """
        at = {value: place for place, value in enumerate((SAMPLE, *self.names))}
        return tuple(tuple(at[value] for value in inputs) for inputs in self.inputs)

    def up_to(self, value: str) -> frozenset[str]:
        """The layers that a value depends on: the one that makes it, and those before that one.

        >>> sorted(Edges.of(["a", "b", "c"], {"c": ("a",)}).up_to("c"))
        ['a', 'c']
        """
        if value == SAMPLE:
            return frozenset()
        found, waiting = set[str](), [value]
        while waiting:
            name = waiting.pop()
            if name != SAMPLE and name not in found:
                found.add(name)
                waiting.extend(self.inputs_of(name))
        return frozenset(found)

    @property
    def without_consumers(self) -> tuple[str, ...]:
        """The layers that no other layer reads: in a net that is whole, the last one alone."""
        read = {value for inputs in self.inputs for value in inputs}
        return tuple(name for name in self.names if name not in read)

    @property
    def is_chain(self) -> bool:
        """Tell whether each layer reads the one before it, and only that."""
        return self == Edges.of(self.names, {})
