"""MicroPython: one file of C is a user module and a native one; both learn on a stand-in for it."""

import ast
import re
from pathlib import Path

import pytest

from tests.packages.making import STRICT, TREES, digits_digest, digits_spec, made
from tests.unit.test_example import make_spec
from tests.unit.test_odd_compilers import needed
from tests.unit.test_two_models import run
from tpsgd_edge.codegen.example import EPOCHS

TREE = TREES / "micropython"
NATIVE = ["-DMICROPY_ENABLE_DYNRUNTIME", "-DTPS_STATIC="]
# What native modules are compiled with: py/dynruntime.mk of MicroPython.
OBJECTS = ["-fpic", "-fno-common", "-Os", *NATIVE]
CORES = {
    "gcc": [],
    "arm-none-eabi-gcc": ["-mthumb", "-mcpu=cortex-m0"],
    "riscv64-unknown-elf-gcc": ["-march=rv32imac", "-mabi=ilp32", "-mno-relax", "-ffreestanding"],
}


def names_of(module: Path, folder: Path) -> None:
    """Write a number for each name in the module, as MicroPython's tools do."""
    names = sorted(set(re.findall(r"MP_QSTR_\w+", module.read_text())))
    (folder / "qstrs.h").write_text(f"enum {{ {', '.join(names)}, QSTRS }};\n")


def program(folder: Path, flags: list[str]) -> Path:
    """The module of a package, linked with the stand-in."""
    module, built = folder / "mod_digits.c", folder / "program"
    names_of(module, folder)
    # MicroPython's macros convert without saying so.
    strict = [word for word in STRICT if word not in ("-Wpedantic", "-Wconversion")]
    words = ["-std=c11", "-O1", *strict, *flags, f"-DPASSES={EPOCHS}", "-fno-builtin"]
    words += [f"-I{place}" for place in (folder, folder / "src", folder / "examples", TREE)]
    run(needed("gcc"), *words, TREE / "main.c", module, *folder.glob("src/*.c"), "-o", built)
    return built


@pytest.mark.parametrize("flags", [[], NATIVE], ids=["user module", "native module"])
def test_a_module_learns_what_the_reference_learns(flags, tmp_path):
    folder = made(digits_spec(), "micropython", tmp_path / "digits").folder
    built = program(folder, flags)
    lines = ["self-test 1", f"steps {12 * EPOCHS}", f"digest {digits_digest()}"]
    assert run(built).splitlines() == lines
    assert run(built, "short").splitlines()[1:] == [
        "ValueError: a sample is an array('B') of 64 values"
    ]


@pytest.mark.series(2)
@pytest.mark.parametrize("case", ["standard s16", "values f32", "sequences"])
@pytest.mark.parametrize("compiler", CORES)
def test_a_native_module_has_no_variables_of_one_file(compiler, case, tmp_path):
    """MicroPython's linker refuses those, and initial values."""
    folder = made(make_spec(tmp_path, case), "micropython", tmp_path / "net").folder
    gcc = needed(compiler)
    names_of(folder / "mod_net.c", folder)
    include = [f"-I{place}" for place in (folder, folder / "src", TREE)]
    if "riscv" in compiler:
        # Debian's compiler has no C library.
        (folder / "string.h").write_text("#include <stddef.h>\nvoid *memcpy();\nvoid *memset();\n")
    sources = [folder / "mod_net.c", *folder.glob("src/*.c")]
    run(gcc, "-std=c11", *OBJECTS, *CORES[compiler], *include, "-c", *sources, cwd=tmp_path)
    assert variables(gcc, tmp_path) == []
    (folder / "src" / "net_raw.c").write_text("static int kept; int *at(void) { return &kept; }\n")
    run(gcc, *OBJECTS, *CORES[compiler], "-c", folder / "src" / "net_raw.c", cwd=tmp_path)
    assert variables(gcc, tmp_path) == ["kept"]


def variables(gcc: str, folder: Path) -> list[str]:
    """Variables of one file, and those with a first value, in the objects of a folder."""
    listed = run(gcc.removesuffix("gcc") + "nm", *folder.glob("*.o"))
    return re.findall(r" [bD] (?!\w+_layer$)(\S+)$", listed, re.MULTILINE)


def test_the_makefile_has_what_these_tests_compile_with(tmp_path):
    folder = made(digits_spec(), "micropython", tmp_path / "digits").folder
    makefile = (folder / "Makefile").read_text()
    assert NATIVE[1] in makefile.split()
    assert "SRC = mod_digits.c $(wildcard src/*.c)\n" in makefile


def test_names_and_texts_of_micropython_are_in_no_header(tmp_path):
    """Its tools look for them in .c files, and fail where a header comes first."""
    folder = made(digits_spec(), "micropython", tmp_path / "digits").folder
    assert [path.name for path in folder.rglob("*.h") if "MP_" in path.read_text()] == []


def test_the_example_calls_what_the_module_has(tmp_path):
    folder = made(digits_spec(), "micropython", tmp_path / "digits").folder
    tree = ast.parse((folder / "examples" / "learn.py").read_text())
    called = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "digits"
    }
    module = (folder / "mod_digits.c").read_text()
    table, init = module.split("\n#else\n")[-1], module.split("mpy_init")[1].split("#else")[0]
    assert {"train", "predict", "save", "load", "STORAGE_BYTES"} <= called
    assert called <= set(re.findall(r"MP_QSTR_(\w+)\)", table))
    assert called <= set(re.findall(r"mp_store_global\(MP_QSTR_(\w+),", init))
