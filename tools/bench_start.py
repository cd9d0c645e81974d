"""Processor time that commands take to start, beside that of the libraries they cannot do without.

    python tools/bench_start.py            ten runs of each, the median
    python tools/bench_start.py --runs 3
    python tools/bench_start.py --runs 5 build examples/fashion_cnn.toml --platform host

With words, the command of tpsgd-edge that they are is measured. Without, some are, on a starter
(`tpsgd-edge new`) in a folder that is gone afterwards. Times are user and system time of the
process and of the compilers and emulators that it starts. All runs take turns, so that a busy
machine slows all of them, and only ratios to the libraries (numpy, pydantic, click, rich, jinja2:
one bare import) are worth comparing. First runs compile and fill a cache of their own; they are
shown apart.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

LIBRARIES = ("-c", "import numpy, pydantic, click, rich.table, jinja2")
COMMANDS = (
    ("--help",),
    ("build", "starter.toml", "--no-compile"),
    ("build", "starter.toml"),
    ("simulate", "starter.toml"),
)
_MODULE = ("-m", "tpsgd_edge")


def processor_seconds(arguments: Sequence[str], folder: Path) -> float:
    """User and system time of one run of Python, with all that it starts."""
    environment = {**os.environ, "TPSGD_EDGE_CACHE": str(folder / "cache")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(
    runs: int, commands: Sequence[Sequence[str]] = COMMANDS
) -> list[tuple[str, float, float]]:
    """Name, seconds of the first run, median of the others: the libraries, then each command."""
    lines: dict[str, tuple[str, ...]] = {"libraries alone": LIBRARIES}
    for command in commands:
        # The folder of the runs is another one.
        words = (os.path.abspath(word) if Path(word).is_file() else word for word in command)
        lines[" ".join(("tpsgd-edge", *command))] = (*_MODULE, *words)
    seconds: dict[str, list[float]] = {name: [] for name in lines}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        new = [*_MODULE, "new", "starter", "--out", str(folder / "starter")]
        subprocess.run([sys.executable, *new], stdout=subprocess.DEVNULL, check=True)
        (folder / "starter" / "cache").mkdir(mode=0o700)
        for _ in range(runs + 1):
            for name, arguments in lines.items():
                seconds[name].append(processor_seconds(arguments, folder / "starter"))
    return [(name, all_[0], statistics.median(all_[1:])) for name, all_ in seconds.items()]


def table(rows: Sequence[tuple[str, float, float]]) -> str:
    """Seconds and ratios to the first row, as a Markdown table."""
    base = rows[0][2]
    lines = ["| | first run, s | median, s | to the libraries |", "|---|---:|---:|---:|"]
    lines += [f"| {n} | {first:.2f} | {mid:.2f} | {mid / base:.1f} |" for n, first, mid in rows]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    words = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=words[0],
        epilog=words[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=10, help="runs of each after the first")
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, help="a command of tpsgd-edge, and its options"
    )
    asked = parser.parse_args()
    print(table(measured(asked.runs, [asked.command] if asked.command else COMMANDS)))


if __name__ == "__main__":
    main()
