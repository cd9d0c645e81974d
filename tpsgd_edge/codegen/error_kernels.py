"""Kernels of the local errors, and of what these need: read-outs and softmax."""

from collections.abc import Iterable
from dataclasses import dataclass

from tpsgd_edge.arithmetic.tables import exp2_table
from tpsgd_edge.codegen.c import C_TYPES, unique
from tpsgd_edge.codegen.kernel_names import CARRIED, error_suffix
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedWeighted, Readout

# Outputs of 8 bits whose sum has 16.
_SUMMED = 255


@dataclass(frozen=True, slots=True)
class ErrorKernel:
    """`tps_error_<suffix>`.

    Attributes:
        kind: of the loss, or `kernel_names.CARRIED`.
        family: softmax, target (target space) or label (label space).
        y_type, y: type of the outputs, or of the scores that are carried, and its C type.
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


@dataclass(frozen=True, slots=True)
class ReadoutKernel:
    """`tps_read_out_<type>`."""

    type: str
    c_type: str


@dataclass(frozen=True, slots=True)
class SoftmaxKernel:
    """`tps_softmax_<type>`.

    Attributes:
        shift: scores count 2^shift / 256 of a factor of two.
    """

    type: str
    c_type: str
    shift: int = 0


@dataclass(frozen=True, slots=True)
class ErrorKernels:
    """The kernels of a model's local losses.

    Attributes:
        read_out: those of losses in label space, in integers.
        scales_in_32_bits: whether that is enough for each sum of P^T y times its factor.
        reads_out_in_parts: whether a layer has more outputs than have a sum of 16 bits.
    """

    local: tuple[ErrorKernel, ...]
    read_out: tuple[ReadoutKernel, ...]
    scales_in_32_bits: bool
    reads_out_in_parts: bool
    softmax: tuple[SoftmaxKernel, ...]

    @property
    def exp2_table(self) -> tuple[int, ...]:
        """The powers of two of a softmax."""
        return tuple(int(power) for power in exp2_table())

    @property
    def spreads_probabilities(self) -> bool:
        """Tell whether all that errors spread is what probabilities lack of the label."""
        lacking = ("projected_cross_entropy", CARRIED)
        return all(kernel.kind in lacking for kernel in self.local if kernel.family == "label")

    @property
    def shifts_scores(self) -> bool:
        """Tell whether some scores of a softmax count more than 1/256 of a factor of two."""
        return any(kernel.shift for kernel in self.softmax)


def error_kernels(model: QuantizedModel) -> ErrorKernels:
    """The kernels that the losses of the model use, in the order of first use."""
    return ErrorKernels(
        local=unique(
            error_kernel(layer, model) for layer in model.with_loss if layer.loss.is_local
        ),
        read_out=unique(_readout_kernel(layer) for layer in model.with_loss if reads_out(layer)),
        scales_in_32_bits=all(
            _scales_in_32_bits(layer) for layer in model.with_loss if reads_out(layer)
        ),
        reads_out_in_parts=any(
            layer.n_target > _SUMMED for layer in model.with_loss if reads_out(layer)
        ),
        softmax=unique(softmax_kernels(model)),
    )


def _scales_in_32_bits(layer: QuantizedWeighted) -> bool:
    readout = layer.loss.readout
    if not isinstance(readout, Readout):
        return False
    projection = layer.projection
    entry = 1 if projection and projection.kind in ("sign", "hadamard", "ternary") else 127
    gain, largest = readout.gain, 128 * entry * layer.n_target
    return gain.shift <= 30 and largest * gain.mult + 2 ** (gain.shift - 1) < 2**31


def reads_out(layer: QuantizedWeighted) -> bool:
    """Tell whether the loss reads the layer out through P^T by kernels in integers."""
    return layer.loss.in_label_space and layer.y_type != "f32"


def probability_c(*, is_float: bool) -> str:
    """The C type of a probability."""
    return "float" if is_float else "int32_t"


def error_kernel(layer: QuantizedWeighted, model: QuantizedModel) -> ErrorKernel:
    """The error kernel of a layer of the model."""
    family = _family(layer)
    tells = model.has_error_gate and layer.is_last
    carries = layer.name in model.carrying
    seen = model.output_type if carries else layer.y_type
    return ErrorKernel(
        suffix=error_suffix(layer, carries=carries),
        kind=CARRIED if carries else layer.loss.kind,
        family=family,
        y_type=seen,
        y=C_TYPES[seen],
        is_last=family == "target" and layer.is_last,
        returns=probability_c(is_float=layer.y_type == "f32") if tells else "void",
    )


def _family(layer: QuantizedWeighted) -> str:
    if layer.loss.kind == "softmax_cross_entropy":
        return "softmax"
    return "label" if layer.loss.in_label_space else "target"


def softmax_kernels(model: QuantizedModel) -> Iterable[SoftmaxKernel]:
    """Softmax kernels that a model needs, some of them more than once."""
    for layer in model.with_loss:
        if layer.name in model.carrying:
            yield SoftmaxKernel("s16", "int16_t", layer.loss.logit_shift)
        elif layer.loss.kind == "projected_cross_entropy":
            yield SoftmaxKernel("s32", "int32_t")
        elif layer.loss.kind == "softmax_cross_entropy":
            yield SoftmaxKernel("s16", "int16_t", layer.loss.logit_shift)
    if model.value_type != "f32" and (model.has_error_gate or model.has_confidence):
        yield SoftmaxKernel("s16", "int16_t", model.last.loss.logit_shift)


def _readout_kernel(layer: QuantizedWeighted) -> ReadoutKernel:
    return ReadoutKernel(layer.y_type, C_TYPES[layer.y_type])
