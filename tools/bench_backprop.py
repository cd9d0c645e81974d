"""What tpSGD and backpropagation take on a device, both as generated code, in a table.

    python tools/bench_backprop.py docs/results/backprop_device.json

builds each network for a Cortex-M4F with each rule and counts instructions exactly, of an inference
and of a training step

- on inputs none of which is 0, at the lowest rate at which every unit or filter is updated;
- as a mean over samples of Fashion-MNIST at the start of each epoch. The network is trained on this
  computer up to there, and its state loaded into the core.

RAM is what training takes: weights, arena, stack. Each result is added to the file as soon as it is
there; what the file holds is not measured again. `--net NAME` does one network, `--print` measures
nothing. The learning rates are near those that tools/results_backprop.py chose.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from experiments import EXAMPLES, Results, dense_layers, results_parser, stretches
from numpy.typing import NDArray

from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, in_integers
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import Spec, load_spec
from tpsgd_edge.stages import (
    compile_for_device,
    prepare,
    render_project,
    scratch_project,
)
from tpsgd_edge.toolchain.counting import count_instructions
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.sizes import measure

PLATFORM = "cortex-m4f"
RULES = ("tpsgd", "backprop")
FORMATS = ("s16", "s8")
Rates = tuple[float, float]


@dataclass(frozen=True)
class Net:
    """A network of examples/ with changes, and how it is trained.

    `rates` are those of hidden layers and of the last one, by rule and format. Instructions are
    counted on `samples` of each epoch.
    """

    example: str
    changes: tuple[str, ...]
    limit: int
    epochs: int
    samples: int
    rates: Mapping[tuple[str, str], Rates]


def _rates(*rates: Rates) -> Mapping[tuple[str, str], Rates]:
    """tpSGD in s16 and s8, then backpropagation."""
    return dict(zip(((r, f) for r in RULES for f in FORMATS), rates, strict=True))


NETS = {
    "784-128-10": Net(
        "fashion_small",
        (dense_layers(128),),
        54_000,
        6,
        10,
        _rates((0.005, 0.005), (0.003, 0.003), (0.02, 0.02), (0.01, 0.01)),
    ),
    "784-64-64-64-10": Net(
        "fashion_small",
        (dense_layers(64, 64, 64),),
        54_000,
        6,
        10,
        _rates((0.003, 0.003), (0.003, 0.003), (0.01, 0.01), (0.01, 0.01)),
    ),
    "fashion_cnn": Net(
        "fashion_cnn",
        (),
        12_000,
        3,
        4,
        _rates((0.001, 0.025), (0.001, 0.025), (0.0125, 0.0125), (0.0125, 0.0125)),
    ),
    "vgg_small": Net(
        "vgg_small",
        (),
        12_000,
        2,
        2,
        _rates((0.0006, 0.0125), (0.0006, 0.0125), (0.003, 0.003), (0.003, 0.003)),
    ),
}


@dataclass(frozen=True)
class Firmware:
    """One network, trained by one rule in one format."""

    net: str
    rule: str
    weights: str

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        return f"{self.net} {self.weights} {self.rule}"

    def spec(self, platform: str, rates: Rates | None = None) -> Spec:
        """The example with what it changes; other learning rates where given."""
        net = NETS[self.net]
        hidden, last = rates or net.rates[self.rule, self.weights]
        changes = [
            f"platform.name={platform}",
            "platform.ram=64M",
            "platform.flash=64M",
            f"data.limit={net.limit}",
            f"rule.epochs={net.epochs}",
            f"rule.kind={self.rule}",
            "rule.scores=own",
            f"numbers.weights={self.weights}",
            f"rule.output_learning_rate={last!r}",
            f"rule.learning_rate={hidden!r}",
        ]
        if net.example == "vgg_small":
            changes.append(f"model.layers.fc1.learning_rate={last!r}")
        return load_spec(EXAMPLES / f"{net.example}.toml", [*net.changes, *changes])


@dataclass(frozen=True)
class Cost:
    """What training takes on the core: bytes, and instructions of an inference and of steps."""

    weights: int
    arena: int
    stack: int
    code: int
    inference: int
    full_step: int | None
    real_step: int

    @property
    def ram(self) -> int:
        """All RAM."""
        return self.weights + self.arena + self.stack


def measured(firmware: Firmware) -> dict[str, Any]:
    """What the file of results holds of a run."""
    return asdict(cost_of(firmware))


def cost_of(firmware: Firmware) -> Cost:
    """Firmware of a run: sizes, and instructions over the whole training."""
    spec = firmware.spec(PLATFORM)
    dataset = load_dataset(spec)
    prepared = prepare(spec, dataset)
    parts, _ = stretches(prepared, NETS[firmware.net].samples)
    project, interface = render_project(prepared), interface_of(prepared.model)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        counts = [count_instructions(binary, interface, x, y, state=state) for state, x, y in parts]
        with open_device(binary, interface) as device:
            device.stack_bytes()  # paints over what start-up left
            device.train(*parts[0][1:])
            stack = device.stack_bytes()
        sizes = measure(binary)
    steps = [c.step.total / c.step.runs for c in counts if c.step is not None]
    return Cost(
        weights=sizes.ram.weights,
        arena=sizes.ram.arena,
        stack=stack,
        code=sizes.flash.code,
        inference=round(mean(c.inference.total / c.inference.runs for c in counts)),
        full_step=full_step(firmware, dataset),
        real_step=round(mean(steps)),
    )


# Rates that are tried, lowest first, until every unit is updated.
FULL_RATES = tuple(0.003 * 2**k for k in range(14))
FULL_STEPS = 1


def full_step(firmware: Firmware, dataset: Dataset) -> int | None:
    """Instructions of a step on inputs without zeros that updates every unit or filter.

    None where none of the rates does.
    """
    for rate in FULL_RATES:
        prepared = prepare(firmware.spec(PLATFORM, (rate, rate)), dataset)
        start, x, labels = _loud_samples(prepared.model)
        if not _updates_all(prepared.model, start, x, labels):
            continue
        project, interface = render_project(prepared), interface_of(prepared.model)
        raw = prepared.plan.state.write(start)
        with scratch_project(project) as folder:
            binary = compile_for_device(prepared, project, folder)
            counts = count_instructions(binary, interface, x, labels, state=raw)
        assert counts.step is not None
        return round(counts.step.total / counts.step.runs)
    return None


State = dict[str, NDArray[Any]]


def _loud_samples(model: QuantizedModel) -> tuple[State, NDArray[Any], NDArray[Any]]:
    """Initial weights, all drawn alike; samples without a zero; labels."""
    rng, last, state = np.random.default_rng(1), in_integers(model.last), Reference(model).state()
    reach = min(2**last.numbers.weight_bits - 1, round(last.n_in**-0.5 / last.numbers.weight_scale))
    drawn = rng.integers(-reach, reach + 1, (last.n_out, last.n_in))
    state[f"{last.name}.w"] = drawn.astype(DTYPES[last.weight_type])
    x = rng.integers(1, 100, (FULL_STEPS, model.n_inputs)) * rng.choice([-1, 1], model.n_inputs)
    return state, x.astype(DTYPES[model.value_type]), np.arange(FULL_STEPS, dtype=np.uint16)


def _updates_all(
    model: QuantizedModel, start: State, x: NDArray[Any], labels: NDArray[Any]
) -> bool:
    reference = Reference(model)
    reference.load_state(start)
    for sample, label in zip(x, labels, strict=True):
        before = reference.state()
        reference.train_step(sample, int(label))
        after = reference.state()
        # A small step may leave all s8 weights of a row as they are, but not its bias.
        if any((before[n] == after[n]).any() for n in before if n.endswith(".b")):
            return False
    return True


COLUMNS = ("weights", "arena", "stack", "ram", "code", "inference", "full_step", "real_step")


def table(costs: Mapping[str, Cost], nets: Sequence[str]) -> Iterator[str]:
    """Bytes and instructions of both rules, and backpropagation as a multiple of tpSGD."""
    titles = "weights | arena | stack | RAM | code | inference | step, all units | step, mean"
    yield f"| network | trained by | {titles} |"
    yield "|---|---|" + "---:|" * len(COLUMNS)
    for net in nets:
        for weights in FORMATS:
            found = [costs.get(Firmware(net, rule, weights).key) for rule in RULES]
            local, whole = found
            if local is None or whole is None:
                continue
            for rule, cost in (("tpSGD", local), ("backpropagation", whole)):
                cells = " | ".join(_figure(getattr(cost, column)) for column in COLUMNS)
                yield f"| {net}, {weights} | {rule} | {cells} |"
            ratios = (_ratio(getattr(whole, c), getattr(local, c)) for c in COLUMNS)
            yield f"| | ratio | {' | '.join(ratios)} |"


def _figure(value: int | None) -> str:
    return "no rate" if value is None else f"{value:,}"


def _ratio(whole: int | None, local: int | None) -> str:
    return "" if whole is None or local is None else f"{whole / local:.2f}"


def read(path: Path) -> dict[str, Cost]:
    """What a file of results holds."""
    known = json.loads(path.read_text()) if path.exists() else {}
    return {key: Cost(**values) for key, values in known.items()}


def main() -> None:
    """Measure what is missing, print the table."""
    parser = results_parser(__doc__)
    parser.add_argument("--net", choices=NETS, action="append", help="only this network")
    arguments = parser.parse_args()
    results = Results(arguments.results, may_train=not arguments.only_print)
    nets = arguments.net or tuple(NETS)
    for firmware in (Firmware(n, rule, w) for n in nets for w in FORMATS for rule in RULES):
        results.get(firmware.key, partial(measured, firmware))
    print("\n".join(table(read(arguments.results), nets)))


if __name__ == "__main__":
    main()
