"""The kernels that turn scores into probabilities."""

from collections.abc import Iterable
from dataclasses import dataclass

from tpsgd_edge.quantize.model import QuantizedModel


@dataclass(frozen=True, slots=True)
class SoftmaxKernel:
    """`tps_softmax_<type>`.

    Attributes:
        shift: scores count 2^shift / 256 of a factor of two.
    """

    type: str
    c_type: str
    shift: int = 0


def softmax_kernels(model: QuantizedModel) -> Iterable[SoftmaxKernel]:
    """Those that a model needs, some of them more than once."""
    for layer in model.taught:
        if layer.loss.kind == "projected_cross_entropy":
            yield SoftmaxKernel("s32", "int32_t")
        elif layer.loss.kind == "softmax_cross_entropy":
            yield SoftmaxKernel("s16", "int16_t", layer.loss.logit_shift)
    if model.value_type != "f32" and (model.is_gated or model.has_confidence):
        yield SoftmaxKernel("s16", "int16_t", model.last.loss.logit_shift)
