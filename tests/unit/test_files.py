"""Files that leave the program: whole or not at all, in place of nothing but plain files."""

import os
import sqlite3
import struct
from pathlib import Path

import pytest

from tpsgd_edge.cli.running import run
from tpsgd_edge.comparison.runs import Result, Run
from tpsgd_edge.comparison.store import open_store
from tpsgd_edge.errors import DataError, OutputError, SpecError
from tpsgd_edge.files import check_output, write_whole
from tpsgd_edge.frontend.inputs import check_inputs, input_files
from tpsgd_edge.pipeline import adapt, export, report, simulate, verify
from tpsgd_edge.spec import load_spec
from tpsgd_edge.starter import create_project


def make_link(path):
    path.symlink_to(path.with_name("target"))


def make_link_to_file(path):
    path.with_name("target").write_bytes(b"precious")
    path.symlink_to(path.with_name("target"))


ODD = [os.mkfifo, os.mkdir, make_link, make_link_to_file]


@pytest.fixture
def starter(tmp_path):
    create_project("net", tmp_path / "net")
    return load_spec(tmp_path / "net" / "net.toml")


# ------------------------------------------------------------------ one file


@pytest.mark.parametrize("make", ODD, ids=["pipe", "folder", "dangling link", "link"])
def test_only_plain_files_are_replaced(tmp_path, make):
    path = tmp_path / "out.bin"
    make(path)
    before = sorted(tmp_path.iterdir()), path.lstat()
    with pytest.raises(OutputError, match="the state cannot be written") as caught:
        write_whole(b"new", path, what="the state")
    assert "name a plain file, or one that does not exist yet" in str(caught.value)
    assert (sorted(tmp_path.iterdir()), path.lstat()) == before


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full", "/dev/tty"])
def test_a_device_is_not_replaced(device):
    before = os.lstat(device)
    with pytest.raises(OutputError, match="the state cannot be written") as caught:
        check_output(Path(device), "the state")
    assert "a device of this name" in str(caught.value)
    assert os.lstat(device).st_rdev == before.st_rdev


def test_a_file_is_written_with_its_folder(tmp_path):
    path = tmp_path / "a" / "b" / "out.bin"
    write_whole(b"one", path, what="the state")
    write_whole(b"two", path, what="the state")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["out.bin"]


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path):
    path = tmp_path / "out.bin"
    left = tmp_path / ".out.bin.0123abcd.tpsgd-edge.new"
    kept = [".out.bin.new", ".out.bin.0123.tpsgd-edge.new", ".other.0123abcd.tpsgd-edge.new"]
    for name in (left.name, *kept):
        (tmp_path / name).write_bytes(b"half")
    link = tmp_path / ".out.bin.00000000.tpsgd-edge.new"
    link.symlink_to(tmp_path / kept[0])
    write_whole(b"whole", path, what="the state")
    assert {entry.name for entry in tmp_path.iterdir()} == {"out.bin", link.name, *kept}


def test_a_draft_is_never_written_through_a_link(tmp_path, monkeypatch):
    victim, path = tmp_path / "victim", tmp_path / "out.bin"
    victim.write_text("precious")
    monkeypatch.setattr("secrets.token_hex", lambda count: "0" * 2 * count)
    (tmp_path / ".out.bin.00000000.tpsgd-edge.new").symlink_to(victim)
    with pytest.raises(OutputError, match="cannot be written"):
        write_whole(b"new", path, what="the state")
    assert victim.read_text() == "precious"


# ------------------------------------------------------------------ what commands write


WRITERS = {
    "simulate": lambda spec, path: simulate(spec, weights_out=path),
    "export": lambda spec, path: export(spec, weights=spec.folder / "w.bin", onnx=path),
    "report": lambda spec, path: report(spec, out=path),
    "adapt": lambda spec, path: adapt(spec, out=path),
}


@pytest.mark.parametrize("command", WRITERS)
def test_what_is_read_is_never_overwritten(starter, command):
    for path in input_files(starter)[:2]:
        before = path.read_bytes()
        for same in (path, path.parent / "." / path.name, path.parent / ".." / "net" / path.name):
            with pytest.raises(OutputError, match="would overwrite a file that is read") as caught:
                WRITERS[command](starter, same)
            assert "nothing was written" in str(caught.value)
        assert path.read_bytes() == before


@pytest.mark.parametrize("command", WRITERS)
@pytest.mark.parametrize("make", ODD, ids=["pipe", "folder", "dangling link", "link"])
def test_no_command_writes_to_something_odd(starter, tmp_path, command, make):
    path = tmp_path / "out"
    make(path)
    before = path.lstat()
    with pytest.raises(OutputError, match="cannot be written"):
        WRITERS[command](starter, path)
    assert path.lstat() == before


def test_an_export_replaces_exports_only(starter, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x08\x12\x07pytorch somebody's net")
    with pytest.raises(OutputError, match="would overwrite a file that is not of its kind"):
        export(starter, weights=tmp_path / "w.bin", onnx=path)
    assert path.read_bytes().endswith(b"somebody's net")


def test_all_that_a_spec_names_is_an_input(starter):
    names = {f"{key}": f"{key}.npz" for key in ("file", "test_file", "source_file")}
    data = starter.data.model_copy(update=names)
    model = starter.model.model_copy(update={"weights_file": "w.npz", "source": "s.onnx"})
    spec = starter.model_copy(update={"data": data, "model": model})
    found = [path.name for path in input_files(spec)]
    fields = [
        *(f for f in type(data).model_fields if f.endswith("file")),
        *(f for f in type(model).model_fields if f.endswith("file") or f == "source"),
    ]
    assert set(fields) == {
        "file",
        "labels_file",
        "test_file",
        "test_labels_file",
        "source_file",
        "source_labels_file",
        "weights_file",
        "source",
    }
    expected = {"net.toml", "file.npz", "test_file.npz", "source_file.npz", "w.npz", "s.onnx"}
    assert set(found) == expected


def test_a_pipe_as_data_is_an_error_and_no_wait(starter):
    path = starter.folder / starter.data.file
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match=r"'net.csv' is no file") as caught:
        simulate(starter)
    assert "a pipe or a device" in str(caught.value)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(DataError, match=r"'net.csv' is no file"):
        check_inputs(starter)


@pytest.mark.parametrize("compared", [verify, report])
def test_more_steps_than_fit_are_refused_before_they_are_taken(starter, compared, monkeypatch):
    monkeypatch.chdir(starter.folder)
    with pytest.raises(SpecError, match="so many steps cannot be compared at once") as caught:
        compared(starter, steps=10**9)
    assert "fit this model" in str(caught.value)


@pytest.mark.parametrize("option", ["--steps", "--epochs"])
def test_the_command_line_bounds_what_it_is_asked_for(starter, option, capsys):
    command = "verify" if option == "--steps" else "simulate"
    assert run([command, str(starter.folder / "net.toml"), option, "1000000000"]) == 2
    assert "is not in the range" in capsys.readouterr().err


# ------------------------------------------------------------------ the file of results


RUN = Run("random", 1, 0.1, 2, 32)
RESULT = Result(RUN, "accuracy", (0.1, 0.5, 0.6), 1.5, 100, 10, 20)


def hostile_journal(database, victim) -> bytes:
    """A journal as the file format of SQLite has it, which names a file to be removed."""
    raw = database.read_bytes()
    (page,) = struct.unpack(">H", raw[16:18])
    magic, name = bytes.fromhex("d9d505f920a163d7"), str(victim).encode()
    head = magic + struct.pack(">IIIII", 1, 0, len(raw) // page, 512, page)
    sum_of_page = sum(raw[i] for i in range(page - 200, 0, -200)) & 0xFFFFFFFF
    record = struct.pack(">I", 1) + raw[:page] + struct.pack(">I", sum_of_page)
    end = struct.pack(">I", 0x40000000 // page + 1) + name
    return head.ljust(512, b"\0") + record + end + struct.pack(">II", len(name), sum(name)) + magic


def test_a_journal_that_names_another_file_removes_nothing(tmp_path):
    path, victim = tmp_path / "r.sqlite", tmp_path / "victim.txt"
    with open_store(path, "spec"):
        pass
    journal = path.with_name("r.sqlite-journal")
    hostile = hostile_journal(path, victim)
    victim.write_text("precious")
    # SQLite itself obeys, so this is the attack and not something like it.
    journal.write_bytes(hostile)
    connection = sqlite3.connect(path)
    connection.execute("select * from runs")
    connection.close()
    assert not victim.exists()
    victim.write_text("precious")
    journal.write_bytes(hostile)
    with pytest.raises(OutputError, match="names another file"), open_store(path, "spec"):
        pass
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("ending", ["", "-journal", "-wal", "-shm"])
@pytest.mark.parametrize("make", ODD, ids=["pipe", "folder", "dangling link", "link"])
def test_results_are_kept_in_plain_files(tmp_path, ending, make):
    make(tmp_path / f"r.sqlite{ending}")
    with (
        pytest.raises(OutputError, match="the file of results cannot be written"),
        open_store(tmp_path / "r.sqlite", "spec"),
    ):
        pass


def test_a_table_of_other_columns_is_said(tmp_path):
    path = tmp_path / "r.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table runs (spec text, rule text, ratio real)")
    with pytest.raises(OutputError, match="cannot be used") as caught, open_store(path, "s") as it:
        it.find(RUN)
    assert "no such column" in str(caught.value)


def test_a_file_whose_errors_are_no_text_is_said(tmp_path):
    path = tmp_path / "r.sqlite"
    with open_store(path, "spec"):
        pass
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE", b"CREATE \xc0\xff\xc0LE"))
    with pytest.raises(OutputError, match="cannot be used"), open_store(path, "spec"):
        pass


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("metric", "luck"),
        ("metric", 3),
        ("scores", "{}"),
        ("scores", "[1e999]"),
        ("scores", '["a"]'),
        ("scores", "[[1]]"),
        ("scores", "[" * 100_000),
        ("scores", "[0, 0, 0, 0]"),
        ("scores", b"\xff"),
        ("seconds", "long"),
        ("samples", "many"),
        ("macs", "all"),
        ("step_bytes", b"\0"),
    ],
)
def test_a_row_that_is_no_result_is_said(tmp_path, column, value):
    path = tmp_path / "r.sqlite"
    with open_store(path, "spec") as store:
        store.add(RESULT)
        assert store.find(RUN) == RESULT
    with sqlite3.connect(path) as connection:
        connection.execute(f"update runs set {column} = ?", [value])
    with open_store(path, "spec") as store, pytest.raises(OutputError) as caught:
        store.find(RUN)
    assert "holds a row that is no result" in str(caught.value)
