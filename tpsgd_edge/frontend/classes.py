"""Classes that labels name, in the order of the net's outputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, visible
from tpsgd_edge.frontend.samples import RawSamples

_MOST_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """Facts from spec and net about the labels, before anybody looks at the labels.

    Attributes:
        task: of the spec.
        units: of the last layer, without those of extra classes.
        extra: units for classes that come later.
        classes: their names in the order of the outputs; None where nobody says.
        is_certain: whether it is the spec that says so, and not a file.
        known: classes of the source domain, before all others.
        source: the file that the net comes from; None for one that starts from nothing.
        layer: name of the last layer.
    """

    task: str
    units: int
    extra: int = 0
    classes: tuple[str, ...] | None = None
    is_certain: bool = True
    known: tuple[str, ...] = ()
    source: str | None = None
    layer: str = "the last one"

    @property
    def room(self) -> int:
        """Units with those for classes that come later."""
        return self.units + self.extra


@dataclass(frozen=True, slots=True)
class Named:
    """The labels of one set: names of its classes as they sort, and which of them each label is.

    Attributes:
        names: in order of value, or of the alphabet.
        values: those names as whole numbers; None where some are text.
        index: (n,), into `names`.
    """

    raw: RawSamples
    names: tuple[str, ...]
    values: tuple[int, ...] | None
    index: NDArray[np.int64]

    def count(self, name: str) -> int:
        """Samples of a class."""
        at = self.names.index(name) if name in self.names else -1
        return int((self.index == at).sum())

    def place(self, name: str) -> str:
        """Place of the first sample of a class."""
        first = int(np.argmax(self.index == self.names.index(name)))
        return f"{self.raw.where}, {self.raw.place(first)}"

    def in_order(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the labels (n,) as places in a list of classes."""
        places = {name: at for at, name in enumerate(classes)}
        return np.array([places[name] for name in self.names], np.int64)[self.index]


def named_labels(raw: RawSamples, y: NDArray[Any]) -> Named:
    """Labels (n,) by name: whole numbers, true and false, or text."""
    kinds, index = np.unique(y, return_inverse=True)
    index = np.asarray(index.reshape(-1), np.int64)
    if kinds.dtype.kind == "U":
        return Named(raw, tuple(str(kind) for kind in kinds), None, index)
    if kinds.dtype.kind == "b":
        return Named(raw, tuple(str(bool(kind)) for kind in kinds), None, index)
    values = tuple(int(kind) for kind in kinds)
    return Named(raw, tuple(str(value) for value in values), values, index)


@dataclass(frozen=True, slots=True)
class Ordered:
    """Classes in the order of the outputs, the labels of each set, and what is to be said."""

    names: tuple[str, ...]
    y: tuple[NDArray[np.int64], ...]
    notes: tuple[str, ...] = ()


def in_order(sets: Sequence[Named], asked: Asked) -> Ordered:
    """The classes of all sets in the order of the outputs.

    That is the order of `data.classes`; else numbers from 0 on are places of outputs, other numbers
    go by value, and text by the alphabet.

    Raises:
        DataError: labels that `data.classes` does not name, classes that only the test set has.
    """
    notes: list[str] = []
    ordered = None
    if asked.classes is not None:
        ordered = _as_listed(sets, asked.classes, asked)
        if ordered is None:
            notes.append(
                f"'{asked.source}' names other classes ({shown(asked.classes)}) than the data have"
            )
    if ordered is None:
        _check_test(sets, asked)
        ordered = _by_themselves(sets, asked)
        is_text = sets[0].values is None and len(ordered.names) > len(asked.known)
        if asked.source is not None and is_text and not asked.known:
            notes.append(
                f"names of classes are sorted; if the outputs of '{asked.source}' have another "
                f"order than {shown(ordered.names)}, say so: data.classes = [...]"
            )
    return Ordered(ordered.names, ordered.y, (*notes, *ordered.notes, *_unseen(sets, ordered)))


def shown(names: Sequence[str], most: int = _MOST_SHOWN) -> str:
    """Names in a row, cut short where there are many.

    >>> shown(["a", "b", "c"], 2)
    'a, b, ...'
    """
    return visible(
        ", ".join([*(name[:40] for name in names[:most]), *["..."][: len(names) - most]])
    )


def _as_listed(sets: Sequence[Named], classes: tuple[str, ...], asked: Asked) -> Ordered | None:
    """Labels as places in a list; None where a file's list has not all of them."""
    unknown = [(s, name) for s in sets for name in s.names if name not in classes]
    if not unknown:
        return Ordered(classes, tuple(s.in_order(classes) for s in sets))
    start = _start(sets, classes)
    if start is not None:
        y = [np.array(s.values, np.int64)[s.index] - start for s in sets]
        return Ordered(classes, tuple(y))
    if not asked.is_certain:
        return None
    labels, name = unknown[0]
    close = get_close_matches(name, classes, n=1)
    raise DataError(
        f"the label '{visible(name[:40])}' is not among data.classes",
        where=labels.place(name),
        found=f"classes: {shown(classes)}; {labels.count(name):,} such labels",
        help=f"did you mean '{visible(close[0])}'?" if close else "add it, or remove the samples",
    )


def _start(sets: Sequence[Named], classes: tuple[str, ...]) -> int | None:
    """The number of the first class where labels number the classes of a list of other names."""
    if any(s.values is None for s in sets) or any(_is_whole(name) for name in classes):
        return None
    values = {value for s in sets for value in s.values or ()}
    low, high, count = min(values), max(values), len(classes)
    if low >= 0 and high < count:
        return 0
    return 1 if low >= 1 and high == count else None


def _is_whole(name: str) -> bool:
    return name.removeprefix("-").isdecimal()


def _by_themselves(sets: Sequence[Named], asked: Asked) -> Ordered:
    names = _sorted_names(sets)
    if all(s.values is not None for s in sets):
        values, known = [int(name) for name in names], asked.known
        are_other = not any(_is_whole(name) for name in known)
        are_counted = all(name == str(at) for at, name in enumerate(known))
        if _are_places(values, asked) and (are_other or are_counted):
            more = (str(at) for at in range(len(known), max(values) + 1))
            y = tuple(np.array(s.values, np.int64)[s.index] for s in sets)
            return Ordered((*known, *more), y)
    names = (*asked.known, *(name for name in names if name not in asked.known))
    return Ordered(names, tuple(s.in_order(names) for s in sets))


def _sorted_names(sets: Sequence[Named]) -> tuple[str, ...]:
    if all(s.values is not None for s in sets):
        return tuple(str(v) for v in sorted({v for s in sets for v in s.values or ()}))
    return tuple(sorted({name for s in sets for name in s.names}))


def _are_places(values: Sequence[int], asked: Asked) -> bool:
    """Tell whether numbers are places of outputs from 0 on; some may have no sample."""
    if values == list(range(len(values))):
        return True
    is_within = min(values) >= 0 and max(values) < asked.room
    return is_within and (0 in values or len(values) != asked.units)


def _check_test(sets: Sequence[Named], asked: Asked) -> None:
    """Raise where the test set has classes for which neither samples nor outputs are there."""
    if len(sets) < 2 or asked.known:
        return
    train, test = sets
    alone = [name for name in test.names if name not in train.names]
    if alone and len({*train.names, *test.names}) > asked.room >= len(train.names):
        raise DataError(
            f"only the test set has the class '{visible(alone[0][:40])}'",
            where=test.place(alone[0]),
            found=f"{test.count(alone[0]):,} such labels; training: {shown(train.names)}",
            help="correct these labels, remove the samples, or add training samples of the class",
        )


def _unseen(sets: Sequence[Named], ordered: Ordered) -> tuple[str, ...]:
    """Note about classes without a training sample."""
    counts = np.bincount(ordered.y[0], minlength=len(ordered.names))
    unseen = [name for name, count in zip(ordered.names, counts, strict=True) if not count]
    if not unseen:
        return ()
    return (f"no training sample is of class {shown(unseen)}",)
