"""What a training step costs on each emulated core: instructions, RAM, flash and stack.

    python tools/bench_device.py docs/results/device.json

builds a network of 784-128-10 in each format for each core that unicorn has, counts instructions
exactly and prints one Markdown table. The counts are of

- an inference, on samples of Fashion-MNIST;
- a training step on inputs none of which is 0, at the lowest rates at which every unit of every
  layer is updated;
- a training step on Fashion-MNIST: the mean over a stretch in the middle of each of six epochs. The
  network is trained on this computer up to there, and its state loaded into the core.

RAM is what training takes: weights, arena, stack. With a file, what is measured goes into it, and
counts that it holds already are shown beside their change. f32 is counted on the core with an FPU
only. Unicorn has no model of Cortex-M55.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import (
    Prepared,
    compile_for_host,
    prepare,
    quantize_samples,
    render_project,
    scratch_project,
)
from tpsgd_edge.stages.training import Samples
from tpsgd_edge.toolchain.build import Binary, compile_firmware
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.counting import count_instructions
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.sizes import measure

SPEC = Path(__file__).resolve().parent.parent / "examples" / "fashion_small.toml"
PLATFORMS = ("cortex-m4f", "cortex-m3", "cortex-m0plus", "rv32imc")
FORMATS = ("s16", "s8", "f32")
# Counting soft float takes minutes.
FLOAT_PLATFORMS = ("cortex-m4f",)
UNITS = 128
EPOCHS = 6
# Rates that are tried, lowest first, until every unit is updated: steps stay small, as in training.
DENSE_RATES = tuple(0.0001 * 2**k for k in range(16))


@dataclass(frozen=True)
class Row:
    """What was measured in one format on one core; instructions and bytes."""

    inference: int
    dense_step: int
    real_step: int
    weights: int
    arena: int
    stack: int
    code: int
    code_small: int

    @property
    def ram(self) -> int:
        """All RAM of training."""
        return self.weights + self.arena + self.stack


@dataclass(frozen=True)
class Stretch:
    """Samples in the middle of a training run, and the state before them."""

    state: bytes
    x: NDArray[np.generic]
    labels: NDArray[np.generic]


@cache
def fashion() -> Dataset:
    """Fashion-MNIST, read once."""
    return load_dataset(load_spec(SPEC))


def prepared_for(
    platform: str, weights: str, rates: Sequence[str] = ("rule.learning_rate=0.003",)
) -> Prepared:
    """The network in one format for one core."""
    settings = (
        f"model.layers.fc1.units={UNITS}",
        f"numbers.weights={weights}",
        f"platform.name={platform}",
        *rates,
    )
    return prepare(load_spec(SPEC, settings), fashion())


@cache
def stretches(weights: str, count: int) -> tuple[Stretch, ...]:
    """`count` samples in the middle of each epoch; trained on this computer."""
    prepared = prepared_for("host", weights)
    samples = quantize_samples(prepared.model, prepared.dataset)
    project = render_project(prepared)
    found = []
    with scratch_project(project) as folder:
        device = open_device(compile_for_host(project, folder), interface_of(prepared.model))
        for epoch in range(EPOCHS):
            order = epoch_order(prepared.model.seed, epoch, len(samples.x))
            middle = len(order) // 2
            device.train(samples.x, samples.labels, order=order[:middle])
            now = order[middle : middle + count]
            found.append(Stretch(device.state(), samples.x[now], samples.labels[now]))
            device.train(samples.x, samples.labels, order=order[middle:])
    return tuple(found)


@cache
def dense_samples(weights: str) -> tuple[tuple[str, ...], Samples]:
    """Rates, as settings, and a sample without a zero, at which every unit is updated."""
    rng = np.random.default_rng(1)
    x = rng.integers(1, 100, (1, 784)) * rng.choice([-1, 1], 784)
    scaled = x.astype(np.int8) if weights != "f32" else (x / 50).astype(np.float32)
    labels = np.zeros(1, np.uint16)
    tries = {"fc1": 0, "fc2": 0}
    while max(tries.values()) < len(DENSE_RATES):
        rates = [DENSE_RATES[turn] for turn in tries.values()]
        settings = (f"rule.learning_rate={rates[0]}", f"rule.output_learning_rate={rates[1]}")
        model = prepared_for("host", weights, settings).model
        missed = _layers_not_updated(Reference(model), scaled[0], int(labels[0]))
        if not missed:
            return settings, Samples(scaled, labels, scaled, labels)
        tries = {name: turn + (name in missed) for name, turn in tries.items()}
    raise SystemExit("no rate updates every unit")


def _layers_not_updated(reference: Reference, x: NDArray[np.generic], label: int) -> set[str]:
    before = reference.state()
    reference.train_step(x, label)
    after = reference.state()
    # A small step may leave all s8 weights of a row as they are, but not its bias.
    names = [name for name in before if name.endswith(".b")]
    return {name[:-2] for name in names if not (before[name] != after[name]).all()}


def firmware(prepared: Prepared, project: CProject, folder: Path, optimize: str) -> Binary:
    """The project compiled for its core."""
    return compile_firmware(
        folder,
        project.name,
        project.sources,
        prepared.platform,
        find_compiler(prepared.platform),
        build_dir=folder / "build",
        optimize=optimize,
    )


def count_dense(platform: str, weights: str) -> int:
    """Instructions of a step in which no input is 0 and every unit is updated."""
    rates, samples = dense_samples(weights)
    prepared = prepared_for(platform, weights, rates)
    project = render_project(prepared)
    with scratch_project(project) as folder:
        binary = firmware(prepared, project, folder, "-O2")
        interface = interface_of(prepared.model)
        step = count_instructions(binary, interface, samples.x, samples.labels).step
    assert step is not None
    return step.per_run


def measured(platform: str, weights: str, count: int) -> Row:
    """Everything about one format on one core."""
    prepared = prepared_for(platform, weights)
    project, interface = render_project(prepared), interface_of(prepared.model)
    inferences, steps = [], []
    with scratch_project(project) as folder:
        binary = firmware(prepared, project, folder, "-O2")
        small = measure(firmware(prepared, project, folder, "-Os"))
        parts = stretches(weights, count)
        for part in parts:
            counts = count_instructions(binary, interface, part.x, part.labels, state=part.state)
            assert counts.step is not None
            inferences.append(counts.inference.total / counts.inference.runs)
            steps.append(counts.step.total / counts.step.runs)
        with open_device(binary, interface) as device:
            device.train(parts[0].x, parts[0].labels)
            stack = device.stack_bytes()
        sizes = measure(binary)
    return Row(
        inference=round(float(np.mean(inferences))),
        dense_step=count_dense(platform, weights),
        real_step=round(float(np.mean(steps))),
        weights=sizes.ram.weights,
        arena=sizes.ram.arena,
        stack=stack,
        code=sizes.flash.code,
        code_small=small.flash.code,
    )


def table(rows: dict[str, Row], before: dict[str, Row]) -> Iterator[str]:
    """A line for each format on each core; in brackets the change against what was known."""
    yield (
        "| core, format | inference | step, every unit | step, Fashion-MNIST | RAM | stack "
        "| code -O2 | code -Os |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for name, row in rows.items():
        old = before.get(name, row)
        cells = [
            _cell(getattr(row, key), getattr(old, key))
            for key in (
                "inference",
                "dense_step",
                "real_step",
                "ram",
                "stack",
                "code",
                "code_small",
            )
        ]
        yield f"| {name} | {' | '.join(cells)} |"


def _cell(now: int, before: int) -> str:
    """A count, with its change in percent where there is one.

    >>> _cell(1500, 1000), _cell(1500, 1500)
    ('1,500 (+50.0 %)', '1,500')
    """
    change = f" ({100 * (now - before) / before:+.1f} %)" if now != before else ""
    return f"{now:,}{change}"


def read(path: Path | None) -> dict[str, Row]:
    """What a file of results holds."""
    if path is None or not path.exists():
        return {}
    return {name: Row(**values) for name, values in json.loads(path.read_text()).items()}


def save(path: Path, rows: dict[str, Row]) -> None:
    """Write all results, in a fixed order."""
    content = {name: asdict(row) for name, row in sorted(rows.items())}
    path.write_text(json.dumps(content, indent=1) + "\n")


def run(path: Path | None, platforms: Sequence[str], formats: Sequence[str], count: int) -> None:
    """Measure, print, save."""
    before = read(path)
    rows: dict[str, Row] = {}
    for weights in formats:
        for platform in platforms if weights != "f32" else FLOAT_PLATFORMS:
            rows[f"{platform} {weights}"] = measured(platform, weights, count)
            if path is not None:
                save(path, before | rows)
    print("\n".join(table(dict(sorted(rows.items())), before)))


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, nargs="?", help="results so far; updated")
    parser.add_argument("--platform", action="append", help="one core; more with more of these")
    parser.add_argument("--format", action="append", help="s16, s8 or f32")
    parser.add_argument("--samples", type=int, default=10, help="of each epoch")
    arguments = parser.parse_args()
    try:
        run(
            arguments.file,
            arguments.platform or PLATFORMS,
            arguments.format or FORMATS,
            arguments.samples,
        )
    except TpsgdError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
