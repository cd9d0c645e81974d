"""Output folders: what is there stays, unless it is what was written there."""

import hashlib
import json
import multiprocessing
import os
from itertools import count
from pathlib import Path

import pytest

from tpsgd_edge.errors import OutputError
from tpsgd_edge.files import lock, open_folder
from tpsgd_edge.toolchain import folder as folder_module
from tpsgd_edge.toolchain.folder import write_project

STAGE = ".tpsgd-edge.new"
OLD = {"net.c": "int old;\n", "old.c": "int gone;\n", "port/same.h": "/* same */\n"}
NEW = {"net.c": "int new;\n", "new.c": "int more;\n", "port/same.h": "/* same */\n"}
ELF = {"build/net.elf": b"\x7fELF old"}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def project(files: dict[str, str]) -> dict[str, str]:
    """The files with a manifest, as codegen renders it."""
    digests = {name: digest(text.encode()) for name, text in files.items()}
    document = {"tool": {"name": "tpsgd-edge"}, "files": digests}
    return {**files, "manifest.json": json.dumps(document) + "\n"}


def content_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder; links are not followed."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place) / name
            relative = path.relative_to(folder).as_posix()
            found[relative] = b"link" if path.is_symlink() else path.read_bytes()
    return found


def as_bytes(files: dict[str, str]) -> dict[str, bytes]:
    return {name: text.encode() for name, text in files.items()}


def manifest_naming(name: str, of: str = "0" * 64) -> str:
    return json.dumps({"tool": {"name": "tpsgd-edge"}, "files": {name: of}})


# ------------------------------------------------------------------ what a manifest may not do


@pytest.mark.parametrize(
    "name",
    [
        "../victim.txt",
        "../../victim.txt",
        "/etc/victim.txt",
        "port/../../victim.txt",
        "./net.c",
        "port//net.c",
        "port/",
        "",
        ".",
        "..",
        "~/victim.txt",
        ".hidden",
        "..\\victim.txt",
        "C:\\victim.txt",
        "C:victim.txt",
        "net.c\0",
        "net\n.c",
        "nét.c",
        "a" * 300,
    ],
)
def test_a_manifest_that_names_what_is_elsewhere_is_refused(tmp_path, name):
    victim, out = tmp_path / "victim.txt", tmp_path / "a" / "b"
    victim.write_text("precious")
    out.mkdir(parents=True)
    # With the digest that the victim has: only the name is wrong.
    (out / "manifest.json").write_text(manifest_naming(name, digest(b"precious")))
    with pytest.raises(OutputError, match="names what it cannot have written") as caught:
        write_project(project(NEW), out)
    assert "nothing was written" in str(caught.value)
    assert victim.read_text() == "precious"
    assert list(content_of(out)) == ["manifest.json"]


def test_an_absolute_name_is_refused(tmp_path):
    victim, out = tmp_path / "victim.txt", tmp_path / "out"
    victim.write_text("precious")
    out.mkdir()
    for name in (str(victim), f"/{victim}", victim.as_uri()):
        (out / "manifest.json").write_text(manifest_naming(name, digest(b"precious")))
        with pytest.raises(OutputError, match="names what it cannot have written"):
            write_project(project(NEW), out)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("of", ["", "0" * 63, "0" * 65, "G" * 64, None, 7, ["0" * 64]])
def test_a_manifest_without_digests_is_refused(tmp_path, of):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "manifest.json").write_text(manifest_naming("notes.txt", of))
    with pytest.raises(OutputError, match="names what it cannot have written"):
        write_project(project(NEW), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "manifest",
    [
        "",
        "{",
        "[]",
        "7",
        '"x"',
        "[" * 100_000,
        "9" * 5000,
        "\ud800",
        '{"tool": 3}',
        '{"tool": {"name": "other"}}',
        '{"tool": {"name": "tpsgd-edge"}, "files": 3}',
    ],
)
def test_a_manifest_of_another_kind_makes_the_folder_foreign(tmp_path, manifest):
    (tmp_path / "manifest.json").write_bytes(manifest.encode("utf-8", "surrogatepass"))
    with pytest.raises(OutputError, match="holds files that are not ours"):
        write_project(project(NEW), tmp_path)
    assert list(content_of(tmp_path)) == ["manifest.json"]


@pytest.mark.parametrize("place", ["files", "built"])
@pytest.mark.parametrize("name", ["old.c", "notes.txt", "port/notes.txt"])
def test_only_a_file_with_the_digest_that_was_written_is_removed(tmp_path, name, place):
    write_project(project(OLD), tmp_path)
    document = json.loads((tmp_path / "manifest.json").read_text())
    document.setdefault(place, {})[name] = digest(b"what we wrote")
    (tmp_path / "manifest.json").write_text(json.dumps(document))
    (tmp_path / name).write_text("what somebody made of it")
    before = content_of(tmp_path)
    with pytest.raises(OutputError, match="is not the one that was written there") as caught:
        write_project(project(NEW), tmp_path)
    assert f"'{name}' is not as it was written" in str(caught.value)
    assert "nothing was written" in str(caught.value)
    assert content_of(tmp_path) == before


def test_a_file_that_somebody_changed_is_not_replaced(tmp_path):
    write_project(project(OLD), tmp_path)
    (tmp_path / "net.c").write_text("int mine;\n")
    with pytest.raises(OutputError, match=r"'net.c' is not as it was written"):
        write_project(project(NEW), tmp_path)
    assert (tmp_path / "net.c").read_text() == "int mine;\n"


def test_a_file_that_is_in_the_way_of_a_new_one_is_not_replaced(tmp_path):
    write_project(project(OLD), tmp_path)
    (tmp_path / "new.c").write_text("int mine;\n")
    with pytest.raises(OutputError, match=r"'new.c' is not ours"):
        write_project(project(NEW), tmp_path)
    assert (tmp_path / "new.c").read_text() == "int mine;\n"
    assert (tmp_path / "net.c").read_text() == "int old;\n"


def test_a_binary_that_somebody_made_is_not_replaced(tmp_path):
    write_project(project(OLD), tmp_path, built=ELF)
    (tmp_path / "build" / "net.elf").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"'build/net.elf' is not as it was written"):
        write_project(project(NEW), tmp_path, built={"build/net.elf": b"new"})
    assert (tmp_path / "build" / "net.elf").read_bytes() == b"mine"


# ------------------------------------------------------------------ links and other things


PLACES = ["net.c", "new.c", "port", "port/same.h", "build", "build/net.elf", "manifest.json", STAGE]


@pytest.mark.parametrize("is_dangling", [False, True], ids=["there", "dangling"])
@pytest.mark.parametrize("is_earlier", [False, True], ids=["empty", "project"])
@pytest.mark.parametrize("place", PLACES)
def test_nothing_goes_through_a_link(tmp_path, place, is_earlier, is_dangling):
    out, outside = tmp_path / "out", tmp_path / "outside"
    out.mkdir()
    if is_earlier:
        write_project(project(OLD), out, built=ELF)
    target = outside / place.rpartition("/")[2]
    is_folder = place in ("port", "build", STAGE)
    outside.mkdir()
    path = out / place
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target, target_is_directory=is_folder)
    if not is_dangling and is_folder:
        target.mkdir()
        (target / "same.h").write_text("/* same */\n")
    elif not is_dangling:
        target.write_text("precious")
    before = content_of(tmp_path)
    with pytest.raises(OutputError):
        write_project(project(NEW), out, built={"build/net.elf": b"new"})
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("place", ["net.c", "new.c", "port/same.h", "manifest.json", STAGE])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_a_pipe_or_a_folder_in_the_way_is_an_error_and_no_wait(tmp_path, place, make):
    if make is os.mkdir and place == STAGE:
        pytest.skip("that is what it should be")
    write_project(project(OLD), tmp_path)
    (tmp_path / place).unlink(missing_ok=True)
    make(tmp_path / place)
    with pytest.raises(OutputError):
        write_project(project(NEW), tmp_path)
    assert (tmp_path / place).exists()


# ------------------------------------------------------------------ what is meant to happen


def test_a_project_replaces_an_earlier_one_and_leaves_the_rest(tmp_path):
    out = tmp_path / "deep" / "out"
    write_project(project(OLD), out, built=ELF)
    assert content_of(out).keys() == {*OLD, *ELF, "manifest.json"}
    (out / "main.c").write_text("int main(void);\n")
    (out / "net.o").write_text("object")
    write_project(project(NEW), out)
    expected = as_bytes(project(NEW))
    assert content_of(out) == {**expected, "main.c": b"int main(void);\n", "net.o": b"object"}


def test_what_is_the_same_is_left_alone(tmp_path):
    write_project(project(OLD), tmp_path, built=ELF)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    write_project(project(OLD), tmp_path, built=ELF)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_manifest_has_digests_of_binaries(tmp_path):
    write_project(project(OLD), tmp_path, built=ELF)
    document = json.loads((tmp_path / "manifest.json").read_text())
    assert document["built"] == {"build/net.elf": digest(ELF["build/net.elf"])}
    assert list(document["files"]) == list(OLD)


def test_a_project_whose_manifest_is_gone_is_written_again(tmp_path):
    write_project(project(OLD), tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "old.c").unlink()
    write_project(project(OLD), tmp_path)
    assert content_of(tmp_path) == as_bytes(project(OLD))


@pytest.mark.parametrize("name", ["net.c", "notes.txt", "port/mine.h"])
def test_without_a_manifest_nothing_else_may_be_there(tmp_path, name):
    write_project(project(OLD), tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match="holds files that are not ours") as caught:
        write_project(project(OLD), tmp_path)
    assert name in str(caught.value)
    assert "a folder of ours has a manifest.json" in str(caught.value)
    assert (tmp_path / name).read_text() == "mine"


# ------------------------------------------------------------------ killed, and two at once


class Killed(BaseException):
    """Ends a run as SIGKILL does: nothing is put in order."""


def killed_at(moment: int, monkeypatch) -> None:
    """The run ends at its `moment`th change on the disk."""
    left = count(moment, -1)

    def dying(change):
        def changed(*arguments, **options):
            if next(left) == 0:
                raise Killed
            return change(*arguments, **options)

        return changed

    for name in ("replace", "unlink", "mkdir", "fsync"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    monkeypatch.setattr(folder_module.shutil, "rmtree", dying(folder_module.shutil.rmtree))


@pytest.mark.series(2)
@pytest.mark.parametrize("first", [None, OLD, NEW], ids=["new", "other", "same"])
@pytest.mark.parametrize("then", [OLD, NEW], ids=["old", "new"])
def test_killed_at_any_change_the_next_run_works(tmp_path, first, then):
    for moment in count():
        out = tmp_path / str(moment)
        if first is not None:
            write_project(project(first), out, built=ELF)
        with pytest.MonkeyPatch.context() as patch:
            killed_at(moment, patch)
            try:
                write_project(project(NEW), out, built={"build/net.elf": b"new"})
            except Killed:
                was_killed = True
            else:
                was_killed = False
        # A project that the killed run has not begun with is as good as one that it has.
        write_project(project(then), out)
        assert content_of(out) == as_bytes(project(then)), moment
        if not was_killed:
            break
    assert first is NEW or moment > 10


def test_what_is_moved_is_on_the_disk_before(tmp_path, monkeypatch):
    """A power cut leaves the old files or the new ones: content, then names, then the moves."""
    out, forced, moved = tmp_path / "net", set(), []
    fsync, replace = os.fsync, os.replace

    def forcing(descriptor):
        forced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def moving(source, target):
        assert {os.stat(place).st_ino for place in (source, out / STAGE)} <= forced, source
        moved.append(target)
        forced.discard(os.stat(Path(target).parent).st_ino)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", forcing)
    monkeypatch.setattr(os, "replace", moving)
    write_project(project(NEW), out, built=ELF)
    assert {path.relative_to(out).as_posix() for path in moved} == {*project(NEW), *ELF}
    for folder in (out, out / "port", out / "build"):
        assert folder.stat().st_ino in forced, f"the names in {folder.name} may be lost"


def write_often(out: Path, files: dict[str, str], rounds: int) -> None:
    for _ in range(rounds):
        write_project(project(files), out, built={"build/net.elf": files["net.c"].encode()})


def test_one_waits_for_the_other(tmp_path):
    """Whoever writes holds the folder's lock."""
    out = tmp_path / "net"
    out.mkdir()
    run = multiprocessing.get_context("spawn").Process(target=write_often, args=(out, NEW, 1))
    with open_folder(out) as descriptor:
        assert lock(descriptor)
        run.start()
        run.join(3)
        assert run.is_alive()
        assert content_of(out) == {}
    run.join()
    assert run.exitcode == 0
    assert set(content_of(out)) == {*project(NEW), *ELF}


def test_two_may_write_into_one_folder(tmp_path):
    context = multiprocessing.get_context("spawn")
    runs = [context.Process(target=write_often, args=(tmp_path, files, 25)) for files in (OLD, NEW)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(60)
    assert [run.exitcode for run in runs] == [0, 0]
    found = content_of(tmp_path)
    document = json.loads(found["manifest.json"])
    assert {**document["files"], **document["built"]} == {
        name: digest(content) for name, content in found.items() if name != "manifest.json"
    }
