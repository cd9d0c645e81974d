"""Two generated models in one firmware: nothing is shared, and each computes what it does alone."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from tests.support.small_projects import SMALL, TWINS, small_project
from tests.unit.test_codegen_builds import compiler
from tpsgd_edge.codegen import CProject
from tpsgd_edge.spec.names import check_model_name

PAIRS = list(combinations(SMALL, 2))
FLAGS = ("-O0", "-std=c11", "-ffp-contract=off", "-fno-sanitize=all")
_FUNCTION = re.compile(r"^(?:const )?\w+ \*?(\w+)\(", re.MULTILINE)
# What a compiler may call on its own.
_COMPILERS_OWN = {"memcpy", "memset", "memmove", "_GLOBAL_OFFSET_TABLE_", "__stack_chk_fail"}


def run(*command: object, cwd: Path | None = None) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def code_of(project: CProject) -> dict[str, str]:
    """Sources and headers without port/."""
    return {
        path: text
        for path, text in project.files.items()
        if path.endswith((".c", ".h")) and not path.startswith("port/")
    }


@dataclass(frozen=True)
class Built:
    """Projects compiled once, each into a folder of its own below `folder`."""

    folder: Path
    inference_only: bool = False

    @cache  # noqa: B019 - one for all tests of a module
    def objects(self, name: str) -> tuple[Path, ...]:
        """The object files of one project."""
        folder = self.folder / name
        folder.mkdir()
        for path, text in code_of(small_project(name)).items():
            (folder / path).write_text(text)
        sources = small_project(name).sources
        run(*compiler(), *FLAGS, *self.define(name), "-c", *sources, cwd=folder)
        return tuple(sorted(folder.glob("*.o")))

    @cache  # noqa: B019
    def archive(self, name: str) -> Path:
        """The same as a library."""
        path = self.folder / f"lib{name}.a"
        tool = shutil.which("ar") or pytest.skip("ar is not installed")
        run(tool, "rcs", path, *self.objects(name))
        return path

    @cache  # noqa: B019
    def main(self, *names: str) -> Path:
        """A program that includes the headers of all and asks each for what it computes."""
        path = self.folder / f"{'-'.join(names)}.c"
        path.write_text(program(names, *((ANSWER,) if self.inference_only else PROOF)))
        flags = [f"-I{self.objects(name)[0].parent}" for name in names]
        flags += [flag for name in names for flag in self.define(name)]
        run(*compiler(), *FLAGS, *flags, "-c", path, "-o", path.with_suffix(".o"))
        return path.with_suffix(".o")

    def output(self, main: Path, *linked: Path) -> list[str]:
        """What the program prints that is linked from these, in this order."""
        run(*compiler(), "-fno-sanitize=all", main, *linked, "-o", self.folder / "program")
        return run(self.folder / "program").splitlines()

    @cache  # noqa: B019
    def alone(self, name: str) -> list[str]:
        """What a program with this model alone prints."""
        return self.output(self.main(name), *self.objects(name))

    def ways(self, names: tuple[str, ...]) -> Iterator[list[Path]]:
        """Ways to link some models: as objects, as libraries, and these the other way round."""
        yield [path for name in names for path in self.objects(name)]
        archives = [self.archive(name) for name in names]
        yield archives
        yield archives[::-1]

    def define(self, name: str) -> list[str]:
        """What the compiler is told of a project that only predicts."""
        upper = small_project(name).name.upper()
        return [f"-D{upper}_INFERENCE_ONLY"] if self.inference_only else []


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return Built(tmp_path_factory.mktemp("built"))


SELFTEST = '    printf("MODEL %d\\n", (int)MODEL_selftest(&MODEL_state));\n'
DIGEST = '    printf("MODEL %08lX\\n", (unsigned long)MODEL_digest(&MODEL_state));\n'
PROOF = (SELFTEST, DIGEST)
ANSWER = """    MODEL_init(&MODEL_state);
    for (int k = 0; k < 8; k++) {
        static int16_t y[UPPER_N_OUT];
        static int8_t x[UPPER_N_IN];
        x[k % UPPER_N_IN] = (int8_t)(16 * k - 50);
        MODEL_outputs(&MODEL_state, x, y);
        for (int i = 0; i < UPPER_N_OUT; i++) {
            printf("MODEL %d\\n", y[i]);
        }
    }
"""


def program(names: tuple[str, ...], *parts: str) -> str:
    """A program that runs each part for all models in turn, whose states live side by side."""
    models = [small_project(name).name for name in names]
    headers = "".join(f'#include "{model}.h"\n' for model in models)
    states = "".join(f"static struct {model}_model {model}_state;\n" for model in models)
    body = "".join(
        part.replace("MODEL", model).replace("UPPER", model.upper())
        for part in parts
        for model in models
    )
    return f"#include <stdio.h>\n{headers}\n{states}\nint main(void)\n{{\n{body}    return 0;\n}}\n"


def of(name: str, lines: list[str]) -> list[str]:
    model = small_project(name).name
    return [line for line in lines if line.split()[0] == model]


@pytest.mark.sampled(3)
@pytest.mark.series(4)
@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_two_models_in_one_firmware_compute_what_they_do_alone(built, pair):
    for linked in built.ways(pair):
        lines = built.output(built.main(*pair), *linked)
        for name in pair:
            status, digest = of(name, lines)
            assert status.split()[1] == "0"
            assert [status, digest] == built.alone(name)


def test_two_nets_of_one_shape_that_only_predict_have_weights_of_their_own(tmp_path):
    built = Built(tmp_path, inference_only=True)
    alone = [built.alone(name) for name in TWINS]
    assert [line.split()[1] for line in alone[0]] != [line.split()[1] for line in alone[1]]
    for linked in built.ways(TWINS):
        lines = built.output(built.main(*TWINS), *linked)
        assert [of(name, lines) for name in TWINS] == alone


@pytest.mark.slow
def test_all_models_lie_in_one_flat_folder_and_one_program(built, tmp_path):
    sources: list[str] = []
    for name in SMALL:
        for path, text in code_of(small_project(name)).items():
            assert not (tmp_path / path).exists() or path == "tps_status.h", path
            (tmp_path / path).write_text(text)
        sources += small_project(name).sources
    (tmp_path / "main.c").write_text(program(SMALL, *PROOF))
    run(*compiler(), *FLAGS, "main.c", *sources, "-o", "program", cwd=tmp_path)
    lines = run(tmp_path / "program").splitlines()
    assert {name: of(name, lines) for name in SMALL} == {name: built.alone(name) for name in SMALL}


def symbols(path: Path) -> Iterator[tuple[str, bool]]:
    """Global symbols of an object file, and whether it defines them."""
    from elftools.elf.elffile import ELFFile

    with path.open("rb") as file:
        for symbol in ELFFile(file).get_section_by_name(".symtab").iter_symbols():
            if symbol["st_info"]["bind"] != "STB_LOCAL" and symbol.name:
                yield symbol.name, symbol["st_shndx"] != "SHN_UNDEF"


@pytest.mark.parametrize("name", SMALL)
def test_each_symbol_carries_the_models_name(built, name):
    model = small_project(name).name
    found = {symbol for path in built.objects(name) for symbol in symbols(path)}
    defined = {symbol for symbol, is_defined in found if is_defined}
    public = {word for word in defined if not word.startswith(f"{model}_tps_")}
    files = small_project(name).files
    headers = files[f"{model}.h"] + files[f"{model}_raw.h"]
    assert public - set(_FUNCTION.findall(headers)) == {
        f"{model}_own_work",
        f"{model}_selftest_x",
        f"{model}_selftest_labels",
    }
    assert all(word.startswith(f"{model}_") for word in public)
    assert {symbol for symbol, _ in found} - defined <= _COMPILERS_OWN


def test_no_two_models_can_have_names_that_meet():
    """The name of one may begin with that of the other: har and har_rnn."""
    words = set()
    for name in SMALL:
        model = small_project(name).name
        functions = _FUNCTION.findall(small_project(name).files[f"{model}.h"])
        words |= {function.removeprefix(f"{model}_") for function in functions}
    assert {"train_step_with", "step_with", "predict_with", "selftest"} <= words
    words |= {"selftest_x", "selftest_labels", "own_work"}
    for longer in sorted(words):
        for shorter in words:
            if longer.endswith(f"_{shorter}"):
                with pytest.raises(ValueError, match="would share names"):
                    check_model_name(f"x_{longer.removesuffix(shorter).rstrip('_')}")


def test_a_public_header_needs_only_the_shared_one():
    for name in SMALL:
        project = small_project(name)
        header = project.files[f"{project.name}.h"]
        assert re.findall(r"#include (.*)", header) == ["<stdint.h>", '"tps_status.h"']
