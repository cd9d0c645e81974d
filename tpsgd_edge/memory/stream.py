"""The stream: what lasts from one step of a sequence to the next."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tpsgd_edge.memory.scratch import gru_sums
from tpsgd_edge.quantize.model import (
    DTYPES,
    QuantizedGru,
    QuantizedMemory,
    QuantizedModel,
    QuantizedRecurrent,
    ValueType,
)


@dataclass(frozen=True, slots=True)
class StreamBuffer:
    """Memory that a layer keeps between timesteps. Only training needs a `trace`.

    A memory keeps its states (s), and the counts of its inputs (n) where it has to know them.
    """

    layer: str
    role: Literal["h", "v", "c", "g", "trace", "s", "n"]
    type: ValueType | Literal["s32"]
    count: int

    @property
    def name(self) -> str:
        """The member in C."""
        return f"{self.layer}_{self.role}"

    @property
    def n_bytes(self) -> int:
        """Size in bytes."""
        return self.count * DTYPES[self.type].itemsize


def stream_of(model: QuantizedModel) -> Iterator[StreamBuffer]:
    """The memory that the layers of a walk keep between timesteps."""
    for layer in model.walk:
        if isinstance(layer, QuantizedMemory):
            yield StreamBuffer(layer.name, "s", layer.state_type, layer.y_count)
            if layer.counts_inputs:
                yield StreamBuffer(layer.name, "n", "s32", 2)
        if isinstance(layer, QuantizedRecurrent):
            yield from _of_recurrent(layer)


def _of_recurrent(layer: QuantizedRecurrent) -> Iterator[StreamBuffer]:
    yield StreamBuffer(layer.name, "h", layer.state_type, layer.n_out)
    if isinstance(layer, QuantizedGru):
        if layer.trains:
            yield StreamBuffer(layer.name, "v", layer.x_type, layer.n_x + layer.n_out)
            yield StreamBuffer(layer.name, "g", layer.state_type, gru_sums(layer))
        return
    if layer.keeps_traces:
        traces = len(layer.leak_shifts)
        yield StreamBuffer(layer.name, "trace", layer.state_type, traces * layer.n_in)
    if layer.keeps_present:
        yield StreamBuffer(layer.name, "v", layer.x_type, layer.n_in)
        yield StreamBuffer(layer.name, "c", layer.y_type, layer.n_out)
