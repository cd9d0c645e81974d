"""Read-outs that learn against fixed ones: the table of docs/RESULTS.md.

    python tools/results_readouts.py docs/results/readouts.json

trains each network with the generated code on this computer, in s16 and s8, with three seeds, and
counts instructions of a step on a Cortex-M4F: the mean over ten samples at the start of each epoch
of the first seed. Each result is added to the file as soon as it is there; what the file holds is
not measured again. `--print` measures nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import Any

import numpy as np
from experiments import EXAMPLES, Results, Stretch, results_parser, stretches
from of_seeds import spread

from tpsgd_edge.spec import Spec, load_spec
from tpsgd_edge.stages import (
    Prepared,
    compile_for_device,
    prepare,
    render_project,
    scratch_project,
)
from tpsgd_edge.toolchain.counting import count_instructions
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.sizes import measure

PLATFORM = "cortex-m4f"
SEEDS, COUNTED = (1, 2, 3), 10


def _wide(units: int) -> tuple[str, ...]:
    layers = f'model.layers=[{{name="fc1",units={units}}},{{name="fc2",units=10}}]'
    return (layers, "rule.epochs=6")


# Example, changes, and the fixed projection: orthogonal codes, the example's own fitted ones.
NETS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "784-16-10": ("fashion_small", _wide(16), "hadamard"),
    "784-128-10": ("fashion_small", _wide(128), "hadamard"),
    "fashion_cnn": ("fashion_cnn", (), "fitted"),
}


@dataclass(frozen=True)
class Run:
    """One training run."""

    net: str
    weights: str
    learned: bool
    seed: int

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        return f"{self.net} {self.weights} {'learned' if self.learned else 'fixed'} {self.seed}"

    @property
    def spec(self) -> Spec:
        """The example with what the run changes."""
        example, changes, fixed = NETS[self.net]
        # The example's rate is s16's; s8 learns best at about three times that.
        if self.weights == "s8" and example == "fashion_small":
            changes = (*changes, "rule.learning_rate=0.01")
        own = (
            f"seed={self.seed}",
            f"platform.name={PLATFORM}",
            "platform.ram=64M",
            "platform.flash=64M",
            f"numbers.weights={self.weights}",
            f"projection.kind={'learned' if self.learned else fixed}",
            "rule.scores=own",
        )
        return load_spec(EXAMPLES / f"{example}.toml", [*changes, *own])


def runs() -> Iterator[Run]:
    """All runs of the table."""
    for net in NETS:
        for weights in ("s16", "s8"):
            for learned in (False, True):
                yield from (Run(net, weights, learned, seed) for seed in SEEDS)


def carried_out(run: Run) -> dict[str, Any]:
    """Test accuracy after the last epoch; of the first seed RAM and instructions too."""
    prepared = prepare(run.spec)
    parts, outputs = stretches(prepared, COUNTED)
    right = outputs.argmax(axis=1) == prepared.dataset.y_test
    result: dict[str, Any] = {"accuracy": float(np.mean(right))}
    return result | (_costs(prepared, parts) if run.seed == SEEDS[0] else {})


def _costs(prepared: Prepared, parts: Sequence[Stretch]) -> dict[str, int]:
    project, interface = render_project(prepared), interface_of(prepared.model)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        steps = []
        for state, x, labels in parts:
            counts = count_instructions(binary, interface, x, labels, state=state)
            assert counts.step is not None
            steps.append(counts.step.total / counts.step.runs)
        ram = measure(binary).ram
    return {"step": round(mean(steps)), "weights": ram.weights, "arena": ram.arena}


def table(results: dict[str, Any]) -> Iterator[str]:
    """One row for each network, format and kind of read-out."""
    yield "| network | weights | read-outs | test accuracy | state and arena, bytes | a step, M4F |"
    yield "|---|---|---|---:|---:|---:|"
    for run in runs():
        if run.seed != SEEDS[0]:
            continue
        kind = "learned" if run.learned else NETS[run.net][2]
        found = [
            results[Run(run.net, run.weights, run.learned, seed).key]
            for seed in SEEDS
            if Run(run.net, run.weights, run.learned, seed).key in results
        ]
        if len(found) < len(SEEDS):
            continue
        scores, first = [100 * one["accuracy"] for one in found], found[0]
        yield (
            f"| {run.net} | {run.weights} | {kind} | {spread(scores)} "
            f"| {first['weights'] + first['arena']:,} | {first['step']:,} |"
        )


def main() -> None:
    """Measure what is missing, print the table."""
    asked = results_parser(__doc__).parse_args()
    results = Results(asked.results, may_train=not asked.only_print)
    for run in runs():
        results.get(run.key, partial(carried_out, run))
    print("\n".join(table(results.results)))


if __name__ == "__main__":
    main()
