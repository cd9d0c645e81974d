"""Roles of the arrays in an .npz: samples and labels, for training and for the test.

Names differ from place to place: x and y; X_train, y_train, X_test, y_test as Keras and
scikit-learn have them; train_images and test_labels; data and target.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tpsgd_edge.errors import DataError, visible

# What the spec says where it says nothing.
_DEFAULT = ("x", "y")
_SAMPLES = ("x", "data", "images", "image", "features", "inputs", "samples", "signals", "xs")
_LABELS = ("y", "target", "targets", "labels", "label", "classes", "class", "ys")
_PARTS = {
    "train": ("train", "training", "tr"),
    "test": ("test", "testing", "te"),
    "validation": ("val", "valid", "validation", "dev"),
}


@dataclass(frozen=True, slots=True)
class Pair:
    """Names of the arrays of samples and of labels."""

    x: str
    y: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """The arrays of both sets; `test` is None where it is to be split off."""

    train: Pair
    test: Pair | None
    notes: tuple[str, ...] = ()


def find_pairs(names: Sequence[str], x: str, y: str, path: Path) -> Pairs:
    """The arrays that the spec means.

    Args:
        names: of all arrays in the file.
        x, y: as in the spec; where they are the default and not there, usual names serve.

    Raises:
        DataError: there are none, or several that may be meant.
    """
    named, test = Pair(x, y), Pair(f"{x}_test", f"{y}_test")
    if x in names and y in names:
        if test.x in names or test.y in names:
            _check(names, test, path)
            return Pairs(named, test)
        return _with_test(names, named, path) if (x, y) == _DEFAULT else Pairs(named, None)
    if (x, y) == _DEFAULT:
        train = _find(names, "train", path) or _find(names, "", path)
        if train is not None:
            return _with_test(names, train, path)
    stems = Pair(f"{x}_train", f"{y}_train")
    if stems.x not in names or stems.y not in names:
        _check(names, named, path)
    return Pairs(stems, test if test.x in names and test.y in names else None)


def find_test_pair(names: Sequence[str], x: str, y: str, path: Path) -> Pair:
    """The arrays of a file that holds the test set, and perhaps more."""
    if not (x in names and y in names) and (x, y) == _DEFAULT:
        test = _find(names, "test", path)
        if test is not None:
            return test
    return find_pairs(names, x, y, path).train


def _with_test(names: Sequence[str], train: Pair, path: Path) -> Pairs:
    test, validation = _find(names, "test", path), _find(names, "validation", path)
    if validation is None:
        return Pairs(train, test)
    arrays = f"'{path.name}': '{visible(validation.x)}' and '{visible(validation.y)}'"
    if test is None:
        return Pairs(train, validation, (f"{arrays} serve as the test set",))
    return Pairs(train, test, (f"{arrays} are not used",))


def _check(names: Sequence[str], pair: Pair, path: Path) -> None:
    for name in (pair.x, pair.y):
        if name not in names:
            raise DataError(
                f"'{path.name}' has no array '{visible(name)}'",
                where=path.name,
                found=visible(f"arrays: {', '.join(sorted(names)) or 'none'}"[:200]),
                help="name the arrays of samples and labels in the spec: data.x and data.y",
            )


def _find(names: Iterable[str], part: str, path: Path) -> Pair | None:
    """The pair of arrays of one part, by usual names; None where one of them is missing."""
    found: dict[str, list[str]] = {"x": [], "y": []}
    for name in names:
        role = _role(name)
        if role is not None and role[1] == part:
            found[role[0]].append(name)
    if not found["x"] or not found["y"]:
        return None
    for role_name, several in found.items():
        if len(several) > 1:
            what = "samples" if role_name == "x" else "labels"
            raise DataError(
                f"several arrays of '{path.name}' may be the {what}",
                where=path.name,
                found=visible(", ".join(sorted(several))),
                help=f'name the right one in the spec: data.{role_name} = "..."',
            )
    return Pair(found["x"][0], found["y"][0])


def _role(name: str) -> tuple[str, str] | None:
    """Role of an array by its name: ("x" or "y", its part or nothing); None for another one.

    >>> _role("X_train"), _role("test_labels"), _role("ytest"), _role("mean")
    (('x', 'train'), ('y', 'test'), ('y', 'test'), None)
    """
    plain = name.lower().replace("_", "").replace("-", "").replace(" ", "")
    for role, stems in (("x", _SAMPLES), ("y", _LABELS)):
        for stem in stems:
            if plain == stem:
                return role, ""
            for part, words in _PARTS.items():
                if any(plain in (stem + word, word + stem) for word in words):
                    return role, part
    return None
