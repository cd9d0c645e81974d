"""Thirty generated projects under each compiler: warnings, and what their self-tests say.

    python tools/compiler_table.py
    python tools/compiler_table.py --only powerpc --only avr

compiles the golden projects, the small ones of the tests and the examples with each compiler that
is installed, runs their self-tests where something runs the code (this computer, QEMU, simavr), and
prints the table of docs/COMPILERS.md. All digests of a project must be the same everywhere. Ends
with 1 where there is a warning, a failure or another digest. Run it from the checkout: the projects
are those of tests/.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.golden.examples import EXAMPLES, example
from tests.support.small_projects import SMALL, small_project
from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import ToolError
from tpsgd_edge.stages import prepare, render_project
from tpsgd_edge.toolchain.build import WARNINGS, compile_firmware
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.folder import write_project
from tpsgd_edge.toolchain.platforms import all_platforms, load_platform, port_files
from tpsgd_edge.toolchain.qemu_link import qemu_command

_WARNING = re.compile(r"warning:")
_ANSWER = re.compile(r"selftest (\d+) digest ([0-9A-F]{8})")
_MAIN = """\
#include <stdio.h>
#include "MODEL.h"

static struct MODEL_model model;

int main(void)
{
    const int status = (int)MODEL_selftest(&model);

    printf("selftest %d digest %08lX\\n", status, (unsigned long)MODEL_digest(&model));
    return 0;
}
"""
# In the place of the harness, with its model: the self-test's status and the digest as two words.
_CORE_MAIN = """\
#ifdef TPS_PORT
#include "model_port.h"
#include "tps_port.h"

static model_t tps_port_model;

enum tps_port_exit tps_port_serve(void)
{
    uint32_t words[2];

    words[0] = (uint32_t)model_selftest(&tps_port_model);
    words[1] = model_digest(&tps_port_model);
    tps_port_write(words, sizeof words);
    return TPS_PORT_END;
}
#endif
"""
_AVR_MAIN = """\
#include <avr/io.h>
#include <avr/sleep.h>
#include <stdint.h>
#include "MODEL.h"

static struct MODEL_model model;

static void say(const char *text)
{
    for (; *text != '\\0'; text++) {
        UDR0 = (uint8_t)*text;
    }
}

int main(void)
{
    static char digits[9];
    const tps_status status = MODEL_selftest(&model);
    uint32_t digest = MODEL_digest(&model);

    for (int i = 7; i >= 0; i--, digest >>= 4) {
        digits[i] = "0123456789ABCDEF"[digest & 15];
    }
    UCSR0B = (uint8_t)(1 << TXEN0);
    say(status == TPS_OK ? "selftest 0 digest " : "selftest 1 digest ");
    say(digits);
    say("\\n");
    sleep_cpu();
    return 0;
}
"""
_AVR_RAM = 8192


@dataclass(frozen=True)
class Outcome:
    """What one compiler made of one project."""

    warnings: int = 0
    digest: str | None = None
    has_failed: bool = False
    is_refused: bool = False
    is_too_large: bool = False


Run = Callable[[CProject, Path], Outcome]


@dataclass(frozen=True)
class Target:
    """A compiler with the machine that runs what it makes."""

    compiler: str
    machine: str
    run: Run


@dataclass
class Row:
    """One line of the table."""

    target: Target
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    reason: str = ""

    def count(self, name: str) -> int:
        """How many projects had this outcome."""
        return sum(bool(getattr(outcome, name)) for outcome in self.outcomes.values())


@cache
def projects(folder: Path) -> Mapping[str, CProject]:
    """All thirty, by name; examples whose data are not shipped get made ones."""
    made = {name: small_project(name) for name in SMALL}
    for name in EXAMPLES:
        made[f"example {name}"] = render_project(prepare(example(name, folder)))
    return made


def own_files(project: CProject) -> dict[str, str]:
    """The files of the model, without port/."""
    return {path: text for path, text in project.files.items() if "/" not in path}


def said(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program, whatever comes of it."""
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )


def answered(text: str) -> Outcome:
    """The self-test's status and digest in what a program said."""
    found = _ANSWER.search(text)
    if found is None or found[1] != "0":
        return Outcome(has_failed=True)
    return Outcome(digest=found[2])


def on_computer(
    compiler: str, flags: tuple[str, ...], runner: tuple[str, ...], project: CProject, folder: Path
) -> Outcome:
    """Compile with a main program for this computer, or for one that QEMU stands for."""
    for path, text in own_files(project).items():
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "main.c").write_text(_MAIN.replace("MODEL", project.name), encoding="utf-8")
    sources = ["main.c", *project.sources]
    built = said([compiler, *WARNINGS, *flags, *sources, "-o", "program"], folder)
    if "needs a little-endian core" in built.stderr:
        return Outcome(is_refused=True)
    if built.returncode != 0:
        return Outcome(has_failed=True)
    warnings = len(_WARNING.findall(built.stderr))
    ran = answered(said([*runner, "./program"], folder).stdout)
    return Outcome(warnings, ran.digest, ran.has_failed)


def in_cplusplus(project: CProject, folder: Path) -> Outcome:
    """A program in C++ around objects that a compiler for C made."""
    for path, text in own_files(project).items():
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "main.cpp").write_text(_MAIN.replace("MODEL", project.name), encoding="utf-8")
    objects = [source.replace(".c", ".o") for source in project.sources]
    said(["gcc", "-O2", "-c", *project.sources], folder)
    flags = [flag for flag in WARNINGS if flag != "-Wmissing-prototypes"]
    built = said(["g++", *flags, "-O2", "main.cpp", *objects, "-o", "program"], folder)
    if built.returncode != 0:
        return Outcome(has_failed=True)
    ran = answered(said(["./program"], folder).stdout)
    return Outcome(len(_WARNING.findall(built.stderr)), ran.digest, ran.has_failed)


def on_core(core: str, family: str, project: CProject, folder: Path) -> Outcome:
    """Firmware for an emulated core, in QEMU."""
    platform = load_platform(core)
    files = dict(project.files) | port_files(platform)
    files |= {"port/harness.c": _CORE_MAIN, "port/answers.c": "typedef int tps_port_is_empty;\n"}
    write_project(files, folder / "project")
    binary = compile_firmware(
        folder / "project",
        project.name,
        project.sources,
        platform,
        find_compiler(platform, family),
        build_dir=folder,
    )
    (folder / "commands.bin").write_bytes(b"")
    done = said([*qemu_command(platform), "-kernel", str(binary.path.resolve())], folder)
    words = (folder / "replies.bin").read_bytes()
    warnings = len(_WARNING.findall(binary.warnings))
    if done.returncode != 0 or len(words) != 8 or words[:4] != bytes(4):
        return Outcome(warnings, has_failed=True)
    return Outcome(warnings, f"{int.from_bytes(words[4:], 'little'):08X}")


def on_avr(project: CProject, folder: Path) -> Outcome:
    """Firmware for an ATmega2560 in simavr, where constants and state fit into 8 KB of RAM."""
    for path, text in own_files(project).items():
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "main.c").write_text(_AVR_MAIN.replace("MODEL", project.name), encoding="utf-8")
    flags = [*WARNINGS, "-std=gnu11", "-Os", "-mmcu=atmega2560"]
    compiled = said(["avr-gcc", *flags, "-c", *project.sources], folder)
    if "too many for the addresses of this core" in compiled.stderr:
        return Outcome(is_refused=True)
    warnings = len(_WARNING.findall(compiled.stderr))
    if compiled.returncode != 0:
        return Outcome(warnings, has_failed=True)
    objects = [source.replace(".c", ".o") for source in project.sources]
    link = ["avr-gcc", *flags, "main.c", *objects, "-Wl,--gc-sections", "-o", "firmware.elf"]
    if said(link, folder).returncode != 0 or not _fits_avr(folder):
        return Outcome(warnings, is_too_large=True)
    simavr = ["simavr", "-m", "atmega2560", "-f", "16000000", "firmware.elf"]
    done = said(simavr, folder)
    ran = answered(done.stdout + done.stderr)
    return Outcome(warnings, ran.digest, ran.has_failed)


def _fits_avr(folder: Path) -> bool:
    """Whether 1.5 KB of the RAM are left for the stack."""
    words = said(["avr-size", "firmware.elf"], folder).stdout.splitlines()[1].split()
    return int(words[1]) + int(words[2]) <= _AVR_RAM - 1536


def targets() -> Iterator[Target]:
    """Every compiler with every machine, the computer's own first."""
    native: tuple[str, ...] = ("-std=c11", "-ffp-contract=off", "-O2")
    for compiler in ("gcc", "clang"):
        yield Target(compiler, "this computer", partial(on_computer, compiler, native, ()))
    yield Target("g++ (main program)", "this computer", in_cplusplus)
    for platform in all_platforms():
        if not platform.is_host and "gcc" in platform.flags:
            arm = platform.arch == "arm"
            compiler = "arm-none-eabi-gcc" if arm else "riscv64-unknown-elf-gcc"
            run = partial(on_core, platform.name, "gcc")
            yield Target(compiler, f"{platform.title}, QEMU", run)
    yield Target("avr-gcc", "ATmega2560, simavr", on_avr)
    static = (*native, "-static")
    for name, title in (("powerpc64le", "POWER8, QEMU"), ("powerpc", "PowerPC, big-endian")):
        compiler = f"{name}-linux-gnu-gcc"
        runner = (f"qemu-{name.replace('powerpc', 'ppc')}",)
        yield Target(compiler, title, partial(on_computer, compiler, static, runner))


def row_of(target: Target, made: Mapping[str, CProject]) -> Row:
    """Compile and run every project."""
    row = Row(target)
    if shutil.which(target.compiler.split(" ")[0]) is None:
        row.reason = "not installed"
        return row
    for name, project in made.items():
        with tempfile.TemporaryDirectory(prefix="compilers-") as folder:
            try:
                outcome = target.run(project, Path(folder))
            except (ToolError, subprocess.TimeoutExpired) as error:
                print(f"{target.compiler}: {name}: {error}", file=sys.stderr)
                outcome = Outcome(has_failed=True)
        if outcome.has_failed or outcome.warnings:
            print(f"{target.compiler}, {target.machine}: {name}: {outcome}", file=sys.stderr)
        row.outcomes[name] = outcome
    return row


def strays(rows: list[Row]) -> list[str]:
    """Projects whose digest is not the same everywhere."""
    digests: dict[str, set[str]] = {}
    for row in rows:
        for name, outcome in row.outcomes.items():
            digests.setdefault(name, set()).update([outcome.digest] if outcome.digest else [])
    return [name for name, found in digests.items() if len(found) > 1]


def cells(row: Row) -> tuple[str, ...]:
    """The row in words."""
    if row.reason:
        return (row.target.compiler, row.target.machine, row.reason, "", "", "")
    numbers = (
        sum(outcome.warnings for outcome in row.outcomes.values()),
        row.count("digest"),
        row.count("has_failed"),
    )
    rest = [f"{row.count('is_refused')} stop at the `#error`"] if row.count("is_refused") else []
    rest += [f"{row.count('is_too_large')} too large"] if row.count("is_too_large") else []
    return (row.target.compiler, row.target.machine, *map(str, numbers), ", ".join(rest))


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="compilers or machines with this word"
    )
    parser.add_argument("--project", action="append", help="only this project")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="compilers-") as folder:
        made = projects(Path(folder))
        if arguments.project:
            made = {name: made[name] for name in arguments.project}
        rows = []
        print("| compiler | runs on | warnings | self-tests passed | failed | |")
        print("|---|---|---:|---:|---:|---|")
        for target in targets():
            words = f"{target.compiler} {target.machine}".lower()
            if not arguments.only or any(word.lower() in words for word in arguments.only):
                rows.append(row_of(target, made))
                print(f"| {' | '.join(cells(rows[-1]))} |", flush=True)
    stray = strays(rows)
    print(f"\n{len(made)} projects; digests that differ: {', '.join(stray) or 'none'}")
    bad = any(row.count("has_failed") or row.count("warnings") for row in rows)
    return 1 if bad or stray else 0


if __name__ == "__main__":
    sys.exit(main())
