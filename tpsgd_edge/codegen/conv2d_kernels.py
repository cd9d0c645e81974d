"""Kernels of convolutions, and of averages over maps."""

from collections.abc import Sequence
from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES, LIMITS, unique
from tpsgd_edge.codegen.dense_kernels import ForwardKernel, forward_kernel
from tpsgd_edge.codegen.kernel_names import (
    conv_learn_suffix,
    forward_suffix,
    grad_suffix,
    is_depthwise,
    takes_derivative,
    update_suffix,
)
from tpsgd_edge.quantize.model import QuantizedConv2d, QuantizedModel, QuantizedWeighted


@dataclass(frozen=True, slots=True)
class Room:
    """Numbers of 16 bits that find room on the stack of a computer with vector units.

    Attributes:
        weights: the padded weights of the largest layer.
        inputs: a padded patch.
    """

    weights: int
    inputs: int


@dataclass(frozen=True, slots=True)
class ConvKernel:
    """`tps_conv2d_forward_<suffix>` or `tps_conv2d_learn_<suffix>`: a dense kernel everywhere.

    Attributes:
        dense: suffix of that kernel.
        grad: suffix of the kernel of derivatives, empty where the error needs none.
        map: type of the output map.
        order: of numbers in packed patches; empty where patches are not packed.
        w, b, x, y, e: C types.
    """

    suffix: str
    dense: str
    grad: str
    map: str
    order: str
    w: str
    b: str
    x: str
    y: str
    e: str


@dataclass(frozen=True, slots=True)
class MapKernel:
    """A kernel that averages maps, or pools them, of one type.

    `limit` is the C prefix of its range, `e` the C type of errors.
    """

    suffix: str
    c_type: str
    limit: str
    e: str


@dataclass(frozen=True, slots=True)
class Conv2dKernels:
    """The kernels of convolutions, and the members that their struct needs.

    Attributes:
        depthwise: forward passes of filters that see one channel each.
        spread: of errors of windows to the units of a map, which passes them on.
        sees_pooled: whether some local loss sees its map behind a max pool.
        is_dilated: whether some filter sees places that lie apart.
    """

    forward: tuple[ConvKernel, ...]
    depthwise: tuple[ForwardKernel, ...]
    learn: tuple[ConvKernel, ...]
    average: tuple[MapKernel, ...]
    spread: tuple[MapKernel, ...]
    room: Room
    sees_pooled: bool
    is_dilated: bool

    @property
    def update(self) -> tuple[ConvKernel, ...]:
        """Kernels of `learn`, one for each kernel that updates."""
        return tuple({kernel.dense: kernel for kernel in self.learn}.values())

    @property
    def pack_orders(self) -> tuple[str, ...]:
        """The orders in which patches are packed."""
        return unique(kernel.order for kernel in self.forward if kernel.order)

    @property
    def seen(self) -> str:
        """Prefix of the sizes of the map that a local loss averages."""
        return "seen" if self.sees_pooled else "out"


def conv2d_kernels(model: QuantizedModel) -> Conv2dKernels | None:
    """The kernels that the convolutions of the model use; None without any."""
    convs, learning = _convs(model), _learning(model)
    if not convs:
        return None
    return Conv2dKernels(
        forward=unique(_forward_kernel(layer) for layer in convs if not is_depthwise(layer)),
        depthwise=unique(forward_kernel(layer, model) for layer in convs if is_depthwise(layer)),
        learn=unique(_learn_kernel(layer) for layer in learning),
        average=unique(map_kernel(layer.y_type) for layer in learning),
        spread=unique(map_kernel(layer.y_type) for layer in learning if layer.hands_down_windows),
        room=_room(convs),
        sees_pooled=sees_pooled(model),
        is_dilated=is_dilated(model),
    )


def _convs(model: QuantizedModel) -> list[QuantizedConv2d]:
    return model.of_kind("conv2d")


def _learning(model: QuantizedModel) -> list[QuantizedConv2d]:
    return [layer for layer in _convs(model) if layer.trains]


def sees_pooled(model: QuantizedModel) -> bool:
    """Tell whether some local loss sees its map behind a max pool."""
    return any(layer.shape.is_pooled for layer in _learning(model))


def is_dilated(model: QuantizedModel) -> bool:
    """Tell whether some filter sees places that lie apart."""
    return any(layer.shape.is_dilated for layer in _convs(model))


def _forward_kernel(layer: QuantizedConv2d) -> ConvKernel:
    suffix = forward_suffix(layer)
    return _conv_kernel(layer, suffix, suffix, "")


def _learn_kernel(layer: QuantizedConv2d) -> ConvKernel:
    grad = grad_suffix(layer) if takes_derivative(layer) else ""
    return _conv_kernel(layer, conv_learn_suffix(layer), update_suffix(layer), grad)


# As pairs of weights come out of their words.
_PACK_ORDERS = {"s8": "even_odd", "s16": "in_order"}


def _conv_kernel(layer: QuantizedWeighted, suffix: str, dense: str, grad: str) -> ConvKernel:
    return ConvKernel(
        suffix=suffix,
        dense=dense,
        grad=grad,
        map=layer.y_type,
        order=_PACK_ORDERS[layer.weight_type] if layer.x_type == "s8" else "",
        w=C_TYPES[layer.weight_type],
        b=C_TYPES[layer.bias_type],
        x=C_TYPES[layer.x_type],
        y=C_TYPES[layer.y_type],
        e=_error_type(layer.weight_type),
    )


def _error_type(value_type: str) -> str:
    return "float" if value_type == "f32" else "int16_t"


def map_kernel(value_type: str) -> MapKernel:
    """A kernel on maps of the type."""
    c_type, limit = C_TYPES[value_type], LIMITS[value_type]
    return MapKernel(value_type, c_type, limit, _error_type(value_type))


# Beyond these a convolution takes the plain way: stacks have limits.
_MOST_WEIGHTS, _MOST_INPUTS = 2**17, 2**13


def _room(convs: Sequence[QuantizedConv2d]) -> Room:
    """Room for the weights of convolutions: rows of whole 32 inputs, four rows at a time."""
    padded = [(-(-c.n_in // 32) * 32, -(-c.n_out // 4) * 4) for c in convs]
    fitting = [
        (n, n * rows) for n, rows in padded if n <= _MOST_INPUTS and n * rows <= _MOST_WEIGHTS
    ]
    return Room(
        weights=max((weights for _, weights in fitting), default=1),
        inputs=max((n for n, _ in fitting), default=1),
    )
