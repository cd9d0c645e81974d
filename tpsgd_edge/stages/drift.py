"""The detector of drift that a spec asks for, in the numbers of the device."""

from tpsgd_edge.codegen.drift import DriftView
from tpsgd_edge.errors import SpecError
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.spec import Spec


def detector_of(spec: Spec, model: QuantizedModel) -> DriftView | None:
    """The detector; None where nothing is watched.

    Raises:
        SpecError: labels are no classes, one a sample, or outputs no probabilities of classes.
    """
    asked = spec.drift
    if asked.watch is None:
        return None
    if spec.data.task == "anomaly":
        raise SpecError(
            "a detector of anomalies watches its scores itself: there is no drift beside them",
            where=f"{spec.source}, [drift], watch",
            found=f'watch = "{asked.watch}"',
            help="leave [drift] out",
        )
    labels = model.labels
    if asked.watch == "accuracy" and (labels.kind != "class" or labels.each_step):
        raise SpecError(
            "only answers that name one class for a sample are right or wrong",
            where=f"{spec.source}, [drift], watch",
            found='watch = "accuracy", and labels of real values or of each timestep',
            help="leave [drift] out",
        )
    if asked.watch == "confidence" and not model.has_confidence:
        raise SpecError(
            "the outputs of the net are no probabilities of classes: it has no confidence",
            where=f"{spec.source}, [drift], watch",
            found=f'watch = "confidence", and the output loss "{model.last.loss.kind}"',
            help='use watch = "accuracy", or output_loss = "softmax_cross_entropy"',
        )
    tolerance, threshold = (round(n * 2**15) for n in (asked.tolerance, asked.threshold))
    return DriftView(asked.watch == "confidence", tolerance, threshold, asked.after)
