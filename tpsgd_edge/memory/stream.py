"""The stream: what lasts from one step of a sequence to the next."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tpsgd_edge.quantize.model import (
    DTYPES,
    QuantizedGated,
    QuantizedLstm,
    QuantizedMemory,
    QuantizedModel,
    QuantizedRnn,
    ValueType,
    keeps_present,
    keeps_traces,
)


@dataclass(frozen=True, slots=True)
class StreamBuffer:
    """Memory that a layer keeps between timesteps. Only training needs a `trace`.

    An rnn keeps its latest activation (c), an lstm its cells (c). A memory keeps its states (s),
    and the counts of its inputs (n) where it has to know them.
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
        yield from STREAMS[layer.kind](layer)


def _of_rnn(layer: QuantizedRnn) -> Iterator[StreamBuffer]:
    yield StreamBuffer(layer.name, "h", layer.error_type, layer.n_out)
    if keeps_traces(layer):
        traces = len(layer.shape.leak_shifts)
        yield StreamBuffer(layer.name, "trace", layer.error_type, traces * layer.n_in)
    if keeps_present(layer):
        yield StreamBuffer(layer.name, "v", layer.x_type, layer.n_in)
        yield StreamBuffer(layer.name, "c", layer.y_type, layer.n_out)


def _of_gated(layer: QuantizedGated) -> Iterator[StreamBuffer]:
    yield StreamBuffer(layer.name, "h", layer.state_type, layer.n_out)
    if layer.trains:
        yield StreamBuffer(layer.name, "v", layer.x_type, layer.n_x + layer.n_out)
        yield StreamBuffer(layer.name, "g", layer.state_type, layer.n_sums)


def _of_lstm(layer: QuantizedLstm) -> Iterator[StreamBuffer]:
    yield from _of_gated(layer)
    yield StreamBuffer(layer.name, "c", layer.cell_type, layer.n_out)


def _of_memory(layer: QuantizedMemory) -> Iterator[StreamBuffer]:
    yield StreamBuffer(layer.name, "s", layer.state_type, layer.y_count)
    if layer.counts_inputs:
        yield StreamBuffer(layer.name, "n", "s32", 2)


def _nothing(_layer: object) -> Iterator[StreamBuffer]:
    return iter(())


STREAMS: Mapping[str, Callable[[Any], Iterator[StreamBuffer]]] = {
    "rnn": _of_rnn,
    "gru": _of_gated,
    "lstm": _of_lstm,
    "memory": _of_memory,
    "dense": _nothing,
}
"""What layers of a walk keep from timestep to timestep, by their kind."""
