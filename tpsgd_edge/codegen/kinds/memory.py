"""Memories: fixed linear states of each channel of a sequence."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from tpsgd_edge.codegen.arrays import ArrayView, constant_array
from tpsgd_edge.codegen.c import LIMITS
from tpsgd_edge.codegen.calls import (
    Call,
    OperationView,
    arena,
    call,
    input_of,
    stream,
    struct_of,
)
from tpsgd_edge.codegen.kinds.kind import KernelFiles, Kind
from tpsgd_edge.codegen.kinds.unit import Entries, Field, LayerView, numbers
from tpsgd_edge.quantize.memories import MEAN_BITS
from tpsgd_edge.quantize.model import QuantizedMemory, QuantizedModel


@dataclass(frozen=True, slots=True)
class MemoryKernels:
    """The kernels of memories.

    Attributes:
        has_means, has_sums: whether any keeps leaky means, or cosine sums.
        has_differences: whether any hands on differences of means.
        waits: whether any hands on at some steps only.
        reads_maps, walks: whether any reads maps, or walks along a sequence.
    """

    has_means: bool
    has_sums: bool
    has_differences: bool
    waits: bool
    reads_maps: bool
    walks: bool
    value_type: str

    @property
    def state_c(self) -> str:
        """C type of the states."""
        return "float" if self.value_type == "f32" else "int32_t"

    @property
    def limits(self) -> str:
        """C prefix of the range of the values."""
        return LIMITS[self.value_type]

    @property
    def mean_bits(self) -> int:
        """Bits of a leaky mean below those of its input; 0 in binary32."""
        return MEAN_BITS[self.value_type]


def memory_kernels(model: QuantizedModel) -> MemoryKernels | None:
    """The kernels that the memories of the model use; None without any."""
    memories = _memories(model)
    if not memories:
        return None
    return MemoryKernels(
        has_means=any(layer.leak_shifts for layer in memories),
        has_sums=any(not layer.leak_shifts for layer in memories),
        has_differences=any(layer.differences for layer in memories),
        waits=any(layer.every > 1 for layer in memories),
        reads_maps=any(layer.reads_map for layer in memories),
        walks=any(not layer.reads_map for layer in memories),
        value_type=model.value_type,
    )


def _memories(model: QuantizedModel) -> list[QuantizedMemory]:
    return model.of_kind("memory")


def memory_arrays(model: QuantizedModel) -> Iterator[ArrayView]:
    """Constants of memories that lie in flash beside the layers' structs."""
    for layer in _memories(model):
        yield from (replace(array, is_apart=True) for array in _arrays_of(layer))


def _arrays_of(layer: QuantizedMemory) -> Iterator[ArrayView]:
    name, is_float = f"tps_{layer.name}", layer.x_type == "f32"
    if not layer.leak_shifts:
        cosines = layer.cosines.ravel()
        type_ = "f32" if is_float else "s16"
        yield constant_array(f"{name}_cosines", type_, cosines, "[length][states]")
    yield constant_array(f"{name}_mid", layer.state_type, np.array(layer.mids))
    if is_float:
        yield constant_array(f"{name}_gain", "f32", np.array(layer.gains))
        return
    mults, shifts = ([getattr(f, part) for f in layer.factors] for part in ("mult", "shift"))
    yield constant_array(f"{name}_mult", "u16", np.array(mults))
    yield constant_array(f"{name}_shift", "u8", np.array(shifts))


def _struct(model: QuantizedModel, layer: QuantizedMemory) -> LayerView:
    kernels = memory_kernels(model)
    assert kernels is not None
    return LayerView(layer.name, "tps_memory", tuple(_fields(layer, kernels)))


def _fields(layer: QuantizedMemory, kernels: MemoryKernels) -> Iterator[Field]:
    is_float, name = layer.x_type == "f32", f"tps_{layer.name}"
    yield from numbers(channels=layer.channels, states=layer.states)
    if kernels.has_sums or kernels.reads_maps:
        yield "length", layer.length
    if layer.leak_shifts:
        yield "leak_shift", Entries("uint8_t", layer.leak_shifts)
    else:
        yield "cosines", f"{name}_cosines"
        if not is_float:
            yield "sum_shift", layer.sum_shift
    if kernels.has_differences:
        yield "differences", int(layer.differences)
    if kernels.waits:
        yield from numbers(every=layer.every, first_wait=layer.first_wait)
    for member in ("mid", "gain") if is_float else ("mid", "mult", "shift"):
        yield member, f"{name}_{member}"


def _words(layer: QuantizedMemory) -> str:
    return layer.about


def _facts(layer: QuantizedMemory) -> dict[str, object]:
    return {
        "leaks": [2.0**-shift for shift in layer.leak_shifts],
        "cosines": 0 if layer.leak_shifts else layer.states,
        "length": layer.length,
        "every": layer.every,
        "input_scale": layer.x_scale,
        "output_scale": layer.y_scale,
        "largest_state": layer.largest_state,
    }


def _forward(model: QuantizedModel, layer: QuantizedMemory) -> OperationView:
    x = input_of(model, layer)
    bound = f"; |state| <= {layer.largest_state:,}" if layer.largest_state else ""
    comment = f"{layer.name}: {layer.channels} channels, {layer.about}{bound}"
    if layer.reads_map:
        buffers = (arena(layer, "h"), arena(layer, "y"))
        read = call(f"tps_memory_read_{layer.x_type}", struct_of(layer), x, *buffers)
        return OperationView(comment, (read,))
    given = (struct_of(layer), x, stream(layer, "s"))
    if layer.leak_shifts:
        return OperationView(comment, (call(f"tps_memory_mean_{layer.x_type}", *given),))
    taken = call(f"tps_memory_sum_{layer.x_type}", *given, stream(layer, "n", 1))
    return OperationView(comment, (taken,))


def due_call(layer: QuantizedMemory) -> Call | None:
    """The call that tells whether the layer hands on now; None where it always does."""
    if layer.every == 1:
        return None
    return call("tps_memory_is_due", struct_of(layer), stream(layer, "n"))


def _recall(_model: QuantizedModel, layer: QuantizedMemory) -> OperationView:
    function = f"tps_memory_output_{layer.y_type}"
    output = call(function, struct_of(layer), stream(layer, "s"), arena(layer, "y"))
    return OperationView(f"{layer.name}: what it hands on", (output,))


MEMORY = Kind(
    files=KernelFiles("memory", memory_kernels),
    struct=_struct,
    words=_words,
    facts=_facts,
    forward=_forward,
    recall=_recall,
)
