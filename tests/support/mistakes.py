"""Mistakes that people make with spec, data, labels and options: files, command and words."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

RNG = np.random.default_rng(7)
N = 60
X = RNG.normal(size=(N, 4)).astype(np.float32)
Y = np.arange(N) % 3
SPEC = """
name = "mine"
[model]
layers = [{ name = "fc1", units = 6 }, { name = "out", units = 3 }]
[rule]
epochs = 1
[data]
file = "d.csv"
"""
File = str | bytes | Callable[[Path], object]


def table(*, header: str = "a,b,c,d,label", separator: str = ",", labels: Any = Y) -> str:
    rows = [
        separator.join([*(f"{v:.4f}" for v in x), str(y)]) for x, y in zip(X, labels, strict=True)
    ]
    return "\n".join([*([header] if header else []), *rows]) + "\n"


def changed(text: str, *changes: tuple[str, str]) -> str:
    """A text with parts put in the place of others, which must be there."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def npz(**arrays: Any) -> bytes:
    raw = io.BytesIO()
    np.savez(raw, **arrays)
    return raw.getvalue()


def folder(*names: str) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        path.mkdir()
        for name in names:
            (path / name).write_bytes(b"\x89PNG")

    return make


def excel() -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return raw.getvalue()


def spec(*changes: tuple[str, str]) -> str:
    return changed(SPEC, *changes)


def data(keys: str, file: str = "d.csv") -> str:
    return changed(SPEC, ('file = "d.csv"', f'file = "{file}"\n{keys}'))


@dataclass(frozen=True)
class Mistake:
    """What somebody does, and what is said.

    `words` all stand in the message, which ends with help where `has_help`.
    """

    words: tuple[str, ...]
    spec: str | bytes = SPEC
    files: dict[str, File] = field(default_factory=lambda: {"d.csv": table()})
    command: tuple[str, ...] = ("simulate", "mine.toml", "--weights-out", "w.bin")
    code: int = 2
    has_help: bool = True


def with_table(text: str | bytes, *words: str, **other: Any) -> Mistake:
    return Mistake(words, files={"d.csv": text}, **other)


BUILD = ("build", "mine.toml", "--no-compile", "--out", "made")

MISTAKES = {
    # The spec.
    "a key misspelt": Mistake(
        ("unknown key 'epoch'", "[rule]", "did you mean 'epochs'?"),
        spec(("epochs = 1", "epoch = 1")),
        command=BUILD,
    ),
    "a section misspelt": Mistake(
        ("unknown key 'date'", "did you mean 'data'?"), spec(("[data]", "[date]")), command=BUILD
    ),
    "a kind misspelt": Mistake(
        ("unknown value of 'activation'", "did you mean 'tanh'?"),
        spec(("units = 6", 'units = 6, activation = "tahn"')),
    ),
    "a layer of a kind that is not there": Mistake(
        ("unknown value of 'kind'", 'kind = "transformer"', "allowed:", "gru"),
        spec(('name = "fc1"', 'kind = "transformer", name = "fc1"')),
    ),
    "a number in quotes": Mistake(
        ("'units' must be a whole number", "without quotes"), spec(("units = 6", 'units = "6"'))
    ),
    "text without quotes": Mistake(
        ("not valid TOML", "line 2", "text goes in quotes"), spec(('"mine"', "mine"))
    ),
    "no units": Mistake(
        ("'units' is missing", "layer 'fc1'", "add units = 32"), spec((", units = 6", ""))
    ),
    "no data": Mistake(
        ("'data' is missing", "add [data] with file"), spec(("[data]", ""), ('file = "d.csv"', ""))
    ),
    "a rate of nothing": Mistake(
        ("'learning_rate' is out of range", "allowed: above 0"),
        spec(("epochs = 1", "learning_rate = 0.0")),
    ),
    "a name that C has not": Mistake(
        ("not a lower-case C name", "a letter, then", "such as 'my_net'"),
        spec(('"mine"', '"My Net"')),
        has_help=False,
    ),
    "a platform that is not there": Mistake(
        ("'cortex-m4'", "cortex-m4f"), SPEC + '[platform]\nname = "cortex-m4"\n'
    ),
    "a budget in words": Mistake(
        ("a memory size looks like 20K", "twenty"),
        SPEC + '[platform]\nram = "twenty"\n',
        has_help=False,
    ),
    "a spec that is not there": Mistake(
        ("there is no spec 'yours.toml'", "tpsgd-edge new NAME"), command=("build", "yours.toml")
    ),
    "a folder as spec": Mistake(("is a folder, not a spec", "mine.toml"), command=("build", ".")),
    "the data as spec": Mistake(
        ("not valid TOML", "is it a spec?", "data go into [data], file"), command=("build", "d.csv")
    ),
    "a spec in Latin-1": Mistake(
        ("is not text in UTF-8", "save it as UTF-8"), f"# größe\n{SPEC}".encode("latin1")
    ),
    "two hidden layers of one name": Mistake(
        ("layer names must differ", "fc1"), spec(('name = "out"', 'name = "fc1"')), has_help=False
    ),
    "escapes in a key": Mistake(
        ("unknown key '\\x1b[2Jepochs'", "did you mean 'epochs'?"),
        spec(("epochs = 1", '"\\u001b[2Jepochs" = 1')),
    ),
    # Options.
    "escapes in an option": Mistake(
        ("No such option", "\\x1b[2J"), command=("build", "mine.toml", "--\x1b[2J"), has_help=False
    ),
    "an override without a value": Mistake(
        ("an override looks like section.key=value", "--set rule.learning_rate=0.01"),
        command=("build", "mine.toml", "--set", "epochs"),
    ),
    "an override of a layer that is not there": Mistake(
        ("there is no entry 'fc9'", "did you mean 'fc1'?"),
        command=("build", "mine.toml", "--set", "model.layers.fc9.units=3"),
    ),
    "no epochs": Mistake(
        ("Invalid value for '--epochs'", "0 is not in the range"),
        command=("simulate", "mine.toml", "--epochs", "0"),
        has_help=False,
    ),
    "an option misspelt": Mistake(
        ("No such option", "--epochs"),
        command=("simulate", "mine.toml", "--epoch", "3"),
        has_help=False,
    ),
    "a dump that is not there": Mistake(
        ("the dump 'w.bin' cannot be read", "No such file"),
        command=("export", "mine.toml", "--weights", "w.bin"),
        has_help=False,
    ),
    # The files.
    "no file": Mistake(
        ("there is no data file 'd.csv'", "paths start at the folder of the spec"), files={}
    ),
    "a file misspelt": Mistake(
        ("there is no data file 'd.csv'", "did you mean 'd1.csv'?"), files={"d1.csv": table()}
    ),
    "a folder of images": Mistake(
        ("it is a folder", "0.png, 1.png", "numpy.savez"),
        data("", "images"),
        files={"images": folder("0.png", "1.png")},
    ),
    "an image": Mistake(
        ("of a kind that is not read", "put all images and their classes into arrays"),
        data("", "a.png"),
        files={"a.png": b"\x89PNG"},
    ),
    "an Excel file": Mistake(
        ("of a kind that is not read", "save the sheet as CSV"),
        data("", "d.xlsx"),
        files={"d.xlsx": excel()},
    ),
    "an Excel file called csv": with_table(excel(), "an Excel or a zip file", "save it as CSV"),
    "a Parquet file": Mistake(
        ("of a kind that is not read", "to_csv"),
        data("", "d.parquet"),
        files={"d.parquet": b"PAR1"},
    ),
    "a MATLAB file": Mistake(
        ("of a kind that is not read", "scipy.io.loadmat"),
        data("", "d.mat"),
        files={"d.mat": b"MATLAB"},
    ),
    "an HDF5 file": Mistake(
        ("of a kind that is not read", "h5py"), data("", "d.h5"), files={"d.h5": b"\x89HDF"}
    ),
    "a pickle": Mistake(
        ("pickles are never read, because that runs code",),
        data("", "d.pkl"),
        files={"d.pkl": b"\x80\x04"},
    ),
    "a packed table": Mistake(
        ("of a kind that is not read", "unpack it first"),
        data("", "d.csv.gz"),
        files={"d.csv.gz": b"\x1f\x8b"},
    ),
    "a net as data": Mistake(
        ("that is a net: it goes into [model], source",),
        data("", "n.onnx"),
        files={"n.onnx": b"\x08"},
    ),
    "samples as a net": Mistake(
        ("is of an unknown kind", "a source ends with .onnx, .tflite"),
        spec(
            (
                'layers = [{ name = "fc1", units = 6 }, { name = "out", units = 3 }]',
                'source = "d.csv"',
            )
        ),
    ),
    "names as objects": Mistake(
        ("pickled objects, which are refused", "y.astype(str)"),
        data("", "d.npz"),
        files={"d.npz": npz(x=X, y=np.array(["a", "b", "c"], object)[Y])},
    ),
    "arrays of other names": Mistake(
        ("has no array 'x'", "arrays: measured, outcome", "data.x and data.y"),
        data("", "d.npz"),
        files={"d.npz": npz(measured=X, outcome=Y)},
    ),
    "samples on their side": Mistake(
        ("there are not as many labels as samples", "4 samples, 60 labels", "transpose"),
        data("", "d.npz"),
        files={"d.npz": npz(x=X.T, y=Y)},
    ),
    "a file of labels for a table": Mistake(
        ("'d.csv' holds its labels itself", "remove labels_file"), data('labels_file = "y.csv"')
    ),
    "keys of another kind of file": Mistake(
        ("'drop' says nothing of 'd.npz'", "[data], drop", "are for tables"),
        data('drop = ["id"]', "d.npz"),
        files={"d.npz": npz(x=X, y=Y)},
    ),
    "an array's name for a table": Mistake(
        ("'x' says nothing of 'd.csv'", "all columns but the labels"), data('x = "a,b"')
    ),
    # Tables.
    "cells parted by what nobody knows": with_table(
        table(header="", separator="^"), "has no column left for the samples", "commas, semicolons"
    ),
    "a truncated table": with_table(
        table()[:-12], "cells instead of 5", "the file may be truncated"
    ),
    "text in a column": with_table(
        changed(table(), ("\n", ",colour\n"), (",0\n", ",0,red\n"))
        .replace(",1\n", ",1,green\n")
        .replace(",2\n", ",2,red\n")
        .replace(",0\n", ",0,blue\n"),
        "a cell is not a number",
        "column 6 'colour'",
        'data.drop = ["colour"]',
    ),
    "an empty cell": with_table(
        changed(table(), (",0\n", ",0\n,1,2,3,1\n")), "a cell is empty", "line 3, column 1 'a'"
    ),
    "a missing value": with_table(
        changed(table(), (",0\n", ",0\n1,NA,2,3,1\n")), "a cell is missing", "line 3, column 2 'b'"
    ),
    "infinity": with_table(
        changed(table(), (",0\n", ",0\n1,inf,2,3,1\n")),
        "'x' holds NaN, infinity",
        "line 3, column 'b'",
        "inf",
    ),
    "thousands": with_table(
        changed(table(), (",0\n", ',0\n"1,000",1,2,3,1\n')), "without thousands separators"
    ),
    "a table without rows": with_table("a,b,c,d,label\n", "the data set is empty", has_help=False),
    "a test file with other columns": Mistake(
        ("training and test files have other columns", "missing: b", "not in training: e"),
        data('test_file = "t.csv"'),
        files={"d.csv": table(), "t.csv": table(header="a,e,c,d,label")},
    ),
    # Labels.
    "a label's column misspelt": Mistake(
        ("has no column 'lable'", "did you mean 'label'?"), data('y = "lable"')
    ),
    "the label in another column": with_table(
        "kind,a,b,c\n"
        + "".join(f"{y},{a:.4f},{b:.4f},{c:.4f}\n" for (a, b, c, _), y in zip(X, Y, strict=True)),
        "labels are real numbers, but the last layer has several units",
        'data.y = "kind"',
    ),
    "too few units": Mistake(
        ("the last layer 'out' has 2 units for 3 classes", "set units = 3"),
        spec(("units = 3", "units = 2")),
    ),
    "one unit for classes": Mistake(
        ("whether labels are classes or real values", "units = 3", 'data.task = "regression"'),
        spec(("units = 3", "units = 1")),
    ),
    "a class written in two ways": with_table(
        table(labels=["no", "yes", "maybe"] * 19 + ["no", "yes", "Maybe"]),
        "has 3 units for 4 classes",
        "label 'Maybe'",
        "if 'Maybe' is a mistake, correct it; else set units = 4",
        "classes: Maybe, maybe, no, yes",
    ),
    "a class that the test set alone has": Mistake(
        ("only the test set has the class 'd'", "t.csv, line 3"),
        data('test_file = "t.csv"'),
        files={
            "d.csv": table(labels=np.array(["a", "b", "c"])[Y]),
            "t.csv": table(labels=np.array(["a", "d", "c"])[Y]),
        },
    ),
    "one class only": with_table(table(labels=Y * 0), "all labels are the same class", "'0'"),
    "classes that the spec names otherwise": Mistake(
        ("the label '0' is not among data.classes", "d.csv, line 2"),
        data("classes = [1, 2, 3]"),
    ),
    "text for a regression": Mistake(
        ("regression needs numbers as labels", 'such as "a"', 'data.task = "classification"'),
        data('task = "regression"').replace("units = 3", "units = 1"),
        files={"d.csv": table(labels=np.array(["a", "b", "c"])[Y])},
    ),
    "real numbers for classes": Mistake(
        ("class labels must be whole numbers or text", 'data.task = "regression"'),
        data('task = "classification"'),
        files={"d.csv": table(labels=X[:, 0])},
    ),
    "a missing label": with_table(
        table(labels=[*Y[:-1], "NA"]), "a label is missing", "line 61, column 5 'label'"
    ),
    "too few samples": Mistake(
        ("too few samples to keep some for the test", "test_fraction"),
        data("test_fraction = 0.9"),
        files={"d.csv": "1,2,0\n3,4,1\n5,6,2\n"},
    ),
    "escapes in a cell": with_table(
        changed(table(), (",0\n", ",0\n\x1b]0;gone\x07,1,2,3,1\n")), "\\x1b]0;gone\\x07", "line 3"
    ),
}
