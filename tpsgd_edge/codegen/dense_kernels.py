"""The inner loops of fully connected layers: sums of products, and updates of rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.memory.state import state_layout
from tpsgd_edge.quantize.model import DTYPES, QuantizedDense, QuantizedModel

# Bits of a lane of 16 in which the change of a weight is an overflow (s8), or one byte (s16).
_LANE_SHIFT = {"s8": 15, "s16": 8, "f32": 0}


@dataclass(frozen=True, slots=True)
class DotKernel:
    """`dot_<suffix>` and `dot_rows_<suffix>`.

    Attributes:
        mac: two products by one `tps_<mac>`.
        rows: of weights at once, where there are registers enough.
        whole_words: every row starts at a multiple of 4 bytes.
        step: with pairs, inputs at once.
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


def update_suffix(layer: QuantizedDense) -> str:
    """Name of the layer's update kernel behind `tps_dense_update_`."""
    return "f32" if layer.weight_type == "f32" else f"{layer.weight_type}_{layer.x_type}"


def dot_kernel(layer: QuantizedDense, model: QuantizedModel) -> DotKernel:
    """What computes the layer's sums."""
    wide = layer.x_type == "s16"
    suffix = update_suffix(layer)
    sharing = [other for other in model.weighted if update_suffix(other) == suffix]
    lanes = 16 if (layer.weight_type, layer.x_type) == ("s8", "s8") else 8
    return DotKernel(
        suffix=update_suffix(layer),
        w=C_TYPES[layer.weight_type],
        x=C_TYPES[layer.x_type],
        acc="int64_t" if wide else "int32_t",
        mac="smlald" if wide else "smlad",
        # As many as their sums and pointers fit into the registers.
        rows=2 if wide else 4,
        whole_words=have_whole_words(sharing, model),
        step=8 if all(other.n_in % 8 == 0 for other in sharing) else 4,
        lanes=lanes,
        load_x=_vector_load(layer.x_type, lanes),
        load_w=_vector_load(layer.weight_type, lanes),
        vector_mac="vmlaldavaq_p_s16" if wide else f"vmladavaq_p_s{128 // lanes}",
    )


def have_whole_words(layers: Sequence[QuantizedDense], model: QuantizedModel) -> bool:
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
    """What loads `lanes` numbers of a type into one vector, with a mask."""
    return f"vldr{'b' if value_type == 's8' else 'h'}q_z_s{128 // lanes}"


def update_kernel(layer: QuantizedDense, model: QuantizedModel) -> UpdateKernel:
    """What updates the layer."""
    suffix = update_suffix(layer)
    sharing = [other for other in model.trained if update_suffix(other) == suffix]
    lane = 1 << max(0, _LANE_SHIFT[layer.weight_type] - layer.update_shift)
    return UpdateKernel(
        suffix=suffix,
        w=C_TYPES[layer.weight_type],
        x=C_TYPES[layer.x_type],
        shift=layer.update_shift,
        bits=tuple(sorted({other.weight_bits for other in sharing})),
        has_lanes=layer.x_type == "s8",
        largest_step=255 // lane,
        lane=lane,
        whole_words=have_whole_words(sharing, model),
        has_rest=any(other.n_in % 4 for other in sharing),
    )
