"""How instructions grow with a network: 1,000 to 1,000,000 weights, counted on a Cortex-M4F.

    python tools/bench_growth.py docs/results/growth.json docs/growth.png

counts an inference and a training step, at the lowest rates at which it updates nine of ten units,
on inputs none of which is 0, for seven networks of one hidden layer; fits a straight line to each
column of counts, prints how far it is from them, and draws both. `--print` counts nothing and reads
the file.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import (
    Prepared,
    compile_for_device,
    prepare,
    render_project,
    scratch_project,
)
from tpsgd_edge.toolchain.counting import count_instructions
from tpsgd_edge.toolchain.interface import interface_of

# Inputs and hidden units; ten classes.
SHAPES = ((32, 24), (64, 40), (128, 72), (256, 120), (512, 192), (784, 400), (1024, 968))
FORMATS = ("s16", "s8")
CLASSES = 10
RATES = tuple(0.0001 * 2**k for k in range(16))
COLUMNS = {"inference": "inference", "step": "training step, most units updated"}

Counts = dict[str, list[dict[str, int]]]


def prepared_for(shape: tuple[int, int], weights: str, rates: tuple[float, float]) -> Prepared:
    """One network; its samples, in the units of the device, have no zeros."""
    n_in, units = shape
    content = {
        "name": "growth",
        "numbers": {"weights": weights},
        "model": {"layers": [{"name": "fc1", "units": units}, {"name": "fc2", "units": CLASSES}]},
        "rule": {"learning_rate": rates[0], "output_learning_rate": rates[1]},
        "data": {"file": "drawn.npz"},
        "platform": {"name": "cortex-m4f"},
    }
    spec = spec_from_dict(content, folder=Path())
    rng = np.random.default_rng(1)
    x = rng.integers(1, 256, (40, n_in)).astype(np.uint8)
    return prepare(spec, dataset_from_arrays(spec, x, np.arange(40) % CLASSES))


def with_most_updated(shape: tuple[int, int], weights: str) -> tuple[Prepared, NDArray[np.int8]]:
    """At the lowest rates at which nine of ten units of each layer learn, and a sample for it."""
    rng = np.random.default_rng(2)
    x = (rng.integers(1, 40, (1, shape[0])) * rng.choice([-1, 1], shape[0])).astype(np.int8)
    tries = {"fc1": 0, "fc2": 0}
    while max(tries.values()) < len(RATES):
        prepared = prepared_for(shape, weights, (RATES[tries["fc1"]], RATES[tries["fc2"]]))
        missed = _not_updated(prepared, x[0])
        if not missed:
            return prepared, x
        tries = {name: turn + (name in missed) for name, turn in tries.items()}
    raise SystemExit(f"{shape}, {weights}: no rate is high enough")


def _not_updated(prepared: Prepared, x: NDArray[np.int8]) -> set[str]:
    reference = Reference(prepared.model)
    before = reference.state()
    reference.train_step(x, 0)
    after = reference.state()
    moved = {n: (before[f"{n}.b"] != after[f"{n}.b"]).mean() for n in ("fc1", "fc2")}
    return {name for name, share in moved.items() if share < 0.9}


def counted(shape: tuple[int, int], weights: str) -> dict[str, int]:
    """Weights, instructions of an inference and of a step."""
    prepared, x = with_most_updated(shape, weights)
    project = render_project(prepared)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        labels = np.zeros(1, np.uint16)
        counts = count_instructions(binary, interface_of(prepared.model), x, labels)
    assert counts.step is not None
    n_in, units = shape
    return {
        "weights": n_in * units + units * CLASSES,
        "inference": counts.inference.per_run,
        "step": counts.step.per_run,
    }


def line(rows: Sequence[dict[str, int]], column: str) -> tuple[float, float, float]:
    """Instructions a weight, those beside them, and the largest distance as a share of a count.

    Each count weighs by its size: least squares of relative errors.
    """
    w, y = (np.array([row[name] for row in rows], float) for name in ("weights", column))
    slope, offset = np.linalg.lstsq(np.stack([w, np.ones_like(w)], 1) / y[:, None], w * 0 + 1)[0]
    return float(slope), float(offset), float(np.abs((slope * w + offset) / y - 1).max())


def table(counts: Mapping[str, list[dict[str, int]]]) -> Iterator[str]:
    """The counts, and what the lines are."""
    yield "| weights | " + " | ".join(f"{f}, {c}" for f in counts for c in COLUMNS) + " |"
    yield "|---:" * (1 + len(counts) * len(COLUMNS)) + "|"
    for rows in zip(*counts.values(), strict=True):
        cells = [f"{row[column]:,}" for row in rows for column in COLUMNS]
        yield f"| {rows[0]['weights']:,} | {' | '.join(cells)} |"
    for kind, of_kind in counts.items():
        for column in COLUMNS:
            slope, offset, far = line(of_kind, column)
            yield f"\n{kind}, {column}: {slope:.2f} a weight + {offset:,.0f}, off by {far:.1%}"


def draw(counts: Mapping[str, list[dict[str, int]]], path: Path) -> None:
    """Counts as points, straight lines through them; both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained", facecolor="white")
    axes = figure.subplots()
    colours = iter(("#0b5fa5", "#7fb2dc", "#b5502a", "#e2a98f"))
    for kind, rows in counts.items():
        for column, title in reversed(COLUMNS.items()):
            w, colour = np.array([row["weights"] for row in rows]), next(colours)
            slope, offset, _ = line(rows, column)
            axes.plot(w, slope * w + offset, color=colour, linewidth=1)
            label = f"{kind}, {title}: {slope:.2f} a weight"
            axes.plot(w, [row[column] for row in rows], "o", color=colour, label=label)
    axes.set(
        title="Instructions on a Cortex-M4F against weights",
        xlabel="weights",
        ylabel="instructions",
        xscale="log",
        yscale="log",
    )
    axes.legend(frameon=False, fontsize=9)
    axes.grid(color="#dddddd")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> int:
    """Count, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="JSON file of the counts")
    parser.add_argument("picture", type=Path, nargs="?", help="the PNG to write")
    parser.add_argument("--print", action="store_true", dest="only_print", help="count nothing")
    parser.add_argument("--smallest", type=int, metavar="N", help="only the N smallest networks")
    arguments = parser.parse_args()
    try:
        if arguments.only_print:
            counts: Counts = json.loads(arguments.file.read_text())
        else:
            shapes = SHAPES[: arguments.smallest]
            counts = {kind: [counted(shape, kind) for shape in shapes] for kind in FORMATS}
            arguments.file.write_text(json.dumps(counts, indent=1) + "\n")
    except (OSError, TpsgdError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    print("\n".join(table(counts)))
    if arguments.picture is not None:
        draw(counts, arguments.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
