"""Fuzz what a device reads of its flash: the C of checkpoints, guided by the code that is reached.

    python tools/fuzz_store.py --minutes 30 --corpus FOLDER

The storage holds whatever libFuzzer puts there, with sums made right (tests/store/fuzz_store.c). A
read outside of an array, undefined behaviour, a state that is no checkpoint, or a save that touches
the newest one ends the run, and the input is kept as crash-* in the current folder. Needs clang
with its libFuzzer.
"""

import argparse
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from power_cuts import RUNTIME, TRIALS

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.memory.checkpoint import MAGIC

COMPILERS = ("clang", *(f"clang-{version}" for version in range(20, 12, -1)))
_FLAGS = "-std=c11 -g -O1 -Wall -Wextra -Werror -fsanitize=fuzzer,address,undefined"
_STRICT = "-fno-sanitize-recover=all"


def build(folder: Path) -> Path | None:
    """The fuzzer as a program in a folder; None where no clang has libFuzzer."""
    (folder / "tps_names.h").write_text("/* one model */\n")
    runtime, target = firmware_dir() / "runtime", folder / "fuzz_store"
    sources = [*(runtime / name for name in RUNTIME), TRIALS / "fuzz_store.c"]
    places = [f"-I{folder}", f"-I{runtime}"]
    for compiler in filter(None, map(shutil.which, COMPILERS)):
        command = [
            compiler,
            *_FLAGS.split(),
            _STRICT,
            *places,
            *map(str, sources),
            "-o",
            str(target),
        ]
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            return target
    return None


def seeds() -> Iterator[bytes]:
    """Storages with some slots of a model, their numbers in any order."""
    for size, unit, page, pages, state in ((4, 1, 64, 3, 5), (8, 2, 32, 1, 21), (32, 3, 32, 7, 41)):
        # Which unit, units of a page, pages of a block, blocks; resumes and the model; its state.
        head = bytes([unit, page // size - 1, pages, 5, 1, 1, 2, 3, state - 1, 1, *[0] * 6])
        slot = -(-(36 + state) // page) * page
        for numbers in ((1, 2, 3), (7, 6, 9), (2**32 - 1, 0, 1), (5,), (1, 2**31, 2)):
            slots = (
                struct.pack("<4s7I", MAGIC, 1, number, 0, number, 0, 0, 0).ljust(slot, b"\x5a")
                for number in numbers
            )
            yield head + b"".join(slots)


def fuzz(program: Path, corpus: Path, *options: str) -> int:
    """Run the fuzzer on a corpus, which grows; its exit code, 0 where nothing was found."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(seeds()):
        (corpus / f"seed-{number}").write_bytes(content)
    return subprocess.run([program, *options, "-max_len=8192", corpus], check=False).returncode


def main() -> int:
    """Fuzz for a while; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--corpus", type=Path, required=True, help="a folder; grows with the run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        if program is None:
            parser.error("no clang with libFuzzer: install clang and libclang-rt-dev")
        return fuzz(program, arguments.corpus, f"-max_total_time={60 * arguments.minutes:.0f}")


if __name__ == "__main__":
    sys.exit(main())
