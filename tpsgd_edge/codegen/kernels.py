"""Which kernels a model needs: each is rendered once, however many layers share it."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from tpsgd_edge.codegen.activations import ACTIVATIONS_C, settings_of
from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.codegen.dense_kernels import (
    DotKernel,
    UpdateKernel,
    dot_kernel,
    have_whole_words,
    update_kernel,
    update_suffix,
)
from tpsgd_edge.codegen.error_kernels import ErrorKernel, error_kernel, reads_out
from tpsgd_edge.codegen.recurrent_kernels import GruKernel, RnnKernel, gru_kernel, rnn_kernel
from tpsgd_edge.codegen.softmax_kernels import SoftmaxKernel, softmax_kernels
from tpsgd_edge.quantize.model import (
    QuantizedConv2d,
    QuantizedDense,
    QuantizedGru,
    QuantizedModel,
    QuantizedPool,
    QuantizedRnn,
    SeededInit,
)

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class ForwardKernel:
    """`tps_dense_forward_<suffix>`.

    Attributes:
        table: the output type where a layer needs a table, else empty.
        leaks: whether a layer has leaky_relu.
        has_top: whether z of a layer ends below the range of its type.
        parameter: of f32, what f gets beside z.
        widens: on computers with vector units, inputs are widened to 16 bits first.
        four: with pairs, it is applied to four patches of a map at once.
        in_eights: such a patch always has a multiple of 8 numbers.
        whole_words: every row of weights starts at a multiple of 4 bytes.
    """

    suffix: str
    w: str
    x: str
    y: str
    acc: str
    bias: str
    table: str
    leaks: bool
    has_top: bool
    activation: str
    parameter: str
    widens: bool
    dot: str
    four: bool
    y_type: str
    in_eights: bool
    whole_words: bool


@dataclass(frozen=True, slots=True)
class InitKernel:
    """`tps_dense_init_<suffix>`."""

    suffix: str
    w: str


@dataclass(frozen=True, slots=True)
class GateKernel:
    """`tps_dense_gate_<suffix>`: closed where `switch` holds, else scaled by `slope`.

    `y15` is C for an output in Q15, where the slope is made from it.
    """

    suffix: str
    activation: str
    y: str
    y15: str
    switch: str
    slope: str


@dataclass(frozen=True, slots=True)
class ConvKernel:
    """`tps_conv2d_forward_<suffix>` or `tps_conv2d_learn_<suffix>`: a dense kernel everywhere.

    Attributes:
        dense: suffix of that kernel.
        gate: suffix of the gate kernel, empty where the error needs none.
        map: type of the output map.
        order: of numbers in packed patches; empty where patches are not packed.
        w, b, x, y, e: C types.
    """

    suffix: str
    dense: str
    gate: str
    map: str
    order: str
    w: str
    b: str
    x: str
    y: str
    e: str


@dataclass(frozen=True, slots=True)
class MapKernel:
    """A kernel that averages or pools maps of one type.

    `limit` is the C prefix of its range, `e` the C type of errors.
    """

    suffix: str
    c_type: str
    limit: str
    e: str


@dataclass(frozen=True, slots=True)
class ReadoutKernel:
    """`tps_read_out_<type>`. `y8` is C for an output of this type in 8 bits."""

    type: str
    c_type: str
    y8: str


@dataclass(frozen=True, slots=True)
class Kernels:
    """All kernels of a model."""

    outputs: tuple[ForwardKernel, ...]
    forward: tuple[ForwardKernel, ...]
    dot: tuple[DotKernel, ...]
    init: tuple[InitKernel, ...]
    gate: tuple[GateKernel, ...]
    update: tuple[UpdateKernel, ...]
    error: tuple[ErrorKernel, ...]
    read_out: tuple[ReadoutKernel, ...]
    softmax: tuple[SoftmaxKernel, ...]
    conv_forward: tuple[ConvKernel, ...]
    depthwise: tuple[ForwardKernel, ...]
    conv_learn: tuple[ConvKernel, ...]
    map_average: tuple[MapKernel, ...]
    max_pool: tuple[MapKernel, ...]
    average_pool: tuple[MapKernel, ...]
    max_pool_cut: tuple[MapKernel, ...]
    average_pool_cut: tuple[MapKernel, ...]
    rnn_init: tuple[InitKernel, ...]
    rnn_step: tuple[RnnKernel, ...]
    rnn_update: tuple[RnnKernel, ...]
    gru_step: tuple[GruKernel, ...]
    gru_learns: bool

    @property
    def needs_four_rows(self) -> bool:
        """Tell whether computers with vector units work on four rows at once."""
        return any(kernel.widens or kernel.four for kernel in self.forward)

    @property
    def has_curves_f32(self) -> bool:
        """Tell whether an activation in binary32 is none of tps_f32.h."""
        in_f32 = (kernel.activation for kernel in self.outputs if kernel.activation)
        return any(not ACTIVATIONS_C[activation].is_basic for activation in in_f32)

    @property
    def conv_update(self) -> tuple[ConvKernel, ...]:
        """Kernels of `conv_learn`, one for each kernel that updates."""
        return tuple({kernel.dense: kernel for kernel in self.conv_learn}.values())

    @property
    def pack_orders(self) -> tuple[str, ...]:
        """How patches are packed."""
        return _unique(kernel.order for kernel in self.conv_forward if kernel.order)

    @property
    def shifts_scores(self) -> bool:
        """Tell whether some scores of a softmax count more than 1/256 of a factor of two."""
        return any(kernel.shifted for kernel in self.softmax)


def needed_kernels(model: QuantizedModel) -> Kernels:
    """The kernels that the layers of the model use, in the order of first use."""
    layers, weighted, taught = model.trained, model.weighted, model.taught
    convs = [layer for layer in layers if isinstance(layer, QuantizedConv2d)]
    in_rows = [layer for layer in weighted if not is_depthwise(layer)]
    pools = [layer for layer in model.layers if isinstance(layer, QuantizedPool)]
    seeded = [layer for layer in layers if isinstance(layer.init, SeededInit)]
    gated = [layer for layer in layers if has_gate(layer)]
    rnns = [layer for layer in model.recurrent if isinstance(layer, QuantizedRnn)]
    grus = [layer for layer in model.recurrent if isinstance(layer, QuantizedGru)]
    return Kernels(
        outputs=_unique(_forward_kernel(layer, model) for layer in weighted),
        forward=_unique(_forward_kernel(layer, model) for layer in in_rows),
        dot=_unique(dot_kernel(layer, model) for layer in in_rows if layer.weight_type != "f32"),
        init=_unique(_init_kernel(layer) for layer in seeded if layer.kind != "rnn"),
        gate=_unique(gate_kernel(layer) for layer in gated),
        update=_unique(update_kernel(layer, model) for layer in layers),
        error=_unique(error_kernel(layer, model) for layer in taught if layer.loss.is_local),
        read_out=_unique(_readout_kernel(layer) for layer in taught if reads_out(layer)),
        softmax=_unique(softmax_kernels(model)),
        conv_forward=_unique(
            _conv_forward_kernel(layer) for layer in in_rows if isinstance(layer, QuantizedConv2d)
        ),
        depthwise=_unique(
            _forward_kernel(layer, model) for layer in weighted if is_depthwise(layer)
        ),
        conv_learn=_unique(_conv_learn_kernel(layer) for layer in convs),
        map_average=_unique(map_kernel(layer.y_type) for layer in convs),
        max_pool=_pool_kernels(pools, "max", is_cut=False),
        average_pool=_pool_kernels(pools, "average", is_cut=False),
        max_pool_cut=_pool_kernels(pools, "max", is_cut=True),
        average_pool_cut=_pool_kernels(pools, "average", is_cut=True),
        rnn_init=_unique(_init_kernel(layer) for layer in seeded if layer.kind == "rnn"),
        rnn_step=_unique(rnn_kernel(layer, forward_suffix(layer)) for layer in rnns),
        rnn_update=_unique(
            rnn_kernel(layer, update_suffix(layer)) for layer in rnns if layer.keeps_traces
        ),
        gru_step=_unique(gru_kernel(layer, forward_suffix(layer.reads)) for layer in grus),
        gru_learns=any(layer.trains for layer in grus),
    )


def _pool_kernels(
    pools: Iterable[QuantizedPool], mode: str, *, is_cut: bool
) -> tuple[MapKernel, ...]:
    """Kernels of pools with windows that are cut off at the edges, or of those without."""
    alike = (pool for pool in pools if pool.mode == mode and pool.is_cut == is_cut)
    return _unique(map_kernel(pool.x_type) for pool in alike)


def has_gate(layer: QuantizedDense) -> bool:
    """Tell whether the error is multiplied by f'(z)."""
    return not layer.loss.cancels_derivative and layer.activation != "linear"


def is_depthwise(layer: QuantizedDense) -> bool:
    """Tell whether an integer kernel for filters of one channel each serves the layer."""
    is_integer = layer.weight_type != "f32"
    return isinstance(layer, QuantizedConv2d) and is_integer and layer.geometry.is_depthwise


def forward_suffix(layer: QuantizedDense) -> str:
    """Name of the layer's forward kernel behind `tps_dense_forward_`."""
    if layer.weight_type == "f32":
        return f"{layer.activation}_f32"
    return f"{layer.weight_type}_{layer.x_type}_{layer.y_type}"


def gate_suffix(layer: QuantizedDense) -> str:
    """Name of the layer's gate kernel behind `tps_dense_gate_`."""
    return f"{_gate_name(layer)}_{layer.y_type}"


def conv_learn_suffix(layer: QuantizedDense) -> str:
    """Name of the convolution's learn kernel behind `tps_conv2d_learn_`."""
    slope = _gate_name(layer) if _gates_itself(layer) else "open"
    return f"{update_suffix(layer)}_{slope}_{layer.y_type}"


def _gate_name(layer: QuantizedDense) -> str:
    shared = "" if layer.weight_type == "f32" else ACTIVATIONS_C[layer.activation].shares
    return shared or layer.activation


def _gates_itself(layer: QuantizedDense) -> bool:
    """Tell whether the convolution multiplies errors by f'(z) while it learns, not before."""
    return has_gate(layer) and layer.passing is None


def _unique(kernels: Iterable[Key]) -> tuple[Key, ...]:
    return tuple(dict.fromkeys(kernels))


def _init_kernel(layer: QuantizedDense) -> InitKernel:
    return InitKernel(layer.weight_type, C_TYPES[layer.weight_type])


def _forward_kernel(layer: QuantizedDense, model: QuantizedModel) -> ForwardKernel:
    suffix = forward_suffix(layer)
    sharing = [other for other in model.weighted if forward_suffix(other) == suffix]
    on_maps = [o for o in sharing if isinstance(o, QuantizedConv2d) and not is_depthwise(o)]
    wide = layer.x_type == "s16"
    widens = (layer.weight_type, layer.x_type) == ("s16", "s8")
    settings = settings_of(layer.activation) if layer.weight_type == "f32" else ()
    return ForwardKernel(
        suffix=suffix,
        w=C_TYPES[layer.weight_type],
        x=C_TYPES[layer.x_type],
        y=C_TYPES[layer.y_type],
        acc="int64_t" if wide else "int32_t",
        bias="(int64_t)b[j] * 256" if wide else "b[j]",
        table=layer.y_type if any(other.curve for other in sharing) else "",
        leaks=any(other.activation == "leaky_relu" for other in sharing),
        has_top=any(other.activation == "relu6" for other in sharing),
        activation=layer.activation if layer.weight_type == "f32" else "",
        parameter="".join(f", layer->{key}" for key in settings),
        widens=widens,
        dot=update_suffix(layer),
        four=layer.x_type == "s8" and bool(on_maps),
        y_type=layer.y_type,
        in_eights=all(other.n_in % 8 == 0 for other in on_maps),
        whole_words=have_whole_words(on_maps, model),
    )


# C for an output in 8 bits.
_Y8 = {"s8": "y[j]", "s16": "(y[j] >> 8)"}


def gate_kernel(layer: QuantizedDense) -> GateKernel:
    """What multiplies the layer's errors by f'(z)."""
    in_c = ACTIVATIONS_C[layer.activation]
    if layer.weight_type == "f32":
        slope, switch = in_c.slope_f32, ""
    else:
        slope = in_c.slope.format(y8=_Y8[layer.y_type])
        limit = {"s8": "INT8", "s16": "INT16"}[layer.y_type]
        switch = in_c.switch.format(limit=limit)
    y15 = "y[j] * 256" if layer.y_type == "s8" else "y[j]"
    return GateKernel(
        suffix=gate_suffix(layer),
        activation="f" if _gate_name(layer) == in_c.shares else layer.activation,
        y=C_TYPES[layer.y_type],
        y15=y15 if "y15" in slope else "",
        switch=switch,
        slope=slope,
    )


def _conv_forward_kernel(layer: QuantizedDense) -> ConvKernel:
    suffix = forward_suffix(layer)
    return _conv_kernel(layer, suffix, suffix, "")


def _conv_learn_kernel(layer: QuantizedDense) -> ConvKernel:
    gate = gate_suffix(layer) if _gates_itself(layer) else ""
    return _conv_kernel(layer, conv_learn_suffix(layer), update_suffix(layer), gate)


# As pairs of weights come out of their words.
_PACK_ORDERS = {"s8": "even_odd", "s16": "in_order"}


def _conv_kernel(layer: QuantizedDense, suffix: str, dense: str, gate: str) -> ConvKernel:
    return ConvKernel(
        suffix=suffix,
        dense=dense,
        gate=gate,
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
    limit = {"s8": "INT8", "s16": "INT16", "f32": ""}[value_type]
    return MapKernel(value_type, C_TYPES[value_type], limit, _error_type(value_type))


def _readout_kernel(layer: QuantizedDense) -> ReadoutKernel:
    return ReadoutKernel(layer.y_type, C_TYPES[layer.y_type], _Y8.get(layer.y_type, "y[j]"))
