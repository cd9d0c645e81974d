"""Kernels of the local errors: one for each loss, output type and place in the network."""

from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.quantize.model import QuantizedDense, QuantizedModel


@dataclass(frozen=True, slots=True)
class ErrorKernel:
    """`tps_error_<suffix>`.

    Attributes:
        kind: of the loss.
        family: softmax, target (target space) or label (label space).
        y_type, y: type of the outputs, and its C type.
        is_last: of the losses in target space, whether the layer is the last one, whose targets are
            the labels themselves.
        returns: C type of what the kernel tells: of a softmax, to an error gate, the label's
            probability.
    """

    suffix: str
    kind: str
    family: str
    y_type: str
    y: str
    is_last: bool
    returns: str


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
    family = _family(layer)
    tells = model.is_gated and layer.is_last
    return ErrorKernel(
        suffix=error_suffix(layer),
        kind=layer.loss.kind,
        family=family,
        y_type=layer.y_type,
        y=C_TYPES[layer.y_type],
        is_last=family == "target" and layer.is_last,
        returns=probability_c(is_float=layer.y_type == "f32") if tells else "void",
    )


def _family(layer: QuantizedDense) -> str:
    if layer.loss.kind == "softmax_cross_entropy":
        return "softmax"
    return "label" if layer.loss.in_label_space else "target"
