"""Samples as a file holds them, before anything about labels is decided."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, visible

# More is a mistake: the first layer would not fit any microcontroller, the set (bytes) no memory.
LARGEST_INPUT = 65_535
LARGEST_SET = 1 << 31
_MOST_ENTRIES = 1000
# Samples that are looked at together: what is made of all of them would take their memory again.
_PIECE = 4096
_ENDINGS = (".npz", ".npy", ".csv", ".tsv", ".txt", ".gz", "-ubyte")
_PATHS = "paths start at the folder of the spec"


def _no_advice(units: int) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class RawSamples:
    """Arrays with one entry for each sample, in the file's order.

    Attributes:
        x: (n, ...) numbers.
        y: (n,), (n, K) or, of sequences, (n, T, K): numbers, or text of `<U` type.
        where: what messages call the place: a file's name, and the arrays or rows in it.
        lines: of each sample in a text file; empty for others.
        y_from: the column or array that labels come from.
        y_names: of the columns of y, where they have names.
        x_names: of the columns of x, where they have names.
        advice: where as many classes as there are units may come from, if these labels are wrong.
        notes: what was passed over or decided on reading.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    where: str
    lines: tuple[int, ...] = ()
    y_from: str = "y"
    y_names: tuple[str, ...] = ()
    x_names: tuple[str, ...] = ()
    advice: Callable[[int], str] = _no_advice
    notes: tuple[str, ...] = ()

    def place(self, index: int) -> str:
        """Place of sample `index`."""
        return f"line {self.lines[index]}" if self.lines else f"sample {index}"


def read_bytes(path: Path, *, limit: int = 1 << 33) -> bytes:
    """Read the content of a file.

    Raises:
        DataError: it is missing, unreadable or too large.
    """
    try:
        if path.stat().st_size > limit:
            raise DataError(
                f"the data file '{path.name}' is too large",
                where=path.name,
                found=f"{path.stat().st_size:,} bytes; {limit:,} are allowed",
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: Exception) -> DataError:
    """The error for a file that is missing or closed to us."""
    if isinstance(error, FileNotFoundError):
        with suppress(OSError):
            there = [
                entry.name
                for entry in islice(path.parent.iterdir(), _MOST_ENTRIES)
                if entry.suffix == path.suffix or entry.name.lower().endswith(_ENDINGS)
            ]
            close = get_close_matches(path.name, there, n=1)
            return DataError(
                f"there is no data file '{path.name}'",
                where=f"[data], {path}",
                help=f"did you mean '{visible(close[0])}'?" if close else _PATHS,
            )
        return DataError(
            f"there is no data file '{path.name}'", where=f"[data], {path}", help=_PATHS
        )
    reason = getattr(error, "strerror", None) or str(error)
    return DataError(f"the data file '{path.name}' cannot be read", where=str(path), found=reason)


def check_samples(raw: RawSamples, *, steps: int | None = None) -> None:
    """Check that x and y belong together and that x holds finite numbers.

    Args:
        steps: of sequences, whose steps may have labels of their own: y (n, steps, K).

    Raises:
        DataError: the first thing that is wrong.
    """
    x, y = raw.x, raw.y
    if x.dtype.kind not in "biuf":
        raise DataError(
            "samples must be numbers",
            where=raw.where,
            found=f"x of type {x.dtype}",
            help="x.astype(numpy.float32) makes numbers of text; categories become one-hot columns",
        )
    if y.dtype.kind not in "biufUS":
        raise DataError(
            "labels must be numbers or text",
            where=raw.where,
            found=f"y of type {y.dtype}",
            help="y.astype(str) for names of classes, y.astype(numpy.float32) for real values",
        )
    has_step_labels = y.ndim == 3 and steps is not None and y.shape[1] == steps
    if x.ndim < 2 or not (y.ndim in (1, 2) or has_step_labels):
        raise DataError(
            "samples or labels have the wrong shape",
            where=raw.where,
            found=f"x {x.shape}, y {y.shape}",
            help="samples of a single value: x.reshape(-1, 1)"
            if x.ndim == 1
            else "x has one row for each sample; y has one label, or one row of values, for each",
        )
    if x.size == 0 or y.size == 0:
        raise DataError("the data set is empty", where=raw.where, found=f"x {x.shape}, y {y.shape}")
    if len(x) != len(y):
        raise DataError(
            "there are not as many labels as samples",
            where=raw.where,
            found=f"{len(x):,} samples, {len(y):,} labels; x has the shape {x.shape}",
            help="x has one row for each sample; transpose it, or move the axis of samples first"
            if len(y) in x.shape
            else "give each sample one label: are x and y of the same recording?",
        )
    if x[0].size > LARGEST_INPUT:
        raise DataError(
            "a sample is too large",
            where=raw.where,
            found=f"{x[0].size:,} values; {LARGEST_INPUT:,} are allowed",
        )
    check_finite(raw, x, "x")
    check_finite(raw, y, "y")


def _are_finite(values: NDArray[Any]) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = np.abs(values) <= np.finfo(np.float32).max
    return good


def check_finite(raw: RawSamples, values: NDArray[Any], name: str) -> None:
    """Check that binary32 can hold all `values`, of any shape.

    Raises:
        DataError: one is NaN, infinite or too large; the message names the first of them.
    """
    if values.dtype.kind != "f":
        return
    if all(_are_finite(values[i : i + _PIECE]).all() for i in range(0, len(values), _PIECE)):
        return
    good = _are_finite(values)
    at = np.unravel_index(int(np.argmin(good)), values.shape)
    index = ", ".join(str(int(i)) for i in at)
    column = f", column '{visible(raw.x_names[at[1]])}'" if name == "x" and raw.x_names else ""
    raise DataError(
        f"'{name}' holds NaN, infinity or a number too large",
        where=f"{raw.where}, {raw.place(int(at[0]))}{column}",
        found=f"{name}[{index}] = {values[at]}; {int((~good).sum()):,} such values in all",
        help="remove or repair these samples",
    )
