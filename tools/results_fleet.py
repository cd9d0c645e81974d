"""Fleets: the tables of docs/results/fleet.md.

    python tools/results_fleet.py docs/results/fleet.json --hapt PACKAGE

with the package that tools/make_hapt.py takes, runs what the file does not hold yet, adds each
result to it at once, and prints the tables; `--print` runs nothing. Without `--hapt` there are only
the digits. Nothing is tuned for fleets: nets, rates and formats are those of the examples.

HAPT: the 21 training people of UCI HAR are a device each. A person has two recordings; the device
learns windows of the first, and is tested on those of the second.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from experiments import EXAMPLES, Results, results_parser
from make_hapt import TEST_PEOPLE, read_recordings, windows

from tpsgd_edge.fleet.accidents import Accidents
from tpsgd_edge.fleet.averaging import AVERAGES, Average
from tpsgd_edge.fleet.partition import parse_partition
from tpsgd_edge.fleet.plan import Fleet
from tpsgd_edge.fleet.server import Averaging
from tpsgd_edge.fleet.simulation import simulate_fleet
from tpsgd_edge.spec import Spec, load_spec

SEEDS = (1, 2, 3)
DIGITS, ROUNDS = "digits.toml", 40
HAPT, PERSONS, HAPT_ROUNDS = "har_conv1d.toml", 21, 30
TROUBLES = {
    "none": Accidents(),
    "30 % drop out": Accidents(drop=0.3),
    "30 % are late": Accidents(slow=0.3),
    "10 % lie": Accidents(lie=0.1),
    "30 % lie": Accidents(lie=0.3),
}
TROUBLED = ("even", "classes:2")
SIZES = (10, 100, 1000)


def spec_of(name: str, seed: int, *settings: str) -> Spec:
    """An example with a seed, for this computer."""
    return load_spec(EXAMPLES / name, [f"seed={seed}", 'platform.name="host"', *settings])


def run(spec: Spec, fleet: Fleet) -> dict[str, Any]:
    """Scores, bytes of an update and of a message, and what the same samples come to without."""
    result = simulate_fleet(spec, fleet)
    last, updates = result.rounds[-1].scores, result.updates
    found: dict[str, Any] = {
        "test": last.whole,
        "own": last.mean_own,
        "worst": last.worst_own,
        "up": result.up / max(1, updates),
        "down": result.down / max(1, updates),
        "hops": [result.up, result.down, result.above.up, result.above.down],
        "whole": 20 + sum(own.count * _bytes(own.type) for own in result.shared.tensors),
        "seconds": result.seconds,
    }
    for one in result.baselines:
        scores = one.scores
        found[one.name] = {
            "test": scores.whole,
            "own": scores.mean_own,
            "worst": scores.worst_own,
        }
    return found


def _bytes(type_: str) -> int:
    return {"s8": 1, "s16": 2, "s32": 4}[type_]


def digits_runs(table: Results) -> None:
    """Digits over ten devices: even, few classes, drawn shares; both formats of weights."""
    for weights in ("s16", "s8"):
        for partition in ("classes:2", "dirichlet:0.3", "even"):
            for seed in SEEDS:
                spec = spec_of(DIGITS, seed, f'numbers.weights="{weights}"')
                way = parse_partition(partition)
                fleet = Fleet(10, ROUNDS, partition=way, has_baselines=True)
                table.get(f"digits/{weights}/{partition}/{seed}", partial(run, spec, fleet))


def trouble_runs(table: Results) -> None:
    """Digits with devices that drop out, come late or lie, by each average."""
    for partition in TROUBLED:
        for trouble, accidents in TROUBLES.items():
            for average in AVERAGES:
                for seed in SEEDS:
                    fleet = Fleet(
                        10,
                        ROUNDS,
                        partition=parse_partition(partition),
                        accidents=accidents,
                        averaging=Averaging(average, 0.3),
                    )
                    key = f"trouble/{partition}/{trouble}/{average}/{seed}"
                    table.get(key, partial(run, spec_of(DIGITS, seed), fleet))


def hapt_file(package: Path, folder: Path) -> Path:
    """Windows of 21 people, those of the first recording for training, with their numbers."""
    found: dict[str, list[Any]] = {name: [] for name in ("x", "y", "person")}
    sets = {"train": found, "test": {name: [] for name in found}}
    for person, recordings in sorted(read_recordings(package).items()):
        if person in TEST_PEOPLE:
            continue
        for part, chosen in (("train", recordings[:1]), ("test", recordings[1:])):
            for sample, activity in (one for recording in chosen for one in windows(recording)):
                for name, value in (("x", sample), ("y", activity), ("person", person)):
                    sets[part][name].append(value)
    arrays: dict[str, Any] = {
        f"{name}_{part}": np.array(values)
        for part, own in sets.items()
        for name, values in own.items()
    }
    np.savez(folder / "hapt.npz", **arrays)
    return folder / "hapt.npz"


def hapt_runs(table: Results, package: Path | None, seeds: Sequence[int]) -> None:
    """By person: alone, federated, with a last layer of one's own, central."""
    if package is None or not table.may_train:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = hapt_file(package, Path(folder))
        way = parse_partition("by:person")
        for seed in seeds:
            spec = spec_of(HAPT, seed)
            data = spec.data.model_copy(update={"file": str(path), "test_file": None})
            spec = spec.model_copy(update={"data": data})
            for personal in ((), ("fc",)):
                fleet = Fleet(
                    PERSONS,
                    HAPT_ROUNDS,
                    partition=way,
                    personal=personal,
                    has_baselines=not personal,
                )
                name = ",".join(personal) or "none"
                table.get(f"hapt/{name}/none/mean/{seed}", partial(run, spec, fleet))
            for trouble, average in _HAPT_TROUBLES:
                fleet = Fleet(
                    PERSONS,
                    HAPT_ROUNDS,
                    partition=way,
                    accidents=TROUBLES[trouble],
                    averaging=Averaging(average, 0.2),
                )
                table.get(f"hapt/none/{trouble}/{average}/{seed}", partial(run, spec, fleet))


_HAPT_TROUBLES: tuple[tuple[str, Average], ...] = (
    ("30 % drop out", "mean"),
    ("10 % lie", "mean"),
    ("10 % lie", "median"),
    ("10 % lie", "trimmed"),
    ("10 % lie", "krum"),
)


def gateway_runs(table: Results) -> None:
    """Digits over a hundred devices, with and without gateways."""
    for partition in TROUBLED:
        for gateways, trouble, average in _GATEWAYS:
            for seed in SEEDS:
                fleet = Fleet(
                    100,
                    ROUNDS,
                    partition=parse_partition(partition),
                    accidents=TROUBLES[trouble],
                    averaging=Averaging(average, 0.3),
                    gateways=gateways,
                )
                key = f"gateways/{partition}/{gateways}/{trouble}/{average}/{seed}"
                table.get(key, partial(run, spec_of(DIGITS, seed), fleet))


_GATEWAYS: tuple[tuple[int, str, Average], ...] = (
    (0, "none", "mean"),
    (1, "none", "mean"),
    (5, "none", "mean"),
    (20, "none", "mean"),
    (0, "30 % drop out", "mean"),
    (5, "30 % drop out", "mean"),
    (5, "10 % lie", "mean"),
    (0, "10 % lie", "median"),
    # Of five gateways each has devices with the same two classes, of four with all of them.
    (4, "10 % lie", "median"),
    (5, "10 % lie", "median"),
)


def size_runs(table: Results) -> None:
    """Time and memory by the number of devices, each in a process of its own."""
    for count in SIZES:
        table.get(f"size/{count}", partial(measured, count))


def measured(count: int) -> dict[str, float]:
    """Time and memory of a fleet of so many devices, seen from outside."""
    command = [sys.executable, __file__, "none", "--size", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3000, check=True)
    seconds, whole, peak = (float(word) for word in done.stdout.split())
    return {"seconds a round": seconds, "seconds": whole, "peak MB": peak / 1024}


def one_size(count: int) -> None:
    """Run ten rounds of Fashion-MNIST, 60,000 samples, and print seconds and peak kilobytes."""
    start = time.perf_counter()
    fleet = Fleet(count, 10, partition=parse_partition("dirichlet:0.3"))
    result = simulate_fleet(spec_of("fashion_small.toml", 1, "data.limit=60000"), fleet)
    whole = time.perf_counter() - start
    print(result.seconds / 10, whole, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


# ------------------------------------------------------------------ tables


def _percent(values: Sequence[float]) -> str:
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}" if values else ""


def _of(table: Results, start: str) -> list[Any]:
    return [
        table.results[f"{start}/{seed}"] for seed in SEEDS if f"{start}/{seed}" in table.results
    ]


def digits_table(table: Results) -> Iterator[str]:
    """Accuracy on the test set, and bytes."""
    yield "| weights | samples | alone | federated | central | bytes of an update | all values |"
    yield "|---|---|---|---|---|---|---|"
    for weights in ("s16", "s8"):
        for partition in ("classes:2", "dirichlet:0.3", "even"):
            rows = _of(table, f"digits/{weights}/{partition}")
            if not rows:
                continue
            cells = [
                _percent([row["alone"]["test"] for row in rows]),
                _percent([row["test"] for row in rows]),
                _percent([row["central"]["test"] for row in rows]),
                f"{mean(row['up'] for row in rows):,.0f}",
                f"{rows[0]['whole']:,}",
            ]
            yield f"| {weights} | `{partition}` | {' | '.join(cells)} |"


def trouble_table(table: Results) -> Iterator[str]:
    """Accuracy on the test set with accidents, by average."""
    yield f"| samples | accidents | {' | '.join(AVERAGES)} |"
    yield "|---|---|" + "---|" * len(AVERAGES)
    for partition in TROUBLED:
        for trouble in TROUBLES:
            start = f"trouble/{partition}/{trouble}"
            cells = [
                _percent([row["test"] for row in _of(table, f"{start}/{average}")])
                for average in AVERAGES
            ]
            yield f"| `{partition}` | {trouble} | {' | '.join(cells)} |"


def gateway_table(table: Results) -> Iterator[str]:
    """Accuracy on the test set with gateways, and kilobytes of a round on both hops."""
    heads = ("devices: up", "down", "gateways: up", "down")
    yield f"| samples | gateways | accidents | average | test set | {' | '.join(heads)} |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for partition in TROUBLED:
        for gateways, trouble, average in _GATEWAYS:
            rows = _of(table, f"gateways/{partition}/{gateways}/{trouble}/{average}")
            if rows:
                sent = (mean(row["hops"][i] for row in rows) / ROUNDS / 1000 for i in range(4))
                score = _percent([row["test"] for row in rows])
                cells = [f"`{partition}`", str(gateways or "none"), trouble, average, score]
                yield f"| {' | '.join([*cells, *(f'{kilobytes:,.1f}' for kilobytes in sent)])} |"


def hapt_table(table: Results) -> Iterator[str]:
    """Accuracy of each person's own test samples: mean over people, and the worst."""
    yield "| | own samples | worst person | bytes of an update | all values |"
    yield "|---|---|---|---|---|"
    plain = _of(table, "hapt/none/none/mean")
    for name in ("alone", "central"):
        rows = [row[name] for row in plain]
        yield _hapt_row(name, rows, "", "")
    for title, key in (
        ("federated", "none/none/mean"),
        ("federated, `--personal fc`", "fc/none/mean"),
        *(
            (f"federated, {trouble}, {average}", f"none/{trouble}/{average}")
            for trouble, average in _HAPT_TROUBLES
        ),
    ):
        rows = _of(table, f"hapt/{key}")
        if rows:
            sent = f"{mean(row['up'] for row in rows):,.0f}"
            yield _hapt_row(title, rows, sent, f"{rows[0]['whole']:,}")


def _hapt_row(title: str, rows: Sequence[Any], sent: str, whole: str) -> str:
    own, worst = (_percent([row[key] for row in rows]) for key in ("own", "worst"))
    return f"| {title} | {own} | {worst} | {sent} | {whole} |"


def size_table(table: Results) -> Iterator[str]:
    """Time and memory."""
    yield "| devices | samples of each, mean | seconds a round | seconds in all | peak MB |"
    yield "|---|---|---|---|---|"
    for count in SIZES:
        row = table.results.get(f"size/{count}")
        if row:
            cells = [f"{row[key]:.1f}" for key in ("seconds a round", "seconds")]
            cells = [f"{count:,}", f"{60_000 // count:,}", *cells, f"{row['peak MB']:.0f}"]
            yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Run what is missing, print the tables."""
    parser = results_parser(__doc__)
    parser.add_argument("--hapt", type=Path, help="the package that tools/make_hapt.py takes")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.size is not None:
        one_size(arguments.size)
        return
    table = Results(arguments.results, may_train=not arguments.only_print)
    digits_runs(table)
    hapt_runs(table, arguments.hapt, SEEDS[:1])
    trouble_runs(table)
    size_runs(table)
    hapt_runs(table, arguments.hapt, SEEDS[1:])
    gateway_runs(table)
    for lines in (digits_table, hapt_table, trouble_table, gateway_table, size_table):
        print("\n".join(lines(table)), end="\n\n")


if __name__ == "__main__":
    main()
