"""The kernels that turn scores into probabilities."""

from collections.abc import Iterable
from dataclasses import dataclass

from tpsgd_edge.quantize.model import QuantizedModel


@dataclass(frozen=True, slots=True)
class SoftmaxKernel:
    """`tps_softmax_<type>`.

    Attributes:
        initial_shift, shifted: C that is added where scores count more than 1/256 of a factor of
            two, or nothing.
    """

    type: str
    c_type: str
    initial_shift: str = ""
    shifted: str = ""


def softmax_kernels(model: QuantizedModel) -> Iterable[SoftmaxKernel]:
    """Those that a model needs, some of them more than once."""
    for layer in model.taught:
        if layer.loss.kind == "projected_cross_entropy":
            yield SoftmaxKernel("s32", "int32_t")
        elif layer.loss.kind == "softmax_cross_entropy":
            yield _output_softmax(layer.loss.logit_shift)
    if model.value_type != "f32" and (model.is_gated or model.has_confidence):
        yield _output_softmax(model.last.loss.logit_shift)


def _output_softmax(shift: int) -> SoftmaxKernel:
    if not shift:
        return SoftmaxKernel("s16", "int16_t")
    return SoftmaxKernel("s16", "int16_t", f", .shift = {shift}", f" << {shift}")
