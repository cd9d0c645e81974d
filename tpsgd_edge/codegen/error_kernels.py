"""Kernels of the local errors: one for each loss, output type and place in the network."""

from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.quantize.model import QuantizedDense, QuantizedModel


@dataclass(frozen=True, slots=True)
class ErrorKernel:
    """`tps_error_<suffix>`.

    Attributes:
        returns: C type of what the kernel tells: of a softmax, to an error gate, the label's
            probability.
        family: softmax, target (target space) or label (label space).
        label: the C parameter that takes the sample's label.
        scratch_parameter: further C parameters of the losses in label space.
        target_lines, expression: of the target-space losses; define `target`, and e from `r`.
        read_out: suffix of the read-out kernel, of the label-space losses in integers.
        wanted: of the label-space losses: the label's entry k.
    """

    suffix: str
    summary: str
    returns: str
    family: str
    y: str
    y15: str
    read_out: str
    label: str
    scratch_parameter: str
    target_lines: tuple[str, ...]
    expression: str
    is_cross_entropy: bool
    wanted: str


def reads_out(layer: QuantizedDense) -> bool:
    """Tell whether the loss reads the layer out through P^T by kernels in integers."""
    return layer.loss.in_label_space and layer.y_type != "f32"


def error_suffix(layer: QuantizedDense) -> str:
    """Name of the layer's error kernel behind `tps_error_`."""
    kind = layer.loss.kind
    if kind == "softmax_cross_entropy":
        return kind if layer.y_type != "f32" else f"{kind}_f32"
    if layer.loss.in_label_space:
        return f"{kind}_{layer.y_type}"
    return f"{kind}_{'last' if layer.is_last else 'hidden'}_{layer.y_type}"


def probability_c(*, is_float: bool) -> str:
    """The C type of a probability."""
    return "float" if is_float else "int32_t"


def error_kernel(layer: QuantizedDense, model: QuantizedModel) -> ErrorKernel:
    """The error kernel of a layer of the model."""
    kind, is_float = layer.loss.kind, layer.y_type == "f32"
    label_type = "float" if is_float else "int16_t"
    in_label_space = layer.loss.in_label_space
    is_class = model.labels.kind == "class"
    tells = model.is_gated and layer.is_last
    is_target = not in_label_space and kind != "softmax_cross_entropy"
    family = "target" if is_target else "label" if in_label_space else "softmax"
    return ErrorKernel(
        suffix=error_suffix(layer),
        summary=_SUMMARIES[kind] + ("; returns softmax(y) of the label" if tells else ""),
        returns=probability_c(is_float=is_float) if tells else "void",
        family=family,
        y=C_TYPES[layer.y_type],
        y15="y[j] * 256" if layer.y_type == "s8" else "y[j]",
        read_out=layer.y_type if reads_out(layer) else "",
        label="uint16_t label" if is_class else f"const {label_type} *label",
        scratch_parameter=_scratch(layer) if in_label_space else "",
        target_lines=_target_lines(layer, is_class=is_class) if is_target else (),
        expression=_expression(kind, is_float=is_float) if is_target else "",
        is_cross_entropy=kind == "projected_cross_entropy",
        wanted=_wanted(kind, is_class=is_class, is_float=is_float),
    )


def _scratch(layer: QuantizedDense) -> str:
    is_float = layer.y_type == "f32"
    projection = ""
    if layer.has_learning_readout:
        projection = f", const {'float' if is_float else 'int8_t'} *projection"
    return f"{projection}, {'float' if is_float else 'int32_t'} *s"


_SUMMARIES = {
    "softmax_cross_entropy": "e = y* - softmax(y)",
    "projected_cross_entropy": "e = P (y* - softmax(g P^T y)); s is scratch for one value a label",
    "projected_l2": "e = P (y* - g P^T y); s is scratch for one value a label",
    "l2": "e = t - y",
    "l1": "e = sign(t - y)",
    "huber": "e = t - y, limited to [-delta, delta]",
    "dead_zone": "e = what t - y exceeds [-delta, delta] by",
    "cross_entropy": "e = t - y, which is -dJ/dz of the cross entropy on sigmoid units",
    "custom": "e = the user's -dJ/dy, looked up for t - y",
}

_EXPRESSIONS = {
    "l2": "r",
    "cross_entropy": "r",
    "l1": "r > 0 ? 16384 : r < 0 ? -16384 : 0",
    "huber": "tps_clip(r, -(int32_t)layer->delta, layer->delta)",
    "dead_zone": "r - tps_clip(r, -(int32_t)layer->delta, layer->delta)",
    "custom": "layer->loss_table[tps_clip(tps_rshift_round(r, 8), -128, 127) + 128]",
}
_EXPRESSIONS_F32 = {
    "l2": "r",
    "cross_entropy": "r",
    "l1": "r > 0.0f ? 1.0f : r < 0.0f ? -1.0f : 0.0f",
    "huber": "tps_clip_f32(r, -layer->delta, layer->delta)",
    "dead_zone": "r > layer->delta ? r - layer->delta "
    ": r < -layer->delta ? r + layer->delta : 0.0f",
    "custom": "layer->loss_table[\n"
    "            (int32_t)tps_clip_f32(r * layer->loss_table_scale + 128.5f, 0.0f, 255.0f)]",
}


def _expression(kind: str, *, is_float: bool) -> str:
    return (_EXPRESSIONS_F32 if is_float else _EXPRESSIONS)[kind]


def _target_lines(layer: QuantizedDense, *, is_class: bool) -> tuple[str, ...]:
    is_float = layer.y_type == "f32"
    c_type = "float" if is_float else "int32_t"
    if layer.is_last:
        on_or_off = "j == label ? layer->target_on : layer->target_off"
        return (f"const {c_type} target = {on_or_off if is_class else 'label[j]'};",)
    if is_class and is_float:
        return (
            "const float entry = (float)tps_entry(layer, j, label);",
            "const float target = layer->target_mid + entry * layer->target_mult;",
        )
    if is_class:
        return (
            "const int32_t scaled = tps_entry(layer, j, label) * layer->target_mult;",
            "const int32_t target =",
            "    tps_sat_s16(layer->target_mid + tps_rshift_round(scaled, layer->target_shift));",
        )
    return (*_label_product(is_float=is_float), *_target_of_sum(is_float=is_float))


def _label_product(*, is_float: bool) -> tuple[str, ...]:
    entry = "(float)tps_row_next(&p)" if is_float else "tps_row_next(&p)"
    return (
        "struct tps_row p = tps_row_begin(layer, j);",
        "float sum = 0.0f;" if is_float else "int64_t sum = 0;",
        "for (uint32_t k = 0; k < TPS_N_LABELS; k++) {",
        f"    sum += {entry} * label[k];",
        "}",
    )


def _target_of_sum(*, is_float: bool) -> tuple[str, ...]:
    if is_float:
        return ("const float target = layer->target_mid + sum * layer->target_mult;",)
    return (
        "const int32_t scaled = tps_requantize(sum, (uint16_t)layer->target_mult,",
        "    (uint8_t)(layer->target_shift + 15), -65536, 65535);",
        "const int32_t target = tps_sat_s16(layer->target_mid + scaled);",
    )


def _wanted(kind: str, *, is_class: bool, is_float: bool) -> str:
    if not is_class:
        return "label[k]"
    if is_float:
        return "(k == label ? 1.0f : 0.0f)"
    return f"(k == label ? {32767 if kind == 'projected_l2' else 32768} : 0)"
