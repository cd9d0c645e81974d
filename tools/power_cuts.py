"""Cut the power in every operation of 1,000 saves, and load: the table of docs/STORE.md.

    python tools/power_cuts.py                  # minutes; --saves 100 for a look

The C of firmware/runtime/ runs on a simulated flash (tests/store/): programs clear bits only, once
a unit; an erase sets those of a block; what is cut off leaves a mixture that is drawn. After each
cut a load must give the model of the save before, or of the one that was cut off, and then another
save and load must succeed. Exits with 1 where one does not.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform

TRIALS = Path(__file__).resolve().parent.parent / "tests" / "store"
RUNTIME = ("tps_store.c", "tps_slots.c", "tps_crc32.c")
# FLASH of trials.c: whether a unit whose program was cut off takes another one.
RESUMES, STRICT, UNREADABLE, ZEROS = 1, 0, 2, 3


@dataclass(frozen=True)
class Flash:
    """The geometry of a flash; `sectors` where its blocks are of unlike sizes."""

    name: str
    unit: int
    page: int
    block: int
    count: int
    sectors: tuple[int, ...] = ()
    ways: int = 1


K = 1024
FLASHES = (
    Flash("STM32F4, sectors of 16, 64, 128 KB", 4, 64, 16 * K, 3, (16 * K, 64 * K, 128 * K)),
    Flash("nRF52, pages of 4 KB", 4, 64, 4 * K, 4),
    Flash("NOR, sectors of 4 KB, pages of 256", 256, 256, 4 * K, 4, ways=16),
)
# A small one, and that of the digits example.
STATES = (122, 4920)


def build(folder: Path, compiler: Sequence[str] = (), flags: Sequence[str] = ()) -> Path:
    """The program of trials.c in a folder; with the compiler of the host where none is named."""
    if not compiler:
        found = find_compiler(load_platform("host"))
        compiler = (*found.command, *(("cc",) if found.family == "zig" else ()))
        flags = ("-O2", "-fno-sanitize=all", *flags) if found.family == "zig" else ("-O2", *flags)
    # What gives the files of a project the names of its model.
    (folder / "tps_names.h").write_text("/* one model */\n")
    sources = [firmware_dir() / "runtime" / name for name in RUNTIME]
    sources += [TRIALS / "trials.c", TRIALS / "flash.c"]
    folders = [f"-I{place}" for place in (folder, firmware_dir() / "runtime", TRIALS)]
    words = [*compiler, "-std=c11", *flags, *folders, *map(str, sources)]
    subprocess.run([*words, "-o", str(folder / "trials")], check=True, timeout=300)
    return folder / "trials"


def run(
    program: Path, kind: str, flash: Flash, *, state: int, saves: int, flag: int, seed: int = 1
) -> dict[str, int]:
    """What trials of a kind count."""
    sectors = ",".join(map(str, flash.sectors)) or "-"
    numbers = (flash.unit, flash.page, flash.block, flash.count, sectors, state, saves)
    words = [kind, *map(str, numbers), str(flash.ways), str(flag), str(seed)]
    done = subprocess.run(
        [str(program), *words], capture_output=True, text=True, check=False, timeout=3600
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.returncode} {done.stderr}")
    counts = dict(pair.split("=") for pair in done.stdout.split())
    return {name: int(count) for name, count in counts.items()}


def lost(counts: dict[str, int]) -> int:
    """Trials that did not end as promised."""
    return sum(count for name, count in counts.items() if name.startswith("bad_"))


def rows(program: Path, saves: int) -> Iterator[tuple[str, dict[str, int]]]:
    """The rows of the table, and what they count; of the large state a tenth of the saves."""
    small, large = STATES
    ways = ((small, RESUMES, saves), (small, STRICT, saves), (large, RESUMES, saves // 10))
    for flash in FLASHES:
        for state, flag, count in ways:
            cuts = run(program, "cuts", flash, state=state, saves=count, flag=flag)
            worn = run(program, "wear", flash, state=state, saves=count, flag=flag)
            cells = (
                flash.name,
                f"{state:,}",
                "1" if flag == RESUMES else "0",
                f"{count:,}",
                f"{cuts['operations']:,}",
                f"{cuts['cuts']:,}",
                f"{cuts['none']:,}",
                f"{cuts['same']:,}",
                f"{cuts['newer']:,}",
                f"{lost(cuts)}",
                f"{worn['least_erased']} to {worn['most_erased']}",
            )
            yield f"| {' | '.join(cells)} |", cuts


HEAD = """\
| flash | bytes of the state | `resumes` | saves | operations | cuts | nothing to load yet | \
gave the save before | ... the one cut off | lost | erases of a block |
|---|---|---|---|---|---|---|---|---|---|---|"""


def main() -> int:
    """Print the table; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--saves", type=int, default=1000)
    arguments = parser.parse_args()
    failures = 0
    print(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        for row, counts in rows(build(Path(folder)), arguments.saves):
            print(row, flush=True)
            failures += lost(counts)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
