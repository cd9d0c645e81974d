"""Labels of an anomaly task: which samples are normal. Only these are learned."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, visible
from tpsgd_edge.frontend.classes import Named, named_labels, shown
from tpsgd_edge.frontend.labels import LabelledBy, plain
from tpsgd_edge.frontend.samples import RawSamples
from tpsgd_edge.graph import Labels

NORMAL, ANOMALY = 0, 1
NAMES = ("normal", "anomaly")
# What classes are called that are normal where nobody says.
_USUAL = ("normal", "ok", "good", "0")


def read_normality(
    train: RawSamples,
    test: RawSamples | None,
    normal: tuple[str, ...] | None,
    classes: tuple[str, ...] | None,
) -> LabelledBy:
    """Label both sets: 0 for samples of the normal classes, 1 for all others.

    Args:
        normal: names of the normal classes, where the spec has them.
        classes: names of classes that are numbered in the file.

    Raises:
        DataError: labels that are no classes, or none of which is normal.
    """
    sets = [_named(plain(raw), classes) for raw in ([train] if test is None else [train, test])]
    names = tuple(dict.fromkeys(name for one in sets for name in one.names))
    known = _normal_names(sets, names, normal)
    y = [np.isin(one.names, known, invert=True).astype(np.int64)[one.index] for one in sets]
    if not (y[0] == NORMAL).any():
        raise DataError(
            "there is no normal sample to learn from",
            where=f"{train.where}: {train.y_from}",
            found=f"labels: {shown(sets[0].names, 10)}; normal: {shown(known)}",
            help="name classes of the training samples in data.normal",
        )
    others = [name for name in names if name not in known]
    against = f"against {shown(others, 10)}" if others else "and no anomalies"
    return LabelledBy(
        Labels("class", len(NAMES)),
        NAMES,
        y[0],
        y[1] if len(y) > 1 else None,
        f"normal is {shown(known, 10)}, {against}, from {train.y_from}",
    )


def with_anomalies(
    held_out: NDArray[np.intp], order: NDArray[np.intp], y: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices (n,) of the test, with all anomalies in it, and of what is to be learned."""
    is_normal = y[order] == NORMAL
    return np.concatenate([held_out, order[~is_normal]]), order[is_normal]


def _named(raw: RawSamples, classes: tuple[str, ...] | None) -> Named:
    is_real = raw.y.dtype.kind == "f" and bool((raw.y != np.floor(raw.y)).any())
    if raw.y.ndim != 1 or is_real:
        raise DataError(
            "an anomaly task needs one class for each sample",
            where=f"{raw.where}: {raw.y_from}",
            found="real numbers" if is_real else f"labels of shape {raw.y.shape}",
            help="0 for normal samples and 1 for anomalies, or names of classes and data.normal",
        )
    named = named_labels(raw, raw.y)
    if classes is None or named.values is None or not _number(named.values, classes):
        return named
    return replace(named, names=tuple(classes[value] for value in named.values), values=None)


def _number(values: tuple[int, ...], classes: tuple[str, ...]) -> bool:
    """Tell whether labels are places in a list of classes."""
    return min(values) >= 0 and max(values) < len(classes)


def _normal_names(
    sets: Sequence[Named], names: tuple[str, ...], asked: tuple[str, ...] | None
) -> tuple[str, ...]:
    first = sets[0].raw
    if asked is None:
        usual = tuple(name for name in names if name.lower() in _USUAL)
        if not usual:
            raise DataError(
                "it is not clear which samples are normal",
                where=f"{first.where}: {first.y_from}",
                found=f"labels: {shown(names, 10)}",
                help=f'name the normal ones: data.normal = ["{visible(names[0][:40])}"]',
            )
        return usual[:1]
    missing = [name for name in asked if name not in names]
    if missing:
        raise DataError(
            f"no sample is of the normal class '{visible(missing[0][:40])}'",
            where="[data], normal",
            found=f"labels of {first.where}: {shown(names, 10)}",
            help="name classes that the data have",
        )
    return asked
