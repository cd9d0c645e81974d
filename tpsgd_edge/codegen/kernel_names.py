"""Names of kernels: what follows the verb, from the layers that they are made for."""

from tpsgd_edge.codegen.activations import ACTIVATIONS_C
from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.quantize.model import InputGradient, QuantizedGated, QuantizedWeighted

# The loss of layers that learn from scores that are carried.
CARRIED = "carried_cross_entropy"


def needs_derivative(layer: QuantizedWeighted) -> bool:
    """Tell whether the error is multiplied by f'(z)."""
    return not layer.loss.cancels_derivative and layer.activation != "linear"


def is_depthwise(layer: QuantizedWeighted) -> bool:
    """Tell whether an integer kernel for filters of one channel each serves the layer."""
    return layer.shape.is_depthwise and layer.weight_type != "f32"


def is_packed(layer: QuantizedWeighted) -> bool:
    """Tell whether weights lie two in a byte: never those of layers that learn."""
    return layer.weight_type == "s4"


def weights_c(layer: QuantizedWeighted) -> str:
    """C type of what a pointer to the layer's weights points to."""
    c_type = C_TYPES[layer.weight_type]
    return f"TPS_FLASH {c_type}" if is_packed(layer) else c_type


def forward_suffix(layer: QuantizedWeighted) -> str:
    """Name of the layer's forward kernel behind `tps_dense_forward_`."""
    if layer.weight_type == "f32":
        return f"{layer.activation}_f32"
    return f"{layer.weight_type}_{layer.x_type}_{layer.y_type}"


def update_suffix(layer: QuantizedWeighted) -> str:
    """Name of the layer's update kernel behind `tps_dense_update_`."""
    return "f32" if layer.weight_type == "f32" else f"{layer.weight_type}_{layer.x_type}"


def grad_suffix(layer: QuantizedWeighted) -> str:
    """Name of the layer's kernel of derivatives behind `tps_dense_grad_`."""
    return f"{slope_name(layer)}_{layer.y_type}"


def conv_learn_suffix(layer: QuantizedWeighted) -> str:
    """Name of the convolution's learn kernel behind `tps_conv2d_learn_`."""
    slope = slope_name(layer) if takes_derivative(layer) else "open"
    return f"{update_suffix(layer)}_{slope}_{layer.y_type}"


def slope_name(layer: QuantizedWeighted) -> str:
    """The slope of the layer's activation, which others may share."""
    shared = "" if layer.weight_type == "f32" else ACTIVATIONS_C[layer.activation].shares
    return shared or layer.activation


def takes_derivative(layer: QuantizedWeighted) -> bool:
    """Tell whether the convolution multiplies errors by f'(z) while it learns, not before."""
    return needs_derivative(layer) and (layer.loss.is_local or not _hands_down(layer))


def _hands_down(layer: QuantizedWeighted) -> bool:
    return layer.learning.input_gradient is not None


def error_suffix(layer: QuantizedWeighted, *, carries: bool = False) -> str:
    """Name of the layer's error kernel behind `tps_error_`.

    Args:
        carries: whether the layer adds to scores, and so has its error from their total.
    """
    if carries:
        return CARRIED if layer.weight_type != "f32" else f"{CARRIED}_f32"
    kind = layer.loss.kind
    if kind == "softmax_cross_entropy":
        return kind if layer.y_type != "f32" else f"{kind}_f32"
    if layer.loss.in_label_space:
        return f"{kind}_{layer.y_type}"
    return f"{kind}_{'last' if layer.is_last else 'hidden'}_{layer.y_type}"


def input_gradient_suffix(layer: QuantizedWeighted) -> str:
    """Name of the layer's kernel behind `tps_dense_backward_`."""
    gradient = layer.learning.input_gradient
    if not isinstance(gradient, InputGradient):
        return "f32"
    return f"{layer.weight_type}_{'s64' if gradient.is_wide else 's32'}"


def gated_suffix(layer: QuantizedGated) -> str:
    """Name of the layer's kernel behind `tps_gru_step_` or `tps_lstm_step_`."""
    return f"{layer.reset}_{update_suffix(layer.reads)}".lstrip("_")
