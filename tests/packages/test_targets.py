"""What holds for the packages of every ecosystem."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile

import pytest

from tests.packages.making import EXAMPLES, MAKER, STRICT, SYSTEMS, digits_digest, digits_spec, made
from tests.unit.test_example import CASES, expected_digest, make_spec
from tests.unit.test_odd_compilers import needed
from tests.unit.test_two_models import run
from tpsgd_edge.assets import templates_dir
from tpsgd_edge.cli import run as run_command
from tpsgd_edge.codegen.packages import TARGETS, Maker
from tpsgd_edge.errors import OutputError, SpecError
from tpsgd_edge.packaging import package
from tpsgd_edge.stages.packaging import package_of


def test_each_target_has_a_folder_a_page_and_a_place_in_the_help():
    folder, pages = templates_dir() / "packages", EXAMPLES.parent / "docs" / "ecosystems"
    assert {entry.name for entry in folder.iterdir()} == {*TARGETS, "common"}
    assert {path.stem for path in pages.glob("*.md")} >= set(TARGETS)
    help_ = subprocess.run(
        [sys.executable, "-m", "tpsgd_edge", "package", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    ).stdout
    words = set(help_.replace(",", " ").replace(".", " ").split())
    assert set(TARGETS) <= words


@pytest.mark.parametrize("target", TARGETS)
def test_a_package_is_whole(target, tmp_path):
    result = made(digits_spec(), target, tmp_path / "digits")
    folder = result.folder
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["package"] == {"for": target, "version": "0.3.1"}
    on_disk = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert {**manifest["files"], **manifest.get("built", {})} == on_disk
    assert {"README.md", "LICENSE.txt", "src/digits.c", "src/digits_store.h"} <= set(on_disk)
    assert f"src/{TARGETS[target].adapter}" in on_disk
    assert all((folder / path).read_text().strip() for path in result.files)
    texts = "\n".join((folder / path).read_text() for path in result.files)
    assert "{{" not in texts.replace("{{0", "")
    assert str(tmp_path) not in texts


@pytest.mark.series(2)
@pytest.mark.parametrize("target", TARGETS)
def test_a_package_has_the_same_bytes_each_time_and_is_written_over(target, tmp_path):
    first = package_of(digits_spec(), TARGETS[target], MAKER)
    again = package_of(digits_spec(), TARGETS[target], MAKER)
    assert (first.files, first.archive) == (again.files, again.archive)
    made(digits_spec(units=9), target, tmp_path / "p")
    made(digits_spec(), target, tmp_path / "p")
    for path, text in first.files.items():
        if path != "manifest.json":
            assert (tmp_path / "p" / path).read_text() == text
    (tmp_path / "p" / "README.md").write_text("mine")
    with pytest.raises(OutputError, match="not the one that was written there"):
        made(digits_spec(units=9), target, tmp_path / "p")


@pytest.mark.parametrize("target", ["arduino", "cmsis-pack"])
def test_an_archive_holds_what_the_folder_does(target, tmp_path):
    result = made(digits_spec(), target, tmp_path / "digits")
    with zipfile.ZipFile(io.BytesIO(result.archive.read_bytes())) as archive:
        assert archive.testzip() is None
        held = {entry.filename: archive.read(entry).decode() for entry in archive.infolist()}
    prefix = "digits/" if target == "arduino" else ""
    own = {prefix + path: (result.folder / path).read_text() for path in result.files}
    manifest = f"{prefix}manifest.json"
    assert held.keys() == own.keys()
    assert {**held, manifest: ""} == {**own, manifest: ""}


@pytest.mark.series(2)
@pytest.mark.parametrize("case", CASES)
def test_the_example_of_c_computes_what_the_reference_does_and_keeps_it(case, tmp_path):
    spec = make_spec(tmp_path, case)
    made(spec, "c", tmp_path / "net")
    flags = f"CFLAGS=-O1 {' '.join(STRICT)}"
    run("make", f"CC={needed('gcc')}", flags, cwd=tmp_path / "net")
    program = tmp_path / "net" / "build" / "learn"
    lines = run(program, cwd=tmp_path).splitlines()
    assert lines[:2] == ["self-test passed", "steps so far 0"]
    assert lines[-2:] == ["saved", f"digest {expected_digest(spec):X}"]
    assert run(program, cwd=tmp_path).splitlines()[1] != "steps so far 0"


@pytest.mark.slow
def test_packages_of_two_models_go_together_in_one_program(tmp_path):
    """One make builds each; a CMake project adds both."""
    cmake = needed("cmake")
    made(digits_spec(), "c", tmp_path / "digits")
    made(make_spec(tmp_path, "values f32"), "c", tmp_path / "net")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.13)\nproject(both C)\nadd_subdirectory(digits)\n"
        "add_subdirectory(net)\nadd_executable(both main.c)\n"
        "target_link_libraries(both PRIVATE digits net)\n"
    )
    (tmp_path / "main.c").write_text(
        '#include "digits_store.h"\n#include "net_store.h"\n#include "store_file.h"\n'
        "#include <stdio.h>\nstatic struct digits_model digits;\nstatic struct net_model net;\n"
        "int main(void)\n{\n"
        '    printf("%d %d\\n", digits_selftest(&digits), net_selftest(&net));\n    return 0;\n}\n'
    )
    run(cmake, "-S", tmp_path, "-B", tmp_path / "b", "-DCMAKE_C_FLAGS=-D_POSIX_C_SOURCE=200809L")
    run(cmake, "--build", tmp_path / "b")
    assert run(tmp_path / "b" / "both") == "0 0\n"


def test_the_example_of_a_pack_compiles_for_a_core(tmp_path):
    gcc = needed("arm-none-eabi-gcc")
    folder = made(digits_spec(), "cmsis-pack", tmp_path / "digits").folder
    sources = [*folder.glob("examples/learn/*.c"), folder / "src" / "digits.c"]
    core = ["-mcpu=cortex-m0plus", "-mthumb", "-std=c11", "-O1", *STRICT]
    run(gcc, *core, f"-I{folder}/src", "-c", *sources, cwd=tmp_path)


@pytest.mark.series(2)
@pytest.mark.parametrize(
    ("target", "main", "more"),
    [
        ("zephyr", "samples/learn/src", ["-DCONFIG_NVS=1", "-DCONFIG_UART_CONSOLE=1"]),
        ("zephyr", "samples/learn/src", []),
        ("esp-idf", "examples/learn/main", []),
    ],
)
def test_the_example_of_a_system_learns_on_stand_ins(target, main, more, tmp_path):
    folder = made(digits_spec(), target, tmp_path / "digits").folder
    sources = [*folder.glob(f"{main}/*.c"), *folder.glob("src/*.c")]
    sources += [SYSTEMS.parents[1] / "packages/trees/idf/tools/start.c"] * (target == "esp-idf")
    words = ["-std=c11", "-O1", *STRICT, *more, f"-I{SYSTEMS}", f"-I{folder}/src", f"-I{folder}"]
    run(needed("gcc"), *words, *sources, "-o", "program", cwd=tmp_path)
    lines = run(tmp_path / "program").splitlines()
    assert lines[0] == "self-test passed"
    assert lines[-1] == f"digest {digits_digest()}"
    assert ("saved" in lines) == (target == "esp-idf" or bool(more))


def test_the_command_says_what_comes_next(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = EXAMPLES / "digits.toml"
    assert run_command(["package", str(spec), "--for", "arduino", "--release", "2.0.1"]) == 0
    said = capsys.readouterr().out
    assert "Arduino library digits 2.0.1: build/digits-arduino/dist/digits-2.0.1.zip" in said
    assert "arduino-cli lib install --zip-path build/digits-arduino/dist/digits-2.0.1.zip" in said
    assert run_command(["package", str(spec), "--for", "zephyr", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["for"] == "zephyr"
    assert document["folder"] == "build/digits-zephyr"


def test_what_there_is_no_package_for_is_said(tmp_path):
    with pytest.raises(SpecError, match="there are no packages for 'mbed'") as error:
        package(digits_spec(), "mbed", out=tmp_path / "p")
    assert error.value.help == f"known: {', '.join(TARGETS)}"
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("key", "value", "help_"),
    [
        ("version", "1.0", "give three numbers, such as 1.0.0"),
        ("version", "01.0.0", "give three numbers, such as 1.0.0"),
        ("author", 'A "B"', 'give a name, or a name and an address: "A B <a@b.org>"'),
        ("author", "A\nversion=2", 'give a name, or a name and an address: "A B <a@b.org>"'),
        ("author", " <a@b.org>", 'give a name, or a name and an address: "A B <a@b.org>"'),
        ("url", "javascript:x", "give an address that begins with https://"),
        ("url", "https://a.b/ c", "give an address that begins with https://"),
    ],
)
def test_names_that_a_format_cannot_hold_are_refused(key, value, help_):
    with pytest.raises(SpecError, match="a package cannot be called so") as error:
        Maker(**{key: value})
    assert error.value.help == help_
