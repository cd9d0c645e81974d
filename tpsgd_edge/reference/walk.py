"""The layers that walk along a sequence, one step after the other (sections 15 and 23)."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference.layer import MemoryLayer, RecurrentLayer, ReferenceLayer


@dataclass(frozen=True, slots=True)
class Walk:
    """Layers, each of which reads the one before it.

    Attributes:
        keeping: those that keep something from step to step.
        memories: those of them that hand on at some steps only, by their place.
        first: outputs of each layer before the first step.
    """

    layers: tuple[ReferenceLayer, ...]
    keeping: tuple[RecurrentLayer, ...]
    memories: Mapping[int, MemoryLayer]
    first: tuple[Array, ...]

    @classmethod
    def of(cls, model: QuantizedModel, layers: Sequence[ReferenceLayer]) -> "Walk":
        """The walk of a model, of all of whose layers it takes the first ones."""
        numbers = model.walk
        keeping, memories, first = [], {}, []
        for place, (layer, own) in enumerate(zip(layers, numbers, strict=False)):
            value: Array = np.zeros(own.y_count, np.float32 if own.x_type == "f32" else np.int64)
            is_memory = own.kind == "memory"
            if own.is_recurrent or is_memory:
                keeping.append(cast(RecurrentLayer, layer))
            if is_memory:
                memories[place] = cast(MemoryLayer, layer)
                is_last = place == len(numbers) - 1
                value = memories[place].output() if is_last else value
            first.append(value)
        return cls(tuple(layers[: len(numbers)]), tuple(keeping), memories, tuple(first))

    def along(self, x: Array, steps: Container[int]) -> Iterator[tuple[int, list[Array]]]:
        """Some steps of a sequence x (steps, values), each with that step and all outputs.

        The next step sees what was learned at this one.
        """
        for layer in self.keeping:
            layer.reset()
        values = [x[0], *self.first]
        for step, now in enumerate(x):
            values[0] = now
            self._take(values)
            if step in steps:
                yield step, list(values)

    def _take(self, values: list[Array]) -> None:
        """One timestep of the layers that see it, whose outputs go into `values`."""
        for place, layer in enumerate(self.layers):
            y = layer.forward(values[place])
            memory, is_last = self.memories.get(place), place == len(self.layers) - 1
            if memory is not None and not is_last and not memory.is_due:
                return
            values[place + 1] = y
