"""What a convolution costs on each emulated core: instructions for each multiply-accumulate.

    python tools/bench_conv.py

counts each shape of layer in a network of its own: its forward pass, and what learning adds where
every unit of the map is updated, on inputs none of which is 0. Both are divided by the
multiply-accumulates of the forward pass, those with the zeros around the map among them; what else
learning takes (averages, errors, steps) counts as update. `--example` counts the layers of an
example instead, in the middle of training on its own data.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import SpecError, TpsgdError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.quantize.model import DTYPES, QuantizedWeighted, in_integers
from tpsgd_edge.spec import load_spec, spec_from_dict
from tpsgd_edge.stages import (
    Prepared,
    compile_for_device,
    compile_for_host,
    prepare,
    quantize_samples,
    render_project,
    scratch_project,
)
from tpsgd_edge.toolchain.counting import Counts, count_instructions
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PLATFORMS = ("cortex-m4f", "cortex-m3", "cortex-m0plus", "rv32imc")
# Weights and activations.
FORMATS = (("s8", "s8"), ("s16", "s8"), ("s16", "s16"))
LAYER = "conv"
# The step of a unit whose error is 1 lies between these: all are updated, none by much.
STEPS = range(10, 21)
SAMPLES = 2
TRAINED = 2000


@dataclass(frozen=True)
class Shape:
    """A convolution: the map it sees, its number of filters, and other keys of its spec."""

    title: str
    x: tuple[int, ...]
    filters: int
    kernel: int
    settings: tuple[tuple[str, Any], ...] = ()

    def layer(self) -> dict[str, Any]:
        """As a spec has it."""
        kind = "conv1d" if len(self.x) == 2 else "conv2d"
        given = {"kind": kind, "name": LAYER, "filters": self.filters, "kernel": self.kernel}
        return given | {"activation": "linear"} | dict(self.settings)


SAME = ("padding", "same")
SHAPES = (
    Shape("5x5, 1 -> 8", (28, 28, 1), 8, 5),
    Shape("5x5, 8 -> 16", (12, 12, 8), 16, 5),
    Shape("3x3, 16 -> 16, same", (14, 14, 16), 16, 3, (SAME,)),
    Shape("3x3, 32 -> 32, same", (7, 7, 32), 32, 3, (SAME,)),
    Shape("3x3 depthwise, 32, same", (14, 14, 32), 32, 3, (SAME, ("groups", 32))),
    Shape("1x1, 32 -> 32", (14, 14, 32), 32, 1),
    Shape("conv1d, 7x6 -> 16, stride 2", (128, 6), 16, 7, (("stride", 2),)),
)


def prepared_for(shape: Shape, platform: str, weights: str, activations: str) -> Prepared:
    """A network of that layer, a global average and two classes; every unit makes a step."""
    for exponent in range(40):
        rate = 1e3 / 2 ** (exponent / 2)
        try:
            prepared = _prepared(shape, platform, weights, activations, rate)
        except SpecError:
            continue  # out of the integers' reach
        layer = prepared.model.layers[0]
        own = in_integers(layer.units[0]).learning.steps.rate
        if (own.mult << 14) >> own.shift in STEPS:
            return prepared
    raise SystemExit(f"no rate for {shape.title}")


def _prepared(shape: Shape, platform: str, weights: str, activations: str, rate: float) -> Prepared:
    pool = {"kind": "global_avg_pool"}
    # The error of l1 is -1 or 1: at one rate all units make the same step.
    spec = spec_from_dict(
        {
            "name": "net",
            "model": {"layers": [shape.layer(), pool, {"name": "fc", "units": 2}]},
            "numbers": {"weights": weights, "activations": activations},
            "rule": {"learning_rate": rate, "output_learning_rate": 0.01, "loss": "l1"},
            "data": {"file": "-"},
            "platform": {"name": platform, "ram": "1M", "flash": "1M"},
        }
    )
    rng = np.random.default_rng(1)
    x = rng.uniform(-1, 1, (40, *shape.x)).astype(np.float32)
    return prepare(spec, dataset_from_arrays(spec, x, np.arange(40) % 2))


def dense_samples(prepared: Prepared) -> tuple[Array, Array]:
    """Inputs none of which is 0."""
    rng = np.random.default_rng(1)
    size = (SAMPLES, prepared.model.n_inputs)
    x = rng.integers(1, 100, size) * rng.choice([-1, 1], size)
    dtype = DTYPES[prepared.model.value_type]
    return x.astype(dtype), np.arange(SAMPLES, dtype=np.uint16) % 2


def counted(prepared: Prepared, x: Array, labels: Array, state: bytes | None = None) -> Counts:
    """Instructions on the core of the spec."""
    project = render_project(prepared)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        return count_instructions(binary, interface_of(prepared.model), x, labels, state=state)


def costs(prepared: Prepared, counts: Counts, layer: QuantizedWeighted) -> tuple[float, float]:
    """Instructions of one layer's forward pass and of its learning, by multiply-accumulates."""
    assert counts.step is not None
    macs = layer.n_in * layer.y_count
    forward = counts.inference.by_layer[layer.name] / counts.inference.runs
    step = counts.step.by_layer[layer.name] / counts.step.runs
    return forward / macs, (step - forward) / macs


def shapes_table(
    platforms: Sequence[str], formats: Sequence[tuple[str, str]], text: str
) -> Iterator[str]:
    """A row for each shape in each format, for each core forward pass and update."""
    yield f"| layer | weights, activations | {' | '.join(platforms)} |"
    yield "|---|---|" + "---:|" * len(platforms)
    for shape in (shape for shape in SHAPES if text in shape.title):
        for weights, activations in formats:
            cells = []
            for platform in platforms:
                prepared = prepared_for(shape, platform, weights, activations)
                counts = counted(prepared, *dense_samples(prepared))
                (layer,) = prepared.model.layers[0].units
                cells.append(_cell(*costs(prepared, counts, layer)))
            yield f"| {shape.title} | {weights}, {activations} | {' | '.join(cells)} |"


def _cell(forward: float, update: float) -> str:
    return f"{forward:.2f}, {update:.2f}"


def example_table(name: str, platform: str, weights: str) -> Iterator[str]:
    """A row for each layer of an example, after some training on the host."""
    changes = [f"numbers.weights={weights}", "platform.ram=1M", "platform.flash=1M"]
    changes.append("rule.scores=own")
    spec = load_spec(EXAMPLES / f"{name}.toml", [f"platform.name={platform}", *changes])
    prepared = prepare(spec)
    samples = quantize_samples(prepared.model, prepared.dataset)
    project = render_project(prepared)
    with scratch_project(project) as folder:
        host = open_device(compile_for_host(project, folder), interface_of(prepared.model))
        host.train(samples.x, samples.labels, order=np.arange(TRAINED))
        state = host.state()
    some = slice(TRAINED, TRAINED + 10)
    counts = counted(prepared, samples.x[some], samples.labels[some], state)
    assert counts.step is not None
    yield f"| {name}, {weights} | inference | step | of an inference |"
    yield "|---|---:|---:|---:|"
    for layer in (*(layer.name for layer in prepared.model.layers), "all"):
        inference, step = (
            (count.total if layer == "all" else count.by_layer[layer]) / count.runs
            for count in (counts.inference, counts.step)
        )
        yield f"| {layer} | {inference:,.0f} | {step:,.0f} | {step / inference:.2f} |"


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--platform", action="append", help="one core; more with more of these")
    parser.add_argument("--format", action="append", help="of weights and activations: s8-s8")
    parser.add_argument("--shape", default="", metavar="TEXT", help="only layers with this title")
    parser.add_argument("--example", help="count the layers of this example instead")
    arguments = parser.parse_args()
    platforms = arguments.platform or PLATFORMS
    named = [tuple(text.split("-")) for text in arguments.format or ()]
    formats = [(weights, activations) for weights, activations in named] or list(FORMATS)
    try:
        if arguments.example:
            for platform in platforms:
                for weights in dict.fromkeys(weights for weights, _ in formats):
                    print(platform, *example_table(arguments.example, platform, weights), sep="\n")
        else:
            for line in shapes_table(platforms, formats, arguments.shape):
                print(line, flush=True)
    except TpsgdError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
