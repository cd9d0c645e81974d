"""Kernels that pass errors on to the layer below (sections 18 and 26)."""

from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES, unique
from tpsgd_edge.codegen.conv2d_kernels import MapKernel, map_kernel
from tpsgd_edge.codegen.dense_kernels import GradKernel, grad_kernel
from tpsgd_edge.codegen.kernel_names import input_gradient_suffix, needs_derivative
from tpsgd_edge.quantize.model import InputGradient, QuantizedModel, QuantizedWeighted


@dataclass(frozen=True, slots=True)
class InputGradientKernel:
    """`tps_dense_backward_<suffix>` or `tps_conv2d_backward_<suffix>`.

    Attributes:
        w, acc: C types of weights and sums.
    """

    suffix: str
    w: str
    acc: str


@dataclass(frozen=True, slots=True)
class InputGradientKernels:
    """All kernels of a model that hand errors down.

    Attributes:
        columns: what the dense and the convolutional ones are made of.
    """

    columns: tuple[InputGradientKernel, ...]
    dense: tuple[InputGradientKernel, ...]
    conv: tuple[InputGradientKernel, ...]
    map_grad: tuple[GradKernel, ...]
    max_pool: tuple[MapKernel, ...]
    has_average_pool: bool


def input_gradient_kernels(model: QuantizedModel) -> InputGradientKernels | None:
    """The kernels that a model needs; None where each layer that learns has its own loss."""
    ways = model.ways_down
    if not ways:
        return None
    handing = [layer for layer in model.weighted if layer.learning.input_gradient is not None]
    convs = [layer for layer in handing if layer.kind == "conv2d"]
    passed = [model.layers[index] for way in ways for index in way]
    return InputGradientKernels(
        columns=unique(_kernel(layer) for layer in handing),
        dense=unique(_kernel(layer) for layer in handing if layer.kind == "dense"),
        conv=unique(_kernel(layer) for layer in convs),
        map_grad=unique(grad_kernel(layer) for layer in convs if needs_derivative(layer)),
        max_pool=unique(map_kernel(pool.x_type) for pool in passed if pool.kind == "max_pool"),
        has_average_pool=any(pool.kind == "average_pool" for pool in passed),
    )


def _kernel(layer: QuantizedWeighted) -> InputGradientKernel:
    gradient, acc = layer.learning.input_gradient, "f32"
    if isinstance(gradient, InputGradient):
        acc = "s64" if gradient.is_wide else "s32"
    return InputGradientKernel(
        input_gradient_suffix(layer), C_TYPES[layer.weight_type], C_TYPES[acc]
    )
