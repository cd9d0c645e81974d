"""Kernels of dense units: each is rendered once, however many layers share it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.codegen.activations import ACTIVATIONS_C, settings_of
from tpsgd_edge.codegen.c import C_TYPES, LIMITS, unique
from tpsgd_edge.codegen.kernel_names import (
    forward_suffix,
    grad_suffix,
    is_depthwise,
    is_packed,
    needs_derivative,
    slope_name,
    update_suffix,
    weights_c,
)
from tpsgd_edge.memory.state import state_layout
from tpsgd_edge.quantize.model import (
    DTYPES,
    IntegerNumbers,
    IntegerSteps,
    QuantizedModel,
    QuantizedWeighted,
    SeededInit,
)

# Bits of a lane of 16 in which the change of a weight is an overflow (s8), or one byte (s16).
_LANE_SHIFT = {"s8": 15, "s16": 8, "f32": 0}

# Shifts with which `tps_scaled` of tps_fixed.h does: its `tps_scales_s32`.
_HALF_SHIFTS = range(18, 48)
# Units of a layer that pay for a look at whether its inputs are mostly 0.
_UNITS_THAT_PAY = 32


@dataclass(frozen=True, slots=True)
class DotKernel:
    """`dot_<suffix>` and `dot_rows_<suffix>`.

    Attributes:
        mac: two products by one `tps_<mac>`.
        rows: of weights at once, where there are registers enough.
        whole_words: every row starts at a multiple of 4 bytes.
        step: with pairs, inputs at once.
        in_whole_bodies: four inputs and four rows are one statement where pairs are instructions.
        skips_zeros: has a way for inputs many of which are 0.
        lanes: with vectors of 16 bytes, inputs at once.
        load_x, load_w, vector_mac: what loads them with Helium, widened where needed, and adds up.
    """

    suffix: str
    w: str
    x: str
    acc: str
    mac: str
    rows: int
    whole_words: bool
    step: int
    in_whole_bodies: bool
    skips_zeros: bool
    lanes: int
    load_x: str
    load_w: str
    vector_mac: str


@dataclass(frozen=True, slots=True)
class UpdateKernel:
    """`tps_dense_update_<suffix>`.

    Attributes:
        bits: of the weights of each layer that uses it, beside the sign.
        has_lanes: products with two inputs fit two lanes of a word, where |step| <= `largest_step`;
            `lane` is what a step is multiplied by there.
        whole_words: every row starts at a multiple of 4 bytes.
        has_rest: rows have inputs behind whole groups of 4.
        in_fours: four rows at once, of bytes with Helium, of 16 bits with pairs.
        has_small_bias: steps up to `largest_step` move biases within 32 bits.
        on_maps: convolutions update two rows at a time by it.
        before: C type of sums of inputs, modulo what the shift leaves of them.
        largest_in_16_bits: the largest step by which every sum fits 16 bits.
    """

    suffix: str
    w: str
    x: str
    shift: int
    bits: tuple[int, ...]
    has_lanes: bool
    largest_step: int
    lane: int
    whole_words: bool
    has_rest: bool
    in_fours: bool
    has_small_bias: bool
    on_maps: bool
    before: str
    largest_in_16_bits: int


@dataclass(frozen=True, slots=True)
class ForwardKernel:
    """`tps_dense_forward_<suffix>`.

    Attributes:
        table: the output type where a layer needs a table, else empty.
        leaks: whether a layer has leaky_relu.
        has_top: whether z of a layer ends below the range of its type.
        settings: members of the layer that f of binary32 gets beside z.
        halves: half of a product, shifted, is enough for z: `tps_scaled` of tps_fixed.h.
        widens: on computers with vector units, inputs are widened to 16 bits first.
        skips_zeros: its dot products have a way for inputs many of which are 0.
        four: with pairs, it is applied to four patches of a map at once.
        in_eights: such a patch always has a multiple of 8 numbers.
        whole_words: every row of weights starts at a multiple of 4 bytes.
    """

    suffix: str
    w: str
    w_type: str
    x: str
    y: str
    acc: str
    table: str
    leaks: bool
    has_top: bool
    activation: str
    settings: tuple[str, ...]
    halves: bool
    widens: bool
    dot: str
    skips_zeros: bool
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
class GradKernel:
    """`tps_dense_grad_<suffix>`.

    Attributes:
        activation: f in its comment.
        slope: which of the slopes in `dense_grad.c.j2` it has.
        y: C type of the outputs.
        limit: C prefix of their range; empty in binary32.
    """

    suffix: str
    activation: str
    slope: str
    y: str
    limit: str


@dataclass(frozen=True, slots=True)
class DenseKernels:
    """The kernels of dense units, on their own or inside of other layers.

    Attributes:
        outputs: all that make outputs from sums; `forward` those that also add up rows, `packed`
            those that add up rows of weights that lie two in a byte.
        widest_input: the largest number of inputs of a unit whose weights have bytes of their own.
    """

    outputs: tuple[ForwardKernel, ...]
    forward: tuple[ForwardKernel, ...]
    packed: tuple[ForwardKernel, ...]
    dot: tuple[DotKernel, ...]
    init: tuple[InitKernel, ...]
    grad: tuple[GradKernel, ...]
    update: tuple[UpdateKernel, ...]
    widest_input: int

    @property
    def four(self) -> tuple[ForwardKernel, ...]:
        """Kernels of `forward` that work on four patches of a map at once."""
        return tuple(kernel for kernel in self.forward if kernel.four)

    @property
    def four_rows(self) -> tuple[str, ...]:
        """Formats of weights of which computers with vector units work on four rows at once."""
        widened = [kernel.w_type for kernel in self.forward if kernel.widens]
        return unique([*widened, *(["s16"] if self.four else [])])

    @property
    def has_curves_f32(self) -> bool:
        """Tell whether an activation in binary32 is none of tps_f32.h."""
        in_f32 = (kernel.activation for kernel in self.outputs if kernel.activation)
        return any(not ACTIVATIONS_C[activation].is_basic for activation in in_f32)


def dense_kernels(model: QuantizedModel) -> DenseKernels:
    """The kernels that the dense units of the model use, in the order of first use."""
    weighted, trained = model.weighted, model.trainable
    met = [layer for layer in weighted if layer.trains or layer.passes_only]
    whole = [layer for layer in weighted if not is_packed(layer)]
    in_rows = [layer for layer in whole if not is_depthwise(layer)]
    seeded = [layer for layer in trained if isinstance(layer.init, SeededInit)]
    return DenseKernels(
        outputs=unique(forward_kernel(layer, model) for layer in weighted),
        forward=unique(forward_kernel(layer, model) for layer in in_rows),
        packed=unique(forward_kernel(layer, model) for layer in weighted if is_packed(layer)),
        dot=unique(dot_kernel(layer, model) for layer in in_rows if layer.weight_type != "f32"),
        init=unique(init_kernel(layer) for layer in seeded if layer.kind != "rnn"),
        grad=unique(grad_kernel(layer) for layer in met if needs_derivative(layer)),
        update=unique(update_kernel(layer, model) for layer in trained if not is_depthwise(layer)),
        widest_input=max((layer.n_in for layer in whole), default=0),
    )


def dot_kernel(layer: QuantizedWeighted, model: QuantizedModel) -> DotKernel:
    """Kernel of the layer's sums of products."""
    wide = layer.x_type == "s16"
    suffix = update_suffix(layer)
    sharing = [other for other in model.weighted if update_suffix(other) == suffix]
    whole_words = have_whole_words(sharing, model)
    lanes = 16 if (layer.weight_type, layer.x_type) == ("s8", "s8") else 8
    return DotKernel(
        suffix=update_suffix(layer),
        w=C_TYPES[layer.weight_type],
        x=C_TYPES[layer.x_type],
        acc="int64_t" if wide else "int32_t",
        mac="smlald" if wide else "smlad",
        # As many as their sums and pointers fit into the registers.
        rows=2 if wide else 4,
        whole_words=whole_words,
        step=8 if all(other.n_in % 8 == 0 for other in sharing) else 4,
        in_whole_bodies=layer.x_type == "s8" and (layer.weight_type == "s8" or whole_words),
        skips_zeros=_skips_zeros(sharing),
        lanes=lanes,
        load_x=_vector_load(layer.x_type, lanes),
        load_w=_vector_load(layer.weight_type, lanes),
        vector_mac="vmlaldavaq_p_s16" if wide else f"vmladavaq_p_s{128 // lanes}",
    )


def _skips_zeros(layers: Sequence[QuantizedWeighted]) -> bool:
    """Tell whether a dense layer has as many units as pay for a look at its inputs first."""
    return any(
        layer.kind == "dense" and layer.x_type == "s8" and layer.n_out >= _UNITS_THAT_PAY
        for layer in layers
    )


def have_whole_words(layers: Sequence[QuantizedWeighted], model: QuantizedModel) -> bool:
    """Tell whether every row of the layers' weights starts at a multiple of 4 bytes.

    Nothing says where the constants of layers that do not train start.
    """
    if not all(layer.trains for layer in layers):
        return False
    offsets = {tensor.name: tensor.offset for tensor in state_layout(model).tensors}
    sizes = [layer.n_in * DTYPES[layer.weight_type].itemsize for layer in layers]
    starts = [offsets[f"{layer.name}.w"] for layer in layers]
    return all(place % 4 == 0 for place in (*sizes, *starts))


def _vector_load(value_type: str, lanes: int) -> str:
    """Intrinsic that loads `lanes` numbers of a type into one vector, with a mask."""
    return f"vldr{'b' if value_type == 's8' else 'h'}q_z_s{128 // lanes}"


def update_kernel(layer: QuantizedWeighted, model: QuantizedModel) -> UpdateKernel:
    """Kernel that updates the layer's weights; shared by layers that find their inputs alike."""
    suffix, family = update_suffix(layer), is_depthwise(layer)
    sharing = [
        other
        for other in model.trainable
        if (update_suffix(other), is_depthwise(other)) == (suffix, family)
    ]
    shift = _update_shift(layer)
    lane = 1 << max(0, _LANE_SHIFT[layer.weight_type] - shift)
    bits = tuple(sorted({_weight_bits(other) for other in sharing}))
    fours = layer.weight_type == "s16" or bits == (7,)
    whole_words = have_whole_words(sharing, model)
    has_rest = any(other.n_in % 4 for other in sharing)
    return UpdateKernel(
        suffix=suffix,
        w=C_TYPES[layer.weight_type],
        x=C_TYPES[layer.x_type],
        shift=shift,
        bits=bits,
        has_lanes=layer.x_type == "s8",
        largest_step=255 // lane,
        lane=lane,
        whole_words=whole_words,
        has_rest=has_rest,
        in_fours=layer.x_type == "s8" and fours and whole_words and not has_rest,
        has_small_bias=layer.x_type == "s8"
        and all(
            (255 // lane) * steps.bias_one < 2**31 - 2**shift
            for other in sharing
            if isinstance(steps := other.learning.steps, IntegerSteps)
        ),
        on_maps=any(other.kind == "conv2d" for other in sharing),
        before="uint16_t" if shift <= 16 else "int32_t",
        largest_in_16_bits=(2**15 - 2**shift) // 128,
    )


def _update_shift(layer: QuantizedWeighted) -> int:
    steps = layer.learning.steps
    return steps.update_shift if isinstance(steps, IntegerSteps) else 0


def _weight_bits(layer: QuantizedWeighted) -> int:
    return layer.numbers.weight_bits if isinstance(layer.numbers, IntegerNumbers) else 0


def forward_kernel(layer: QuantizedWeighted, model: QuantizedModel) -> ForwardKernel:
    """The forward pass of the layer."""
    suffix = forward_suffix(layer)
    sharing = [other for other in model.weighted if forward_suffix(other) == suffix]
    dotted = [other for other in model.weighted if update_suffix(other) == update_suffix(layer)]
    on_maps = [o for o in sharing if o.kind == "conv2d" and not is_depthwise(o)]
    wide = layer.x_type == "s16"
    return ForwardKernel(
        suffix=suffix,
        w=weights_c(layer),
        w_type=layer.weight_type,
        x=C_TYPES[layer.x_type],
        y=C_TYPES[layer.y_type],
        acc="int64_t" if wide else "int32_t",
        table=layer.y_type if any(other.numbers.curve for other in sharing) else "",
        leaks=any(other.activation == "leaky_relu" for other in sharing),
        has_top=any(FACTS[other.activation].has_ceiling for other in sharing),
        activation=layer.activation if layer.weight_type == "f32" else "",
        settings=settings_of(layer.activation) if layer.weight_type == "f32" else (),
        halves=not wide and all(_is_half_enough(other) for other in sharing),
        widens=layer.x_type == "s8",
        dot=update_suffix(layer),
        skips_zeros=_skips_zeros(dotted),
        four=layer.x_type == "s8" and bool(on_maps) and not is_packed(layer),
        y_type=layer.y_type,
        in_eights=all(other.n_in % 8 == 0 for other in on_maps),
        whole_words=have_whole_words(on_maps, model),
    )


def _is_half_enough(layer: QuantizedWeighted) -> bool:
    return isinstance(layer.numbers, IntegerNumbers) and layer.numbers.z.shift in _HALF_SHIFTS


def init_kernel(layer: QuantizedWeighted) -> InitKernel:
    """Kernel that draws the layer's initial weights."""
    return InitKernel(layer.weight_type, C_TYPES[layer.weight_type])


def grad_kernel(layer: QuantizedWeighted) -> GradKernel:
    """Kernel that multiplies the layer's errors by f'(z)."""
    slope = slope_name(layer)
    is_shared = slope != layer.activation
    return GradKernel(
        suffix=grad_suffix(layer),
        activation="f" if is_shared else layer.activation,
        slope=slope,
        y=C_TYPES[layer.y_type],
        limit=LIMITS[layer.y_type],
    )
