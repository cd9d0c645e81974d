"""Meaning of labels: classes, by number or by name, or vectors of real values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, visible
from tpsgd_edge.frontend.classes import Asked, Named, in_order, named_labels, shown
from tpsgd_edge.frontend.samples import RawSamples
from tpsgd_edge.graph import Labels

# Whole numbers look like classes where there are few of them, and several samples of each.
_MOST_CLASSES = 100
_SAMPLES_A_CLASS = 5
# So much rarer than all others is a class that somebody mistyped.
_TIMES_RARER = 5


@dataclass(frozen=True, slots=True)
class LabelledBy:
    """Labels of both sets: int64 class indices (n,), or float64 vectors (n, K).

    `said` is what they were understood as, in words.
    """

    labels: Labels
    class_names: tuple[str, ...]
    y_train: NDArray[Any]
    y_test: NDArray[Any] | None
    said: str = ""
    notes: tuple[str, ...] = ()


def read_labels(train: RawSamples, test: RawSamples | None, asked: Asked) -> LabelledBy:
    """The labels of both sets in one form.

    The task of the spec decides; where it says nothing, text, whole numbers and one-hot rows are
    classes, other numbers real values. Units of the last layer must fit.

    Args:
        train, test: checked samples; `test` is None where it will be split off.

    Raises:
        DataError: labels of the wrong kind, or that do not fit the last layer.
    """
    sets = [plain(raw) for raw in ([train] if test is None else [train, test])]
    if _are_vectors(sets[0], asked):
        return _read_vectors(sets, asked)
    return _read_classes(sets, asked)


def fitting_units(train: RawSamples, test: RawSamples | None) -> int:
    """Units of a last layer into which the labels go that nobody has described.

    There is one for each class; 1 for a real value, and for whole numbers too many to be classes.
    """
    sets = [plain(raw) for raw in ([train] if test is None else [train, test])]
    y = sets[0].y
    if y.ndim == 2:
        return int(y.shape[1])
    if y.dtype.kind not in "Ub" and not are_whole(y):
        return 1
    names = {name for raw in sets for name in named_labels(raw, raw.y).names}
    return len(names) if y.dtype.kind in "Ub" or _look_like_classes(y, len(names)) else 1


def _look_like_classes(y: NDArray[Any], count: int) -> bool:
    """Tell whether whole numbers do, `count` different ones."""
    return count <= max(2, min(_MOST_CLASSES, len(y) // _SAMPLES_A_CLASS))


def plain(raw: RawSamples) -> RawSamples:
    """The samples with labels (n,) where they are (n, 1), and text without spaces around it."""
    y = raw.y.reshape(-1) if raw.y.ndim == 2 and raw.y.shape[1] == 1 else raw.y
    if y.dtype.kind == "S":
        y = _decoded(raw, y)
    return replace(raw, y=np.char.strip(y) if y.dtype.kind == "U" else y)


def _decoded(raw: RawSamples, y: NDArray[Any]) -> NDArray[Any]:
    try:
        return np.char.decode(y, "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            "labels are not text in UTF-8",
            where=f"{raw.where}: {raw.y_from}",
            found=f"byte 0x{error.object[error.start]:02x}",
            help='y.astype(str), or numpy.char.decode(y, "latin1"), makes text of them',
        ) from None


def _are_vectors(raw: RawSamples, asked: Asked) -> bool:
    y, kind = raw.y, raw.y.dtype.kind
    if asked.task != "auto":
        return asked.task == "regression"
    if kind in "Ub" and y.ndim == 1:
        return False
    if y.ndim == 2:
        return not are_one_hot(y) and _are_real_rows(raw)
    if not are_whole(y):
        if asked.units != 1:
            raise _real_for_many(raw, asked)
        return True
    if asked.units != 1:
        return False
    return _are_values_of_one_unit(raw, asked)


def are_one_hot(y: NDArray[Any]) -> bool:
    """Tell whether each row of y (n, K) has one 1 among zeros, or such a pair: -1 and 1, 0 and 255.

    Values apart from each other by one half are smoothed ones: 0.05 and 0.9.
    """
    if y.ndim != 2 or y.shape[1] < 2 or y.dtype.kind == "U":
        return False
    low, high = y.min(), y.max()
    is_hot = y == high
    if not (is_hot | (y == low)).all() or (is_hot.sum(axis=1) != 1).any():
        return False
    return low == 0 or (low == -1 and high == 1) or bool(0 <= low < 0.5 < high <= 1)


def are_whole(y: NDArray[Any]) -> bool:
    """Tell whether all labels y, of any shape, are whole numbers of any type."""
    return y.dtype.kind in "iub" or (y.dtype.kind == "f" and bool((y == np.floor(y)).all()))


def _are_real_rows(raw: RawSamples) -> bool:
    if raw.y.dtype.kind == "f":
        return True
    raise DataError(
        "it is not clear what the labels mean",
        where=raw.where,
        found=f"{'text' if raw.y.dtype.kind == 'U' else 'integers'} of shape {raw.y.shape}",
        help="give one class number for each sample (for one-hot rows: y.argmax(axis=1)), "
        'or set data.task = "regression"',
    )


def _are_values_of_one_unit(raw: RawSamples, asked: Asked) -> bool:
    """Tell whether whole numbers are real values, as a single unit suggests, and not classes."""
    kinds = np.unique(raw.y)
    looks_so = _look_like_classes(raw.y, len(kinds))
    if len(kinds) > 2 and (asked.source is not None or not looks_so):
        return True
    names = shown(named_labels(raw, raw.y).names)
    ways = f"units = {len(kinds)}"
    if asked.source is not None:
        ways = f"a net with {len(kinds)} outputs, one for each class"
    elif len(kinds) == 2:
        ways += " (a single sigmoid unit for 0 and 1 becomes two units)"
    more = _joined(raw.advice(asked.units))
    raise DataError(
        "it is not clear whether labels are classes or real values",
        where=f"{raw.where}: {raw.y_from}",
        found=f"{len(kinds)} whole numbers ({names}) for {_units(asked)}",
        help=f'for classes: {ways}; for real values: data.task = "regression"{more}',
    )


def _real_for_many(raw: RawSamples, asked: Asked) -> DataError:
    wrong = int(np.argmax(raw.y != np.floor(raw.y)))
    return DataError(
        "labels are real numbers, but the last layer has several units",
        where=f"{raw.where}, {raw.place(wrong)}: {raw.y_from}",
        found=f"label {raw.y[wrong]:g} for {_units(asked)}",
        help=raw.advice(asked.units)
        or "for classes name the right labels in data.y; for one real value: units = 1 and "
        'data.task = "regression"',
    )


def _units(asked: Asked) -> str:
    net = f" of '{asked.source}'" if asked.source is not None else ""
    return f"{_count(asked.units)} in the last layer{net}"


def _count(units: int) -> str:
    return f"{units} unit" if units == 1 else f"{units} units"


def _joined(advice: str) -> str:
    return f"; {advice}" if advice else ""


def _read_vectors(sets: Sequence[RawSamples], asked: Asked) -> LabelledBy:
    vectors = [_vectors(raw) for raw in sets]
    if len({v.shape[1] for v in vectors}) > 1:
        raise DataError(
            "training and test labels differ in length",
            where=sets[1].where,
            found=f"{vectors[0].shape[1]} values for training, {vectors[1].shape[1]} for test",
        )
    train, count = sets[0], vectors[0].shape[1]
    if count != asked.room:
        classes = count == 1 and are_whole(train.y)
        other = '; for classes: data.task = "classification"' if classes else ""
        raise DataError(
            f"the last layer '{asked.layer}' has {_count(asked.room)} for {count} label values",
            where=f"{train.where}: {train.y_from}",
            found=f"units = {asked.room}",
            help=f"{_set_units(asked, count)}{other}{_joined(train.advice(asked.units))}",
        )
    if (vectors[0] == vectors[0][0]).all():
        raise DataError(
            "all labels are the same value",
            where=f"{train.where}: {train.y_from}",
            found=f"{len(vectors[0]):,} labels {vectors[0][0].tolist()}"[:80],
            help=f"there is nothing to learn from them{_joined(train.advice(asked.units))}",
        )
    said = f"{count} real values" if count > 1 else "1 real value"
    return LabelledBy(
        Labels("vector", count),
        (),
        vectors[0],
        vectors[1] if len(vectors) > 1 else None,
        f"{said} from {train.y_from}",
    )


def _set_units(asked: Asked, count: int) -> str:
    if asked.source is not None:
        return f"take labels that go with the {asked.room} outputs of '{asked.source}'"
    return f"set units = {count - asked.extra}"


def _vectors(raw: RawSamples) -> NDArray[np.float64]:
    if raw.y.dtype.kind == "U":
        raise DataError(
            "regression needs numbers as labels",
            where=f"{raw.where}, {raw.place(0)}",
            found=f'text, such as "{visible(str(raw.y.flat[0])[:40])}"',
            help='set data.task = "classification", or name the right column in data.y',
        )
    return raw.y.reshape(len(raw.y), -1).astype(np.float64)


def _read_classes(sets: Sequence[RawSamples], asked: Asked) -> LabelledBy:
    is_one_hot = are_one_hot(sets[0].y)
    columns = _columns(sets, asked) if is_one_hot else ()
    if columns and asked.classes is None and not asked.known:
        asked = replace(asked, classes=columns)
    labels = [_named(raw, columns, asked) for raw in sets]
    ordered = in_order(labels, asked)
    names = ordered.names
    if len(names) < 2 or (ordered.y[0] == ordered.y[0][0]).all():
        raise DataError(
            "all labels are the same class",
            where=f"{sets[0].where}: {sets[0].y_from}",
            found=f"{len(ordered.y[0]):,} labels '{visible(names[int(ordered.y[0][0])])}'",
            help=f"a classifier needs two classes or more{_joined(sets[0].advice(asked.units))}",
        )
    # Where there is another domain, it is compared with that one.
    if not asked.extra and not asked.known and len(names) != asked.units:
        raise _wrong_count(labels, names, asked)
    how = "one-hot rows of " if is_one_hot else ""
    return LabelledBy(
        Labels("class", len(names)),
        names,
        ordered.y[0],
        ordered.y[1] if len(ordered.y) > 1 else None,
        f"{len(names)} classes ({shown(names, 10)}) from {how}{sets[0].y_from}",
        ordered.notes,
    )


def _columns(sets: Sequence[RawSamples], asked: Asked) -> tuple[str, ...]:
    """Names of the columns of one-hot rows: their numbers, unless the spec has other names."""
    names = sets[0].y_names
    is_other = asked.classes is not None and not {*names} <= {*asked.classes}
    if not names or is_other or any(raw.y_names != names for raw in sets):
        return tuple(str(at) for at in range(sets[0].y.shape[1]))
    return names


def _named(raw: RawSamples, columns: tuple[str, ...], asked: Asked) -> Named:
    y = raw.y
    if are_one_hot(y) and len(columns) == y.shape[1]:
        at = y.argmax(axis=1)
        is_number = columns == tuple(str(column) for column in range(len(columns)))
        return named_labels(raw, at if is_number else np.array(columns)[at])
    if y.ndim == 2:
        raise DataError(
            "classification needs one label for each sample",
            where=raw.where,
            found=f"labels of shape {y.shape}",
            help="one-hot rows have a single 1 among zeros; for real values: "
            'data.task = "regression"',
        )
    if y.dtype.kind == "f" and not are_whole(y):
        wrong = int(np.argmax(y != np.floor(y)))
        more = _joined(raw.advice(asked.units))
        raise DataError(
            "class labels must be whole numbers or text",
            where=f"{raw.where}, {raw.place(wrong)}",
            found=f"label {y[wrong]:g} from {raw.y_from}",
            help=f'for real values set data.task = "regression"{more}',
        )
    return named_labels(raw, y)


def _wrong_count(labels: Sequence[Named], names: tuple[str, ...], asked: Asked) -> DataError:
    train, count = labels[0], len(names)
    where, odd = f"{train.raw.where}: {train.raw.y_from}", ""
    if count == asked.units + 1:
        rare, next_rare, *_ = sorted(train.names, key=train.count)
        if _TIMES_RARER * train.count(rare) <= train.count(next_rare):
            where = f"{train.place(rare)}, label '{visible(rare[:40])}'"
            odd = f"if '{visible(rare[:40])}' is a mistake, correct it; else "
    many = count > max(20, len(train.index) // 2)
    advice = train.raw.advice(asked.units)
    if many and train.values is None:
        helps = [advice or "nearly every sample has a label of its own: name the right one, data.y"]
    elif asked.source is not None:
        helps = [
            f"name the classes of all {asked.units} outputs, in their order: data.classes = [...]"
            if count < asked.units
            else _set_units(asked, count),
            advice,
        ]
    else:
        real = 'for real values: units = 1 and data.task = "regression"'
        missing = f"data.classes = [...] names all {asked.units}, if some have no samples here"
        helps = [f"{odd}set units = {count}", advice]
        helps += [real] if many else [missing] if count < asked.units else []
    return DataError(
        f"the last layer '{asked.layer}' has {_count(asked.units)} for {count} classes",
        where=where,
        found=f"classes: {shown(names, 10)}",
        help="; ".join(text for text in helps if text),
    )
