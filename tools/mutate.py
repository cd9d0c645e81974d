"""Breaks the code on purpose, in one place at a time, and looks whether the quick tests notice.

    python tools/mutate.py                      all of tools/mutations/, about an hour of one core
    python tools/mutate.py --jobs 2             two at a time
    python tools/mutate.py --sample 12          every so many of them
    python tools/mutate.py --only softmax       those whose file or text has the word
    python tools/mutate.py --log FILE --resume  goes on after a run that was stopped; what lived
                                                is looked at again

A mutation is an exact text that occurs once in a file, what stands there instead, and the tests
that must find it. It is made in a copy of the checkout, never in the checkout. Prints each that
lives and the score; ends with 1 below 95 %, and where an entry of the list is a mistake: its text
or its tests are not there. Those called equivalent are argued for and not run.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tools" / "mutations"
WANTED = 0.95
TIMEOUT = 900
# No quick test takes so long, in seconds, unless it waits for what never comes.
ONE_TEST = 60
FOUND, LIVES, MISTAKE = "found", "lives", "mistake"
_NO_TESTS = (4, 5)  # pytest: they could not be collected; none was chosen
# Short names of tests; of each the quick ones run.
TESTS = {
    "losses": "tests/proof/test_corners_of_losses.py",
    "f32": "tests/proof/test_corners_of_f32.py",
    "builds": "tests/proof/test_wrong_builds.py",
    "learning": "tests/proof/test_corners_of_learning.py",
    "layers": "tests/proof/test_corners_of_layers.py",
    "kernels": "tests/proof/test_corners_of_kernels.py",
    "branches": "tests/proof/test_corners_of_branches.py",
    "lstm": "tests/proof/test_corners_of_lstm.py",
    "norms": "tests/proof/test_corners_of_norms.py",
    "right": "tests/proof/test_wrong_devices.py::test_code_that_is_right_is_equal",
    "wrong": "tests/proof/test_wrong_devices.py",
    "device": "tests/unit/test_toolchain_host.py",
    "order": "tests/unit/test_order_and_dead_zone.py",
    "dense": "tests/random/test_random_networks.py",
    "maps": "tests/random/test_random_maps.py",
    "sequences": "tests/random/test_random_sequences.py",
    "detector": "tests/proof/test_corners_of_detectors.py",
    "detectors": "tests/random/test_random_detectors.py",
    "replay": "tests/proof/test_corners_of_replay.py",
    "kept": "tests/unit/test_replay.py",
    "orders": "tests/unit/test_orders.py",
    "memories": "tests/random/test_random_memories.py",
    "memory": "tests/proof/test_corners_of_memories.py",
    "memory_works": "tests/unit/test_works_of_memories.py",
    "memory_by_hand": "tests/unit/test_reference_memory.py",
    "backprop": "tests/random/test_random_backprop.py",
    "readouts": "tests/random/test_random_readouts.py",
    "graphs": "tests/random/test_random_graphs.py",
    "fails": "tests/random/test_proof_can_fail.py",
    "logs": "tests/unit/test_logs.py",
    "search": "tests/unit/test_search.py",
    "search_space": "tests/unit/test_search_space.py",
    "search_trial": "tests/unit/test_search_trial.py",
    "fleet": "tests/unit/test_fleet_averaging.py",
    "fleets": "tests/unit/test_fleet.py",
    "fleet_flower": "tests/unit/test_fleet_flower.py",
    "gateways": "tests/unit/test_fleet_gateways.py",
    "cuts": "tests/store/test_power_cuts.py",
    "checkpoints": "tests/store/test_checkpoints.py",
    "formats": "tests/store/test_formats.py",
    "projects": "tests/store/test_stored_projects.py",
    "migration": "tests/store/test_migration.py",
    "frames": "tests/wire/test_frames.py",
    "linked": "tests/wire/test_linked.py",
    "lines": "tests/wire/test_line_faults.py",
    "wired": "tests/wire/test_wired_projects.py",
    "watched": "tests/wire/test_watched_drift.py",
    "worst": "tests/unit/test_worst_step.py",
    "wired_log": "tests/wire/test_wired_log.py",
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

    @property
    def key(self) -> str:
        """What tells it from all others, whatever its tests are."""
        return hashlib.sha256("\0".join((self.path, self.old, self.new)).encode()).hexdigest()[:16]

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


def outcome(mutation: Mutation, folder: Path) -> str:
    """What its tests say in a copy that has the change; the copy is mended afterwards.

    Returns:
        FOUND, LIVES or MISTAKE: the text has no place, or its tests choose nothing.
    """
    file = folder / mutation.path
    before = file.read_bytes()
    try:
        apply(mutation, folder)
        code = _pytest(folder, *mutation.tests)
    except ValueError:
        return MISTAKE
    finally:
        file.write_bytes(before)
    # Where a mutation keeps a module from being imported, its tests are not there any more.
    if code in _NO_TESTS and _pytest(folder, "--collect-only", *mutation.tests) != 0:
        return MISTAKE
    return LIVES if code == 0 else FOUND


def _pytest(folder: Path, *arguments: str) -> int:
    """The exit code of the quick ones of some tests in a copy; whoever hangs has failed."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    try:
        return subprocess.run(
            [*command, "-m", "not slow or spare", f"--timeout={ONE_TEST}", *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return 1


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


class Log:
    """What came out of each mutation, in a file that the next run can go on from."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def found(self) -> set[str]:
        """Keys of those that were found before; whatever lived is looked at again."""
        if self._path is None or not self._path.exists():
            return set()
        lines = map(json.loads, self._path.read_text(encoding="utf-8").splitlines())
        return {line["key"] for line in lines if line["outcome"] == FOUND}

    def add(self, mutation: Mutation, outcome: str, seconds: float) -> None:
        """Note one that is finished."""
        if self._path is not None:
            entry = {"outcome": outcome, "seconds": round(seconds, 1), "mutation": str(mutation)}
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry | {"key": mutation.key}) + "\n")


def outcomes(chosen: Sequence[Mutation], jobs: int) -> Iterator[tuple[Mutation, str, float]]:
    """Run them, each in a copy of the checkout; yield what came out and its seconds."""
    with tempfile.TemporaryDirectory(prefix="tpsgd-mutate-") as scratch:
        folders: SimpleQueue[Path] = SimpleQueue()
        for job in range(jobs):
            folders.put(copy_of_checkout(Path(scratch) / str(job)))

        def look(mutation: Mutation) -> tuple[Mutation, str, float]:
            folder, start = folders.get(), time.monotonic()
            try:
                return mutation, outcome(mutation, folder), time.monotonic() - start
            finally:
                folders.put(folder)

        with ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(look, mutation) for mutation in chosen]
            yield from (future.result() for future in as_completed(futures))


def run(chosen: Sequence[Mutation], jobs: int, log: Log, before: set[str]) -> int:
    """Run those not found before and print what lives; the exit code."""
    left = [one for one in chosen if one.key not in before]
    counts, start = Counter({FOUND: len(chosen) - len(left)}), time.monotonic()
    for done, (mutation, result, seconds) in enumerate(outcomes(left, jobs), 1):
        log.add(mutation, result, seconds)
        counts[result] += 1
        if result != FOUND:
            print(f"{result}: {mutation}", flush=True)
        if done % 10 == 0:
            print(f"{done} of {len(left)}, {counts[LIVES]} live", flush=True)
    score = counts[FOUND] / max(1, counts.total())
    took = time.monotonic() - start
    print(f"score {100 * score:.1f} %: {counts[FOUND]} of {counts.total()} found, {took:,.0f} s")
    return 0 if score >= WANTED and not counts[MISTAKE] else 1


def main() -> int:
    """Choose, run, count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--sample", type=int, help="how many, spread evenly over the list")
    parser.add_argument("--only", help="a word of the file or of the text")
    parser.add_argument("--log", type=Path, help="note what came out of each, as lines of JSON")
    parser.add_argument(
        "--resume", action="store_true", help="leave out what the log says is found"
    )
    arguments = parser.parse_args()
    if arguments.resume and arguments.log is None:
        parser.error("--resume goes on from a log: give --log FILE")
    everything = mutations()
    chosen = [one for one in everything if not one.equivalent]
    print(f"{len(everything)} mutations, {len(everything) - len(chosen)} of them equivalent")
    if arguments.only:
        chosen = [one for one in chosen if arguments.only in f"{one.path} {one.old} {one.new}"]
    if arguments.sample:
        count = min(arguments.sample, len(chosen))
        chosen = [chosen[i * len(chosen) // count] for i in range(count)]
    log = Log(arguments.log)
    return run(chosen, arguments.jobs, log, log.found() if arguments.resume else set())


if __name__ == "__main__":
    sys.exit(main())
