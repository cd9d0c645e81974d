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
        w, e, acc: C types of weights, errors and sums.
        d: C type that an error is widened to.
        narrowed: C for an error from `sum[j]`.
    """

    suffix: str
    w: str
    e: str
    acc: str
    d: str
    shift_parameter: str
    narrowed: str


@dataclass(frozen=True, slots=True)
class BelowKernels:
    """All kernels of a model that hand errors down.

    Attributes:
        e: C type of errors.
        added: C for the sum of the errors *below and e.
        columns: what the dense and the convolutional ones are made of.
    """

    e: str
    added: str
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
    is_float = model.value_type == "f32"
    passing = [layer for layer in model.weighted if layer.passing is not None]
    convs = [layer for layer in passing if isinstance(layer, QuantizedConv2d)]
    pools = [model.layers[i] for i in model.error_path]
    return BelowKernels(
        e="float" if is_float else "int16_t",
        added="tps_clip_f32(*below + e, -0x1p20f, 0x1p20f)"
        if is_float
        else "(int16_t)tps_clip((int32_t)*below + e, -INT16_MAX, INT16_MAX)",
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
    is_float = layer.weight_type == "f32"
    suffix = below_suffix(layer)
    if is_float:
        return BelowKernel(
            suffix=suffix,
            w="float",
            e="float",
            acc="float",
            d="float",
            shift_parameter="",
            narrowed="tps_clip_f32(sum[j], -0x1p20f, 0x1p20f)",
        )
    return BelowKernel(
        suffix=suffix,
        w=C_TYPES[layer.weight_type],
        e="int16_t",
        acc="int64_t" if suffix.endswith("s64") else "int32_t",
        d="int32_t",
        shift_parameter=", uint8_t shift",
        narrowed="(int16_t)tps_requantize(sum[j], 1, shift, -INT16_MAX, INT16_MAX)",
    )


def _max_pools(layers: Iterable[QuantizedLayer]) -> Iterator[MapKernel]:
    for layer in layers:
        if isinstance(layer, QuantizedPool) and layer.mode == "max":
            yield map_kernel(layer.x_type)
