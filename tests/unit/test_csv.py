"""Tables as people have them: what writes CSV files, and what it puts into them."""

import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.csv_file import CsvKeys, read_csv
from tpsgd_edge.frontend.csv_rows import Rows
from tpsgd_edge.frontend.samples import RawSamples

X = [[1.5, 2.0, -3.25], [4.0, 5.5, 6.0], [7.0, 8.0, 9.5], [0.5, 0.25, 1.0]]
Y = [0, 1, 2, 1]


def read(path: Path, text: str | bytes, **keys: Any) -> RawSamples:
    file = path / "d.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_csv(file, CsvKeys(**keys))


def error_of(path: Path, text: str | bytes, **keys: Any) -> str:
    with pytest.raises(DataError) as error:
        read(path, text, **keys)
    return str(error.value)


def table(separator: str = ",", header: str = "a,b,c,label", decimal: str = ".") -> str:
    rows = [[*(f"{v}".replace(".", decimal) for v in x), str(y)] for x, y in zip(X, Y, strict=True)]
    lines = [header.replace(",", separator)] if header else []
    return "\n".join([*lines, *(separator.join(row) for row in rows)]) + "\n"


def indexed(first: str, names: list[str], *, header: str | None = None) -> str:
    """The table with a column of row names before it."""
    body = table(header="").splitlines()
    lines = [f"{name},{row}" for name, row in zip(names, body, strict=True)]
    return "\n".join([header or f"{first},a,b,c,label", *lines]) + "\n"


def savetxt(**options: Any) -> bytes:
    raw = io.BytesIO()
    np.savetxt(raw, np.c_[X, Y], **options)
    return raw.getvalue()


SAME = {
    "plain": table(),
    "no header": table(header=""),
    "semicolons": table(";"),
    "tabs": table("\t"),
    "bars": table("|"),
    "decimal commas": table(";", decimal=","),
    "decimal commas, no header": table(";", header="", decimal=","),
    "decimal commas and tabs": table("\t", decimal=","),
    "spaces around cells": table(" , "),
    "Excel's first line": "sep=;\n" + table(";"),
    "Excel's first line, in quotes": '"sep=|"\n' + table("|"),
    "Excel's first line, saved again": "sep=,,,,\n" + table(),
    "byte order mark": "\ufeff" + table(),
    "Unicode text of Excel": table("\t").encode("utf-16"),
    "Windows": table().replace("\n", "\r\n"),
    "old Macintosh": table().replace("\n", "\r"),
    "no end of line at the end": table().rstrip("\n"),
    "quotes": '"a","b, or so","c","label"\n'
    + "".join(f'"{a}","{b}","{c}","{y}"\n' for (a, b, c), y in zip(X, Y, strict=True)),
    "quotes behind spaces": table().replace("a,b,c", 'a, "b, or so", c'),
    "comments": "# made by a logger\n# on a bench\n" + table(),
    "comments between rows": table().replace("\n", "\n#\n", 2),
    "other comments": "% from Octave\n// from C\n" + table(),
    "empty lines": "\n\n" + table().replace("\n", "\n\n"),
    "pandas with its index": indexed("", ["0", "1", "2", "3"]),
    "pandas with a shuffled index": indexed("", ["7", "3", "9", "1"]),
    "pandas with an index that repeats": indexed("", ["0", "1", "0", "1"]),
    "pandas with an index of dates": indexed("", [f"2020-01-0{i}" for i in (1, 2, 3, 4)]),
    "pandas with an index in real numbers": indexed("", ["0.0", "0.5", "1.0", "1.5"]),
    "pandas with two indices": indexed("", ["0,a", "0,b", "1,a", "1,b"], header=",,a,b,c,label"),
    "pandas, saved three times": indexed(
        "", ["0,0", "1,1", "2,2", "3,3"], header="Unnamed: 0.1,Unnamed: 0,a,b,c,label"
    ),
    "pandas, saved twice": indexed("Unnamed: 0", ["0", "1", "2", "3"]),
    "R's row names": indexed('""', ['"1"', '"2"', '"3"', '"4"']),
    "R's row names, header without them": indexed(
        "", ["r1", "r2", "r3", "r4"], header="a,b,c,label"
    ),
    "names that are numbers": table(header="0,1,2,3"),
    "names that are numbers, from 1": table(header="1,2,3,4"),
    "numbers and a name": table(header="0,1,2,label"),
    "pandas with index and numbers": indexed("", ["0", "1", "2", "3"], header=",0,1,2,3"),
    "names that count years": table(header="2019,2020,2021,2022"),
    "a separator at the end of each line": table().replace("\n", ",\n"),
    "a separator at the end of rows": table().replace("\n", ",\n").replace("label,", "label"),
    "savetxt": savetxt(fmt="%g"),
    "savetxt in full": savetxt(),
    "savetxt with a header": savetxt(header="a b c label"),
    "label as a real number": table().replace(",1\n", ",1.0\n").replace(",0\n", ",0.0\n"),
    "tags around numbers": table().replace("4.0", "+4.0e0"),
}


@pytest.mark.parametrize("name", SAME)
def test_one_table_in_many_dresses(tmp_path: Path, name: str) -> None:
    raw = read(tmp_path, SAME[name])
    np.testing.assert_array_equal(raw.x, X)
    np.testing.assert_array_equal(raw.y, Y)


@pytest.mark.parametrize(
    ("text", "keys", "x"),
    [
        ("label,a,b\n" + "0,1.5,2\n1,2.5,3\n0,3.5,4\n", {}, [[1.5, 2], [2.5, 3], [3.5, 4]]),
        ("a,Class,b\n" + "1.5,0,2\n2.5,1,3\n3.5,0,4\n", {}, [[1.5, 2], [2.5, 3], [3.5, 4]]),
        ("0,1.5,2\n1,2.5,3\n0,3.5,4\n", {"label": "column 1"}, [[1.5, 2], [2.5, 3], [3.5, 4]]),
        ("k,1,2\n0,1.5,2\n1,2.5,3\n0,3.5,4\n", {"label": "k"}, [[1.5, 2], [2.5, 3], [3.5, 4]]),
        ("0,1,2\n0,1.5,2\n1,2.5,3\n0,3.5,4\n", {"label": "0"}, [[1.5, 2], [2.5, 3], [3.5, 4]]),
        (
            "id,a,b,k\n9,1.5,2,0\n4,2.5,3,1\n6,3.5,4,0\n",
            {"drop": ("id",)},
            [[1.5, 2], [2.5, 3], [3.5, 4]],
        ),
        ("5,7\n2,0\n3,1\n4,0\n", {"label": "7"}, [[2], [3], [4]]),
        ("1,2,0\n2,3,1\n4,5,0\n", {"has_header": True, "label": "0"}, [[2, 3], [4, 5]]),
        ("0,1,0\n7,3,1\n4,5,0\n", {"has_header": False}, [[0, 1], [7, 3], [4, 5]]),
        ("a,b,y\nTrue,1,0\nFALSE,2,1\ntrue,3,0\n", {}, [[1, 1], [0, 2], [1, 3]]),
    ],
)
def test_which_columns_are_inputs(tmp_path: Path, text: str, keys: Any, x: Any) -> None:
    raw = read(tmp_path, text, **keys)
    np.testing.assert_array_equal(raw.x, x)
    assert raw.y.tolist() == [0, 1, 0][-len(x) :]


@pytest.mark.parametrize(
    ("first", "rows"),
    [
        ("5.1,3.5,setosa", "4.9,3.0,setosa\n"),
        ("1,2,3", "1,2,3\n2,3,4\n"),
        ("0,1,setosa", "4,3,setosa\n5,2,other\n"),
        ("0,1,0", "1,0,1\n1,1,0\n"),
        ("1,2,0", "3,4,1\n"),
    ],
)
def test_first_samples_are_no_headers(tmp_path: Path, first: str, rows: str) -> None:
    raw = read(tmp_path, f"{first}\n{rows}")
    assert len(raw.x) == 1 + rows.count("\n")


def notes(tmp_path: Path, text: str, **keys: Any) -> str:
    return "\n".join(read(tmp_path, text, **keys).notes)


def test_what_was_decided_is_noted(tmp_path: Path) -> None:
    assert notes(tmp_path, table()) == ""
    said = notes(tmp_path, SAME["pandas with its index"])
    assert "column 1 has no name (0 to 3), so it is taken for an index and left out" in said
    said = notes(tmp_path, SAME["names that are numbers"])
    assert "the first line (0, 1, 2, ...) is read as names of columns" in said
    assert "data.header = false makes it a sample" in said
    assert notes(tmp_path, table(header="0,1,2,3"), has_header=True) == ""
    assert "commas are read as decimal points" in notes(tmp_path, SAME["decimal commas"])
    assert "2 comments are passed over" in notes(tmp_path, SAME["comments"])


def test_columns_that_tell_nothing_are_noted(tmp_path: Path) -> None:
    rows = "".join(f"{100 + i},7,{i * i % 5},{i % 2}\n" for i in range(12))
    said = notes(tmp_path, "id,unit,a,label\n" + rows)
    assert "1 of 3 inputs never change: column 2 'unit'" in said
    assert "column 1 'id' counts the samples (100, 101, ...) and is an input" in said
    assert 'data.drop = ["id"]' in said
    said = notes(tmp_path, "id,unit,a,label\n" + rows, drop=("id", "unit"))
    assert said == ""
    assert 'data.drop = ["column 1"]' in notes(tmp_path, rows)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,k\n1,2,0\n3,NA,1\n", "a cell is missing\n  where: d.csv, line 3, column 2 'b'"),
        ("a,b,k\n1,2,0\n3,?,1\n?,2,1\n", 'found: "?"; 2 of 3 lines lack a value'),
        ("a,b,k\n1,2,0\n3,,1\n", "a cell is empty\n  where: d.csv, line 3, column 2 'b'"),
        ("a,b,k\n1,2,0\n3,NaN,1\n", "data.drop"),
        ("a,b,k\n1,2,0\n3,4,NA\n", "a label is missing\n  where: d.csv, line 3, column 3 'k'"),
        ("a,b,k\n#N/A,2,0\n3,4,1\n", "a cell is missing\n  where: d.csv, line 2, column 1"),
        ("a,b,k\n1,#DIV/0!,0\n3,4,1\n", "a cell is missing"),
        ("a,b,k\n1,None,0\n3,4,1\n", "a cell is missing"),
        ("a,b,k\n1,.,0\n3,4,1\n", "a cell is missing"),
        ("a,b,k\n1,2,x\n3,4,n/a\n3,4,\n", "2 of 3 labels are missing"),
        ('a,b,k\n"1,234",2,0\n3,4,1\n', "without thousands separators"),
        ("a;b;k\n1,234;2;0\n3,456;4;1\n", "whether commas part thousands or decimals"),
        ("a;b;k\n1.234,5;2;0\n3;4;1\n", "without thousands separators"),
        ("a;b;k\n1.5;2;0\n3,5;4;1\n", "write all decimals alike, with a point"),
        ("a,b,k\n1'234,2,0\n3,4,1\n", "without thousands separators"),
        ("a,b,k\nred,2,0\ngreen,4,1\n", 'if it is the label, set data.y = "a"'),
        ("a,b,k\nred,2,0\ngreen,4,1\n", 'data.drop = ["a"]'),
        ("a,x,0\n3,4,1\n5,6,0\n7,b,1\n", "if the first line holds names of columns"),
        ("a,b\tk\n1;2\n3,4,5,6\n", "line 2 has 1 cells instead of 2"),
        (b"PK\x03\x04....", "'d.csv' is an Excel or a zip file, not text"),
        (b"\xd0\xcf\x11\xe0..", "open it in Excel and save it as CSV"),
        (b"PAR1....", "a Parquet file"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x1f\x8b\x08..", "gunzip"),
        ("größe;k\n1;0\n".encode("latin1"), "save it as UTF-8"),
    ],
)
def test_words(tmp_path: Path, text: str | bytes, words: str) -> None:
    assert words in error_of(tmp_path, text)


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    text = "length,width,kind\n1,2,0\n3,4,1\n"
    assert "did you mean 'kind'?" in error_of(tmp_path, text, label="knd")
    message = error_of(tmp_path, table(header=""), label="species")
    assert "the file has no header; its first line is '1.5, 2.0, -3.25, 0'" in message
    assert 'y = "column 4" names one by its number' in message
    assert "set data.header = true" in message
    assert "has no column 'column 9'" in error_of(tmp_path, text, label="column 9")
    assert "has no column 'hight'" in error_of(tmp_path, text, drop=("hight",))
    twice = "a,a,k\n1,2,0\n3,4,1\n"
    assert read(tmp_path, twice).x.tolist() == [[1, 2], [3, 4]]
    message = error_of(tmp_path, twice, label="a")
    assert "2 columns are called 'a'" in message
    assert 'y = "column 1" names one by its number' in message


def test_missing_words_can_be_classes(tmp_path: Path) -> None:
    text = "a,k\n1,NA\n2,EU\n3,NA\n"
    assert "if it is a class, name all in data.classes" in error_of(tmp_path, text)
    assert read(tmp_path, text, classes=("EU", "NA")).y.tolist() == ["NA", "EU", "NA"]


def test_a_cell_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    message = error_of(tmp_path, 'a,k\n"\x1b[2J\nhelp:  \u202eall is well",0\n2,1\n')
    assert "\x1b" not in message
    assert "\u202e" not in message
    assert message.count("\n") == 3
    assert "\\x1b[2J\\nhelp:" in message


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("k,a,b\n0,1.5,2.5\n1,2.5,3.5\n0,3.5,1.5\n1,9.5,0.5\n0,1,2\n1,3,2.2\n", 'data.y = "k"'),
        ("0,1.5\n1,2.5\n0,3.5\n1,9.5\n0,1\n1,3\n", 'data.y = "column 1"'),
        ("a,u,v,w\n5.5,1,0,0\n2.5,0,1,0\n3.5,0,0,1\n", 'data.y = "u, v, w"'),
        ("a,b\n1.5,0.5\n2.5,0.25\n", ""),
    ],
)
def test_advice_on_the_label(tmp_path: Path, text: str, advice: str) -> None:
    units = 3 if "u" in text else 2
    said = read(tmp_path, text).advice(units)
    assert advice in said
    assert bool(advice) == bool(said)


def test_a_table_takes_at_most_four_times_its_file(tmp_path):
    rng = np.random.default_rng(1)
    lines = (",".join(map(str, row)) for row in rng.integers(0, 256, (2000, 785)))
    path = tmp_path / "images.csv"
    path.write_text("\n".join(lines))
    tracemalloc.start()
    try:
        raw = read_csv(path, CsvKeys())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (raw.x.shape, raw.x.dtype) == ((2000, 784), np.float32)
    assert peak < 4 * path.stat().st_size


@pytest.mark.parametrize("late", ["0.1", "16777217", "1e39"])
def test_numbers_that_binary32_does_not_hold_stay_as_they_are(tmp_path, late):
    path = tmp_path / "late.csv"
    path.write_text("1.5,0\n" * 300 + f"{late},1\n")
    x = read_csv(path, CsvKeys()).x
    assert x.dtype == np.float64
    assert (x[0, 0], x[-1, 0]) == (1.5, float(late))


def test_memory_that_is_not_written_yet_is_not_read(tmp_path, monkeypatch):
    """Whatever its bits are, signalling NaN among them, nothing warns."""
    empty = np.empty

    def odd(shape: Any, dtype: Any = np.float64) -> np.ndarray:
        made = empty(shape, dtype)
        made.reshape(-1).view(f"u{made.itemsize}")[:] = 0x7FA0 << (8 * made.itemsize - 16)
        return made

    monkeypatch.setattr(np, "empty", odd)
    found = read(tmp_path, "a,b,label\n" + "0.1,2,0\n0.3,4,1\n" * 20)
    assert found.x.dtype == np.float64
    assert found.x[:2].tolist() == [[0.1, 2.0], [0.3, 4.0]]


def test_a_cell_may_hold_what_parts_cells_in_memory():
    rows = Rows.of([["a\x1fb", "c"], ["d", ""]])
    assert [*rows] == [("a\x1fb", "c"), ("d", "")]
    assert [*rows.widths()] == [2, 2]
    assert [*rows.of_width(1)] == []
    assert rows[1:][0] == ("d", "")
