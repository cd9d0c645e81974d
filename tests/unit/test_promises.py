"""What CONTRIBUTING.md says of all code, as far as code can look at code."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.of_each import of_each
from tools.fuzz import readers
from tpsgd_edge import errors
from tpsgd_edge.toolchain import doctor
from tpsgd_edge.toolchain.compilers import COMMANDS
from tpsgd_edge.toolchain.platforms import all_platforms, port_files

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tpsgd_edge"
SOURCES = sorted(PACKAGE.rglob("*.py"))
# What ADD_A_LAYER.md names is looked at in tests/golden/test_worked_example.py.
DOCUMENTS = [path for path in sorted((ROOT / "docs").glob("[A-Z]*.md")) if "LAYER" not in path.name]
GUIDES = [ROOT / "CONTRIBUTING.md", *DOCUMENTS, ROOT / "README.md"]

# Where files may be written, beside files.py and toolchain/folder.py, and why.
WRITERS = {
    "cache.py": "entries of the cache, each moved to its place when it is whole",
    "starter/project.py": "files of a new project, none of which may be there",
    "stages/adapting.py": "samples of a fold, in a scratch folder",
    "frontend/imports/net.py": "into memory, then through files.py",
    "toolchain/board_run.py": "erased flash of an emulated board, in the place that is asked for",
    "toolchain/flashing.py": "onto the drive of a board, which knows no renaming; a scratch folder",
    "toolchain/build.py": "sources and objects, in the folder of a build",
    "toolchain/qemu_counter.py": "the plan of the plugin, in a scratch folder",
    "toolchain/simavr_link.py": "the flash of the core and a probe, in folders of a build",
}
# Who reads files that come from outside, and the reader of tools/fuzz.py that is for them.
READERS = {
    "spec/load.py": "spec",
    "frontend/csv_text.py": "csv",
    "frontend/samples.py": "csv",
    "frontend/idx.py": "idx",
    "frontend/npz.py": "npz",
    "frontend/wav.py": "wav",
    "frontend/imports/file.py": "onnx",
    "frontend/tflite/file.py": "tflite",
    "stages/export.py": "dump",
    "replaying.py": "log",
    "comparison/store.py": "results",
    "toolchain/folder.py": "manifest",
}
# What is read of the package itself, or was written by the same run.
OWN = {
    *("assets.py", "cache.py", "files.py", "codegen/rendering.py", "reports/html.py"),
    *("link/page.py", "spec/schema.py", "toolchain/platforms.py", "toolchain/platform_file.py"),
    *("toolchain/board.py", "toolchain/board_file.py", "toolchain/board_run.py"),
    *("toolchain/build.py", "toolchain/elf.py", "toolchain/qemu_counter.py", "pipeline.py"),
    *("toolchain/scratch.py", "toolchain/wasm_sizes.py"),
    *("stages/widget.py", "codegen/packages/rendering.py", "codegen/fleet.py"),
    *("stages/firmware.py", "toolchain/simavr_counter.py"),
}
# Errors that no user sees: they become others where they are caught, or name a defect.
INNER = {"ValueError", "TypeError", "AttributeError", "NotADirectoryError", "BrokenPipeError"}


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a module's tree."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Calls of functions and methods, by the last part of their name."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2], node


def modes(node: ast.Call) -> str:
    """The constants among the arguments of a call, one after the other."""
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    return " ".join(str(value.value) for value in given if isinstance(value, ast.Constant))


def writes(path: Path) -> list[str]:
    """Where a module writes a file."""
    return [
        f"line {node.lineno}: {ast.unparse(node)[:60]}"
        for name, node in calls(path)
        if name in ("write_text", "write_bytes", "savez", "savez_compressed", "save")
        or (name in ("open", "fdopen") and re.search(r"\b[wxa]b?\b", modes(node)))
    ]


def reads(path: Path) -> list[str]:
    """Where a module reads a file."""
    return [
        f"line {node.lineno}: {ast.unparse(node)[:60]}"
        for name, node in calls(path)
        if name in ("read_text", "read_bytes") or (name == "open" and "rb" in modes(node).split())
    ]


@of_each(SOURCES, name_of)
def test_files_are_written_through_two_modules(path):
    if name_of(path) not in {*WRITERS, "files.py", "toolchain/folder.py"}:
        assert writes(path) == []


@of_each(SOURCES, name_of)
def test_what_reads_a_file_from_outside_is_fuzzed(path):
    if reads(path) and name_of(path) not in OWN:
        assert READERS.get(name_of(path)) in readers(), reads(path)


def test_what_is_listed_is_there():
    for listed in (*WRITERS, *READERS, *OWN):
        assert (PACKAGE / listed).is_file(), listed
    assert not [name for name in WRITERS if not writes(PACKAGE / name)]


@of_each(SOURCES, name_of)
def test_errors_descend_from_ours(path):
    ours = {name for name in vars(errors) if name.endswith("Error")}
    for node in nodes(path):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = ast.unparse(node.exc.func).rpartition(".")[2]
            is_class = name[0].isupper()
            known = name in ours or name in INNER or name == "BadParameter"
            assert known or not is_class, f"line {node.lineno}: raise {name}"


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.name)
def test_files_that_a_guide_names_are_there(path):
    places = (ROOT, PACKAGE, path.parent)
    text = re.sub(r"^( {4}|```).*?$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = re.findall(r"`((?:[\w-]+/)+[\w.*-]+)`", text)
    folders = {entry.name for place in places for entry in place.iterdir() if entry.is_dir()}
    ours = [re.sub("[A-Z]{4,}", "*", name) for name in named if name.split("/")[0] in folders]
    gone = [name for name in ours if not any(any(place.glob(name)) for place in places)]
    assert gone == []


def test_torch_has_one_exact_version():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("torch==")]


def test_the_doctor_knows_what_platforms_need():
    known = {program[0] for program in doctor._PROGRAMS} | {"zig"}
    first = {names[0] for families in COMMANDS.values() for names in families.values()}
    machines = {platform.qemu.command for platform in all_platforms() if platform.qemu}
    assert first | machines <= known


@pytest.mark.parametrize("platform", all_platforms(), ids=lambda platform: platform.name)
def test_a_platform_has_what_the_guide_asks_for(platform):
    assert set(platform.flags) <= set(COMMANDS[platform.arch])
    assert platform.flags
    if not platform.is_host:
        assert platform.emulators, "the emulator tests run on it"
        assert f"port/startup_{platform.port}.c" in port_files(platform)
