"""Manifests: what the ecosystems' own tools, or checks of their formats, say of packages."""

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import kconfiglib
import pytest

from tests.packages.checks import arduino_problems, pack_problems, zephyr_problems
from tests.packages.making import TREES, digits_digest, digits_spec, made
from tests.unit.test_odd_compilers import needed
from tests.unit.test_two_models import run

# `pio` asks a server for the names of licences; it gets them from here instead.
_PIO = """
import sys
from platformio.__main__ import main
from platformio.package.manifest.schema import ManifestSchema
known = {"licenses": [{"licenseId": name} for name in ("0BSD", "Apache-2.0", "MIT")]}
ManifestSchema.load_spdx_licenses = staticmethod(lambda: known)
sys.exit(main(["pio", "pkg", "pack", "-o", sys.argv[2], sys.argv[1]]))
"""


def edit(path: Path, before: str, after: str) -> None:
    """Break a file."""
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def tool(*command: object, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a tool that asks no server and keeps its settings in the test's folder."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(folder),
            "IDF_COMPONENT_CHECK_NEW_VERSION": "0",
            "PLATFORMIO_CORE_DIR": str(folder / "core"),
            "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
            **more,
        },
    )


ARDUINO = {
    "version": ("library.properties", "version=0.3.1", "version=one", "no semantic version"),
    "category": ("library.properties", "=Data Processing", "=AI", "category is not in the list"),
    "author": ("library.properties", "author=", "writer=", "author is missing"),
    "name": ("library.properties", "name=digits", "name=di/gits", "other characters"),
    "header": ("library.properties", "includes=", "includes=no_", "no_digits_arduino.h"),
    "keywords": ("keywords.txt", "\tKEYWORD2", " KEYWORD2", "keywords.txt: begin"),
}
ZEPHYR = {
    "a key": ("zephyr/module.yml", "samples:", "examples:", "module.yml: examples"),
    "a folder": ("zephyr/module.yml", "cmake: zephyr", "cmake: src", "has no CMakeLists.txt"),
    "an option": ("zephyr/Kconfig", "config TPS_DIGITS", "config DIGITS", "prj.conf sets TPS_"),
    "a name": ("samples/learn/sample.yaml", "  name:", "  title:", "no name or no tests"),
}
PACK = {
    "an element": ("A_Maker.digits.pdsc", "<url>", "<link>", "not well-formed|mismatched tag"),
    "order": ("A_Maker.digits.pdsc", "name>", "title>", "not well-formed|mismatched tag"),
    "a file": ("A_Maker.digits.pdsc", "src/digits.c", "src/digit.c", "no such file: src/digit.c"),
    "a category": ("A_Maker.digits.pdsc", '"doc"', '"docs"', "no such category: docs"),
    "an attribute": ("A_Maker.digits.pdsc", "Cgroup=", "Cgrp=", "a component has no Cgroup"),
    "a version": ("A_Maker.digits.pdsc", 'n="0.3.1"', 'n="zero"', "no semantic version"),
    "a condition": ("A_Maker.digits.pdsc", 'id="Cortex-M"', 'id="M"', "condition that there is"),
    "a core": ("A_Maker.digits.pdsc", '"Cortex-M3"', '"Cortex-3"', "no such core: Cortex-3"),
}
_FAULTS = [
    pytest.param(target, check, *fault, id=f"{target}: {name}")
    for target, check, faults in (
        ("arduino", arduino_problems, ARDUINO),
        ("zephyr", zephyr_problems, ZEPHYR),
        ("cmsis-pack", pack_problems, PACK),
    )
    for name, fault in faults.items()
]


@pytest.mark.parametrize(
    ("target", "check"),
    [("arduino", arduino_problems), ("zephyr", zephyr_problems), ("cmsis-pack", pack_problems)],
)
def test_a_manifest_is_as_its_ecosystem_says(target, check, tmp_path):
    assert list(check(made(digits_spec(), target, tmp_path / "digits").folder)) == []


@pytest.mark.series(9)
@pytest.mark.parametrize(("target", "check", "path", "before", "after", "words"), _FAULTS)
def test_a_broken_manifest_is_refused(target, check, path, before, after, words, tmp_path):
    folder = made(digits_spec(), target, tmp_path / "digits").folder
    edit(folder / path, before, after)
    try:
        found = "; ".join(check(folder))
    except SyntaxError as error:
        found = str(error)
    assert re.search(words, found), found


def test_kconfig_has_an_option_for_each_of_two_modules(tmp_path):
    for name in ("digits", "numerals"):
        made(digits_spec(name), "zephyr", tmp_path / name)
    (tmp_path / "Kconfig").write_text(
        f'source "{tmp_path}/digits/zephyr/Kconfig"\nsource "{tmp_path}/numerals/zephyr/Kconfig"\n'
    )
    settings = kconfiglib.Kconfig(str(tmp_path / "Kconfig"), warn_to_stderr=False)
    settings.syms["TPS_NUMERALS"].set_value("y")
    assert settings.syms["TPS_DIGITS"].str_value == "n"
    assert settings.syms["TPS_NUMERALS"].str_value == "y"
    assert "64 inputs, 10 outputs" in settings.syms["TPS_DIGITS"].nodes[0].help
    edit(tmp_path / "digits" / "zephyr" / "Kconfig", "\tbool", "\tboool")
    with pytest.raises(kconfiglib.KconfigError, match="couldn't parse"):
        kconfiglib.Kconfig(str(tmp_path / "Kconfig"), warn_to_stderr=False)


def test_platformio_packs_a_library_and_refuses_a_broken_one(tmp_path):
    folder = made(digits_spec(), "platformio", tmp_path / "digits").folder
    command = (sys.executable, "-c", _PIO, folder, tmp_path)
    done = tool(*command, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "digits-0.3.1.tar.gz") as archive:
        names = set(archive.getnames())
    assert {"library.json", "src/digits.c", "examples/learn/src/main.cpp"} <= names
    listed = json.loads((folder / "library.json").read_text())["examples"][0]
    assert all((folder / listed["base"] / file).is_file() for file in listed["files"])
    edit(folder / "library.json", '"0.3.1"', '"one"')
    done = tool(*command, folder=tmp_path)
    assert done.returncode != 0
    assert "version" in done.stderr + done.stdout


def test_the_component_manager_packs_a_component_and_refuses_a_broken_one(tmp_path):
    folder = made(digits_spec(), "esp-idf", tmp_path / "digits").folder
    compote = Path(sys.executable).parent / "compote"
    command = (compote, "component", "pack", "--name", "digits", "--dest-dir", tmp_path / "dist")
    done = tool(*command, folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(tmp_path / "dist" / "digits_0.3.1.tgz") as archive:
        names = {name.removeprefix("./") for name in archive.getnames()}
    assert {"idf_component.yml", "CMakeLists.txt", "src/digits.c", "README.md"} <= names
    edit(folder / "idf_component.yml", '"0.3.1"', '"zero"')
    done = tool(*command, folder=folder)
    assert done.returncode != 0
    assert "zero" in done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "tree", "sample", "program"),
    [
        ("zephyr", {"ZEPHYR_BASE": str(TREES / "zephyr")}, "samples/learn", "app"),
        ("esp-idf", {"IDF_PATH": str(TREES / "idf")}, "examples/learn", "main/main"),
    ],
)
def test_the_build_files_of_a_system_build_its_example(target, tree, sample, program, tmp_path):
    cmake = needed("cmake")
    folder = made(digits_spec(), target, tmp_path / "digits").folder
    include = f"-I{TREES.parents[1] / 'store' / 'systems'}"
    command = (cmake, "-S", folder / sample, "-B", tmp_path / "b", f"-DCMAKE_C_FLAGS={include}")
    more = ["-DEXTRA_CONF_FILE=storage.conf"] if target == "zephyr" else []
    done = tool(*command, *more, folder=tmp_path, **tree)
    assert done.returncode == 0, done.stderr
    run(cmake, "--build", tmp_path / "b")
    said = run(tmp_path / "b" / program).splitlines()
    assert said[-2:] == ["saved", f"digest {digits_digest()}"]
