"""Generated code under compilers and flags that firmware meets: right, or a clear #error."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.random.networks import network, project_of, samples_of
from tests.support.small_projects import SMALL, small_project
from tests.unit.test_two_models import PROOF, code_of, program, run

REALS = ("regression", "reals")
CPLUSPLUS = {
    "g++": [],
    "clang++-14": ["-Weverything", "-Wno-c++98-compat-pedantic", "-Wno-padded"],
    "arm-none-eabi-g++": ["-mcpu=cortex-m4", "-mthumb"],
    "avr-g++": ["-mmcu=atmega2560", "-std=gnu++11"],
}
A32 = {
    "arm926": ["-mcpu=arm926ej-s"],
    "arm1176": ["-mcpu=arm1176jzf-s", "-mfpu=vfp", "-mfloat-abi=hard"],
    "cortex-r5": ["-mcpu=cortex-r5"],
    "cortex-a7": ["-mcpu=cortex-a7", "-mfpu=neon-vfpv4", "-mfloat-abi=hard"],
    "cortex-a9": ["-mcpu=cortex-a9"],
}


def needed(name: str) -> str:
    """The program; the test skips where it is missing."""
    return shutil.which(name) or pytest.skip(f"{name} is not installed")


def written(name: str, folder: Path) -> list[str]:
    """A project in a folder; its sources."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in code_of(small_project(name)).items():
        (folder / path).write_text(text)
    return list(small_project(name).sources)


def refusal(command: list[str], folder: Path) -> str:
    """What a compiler says that must fail."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode != 0
    return done.stderr


@pytest.mark.parametrize("compiler", CPLUSPLUS)
def test_headers_are_for_cplusplus_too(tmp_path, compiler):
    for name in SMALL:
        written(name, tmp_path)
    models = [small_project(name).name for name in SMALL]
    lines = [f'#include "{model}.h"' for model in models]
    lines += [f"static struct {model}_model {model};" for model in models]
    calls = [f"    {model}_init(&{model});" for model in models]
    lines += ["int main()", "{", *calls, "    return 0;", "}", ""]
    (tmp_path / "main.cpp").write_text("\n".join(lines))
    flags = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
    command = [needed(compiler), *CPLUSPLUS[compiler], *flags, "-fsyntax-only", "main.cpp"]
    run(*command, cwd=tmp_path)


def test_a_program_in_cplusplus_links_and_proves_itself(tmp_path):
    sources = written("bytes", tmp_path)
    (tmp_path / "main.cpp").write_text(program(("bytes",), *PROOF))
    run(needed("gcc"), "-O1", "-c", *sources, cwd=tmp_path)
    objects = [path.name for path in tmp_path.glob("*.o")]
    run(needed("g++"), "main.cpp", *objects, "-o", "program", cwd=tmp_path)
    assert run(tmp_path / "program").splitlines()[0] == "bytes 0"


def test_sources_say_that_they_are_c(tmp_path):
    for source in written("bytes", tmp_path):
        message = refusal([needed("g++"), "-fsyntax-only", "-x", "c++", source], tmp_path)
        assert "compile the .c files of bytes as C11; bytes.h is for C++ too" in message, source


@pytest.mark.series(1)
@pytest.mark.parametrize("core", A32)
def test_cores_in_arm_state_take_the_plain_kernels(tmp_path, core):
    gcc = needed("arm-none-eabi-gcc")
    for name in ("bytes", "maps", "reals", "wave_gru"):
        sources = written(name, tmp_path / name)
        flags = ["-O2", "-std=c11", "-Wall", "-Wextra", "-Werror", "-marm", *A32[core]]
        run(gcc, *flags, "-c", *sources, cwd=tmp_path / name)


@pytest.mark.series(1)
@pytest.mark.parametrize("compiler", ["arm-none-eabi-gcc", "clang-14"])
def test_words_from_any_address_are_loaded_only_where_that_is_allowed(tmp_path, compiler):
    target = [] if "gcc" in compiler else ["--target=thumbv7em-none-eabi", "-ffreestanding"]
    dump = needed("arm-none-eabi-objdump")
    sources = written("maps", tmp_path)
    found = {}
    for access in ("-munaligned-access", "-mno-unaligned-access"):
        core = [*target, "-mcpu=cortex-m4", "-mthumb", access]
        run(needed(compiler), *core, "-O2", "-c", *sources, cwd=tmp_path)
        code = run(dump, "-d", *tmp_path.glob("*.o"))
        found[access] = "smlad" in code
    assert found == {"-munaligned-access": True, "-mno-unaligned-access": False}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("flags", [["-O2", "-march=native"], ["-O3", "-march=native", "-flto"]])
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.series(2)
def test_the_default_flags_of_gcc_compute_the_same_without_a_warning(tmp_path, name, flags):
    """They are -std=gnu17, which fuses products and sums where the core can do so."""
    sources = written(name, tmp_path)
    (tmp_path / "main.c").write_text(program((name,), *PROOF))
    command = [needed("gcc"), "-Wall", "-Wextra", "-Werror", *flags, "main.c", *sources]
    run(*command, "-o", "program", cwd=tmp_path)
    assert run(tmp_path / "program").split()[1] == "0"


@pytest.mark.parametrize("name", REALS)
def test_nothing_is_fused_by_default_flags(tmp_path, name):
    gcc, dump = needed("arm-none-eabi-gcc"), needed("arm-none-eabi-objdump")
    sources = written(name, tmp_path)
    core = ["-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]
    run(gcc, *core, "-O2", "-Wall", "-Wextra", "-Werror", "-c", *sources, cwd=tmp_path)
    code = run(dump, "-d", *tmp_path.glob("*.o"))
    assert "vmul.f32" in code
    assert "vfma" not in code
    assert "vfms" not in code


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["-ffast-math"], "exact only without -ffast-math"),
        (["-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math"], "exact only without"),
        (["-freciprocal-math"], "exact only without -ffast-math and what it consists of"),
        (["-m32", "-march=i686", "-ffreestanding"], "float is not computed wider: -msse2"),
    ],
)
def test_flags_that_change_real_numbers_are_refused(tmp_path, flags, words):
    written("reals", tmp_path)
    gcc = needed("gcc")
    assert words in refusal([gcc, *flags, "-c", "reals_tps_dense_f32.c"], tmp_path)


def test_stacks_of_hosts_follow_the_model(tmp_path):
    """The largest frame is that of a convolution whose weights are padded for vector units."""
    sources = written("maps", tmp_path)
    run(needed("gcc"), "-O2", "-Werror=frame-larger-than=8192", "-c", *sources, cwd=tmp_path)


def test_big_endian_cores_are_refused(tmp_path):
    gcc = needed("arm-none-eabi-gcc")
    flags = ["-mbig-endian", "-mthumb", "-mcpu=cortex-r5", "-c"]
    for name in ("bytes", "reals"):
        written(name, tmp_path)
        message = refusal([gcc, *flags, f"{name}.c"], tmp_path)
        assert "needs a little-endian core" in message


def test_a_model_with_more_bytes_than_addresses_is_refused(tmp_path):
    """The product in the length of an array would be another number where an int has 16 bits."""
    gcc = needed("avr-gcc")
    shape = {"label_kind": "class", "n_in": 300, "hidden": [110]}
    model = replace(network(1, value_type="s8", weight_types=["s8", "s8"], **shape), name="large")
    x, labels = samples_of(model, 1)
    for path, text in code_of(project_of(model, x[:2], labels[:2])).items():
        (tmp_path / path).write_text(text)
    message = refusal([gcc, "-mmcu=atmega2560", "-c", "large.c"], tmp_path)
    assert "large has more than 32,767 bytes in one piece" in message


def test_a_compiler_without_a_c_library_is_enough(tmp_path):
    """The Makefile builds with Debian's gcc for RISC-V, which brings no stdint.h but its own."""
    project = small_project("wave")
    written("wave", tmp_path)
    (tmp_path / "Makefile").write_text(project.files["Makefile"])
    cc = f"CC={needed('riscv64-unknown-elf-gcc')}"
    flags = "CFLAGS=-Os -march=rv32imc -mabi=ilp32 -Werror"
    run("make", cc, "AR=riscv64-unknown-elf-ar", flags, cwd=tmp_path)
