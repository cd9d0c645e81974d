"""tpSGD against backpropagation, both as generated code: the tables of docs/RESULTS.md.

    python tools/results_backprop.py docs/results/backprop.json

trains what the file does not hold yet, measures firmware for a Cortex-M4F, adds each result to the
file as soon as it is there, and prints the tables. It goes on where it was stopped. `--print` works
nothing out, `--part NAME` does one table, `--net NAME` one network.

Learning rates are chosen on samples that are held out of the training set, by runs of their own
with seed 1; the test set is looked at with the chosen rates only.
"""

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any

# One thread: sums in torch have one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.frontend.network import build_graph, dataset_scaling
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import Spec, layer_index, layer_loss, load_spec
from tpsgd_edge.stages import (
    Prepared,
    compile_for_device,
    compile_for_host,
    prepare,
    quantize_samples,
    render_project,
    scratch_project,
    train,
)
from tpsgd_edge.toolchain.counting import count_instructions
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.sizes import measure

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
HELD_OUT = 6_000
PLATFORM = "cortex-m4f"
RULES = {"tpsgd": "tpSGD", "backprop": "backpropagation", "torch": "backpropagation in torch"}
Rates = tuple[float, float]


@dataclass(frozen=True)
class Net:
    """A network of examples/ with changes; how it is trained, and what is tried.

    Attributes:
        limit: training samples.
        tries: for each rule, learning rates of hidden layers and of the last one.
        batch: of torch.
        samples: on which instructions are counted, at three points of the training.
    """

    example: str
    changes: tuple[str, ...]
    limit: int
    epochs: int
    tries: Mapping[str, tuple[Rates, ...]]
    batch: int
    seeds: tuple[int, ...] = (1, 2, 3)
    samples: int = 5


def _all(*rates: float) -> tuple[Rates, ...]:
    return tuple((rate, rate) for rate in rates)


def _mlp(*units: int) -> Net:
    layers = ", ".join(f'{{name="fc{i}", units={n}}}' for i, n in enumerate((*units, 10), 1))
    tries = {
        "tpsgd": _all(0.002, 0.003, 0.005, 0.01),
        "backprop": _all(0.003, 0.01, 0.02, 0.03, 0.05),
        "torch": _all(0.1, 0.2),
    }
    return Net("fashion_small", (f"model.layers=[{layers}]",), 54_000, 6, tries, 32, samples=10)


_CNN = {
    "tpsgd": ((0.0005, 0.0125), (0.001, 0.025), (0.002, 0.025)),
    "backprop": _all(0.003, 0.006, 0.0125),
    "torch": _all(0.1),
}
_VGG = {"tpsgd": ((0.0006, 0.0125),), "backprop": _all(0.003, 0.01), "torch": _all(0.1)}
NETS = {
    "784-128-10": _mlp(128),
    "784-64-64-64-10": _mlp(64, 64, 64),
    "fashion_cnn": Net("fashion_cnn", (), 12_000, 3, _CNN, 8, samples=4),
    "vgg_small": Net("vgg_small", (), 12_000, 2, _VGG, 8, seeds=(1,), samples=2),
}
FORMATS = ("s16", "s8")


@dataclass(frozen=True)
class Run:
    """A training run. Rule "torch" is backpropagation in floating point, in batches."""

    net: str
    rule: str
    weights: str
    rates: Rates = (0.0, 0.0)
    seed: int = 1
    held_out: bool = False

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        net = NETS[self.net]
        words = [self.net, self.weights, self.rule, f"rates={self.rates[0]:g},{self.rates[1]:g}"]
        words += [f"samples={net.limit}", f"epochs={net.epochs}", f"seed={self.seed}"]
        return " ".join([*words, "held out" if self.held_out else "test"])

    @property
    def trials(self) -> tuple["Run", ...]:
        """The runs that try learning rates out."""
        tries = NETS[self.net].tries[self.rule]
        return tuple(replace(self, rates=rates, held_out=True) for rates in tries)


@dataclass(frozen=True)
class Cost:
    """What training takes on the core: bytes, and instructions of an inference and of steps."""

    weights: int
    arena: int
    stack: int
    flash: int
    inference: int
    full_step: int
    real_step: int

    @property
    def ram(self) -> int:
        """All RAM."""
        return self.weights + self.arena + self.stack


# ------------------------------------------------------------------ accuracy


def spec_of(run: Run, platform: str = "host") -> Spec:
    """The example with what net and run change."""
    net = NETS[run.net]
    changes = [
        f"platform.name={platform}",
        "platform.ram=64M",
        "platform.flash=64M",
        f"seed={run.seed}",
        f"data.limit={net.limit}",
        f"rule.epochs={net.epochs}",
        f"numbers.weights={run.weights}",
        f"rule.output_learning_rate={run.rates[1]!r}",
        f"rule.learning_rate={run.rates[0]!r}",
    ]
    if run.net == "vgg_small":
        changes.append(f"model.layers.fc1.learning_rate={run.rates[1]!r}")
    if run.rule != "tpsgd":
        changes.append("rule.kind=backprop")
    return load_spec(EXAMPLES / f"{net.example}.toml", [*net.changes, *changes])


@cache
def _fashion(seed: int, count: int) -> Dataset:
    settings = [f"seed={seed}", f"data.limit={count}"]
    return load_dataset(load_spec(EXAMPLES / "fashion_small.toml", settings))


def data_of(run: Run) -> Dataset:
    """The data set; a run on held-out samples gets others of the training set as its test set."""
    limit = NETS[run.net].limit
    whole = _fashion(run.seed, limit + HELD_OUT)
    x, y = whole.x_train, whole.y_train
    kept = replace(whole, x_train=x[:limit], y_train=y[:limit])
    return replace(kept, x_test=x[limit:], y_test=y[limit:]) if run.held_out else kept


def accuracy_of(run: Run) -> float:
    """Train, and score after the last epoch: the share of right answers."""
    if run.rule == "torch":
        return _in_torch(run)
    spec, dataset = spec_of(run), data_of(run)
    prepared = prepare(spec, dataset)
    project, model = render_project(prepared), prepared.model
    with scratch_project(project) as folder:
        binary = compile_for_host(project, folder)
        with open_device(binary, interface_of(model)) as device:
            samples = quantize_samples(model, dataset)
            epochs = spec.rule.epochs
            done = train(device, model, samples, epochs=epochs, progress=lambda *_: None)
    return done.scores[-1].value


def _in_torch(run: Run) -> float:
    import torch

    from tpsgd_edge.rule.train import train_float

    torch.set_num_threads(1)
    spec, dataset = spec_of(run), data_of(run)
    middle, deviation = dataset_scaling(spec, dataset)
    graph = build_graph(spec, dataset)
    *hidden, _ = graph.trained
    net = train_float(
        graph,
        ((dataset.x_train - middle) / deviation).astype("float32"),
        dataset.y_train,
        rule="backprop",
        losses=[layer_loss(spec, layer_index(spec, la.name), "class") for la in graph.trained],
        learning_rate=[run.rates[0] for _ in hidden] + [run.rates[1]],
        projection=spec.projection,
        epochs=spec.rule.epochs,
        batch=NETS[run.net].batch,
        seed=run.seed,
    )
    return net.accuracy((dataset.x_test - middle) / deviation, dataset.y_test)


# ------------------------------------------------------------------ the device


@dataclass(frozen=True)
class Stretch:
    """Samples, and the state that they meet."""

    state: bytes
    x: NDArray[np.generic]
    labels: NDArray[np.generic]


def cost_of(run: Run) -> Cost:
    """Firmware of a run: sizes, and instructions at the start, in the middle, near the end."""
    prepared = prepare(spec_of(run, PLATFORM), data_of(run))
    count = NETS[run.net].samples
    parts = stretches(prepared, count)
    project, interface = render_project(prepared), interface_of(prepared.model)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        counts = [
            count_instructions(binary, interface, p.x, p.labels, state=p.state) for p in parts
        ]
        with open_device(binary, interface) as device:
            device.stack_bytes()  # paints over what start-up left
            device.train(parts[0].x, parts[0].labels)
            stack = device.stack_bytes()
        sizes = measure(binary)
    steps = [c.step.total for c in counts if c.step is not None]
    return Cost(
        weights=sizes.ram.weights,
        arena=sizes.ram.arena,
        stack=stack,
        flash=sizes.flash.code,
        inference=round(mean(c.inference.total / c.inference.runs for c in counts)),
        full_step=full_step(run),
        real_step=round(sum(steps) / (len(parts) * count)),
    )


def stretches(prepared: Prepared, count: int) -> tuple[Stretch, ...]:
    """Samples at the start of each epoch of a training run, which is made on this computer."""
    model = prepared.model
    samples, project = quantize_samples(model, prepared.dataset), render_project(prepared)
    found = []
    with scratch_project(project) as folder:
        device = open_device(compile_for_host(project, folder), interface_of(model))
        for epoch in range(prepared.spec.rule.epochs):
            order = epoch_order(model.seed, epoch, len(samples.x))
            first = order[:count]
            found.append(Stretch(device.state(), samples.x[first], samples.labels[first]))
            device.train(samples.x, samples.labels, order=order)
    return tuple(found)


# Rates that are tried, lowest first, until every unit is updated.
FULL_RATES = tuple(0.003 * 2**k for k in range(14))
FULL_STEPS = 3


def full_step(run: Run) -> int:
    """Instructions of a step on inputs without zeros that updates every unit or filter."""
    for rate in FULL_RATES:
        prepared = prepare(spec_of(replace(run, rates=(rate, rate)), PLATFORM), data_of(run))
        start, x, labels = _loud_samples(prepared.model)
        if not _updates_all(prepared.model, start, x, labels):
            continue
        project, interface = render_project(prepared), interface_of(prepared.model)
        raw = bytearray(prepared.plan.state.size)
        for tensor in prepared.plan.state.tensors:
            raw[tensor.offset : tensor.offset + tensor.n_bytes] = start[tensor.name].tobytes()
        with scratch_project(project) as folder:
            binary = compile_for_device(prepared, project, folder)
            counts = count_instructions(binary, interface, x, labels, state=bytes(raw))
        assert counts.step is not None
        return round(counts.step.total / counts.step.runs)
    raise SystemExit(f"no rate updates every unit: {run.key}")


State = dict[str, NDArray[Any]]


def _loud_samples(model: QuantizedModel) -> tuple[State, NDArray[Any], NDArray[Any]]:
    """First weights, the last layer's drawn as the others' are; samples without a zero; labels."""
    rng, last, state = np.random.default_rng(1), model.last, Reference(model).state()
    dtype = DTYPES[last.weight_type]
    limit = 2**last.weight_bits - 1
    spread = min(limit, round(last.n_in**-0.5 / last.weight_scale))
    drawn = rng.integers(-spread, spread + 1, (last.n_out, last.n_in))
    state[f"{last.name}.w"] = drawn.astype(dtype)
    x = rng.integers(1, 100, (FULL_STEPS, model.n_in)) * rng.choice([-1, 1], model.n_in)
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


# ------------------------------------------------------------------ tables


class Results:
    """Works out what is missing, and remembers it."""

    def __init__(self, path: Path, *, may_work: bool) -> None:
        self.path = path
        self.may_work = may_work
        known = json.loads(path.read_text()) if path.exists() else {}
        self.accuracies: dict[str, float] = known.get("accuracy", {})
        self.costs: dict[str, dict[str, int]] = known.get("device", {})

    def accuracy(self, run: Run) -> float | None:
        """What a run gave; None where it is missing and must not be made."""
        if run.key not in self.accuracies and self.may_work:
            self.accuracies[run.key] = accuracy_of(run)
            print(f"{run.key}: {self.accuracies[run.key]:.4f}", flush=True)
            self._save()
        return self.accuracies.get(run.key)

    def tuned(self, run: Run) -> tuple[Run, float] | None:
        """The run with the rates that are best on held-out samples, and how good they are there."""
        found = {t.rates: a for t in run.trials if (a := self.accuracy(t)) is not None}
        if not found:
            return None
        best = max(found, key=lambda rates: found[rates])
        return replace(run, rates=best), found[best]

    def cost(self, run: Run) -> Cost | None:
        """What a run takes on the core, at the rates that were chosen for it."""
        key = f"{run.net} {run.weights} {run.rule}"
        if key not in self.costs and self.may_work and (chosen := self.tuned(run)) is not None:
            self.costs[key] = asdict(cost_of(chosen[0]))
            print(f"{key}: {self.costs[key]}", flush=True)
            self._save()
        return Cost(**self.costs[key]) if key in self.costs else None

    def _save(self) -> None:
        content = {
            "accuracy": dict(sorted(self.accuracies.items())),
            "device": dict(sorted(self.costs.items())),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".tmp")
        fresh.write_text(json.dumps(content, indent=1) + "\n")
        fresh.replace(self.path)


def accuracy_table(results: Results, nets: Sequence[str]) -> Iterator[str]:
    """Accuracy of each network by each rule in each format, at the best rates."""
    yield "| network | trained by | learning rates | held out, % | test, % | of each seed |"
    yield "|---|---|---:|---:|---:|---|"
    for net in nets:
        generated = [(rule, weights) for weights in FORMATS for rule in ("tpsgd", "backprop")]
        for rule, weights in [*generated, ("torch", "f32")]:
            chosen = results.tuned(Run(net, rule, weights))
            if chosen is None:
                continue
            run, held_out = chosen
            found = [results.accuracy(replace(run, seed=seed)) for seed in NETS[net].seeds]
            values = [100 * accuracy for accuracy in found if accuracy is not None]
            if not values:
                continue
            about = RULES[rule] if rule == "torch" else f"{RULES[rule]}, {weights}"
            each = ", ".join(f"{value:.2f}" for value in values)
            rates = f"{run.rates[0]:g}, {run.rates[1]:g}"
            cells = (net, about, rates, f"{100 * held_out:.2f}", spread(values), each)
            yield f"| {' | '.join(cells)} |"


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation: 88.10 ± 0.10."""
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


COLUMNS = ("weights", "arena", "stack", "ram", "flash", "inference", "full_step", "real_step")


def device_table(results: Results, nets: Sequence[str]) -> Iterator[str]:
    """Bytes and instructions of both rules, and backpropagation as a multiple of tpSGD."""
    titles = "weights | arena | stack | RAM | code | inference | step, all units | step, mean"
    yield f"| network | trained by | {titles} |"
    yield "|---|---|" + "---:|" * len(COLUMNS)
    for net in nets:
        for weights in FORMATS:
            costs = [results.cost(Run(net, rule, weights)) for rule in ("tpsgd", "backprop")]
            local, global_ = costs
            if local is None or global_ is None:
                continue
            for rule, cost in (("tpSGD", local), ("backpropagation", global_)):
                cells = " | ".join(f"{getattr(cost, column):,}" for column in COLUMNS)
                yield f"| {net}, {weights} | {rule} | {cells} |"
            ratios = (getattr(global_, c) / getattr(local, c) for c in COLUMNS)
            yield f"| | ratio | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |"


TABLES = {"accuracy": accuracy_table, "device": device_table}


def main() -> None:
    """Work out what is missing, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("results", type=Path, help="JSON file of all results; made where missing")
    parser.add_argument("--print", action="store_true", dest="only_print", help="no work")
    parser.add_argument("--part", choices=TABLES, action="append", help="only this table")
    parser.add_argument("--net", choices=NETS, action="append", help="only this network")
    arguments = parser.parse_args()
    results = Results(arguments.results, may_work=not arguments.only_print)
    nets = arguments.net or tuple(NETS)
    for name in arguments.part or TABLES:
        print(f"\n{name}\n\n" + "\n".join(TABLES[name](results, nets)))


if __name__ == "__main__":
    main()
