"""Backpropagation: kernels of the errors of the layer below (section 18)."""

from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES, unique
from tpsgd_edge.codegen.conv2d_kernels import MapKernel, map_kernel
from tpsgd_edge.codegen.dense_kernels import GateKernel, gate_kernel
from tpsgd_edge.codegen.kernel_names import below_suffix, has_gate
from tpsgd_edge.quantize.model import QuantizedDense, QuantizedModel


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
    convs = [layer for layer in passing if layer.kind == "conv2d"]
    passed = [model.layers[i] for i in model.error_path]
    return BelowKernels(
        columns=unique(_kernel(layer) for layer in passing),
        dense=unique(_kernel(layer) for layer in passing if layer.kind == "dense"),
        conv=unique(_kernel(layer) for layer in convs),
        map_gate=unique(gate_kernel(layer) for layer in convs if has_gate(layer)),
        max_pool=unique(map_kernel(pool.x_type) for pool in passed if pool.kind == "max_pool"),
        has_average_pool=any(pool.kind == "average_pool" for pool in passed),
    )


def _kernel(layer: QuantizedDense) -> BelowKernel:
    assert layer.passing is not None
    acc = "s64" if layer.passing.is_wide else "s32"
    if layer.weight_type == "f32":
        acc = "f32"
    return BelowKernel(below_suffix(layer), C_TYPES[layer.weight_type], C_TYPES[acc])
