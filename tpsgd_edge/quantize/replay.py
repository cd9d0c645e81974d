"""Samples that the device keeps and learns from again (docs/ARITHMETIC.md, section 24)."""

from dataclasses import dataclass

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec import Spec


@dataclass(frozen=True, slots=True)
class Replay:
    """Samples that a device keeps: their number, their choice, and how often it learns from them.

    Attributes:
        is_balanced: as many of each class; else each that came with the same probability.
        again: steps on kept samples before each step on a new one.
    """

    size: int
    is_balanced: bool
    again: int


def replay_of(spec: Spec, *, classes: int | None) -> Replay | None:
    """The replay of a spec; None where it keeps nothing.

    Args:
        classes: number of classes where a sample has one; None where it has other labels.

    Raises:
        SpecError: samples that no class tells apart, or less room than classes, are to be balanced;
            or those of a detector of anomalies are to be kept.
    """
    asked = spec.replay
    if asked.size == 0:
        return None
    if spec.data.task == "anomaly":
        raise SpecError(
            "a detector of anomalies keeps no samples: it would count their scores again and again",
            where=f"{spec.source}, [replay], size",
            found=f"size = {asked.size}",
            help="leave [replay] out",
        )
    if asked.keep == "balanced":
        _check_balanced(spec, classes)
    fits = classes is not None and classes <= asked.size
    return Replay(asked.size, fits if asked.keep is None else asked.keep == "balanced", asked.again)


def _check_balanced(spec: Spec, classes: int | None) -> None:
    where, size = f"{spec.source}, [replay], keep", spec.replay.size
    if classes is None:
        raise SpecError(
            "kept samples are balanced by class, but a sample has not one class here",
            where=where,
            found='keep = "balanced", and labels of real values or of each timestep',
            help='use keep = "reservoir"',
        )
    if size < classes:
        raise SpecError(
            "there is not room for a sample of each class",
            where=where,
            found=f'keep = "balanced", size = {size}, and {classes} classes',
            help=f'set size = {classes} or more, or keep = "reservoir"',
        )
