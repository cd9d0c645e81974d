"""Backpropagation: kernels of the errors of the layer below, and their calls (section 18)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.codegen.kernels import GateKernel, MapKernel, gate_kernel, has_gate, map_kernel
from tpsgd_edge.quantize.model import (
    QuantizedConv2d,
    QuantizedDense,
    QuantizedLayer,
    QuantizedModel,
    QuantizedPool,
)


@dataclass(frozen=True, slots=True)
class BelowKernel:
    """`tps_dense_delta_below_<suffix>` or `tps_conv2d_delta_below_<suffix>`.

    Attributes:
        w, acc: C types of weights and sums.
    """

    suffix: str
    w: str
    acc: str


@dataclass(frozen=True, slots=True)
class BelowKernels:
    """All kernels of a model that hand errors down.

    Attributes:
        columns: what the dense and the convolutional ones are made of.
    """

    columns: tuple[BelowKernel, ...]
    dense: tuple[BelowKernel, ...]
    conv: tuple[BelowKernel, ...]
    map_gate: tuple[GateKernel, ...]
    max_pool: tuple[MapKernel, ...]
    has_average_pool: bool


def below_kernels(model: QuantizedModel) -> BelowKernels | None:
    """The kernels that a model needs; None where it trains by local losses."""
    if model.rule != "backprop":
        return None
    passing = [layer for layer in model.weighted if layer.passing is not None]
    convs = [layer for layer in passing if isinstance(layer, QuantizedConv2d)]
    pools = [model.layers[i] for i in model.error_path]
    return BelowKernels(
        columns=_unique(passing),
        dense=_unique(layer for layer in passing if layer.kind == "dense"),
        conv=_unique(layer for layer in passing if layer.kind == "conv2d"),
        map_gate=tuple(dict.fromkeys(gate_kernel(layer) for layer in convs if has_gate(layer))),
        max_pool=tuple(dict.fromkeys(_max_pools(pools))),
        has_average_pool=any(pool.kind == "average_pool" for pool in pools),
    )


def below_suffix(layer: QuantizedDense) -> str:
    """Name of the layer's kernel behind `tps_dense_delta_below_`."""
    assert layer.passing is not None
    if layer.weight_type == "f32":
        return "f32"
    return f"{layer.weight_type}_{'s64' if layer.passing.is_wide else 's32'}"


def _unique(layers: Iterable[QuantizedDense]) -> tuple[BelowKernel, ...]:
    return tuple(dict.fromkeys(_kernel(layer) for layer in layers))


def _kernel(layer: QuantizedDense) -> BelowKernel:
    assert layer.passing is not None
    acc = "s64" if layer.passing.is_wide else "s32"
    if layer.weight_type == "f32":
        acc = "f32"
    return BelowKernel(below_suffix(layer), C_TYPES[layer.weight_type], C_TYPES[acc])


def _max_pools(layers: Iterable[QuantizedLayer]) -> Iterator[MapKernel]:
    for layer in layers:
        if isinstance(layer, QuantizedPool) and layer.mode == "max":
            yield map_kernel(layer.x_type)
