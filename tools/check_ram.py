"""Check what training costs in RAM beyond inference, on every emulated core.

    python tools/check_ram.py

builds each network twice for each core, as firmware that trains and as firmware that only predicts
(NAME_INFERENCE_ONLY), reads the static RAM of both from the linked ELF and the depth of both stacks
from paint after runs on the emulated core, and compares:

    RAM of training <= RAM of inference + 4 bytes for each unit of the widest layer + 64 bytes

and for the examples with convolutions, which get random samples here:

    RAM of training <= 1.1 * RAM of inference

Prints a table of the bytes that training adds, of the bytes allowed. Exits with 1 where it is more.
`--details` prints weights, arena and stack of every firmware instead.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_edge.codegen import CProject
from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import Spec, load_spec, spec_from_dict
from tpsgd_edge.stages import (
    Prepared,
    compile_for_device,
    prepare,
    render_project,
    scratch_project,
)
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.sizes import Ram, measure

PLATFORMS = ("cortex-m0plus", "cortex-m3", "cortex-m4f", "cortex-m7", "cortex-m33", "rv32imc")
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# Shape of one sample, and classes.
SHAPES = {
    "fashion_cnn": ((28, 28), 10),
    "vgg_small": ((28, 28), 10),
    "har_conv1d": ((128, 6), 6),
}
UNIT_BYTES = 4
SLACK_BYTES = 64
# Enough for every branch of the kernels: labels of all classes, errors large and small.
SAMPLES = 20


@dataclass(frozen=True)
class Net:
    """A network: units from input to output and sections of a spec, or an example."""

    units: tuple[int, ...] = ()
    weights: str = "s16"
    activations: str = "s8"
    rule: dict[str, Any] = field(default_factory=dict)
    projection: dict[str, Any] = field(default_factory=dict)
    activation: str = "tanh"
    regression: bool = False
    example: str = ""

    @property
    def title(self) -> str:
        """The network in words."""
        if self.example:
            return f"{self.example}, {self.weights}"
        words = ["-".join(str(n) for n in self.units), self.weights]
        if self.activations != "s8":
            words.append(f"activations {self.activations}")
        if self.activation != "tanh":
            words.append(self.activation)
        loss = self.rule.get("loss", "projected_l2" if self.regression else "")
        words.append(loss["kind"] if isinstance(loss, dict) else loss)
        words.append("error gate" if "error_gate" in self.rule else "")
        words += [str(word) for word in self.projection.values()]
        return ", ".join(word for word in words if word)

    def allowed(self, inference: int) -> int:
        """Bytes that training may add to those of inference."""
        if self.example:
            return inference // 10
        return UNIT_BYTES * max(self.units[1:]) + SLACK_BYTES


_GATE = {"error_gate": 0.7}
NETS = (
    *(Net((64, 32, 10), weights) for weights in ("s16", "s8", "f32")),
    *(Net((784, 256, 10), weights) for weights in ("s16", "s8", "f32")),
    *(Net((64, 48, 24, 10), weights) for weights in ("s16", "f32")),
    *(Net((64, 48, 24, 10), weights, rule=_GATE) for weights in ("s16", "f32")),
    Net((64, 32, 10), "s16", "s16"),
    Net((64, 32, 10), "s16", "s16", _GATE | {"loss": "l2"}),
    *(Net((64, 32, 10), weights, rule={"loss": "l2"} | _GATE) for weights in ("s16", "s8", "f32")),
    *(Net((64, 32, 10), rule={"loss": loss}) for loss in ("l1", "huber", "dead_zone")),
    Net((64, 32, 10), rule={"loss": "cross_entropy"}, activation="sigmoid"),
    Net((64, 32, 10), rule={"loss": {"kind": "custom", "expression": "tanh(4 * r)"}}),
    Net((64, 32, 10), projection={"kind": "gaussian"}),
    Net((64, 32, 10), projection={"kind": "ternary", "storage": "packed"}),
    Net((64, 32, 10), "f32", projection={"kind": "gaussian", "storage": "s8"}),
    Net((64, 32, 10), activation="relu"),
    Net((64, 10)),
    Net((4, 3, 2)),
    Net((10, 16, 1), regression=True),
    Net((10, 16, 1), "f32", regression=True),
    *(Net(weights=weights, example="fashion_cnn") for weights in ("s16", "s8", "f32")),
    *(Net(example=example) for example in ("har_conv1d", "vgg_small")),
)


@dataclass(frozen=True)
class Cost:
    """RAM of both firmwares of one network on one core."""

    net: Net
    platform: str
    inference: Ram
    training: Ram

    @property
    def added(self) -> int:
        """Bytes that training adds."""
        return self.training.total - self.inference.total

    @property
    def allowed(self) -> int:
        """Bytes that it may add."""
        return self.net.allowed(self.inference.total)

    @property
    def fits(self) -> bool:
        """Whether they are allowed."""
        return self.added <= self.allowed


def spec_of(net: Net, platform: str) -> Spec:
    """The spec of a network."""
    if net.example:
        path = EXAMPLES / f"{net.example}.toml"
        changes = [f"platform.name={platform}", "platform.ram=1M", "platform.flash=1M"]
        return load_spec(path, [*changes, f"numbers.weights={net.weights}"])
    names = [f"fc{i}" for i in range(1, len(net.units))]
    layers: list[dict[str, Any]] = [
        {"name": name, "units": units} for name, units in zip(names, net.units[1:], strict=True)
    ]
    for layer in layers[:-1]:
        layer["activation"] = net.activation
    content = {
        "name": "net",
        "model": {"layers": layers},
        "numbers": {"weights": net.weights, "activations": net.activations},
        "rule": net.rule | {"learning_rate": 0.01},
        "projection": net.projection,
        "data": {"file": "-", "task": "regression" if net.regression else "classification"},
        "platform": {"name": platform},
    }
    return spec_from_dict(content)


def data_of(net: Net, spec: Spec) -> Dataset:
    """Random samples with labels of every kind."""
    rng = np.random.default_rng(1)
    count = 4 * SAMPLES
    if net.example:
        shape, classes = SHAPES[net.example]
        x = rng.uniform(-1, 1, (count, *shape)).astype(np.float32)
        return dataset_from_arrays(spec, x, np.arange(count) % classes)
    values = rng.uniform(-1, 1, (count, net.units[0]))
    y = rng.uniform(-1, 1, (count, net.units[-1])) if net.regression else np.arange(count)
    return dataset_from_arrays(spec, values, y if net.regression else y % net.units[-1])


def ram_of(prepared: Prepared, project: CProject, folder: Path, *, inference_only: bool) -> Ram:
    """Static RAM from the ELF, stack from its paint."""
    model, dataset = prepared.model, prepared.dataset
    binary = compile_for_device(prepared, project, folder, inference_only=inference_only)
    x = quantize_inputs(model, dataset.x_train[:SAMPLES])
    labels = quantize_labels(model, dataset.y_train[:SAMPLES])
    with open_device(binary, interface_of(model)) as device:
        device.stack_bytes()  # paints over what start-up left
        if not inference_only:
            device.train(x, labels)
        device.outputs(x)
        return measure(binary).with_stack(device.stack_bytes()).ram


def cost_of(net: Net, platform: str) -> Cost:
    """Build and run both firmwares."""
    spec = spec_of(net, platform)
    prepared = prepare(spec, data_of(net, spec))
    project = render_project(prepared)
    with scratch_project(project) as folder:
        inference = ram_of(prepared, project, folder, inference_only=True)
        training = ram_of(prepared, project, folder, inference_only=False)
    return Cost(net, platform, inference, training)


def head(platforms: Sequence[str], *, is_detailed: bool) -> str:
    """The head of the table: a column for each core, or for each figure."""
    if is_detailed:
        rule = "|---|---|---|---:|---:|---:|---:|"
        return f"| network | core | firmware | weights | arena | stack | total |\n{rule}"
    rule = "|---|---:|" + "---:|" * len(platforms)
    return f"| network | allowed | {' | '.join(platforms)} |\n{rule}"


def row(costs: Sequence[Cost]) -> str:
    """One network on all cores."""
    allowed = max(cost.allowed for cost in costs)
    return f"| {costs[0].net.title} | {allowed:,} | {' | '.join(_cell(cost) for cost in costs)} |"


def _cell(cost: Cost) -> str:
    return f"{cost.added:,}" if cost.fits else f"**{cost.added:,}**"


def details(costs: Sequence[Cost]) -> Iterator[str]:
    """Every figure of one network."""
    for cost in costs:
        for name, ram in (("inference", cost.inference), ("training", cost.training)):
            figures = (ram.weights, ram.arena, ram.stack, ram.total)
            cells = " | ".join(f"{figure:,}" for figure in figures)
            yield f"| {cost.net.title} | {cost.platform} | {name} | {cells} |"


def main() -> int:
    """Measure, print, and say by the exit code whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--platform", action="append", choices=PLATFORMS, help="only this core")
    parser.add_argument("--net", default="", metavar="TEXT", help="only networks with this title")
    parser.add_argument("--details", action="store_true", help="print every figure")
    arguments = parser.parse_args()
    platforms = arguments.platform or PLATFORMS
    nets = [net for net in NETS if arguments.net in net.title]
    print(head(platforms, is_detailed=arguments.details), flush=True)
    wrong: list[Cost] = []
    for net in nets:
        costs = [cost_of(net, platform) for platform in platforms]
        print("\n".join(details(costs)) if arguments.details else row(costs), flush=True)
        wrong += [cost for cost in costs if not cost.fits]
    for cost in wrong:
        over = cost.added - cost.allowed
        print(f"error: {cost.net.title} on {cost.platform}: {over:,} bytes too many")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
