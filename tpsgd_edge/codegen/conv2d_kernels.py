"""Kernels of convolutions, and of averages over maps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tpsgd_edge.codegen.c import C_TYPES, LIMITS, unique
from tpsgd_edge.codegen.dense_kernels import (
    ForwardKernel,
    GradKernel,
    UpdateKernel,
    forward_kernel,
    grad_kernel,
    update_kernel,
)
from tpsgd_edge.codegen.kernel_names import (
    conv_learn_suffix,
    forward_suffix,
    is_depthwise,
    is_packed,
    takes_derivative,
    update_suffix,
    weights_c,
)
from tpsgd_edge.quantize.model import (
    IntegerSteps,
    QuantizedConv2d,
    QuantizedModel,
    QuantizedWeighted,
)


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
        slope: that kernel.
        shift: of changes of weights in integers.
        bits: of the weights of each layer that uses it, beside the sign.
        is_depthwise: whether its filters see one channel each; `family` is in its name.
        is_three: whether they are three columns wide in each layer that uses it.
        is_single: whether each channel has one filter there.
        map: type of the output map.
        order: of numbers in packed patches; empty where patches are not packed.
        w, b, x, y, e: C types.
    """

    suffix: str
    dense: str
    grad: str
    slope: GradKernel | None
    shift: int
    bits: tuple[int, ...]
    is_depthwise: bool
    is_three: bool
    is_single: bool
    map: str
    order: str
    w: str
    b: str
    x: str
    y: str
    e: str

    @property
    def family(self) -> str:
        """The kind of layers whose kernel it is."""
        return "depthwise" if self.is_depthwise else "conv2d"


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
        winner: C type of the place of a unit in its window of a pool.
        narrow_biases: whether no step moves a bias by more than 2^30.
        sees_pooled: whether some local loss sees its map behind a max pool.
        is_dilated: whether some filter sees places that lie apart.
    """

    forward: tuple[ConvKernel, ...]
    depthwise: tuple[ForwardKernel, ...]
    learn: tuple[ConvKernel, ...]
    average: tuple[MapKernel, ...]
    spread: tuple[MapKernel, ...]
    room: Room
    winner: str
    narrow_biases: bool
    sees_pooled: bool
    is_dilated: bool

    @property
    def lessons(self) -> tuple[ConvKernel, ...]:
        """Kernels of `learn`, one for each pair of types of weights and inputs."""
        return _by_types(self.learn)

    @property
    def update(self) -> tuple[ConvKernel, ...]:
        """The same of those that update whole rows."""
        return _by_types(kernel for kernel in self.learn if not kernel.is_depthwise)

    @property
    def depthwise_update(self) -> tuple[ConvKernel, ...]:
        """The same of those whose filters see one channel each."""
        return _by_types(kernel for kernel in self.learn if kernel.is_depthwise)

    @property
    def pack_orders(self) -> tuple[str, ...]:
        """The orders in which patches are packed."""
        return unique(kernel.order for kernel in self.forward if kernel.order)

    @property
    def seen(self) -> str:
        """Prefix of the sizes of the map that a local loss averages."""
        return "seen" if self.sees_pooled else "out"


def _by_types(kernels: Iterable[ConvKernel]) -> tuple[ConvKernel, ...]:
    return tuple({kernel.dense: kernel for kernel in kernels}.values())


def conv2d_kernels(model: QuantizedModel) -> Conv2dKernels | None:
    """The kernels that the convolutions of the model use; None without any."""
    convs, learning = _convs(model), _learning(model)
    if not convs:
        return None
    return Conv2dKernels(
        forward=unique(_forward_kernel(layer) for layer in convs if not is_depthwise(layer)),
        depthwise=unique(forward_kernel(layer, model) for layer in convs if is_depthwise(layer)),
        learn=unique(_learn_kernel(layer, model) for layer in learning),
        average=unique(map_kernel(layer.y_type) for layer in learning),
        spread=unique(map_kernel(layer.y_type) for layer in learning if layer.hands_down_windows),
        room=_room([layer for layer in convs if not is_packed(layer)]),
        winner=C_TYPES[model.winner_type],
        narrow_biases=all(_largest_bias_change(layer) <= 2**30 for layer in learning),
        sees_pooled=sees_pooled(model),
        is_dilated=is_dilated(model),
    )


def _largest_bias_change(layer: QuantizedConv2d) -> int:
    """The most that a step moves a bias; 0 in f32."""
    steps = layer.learning.steps
    if not isinstance(steps, IntegerSteps):
        return 0
    return (steps.bias_one * 2**15 >> steps.update_shift) + 1


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
    return _conv_kernel(layer, suffix, suffix)


def _learn_kernel(layer: QuantizedConv2d, model: QuantizedModel) -> ConvKernel:
    slope = grad_kernel(layer) if takes_derivative(layer) else None
    update = update_kernel(layer, model)
    suffix, dense = conv_learn_suffix(layer), update_suffix(layer)
    kernel = _conv_kernel(layer, suffix, dense, slope, update)
    if not kernel.is_depthwise:
        return kernel
    depthwise = [other for other in _learning(model) if is_depthwise(other)]
    shapes = [other.shape for other in depthwise if update_suffix(other) == dense]
    return replace(
        kernel,
        is_three=all(shape.kernel[1] == 3 for shape in shapes),
        is_single=all(shape.n_out == shape.groups for shape in shapes),
    )


# As pairs of weights come out of their words.
_PACK_ORDERS = {"s8": "even_odd", "s16": "in_order"}


def _conv_kernel(
    layer: QuantizedWeighted,
    suffix: str,
    dense: str,
    slope: GradKernel | None = None,
    update: UpdateKernel | None = None,
) -> ConvKernel:
    return ConvKernel(
        suffix=suffix,
        dense=dense,
        grad="" if slope is None else slope.suffix,
        slope=slope,
        shift=update.shift if update else 0,
        bits=update.bits if update else (),
        is_depthwise=is_depthwise(layer),
        is_three=False,
        is_single=False,
        map=layer.y_type,
        order=_pack_order(layer),
        w=weights_c(layer),
        b=C_TYPES[layer.bias_type],
        x=C_TYPES[layer.x_type],
        y=C_TYPES[layer.y_type],
        e=_error_type(layer.weight_type),
    )


def _pack_order(layer: QuantizedWeighted) -> str:
    is_taken = layer.x_type == "s8" and not is_packed(layer)
    return _PACK_ORDERS[layer.weight_type] if is_taken else ""


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
