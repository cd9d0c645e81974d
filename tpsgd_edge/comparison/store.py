"""The file of results: SQLite, one row for each run, kept between calls."""

import json
import math
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tpsgd_edge.comparison.runs import Result, Run
from tpsgd_edge.errors import OutputError
from tpsgd_edge.files import check_plain

# The digest stands in each row, so that a table of several files still says what belongs together.
_CREATE = """
create table if not exists runs (
    spec text not null,
    rule text not null,
    seed integer not null,
    rate real,
    ratio real not null default 1,
    epochs integer not null,
    batch integer not null,
    is_trial integer not null,
    sample_order text not null default 'shuffled',
    metric text not null,
    scores text not null,
    seconds real not null,
    samples integer not null,
    macs integer,
    step_bytes integer
)
"""
_KEYS = ("rule", "seed", "rate", "ratio", "epochs", "batch", "is_trial", "sample_order")
_KEY = " and ".join(f"{name} is ?" for name in _KEYS)
# Messages of SQLite quote the file, which need not be text.
_UNUSABLE = (sqlite3.Error, UnicodeError)
_JOURNAL_MARK = bytes.fromhex("d9d505f920a163d7")
_VALUES = ("metric", "scores", "seconds", "samples", "macs", "step_bytes")


@contextmanager
def open_store(path: Path, digest: str) -> Iterator["Store"]:
    """The results of a spec in a file, which is made where it does not exist, with its folder.

    Raises:
        OutputError: the file cannot be written, is no file of results, or is of another spec.
    """
    for name in (path, *_beside(path)):
        check_plain(name, "the file of results")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_journal(path)
        connection = sqlite3.connect(path)
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from None
    try:
        try:
            # What a file of somebody else's brings along runs nothing but plain SQL.
            connection.execute("pragma trusted_schema = off")
            connection.execute(_CREATE)
            _complete(connection)
            others = connection.execute("select distinct spec from runs where spec != ?", [digest])
            other = others.fetchone()
        except _UNUSABLE as error:
            raise _unusable(path, error) from None
        if other is not None:
            raise OutputError(
                "the file holds results of another spec",
                where=str(path),
                found=f"{str(other[0])[:19]}..., this spec is {digest[:19]}...",
                help="name another file with --out, or remove this one",
            )
        try:
            yield Store(connection, digest)
        except _UNUSABLE as error:
            # Damaged further on, of other columns, locked by somebody, or the disk is full.
            raise _unusable(path, error) from None
    finally:
        connection.close()


class Store:
    """Finds and adds results."""

    def __init__(self, connection: sqlite3.Connection, digest: str) -> None:
        self._connection = connection
        self._digest = digest

    def find(self, run: Run) -> Result | None:
        """Return the result of a run, or None if the run has not been made.

        Raises:
            OutputError: the file holds a row that is no result.
        """
        query = f"select {', '.join(_VALUES)} from runs where {_KEY}"
        row = self._connection.execute(query, _key(run)).fetchone()
        if row is None:
            return None
        try:
            return _result(run, *row)
        except (ValueError, TypeError, RecursionError) as error:
            raise OutputError(
                "the file of results holds a row that is no result",
                where=f"rule '{run.rule}', seed {run.seed}",
                found=str(error)[:100],
                help="name another file with --out, or remove this one",
            ) from None

    def add(self, result: Result) -> None:
        """Keep a result, at once and for good."""
        names = ("spec", *_KEYS, *_VALUES)
        values = (
            self._digest,
            *_key(result.run),
            result.metric,
            json.dumps(result.scores),
            result.seconds,
            result.samples,
            result.macs,
            result.step_bytes,
        )
        marks = ", ".join("?" * len(names))
        with self._connection:
            self._connection.execute(
                f"insert into runs ({', '.join(names)}) values ({marks})", values
            )


def _result(
    run: Run,
    metric: object,
    scores: object,
    seconds: object,
    samples: object,
    macs: object,
    step_bytes: object,
) -> Result:
    """A row as a result; `ValueError` or `TypeError` where it is none."""
    if not isinstance(scores, str) or not isinstance(values := json.loads(scores), list):
        raise TypeError(f"scores {scores!r:.60} are no list")
    numbers = [float(value) for value in values]
    for name, value, kind in (
        ("metric", metric, str),
        ("seconds", seconds, float | int),
        ("samples", samples, int),
        ("macs", macs, int | None),
        ("step_bytes", step_bytes, int | None),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"{name} is {value!r:.60}")
    if metric not in ("accuracy", "r2") or len(numbers) > run.epochs + 1:
        raise ValueError(f"metric {metric!r:.30} with {len(numbers)} scores")
    if not all(math.isfinite(number) for number in numbers):
        raise ValueError("scores that are no numbers")
    return Result(run, metric, tuple(numbers), seconds, samples, macs, step_bytes)  # type: ignore[arg-type]


def _beside(path: Path) -> list[Path]:
    """The files that SQLite opens beside a file."""
    return [path.with_name(path.name + ending) for ending in ("-journal", "-wal", "-shm")]


def _check_journal(path: Path) -> None:
    """Refuse a journal that names another file, which SQLite would remove. Ours never do.

    Such a journal ends with a mark (https://www.sqlite.org/fileformat2.html, section 3).
    """
    journal = _beside(path)[0]
    if not journal.exists():
        return
    with journal.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - len(_JOURNAL_MARK)))
        if file.read() == _JOURNAL_MARK:
            raise OutputError(
                "the journal beside the file of results names another file",
                where=str(journal),
                help="it was not made by tpsgd-edge: name another file with --out",
            )


def _key(run: Run) -> tuple[str | int | float | None, ...]:
    trial = int(run.is_trial)
    return (run.rule, run.seed, run.rate, run.ratio, run.epochs, run.batch, trial, run.order)


def _complete(connection: sqlite3.Connection) -> None:
    """Give a file of before the columns that it lacks."""
    columns = {name for _, name, *_ in connection.execute("pragma table_info(runs)")}
    if "rule" in columns and "ratio" not in columns:
        connection.execute("alter table runs add column ratio real not null default 1")
    if "rule" in columns and "sample_order" not in columns:
        connection.execute(
            "alter table runs add column sample_order text not null default 'shuffled'"
        )


def _unusable(path: Path, error: Exception) -> OutputError:
    return OutputError(
        "the file of results cannot be used",
        where=str(path),
        found=str(error),
        help="name another file with --out",
    )
