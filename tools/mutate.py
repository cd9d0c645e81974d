"""Breaks the code on purpose, in one place at a time, and looks whether the quick tests notice.

    python tools/mutate.py                      all of tools/mutations/, about an hour of one core
    python tools/mutate.py --jobs 2             two at a time
    python tools/mutate.py --sample 12          every so many of them
    python tools/mutate.py --only softmax       those whose file or text has the word

A mutation is an exact text that occurs once in a file, what stands there instead, and the tests
that must find it. It is made in a copy of the checkout, never in the checkout. Prints each that
lives and the score; ends with 1 below 95 %. Those called equivalent are argued for and not run.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tools" / "mutations"
WANTED = 0.95
TIMEOUT = 900
# Short names of tests; of each the quick ones run.
TESTS = {
    "learning": "tests/proof/test_corners_of_learning.py",
    "layers": "tests/proof/test_corners_of_layers.py",
    "right": "tests/proof/test_wrong_devices.py::test_code_that_is_right_is_equal",
    "wrong": "tests/proof/test_wrong_devices.py",
    "device": "tests/unit/test_toolchain_host.py",
    "order": "tests/unit/test_order_and_dead_zone.py",
    "dense": "tests/random/test_random_networks.py",
    "maps": "tests/random/test_random_maps.py",
    "sequences": "tests/random/test_random_sequences.py",
    "backprop": "tests/random/test_random_backprop.py",
    "readouts": "tests/random/test_random_readouts.py",
    "fails": "tests/random/test_proof_can_fail.py",
}
_EQUIVALENT = "equivalent: "


@dataclass(frozen=True, slots=True)
class Mutation:
    """One place that is made wrong.

    Attributes:
        tests: what pytest gets.
        equivalent: why nobody could notice; empty where somebody must.
    """

    path: str
    old: str
    new: str
    tests: tuple[str, ...]
    equivalent: str

    def __str__(self) -> str:
        return f"{self.path}: {_short(self.old)} -> {_short(self.new)}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "..."


def mutations() -> list[Mutation]:
    """All that are written down, file by file."""
    return [one for path in sorted(FOLDER.glob("*.toml")) for one in _read(path)]


def _read(path: Path) -> Iterator[Mutation]:
    for entry in tomllib.loads(path.read_text(encoding="utf-8"))["file"]:
        for old, new, *more in entry["changes"]:
            by = more[0] if more else entry["by"]
            is_equivalent = by.startswith(_EQUIVALENT)
            tests = () if is_equivalent else tuple(_tests(by))
            reason = by.removeprefix(_EQUIVALENT) if is_equivalent else ""
            yield Mutation(entry["path"], old, new, tests, reason)


def _tests(by: str) -> Iterator[str]:
    for name in by.split(", "):
        group, colons, test = name.partition("::")
        yield TESTS.get(group, group) + colons + test


def apply(mutation: Mutation, folder: Path) -> None:
    """Make the change in a copy of the checkout.

    Raises:
        ValueError: the text is not there, or more than once.
    """
    file = folder / mutation.path
    text = file.read_text(encoding="utf-8")
    if (count := text.count(mutation.old)) != 1:
        raise ValueError(f"{mutation.path} has {count} times {mutation.old!r}")
    file.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")


def is_found(mutation: Mutation, folder: Path) -> bool:
    """Whether its tests fail in a copy that has the change; the copy is mended afterwards."""
    file = folder / mutation.path
    before = file.read_bytes()
    apply(mutation, folder)
    try:
        return not passes(mutation.tests, folder)
    finally:
        file.write_bytes(before)


def passes(tests: Sequence[str], folder: Path) -> bool:
    """Whether the quick ones of some tests pass in a copy."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
    }
    try:
        done = subprocess.run(
            [*command, "-m", "not slow", *tests],
            cwd=folder,
            env=environment,
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode not in (0, 1, 2):
        raise ValueError(f"{tests}: {done.stdout.decode()[-500:]}")
    return done.returncode == 0


def copy_of_checkout(target: Path) -> Path:
    """What git knows of, at `target`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in listed.strip("\0").split("\0"):
        source, place = ROOT / name, target / name
        if source.is_file() and not name.startswith("docs/results/"):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
    return target


def run(chosen: Sequence[Mutation], jobs: int) -> int:
    """Run them and print what lives; the exit code."""
    living, done, start = [], 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tpsgd-mutate-") as scratch:
        folders: SimpleQueue[Path] = SimpleQueue()
        for job in range(jobs):
            folders.put(copy_of_checkout(Path(scratch) / str(job)))

        def look(mutation: Mutation) -> bool:
            folder = folders.get()
            try:
                return is_found(mutation, folder)
            finally:
                folders.put(folder)

        with ThreadPoolExecutor(jobs) as pool:
            for mutation, found in zip(chosen, pool.map(look, chosen), strict=True):
                done += 1
                if not found:
                    living.append(mutation)
                    print(f"lives: {mutation}", flush=True)
                elif done % 10 == 0:
                    print(f"{done} of {len(chosen)}, {len(living)} live", flush=True)
    score = 1 - len(living) / max(1, len(chosen))
    seconds = time.monotonic() - start
    print(f"score {100 * score:.1f} %: {done - len(living)} of {done} found, {seconds:,.0f} s")
    return 0 if score >= WANTED else 1


def main() -> int:
    """Choose, run, count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--sample", type=int, help="how many, spread evenly over the list")
    parser.add_argument("--only", help="a word of the file or of the text")
    arguments = parser.parse_args()
    everything = mutations()
    chosen = [one for one in everything if not one.equivalent]
    print(f"{len(everything)} mutations, {len(everything) - len(chosen)} of them equivalent")
    if arguments.only:
        chosen = [one for one in chosen if arguments.only in f"{one.path} {one.old} {one.new}"]
    if arguments.sample:
        count = min(arguments.sample, len(chosen))
        chosen = [chosen[i * len(chosen) // count] for i in range(count)]
    return run(chosen, arguments.jobs)


if __name__ == "__main__":
    sys.exit(main())
