"""A small transformer by tpSGD, backpropagation and at random: the tables of results/attention.md.

    python tools/results_attention.py docs/results/attention.json

trains what the file does not hold yet, adds each run to it as soon as it is done, and prints the
tables. It goes on where it was stopped. `--print` trains nothing; `--net NAME` does one net.

The nets are those of examples/compare/, trained as `tpsgd-edge compare` does it. Rates are chosen
with seed 1 on the last fifth of the training set, the test set is looked at with the chosen rates
only. HAPT is left out where tools/make_hapt.py was not run.
"""

import math
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

# One thread: sums in torch have one order.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from experiments import Results, results_parser
from of_seeds import each, spread

from tpsgd_edge.comparison.runs import Run, rate_text
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Attention, Graph
from tpsgd_edge.spec import Spec, load_spec

DEVICE = Path(__file__).resolve().parent.parent / "examples"
EXAMPLES = DEVICE / "compare"
NETS = ("har_attention", "rows_attention")
SEEDS = (1, 2, 3)
BATCH, EPOCHS, TRIAL_EPOCHS = 32, 4, 2
# Of Fashion-MNIST so many samples.
LIMIT = "data.limit=8000"
# Factors of the spec's rates for tpSGD; rates of all layers for backpropagation, of the last layer
# where the others stay at random.
FACTORS = (0.3, 1.0, 3.0, 6.0)
RATES = {"backprop": (0.001, 0.003, 0.01, 0.03), "random": (0.01, 0.03, 0.1, 0.3)}
MEMORY_NET = "memory"
# Instructions of a Cortex-M4F for each multiply-accumulate of a 1x1 convolution of 32 channels in
# s16: forward, and what its update adds (docs/results/costs.md, convolutions on each core).
FORWARD, UPDATE = 1.44, 7.56
PROJECTIONS, HIDDEN = ("query", "key", "value"), ("tokens", "project", "down")

Setting = tuple[str, ...]


def _own(*names: str) -> Setting:
    return tuple(f'model.layers.{name}.error="own"' for name in names)


def _windows(value: str, *names: str) -> Setting:
    return tuple(f"model.layers.{name}.target_pool={value}" for name in names)


ALL = (*PROJECTIONS, "up")
OWN = _own(*ALL)


@dataclass(frozen=True)
class Row:
    """A line of a table: how the layers learn, as overrides of the example, and by which rule."""

    about: str
    rule: str = "tpsgd"
    settings: Setting = ()

    @property
    def tries(self) -> tuple[tuple[float | None, float], ...]:
        """Rates and factors to choose from."""
        if self.rule == MEMORY_NET:
            return ((None, 1.0),)
        if self.rule in RATES:
            return tuple((rate, 1.0) for rate in RATES[self.rule])
        return tuple((None, factor) for factor in FACTORS)


ROWS = (
    Row("tpSGD: projections learn the loss behind attention, up that of down"),
    Row("the same, random read-outs", settings=('projection.kind="sign"',)),
    Row("tpSGD: a loss for each layer, four windows of tokens", settings=OWN),
    Row("tpSGD: a loss for each layer, four windows, carried scores", "tpsgd_carried", OWN),
    Row(
        "tpSGD: a loss for each layer, the mean of all tokens",
        settings=(*OWN, *_windows("1", *ALL, *HIDDEN)),
    ),
    Row(
        "tpSGD: a loss for each layer, each token by itself",
        settings=(*OWN, *_windows('"position"', *ALL, *HIDDEN)),
    ),
    Row("backpropagation", "backprop"),
    Row("layers at random, the last one learns", "random"),
)
# The net of the same task and about as many weights that a device has, at the rates of its example.
MEMORIES = {"har_attention": "har_memory", "rows_attention": "rows_memory"}
MEMORY = Row("the memory net, tpSGD", MEMORY_NET)
# Images cost twice as much as windows: here is what tells most.
OF_ROWS = (0, 3, 6, 7)


def rows_of(net: str) -> tuple[Row, ...]:
    """The lines of a net's table."""
    of_net = tuple(ROWS[place] for place in OF_ROWS) if net == "rows_attention" else ROWS
    return (*of_net, MEMORY)


class Table(Results):
    """Trains what is missing, and remembers it."""

    def result(self, net: str, row: Row, run: Run) -> Mapping[str, Any] | None:
        """What a run gave; None where it is missing and may not be trained, or has no data."""
        words = [net, run.rule, *row.settings, f"rate={rate_text(run.rate, run.ratio)}"]
        words += [f"seed={run.seed}", "held out" if run.is_trial else "test"]
        if missing(net):
            return self.results.get(" ".join(words))
        found: Mapping[str, Any] | None = self.get(" ".join(words), lambda: trained(net, row, run))
        return found

    def tuned(self, net: str, row: Row) -> tuple[tuple[float | None, float], float | None]:
        """The rate that is best on held-out samples, and the score there."""
        scores: dict[tuple[float | None, float], float] = {}
        if len(row.tries) == 1:
            return row.tries[0], None
        for rate, ratio in row.tries:
            run = Run(row.rule, 1, rate, TRIAL_EPOCHS, BATCH, is_trial=True, ratio=ratio)
            found = self.result(net, row, run)
            if found is not None:
                scores[rate, ratio] = found["score"]
        if not scores:
            return row.tries[0], None
        best = max(scores, key=lambda pair: scores[pair])
        return best, scores[best]

    def tests(self, net: str, row: Row) -> list[Mapping[str, Any]]:
        """The runs that are compared, seed by seed."""
        (rate, ratio), _ = self.tuned(net, row)
        runs = (Run(row.rule, seed, rate, EPOCHS, BATCH, ratio=ratio) for seed in SEEDS)
        found = (self.result(net, row, run) for run in runs)
        return [result for result in found if result is not None]


def missing(net: str) -> bool:
    """Tell whether the data of a net are not there."""
    return net == "har_attention" and not (DEVICE / "hapt_train.npz").exists()


def spec_of(net: str, settings: Setting) -> Spec:
    """The example with overrides."""
    return load_spec(EXAMPLES / f"{net}.toml", settings)


def trained(net: str, row: Row, run: Run) -> dict[str, Any]:
    """Train, score after the last epoch, count a sample's work and a step's memory."""
    from tpsgd_edge.comparison.training import execute

    settings = (*row.settings, *((LIMIT,) if net == "rows_attention" else ()))
    if run.rule == MEMORY_NET:
        spec, run = (
            load_spec(DEVICE / f"{MEMORIES[net]}.toml", settings),
            replace(run, rule="tpsgd"),
        )
    else:
        spec = spec_of(net, settings)
    spec, _ = with_defaults(spec, load_dataset(spec))
    result = execute(spec, run)
    if run.is_trial or result.has_diverged:
        return {"score": max(0.0, result.score)}
    return {
        "score": result.score,
        "macs": round((result.macs or 0) / result.samples),
        "step_bytes": result.step_bytes,
        "seconds": round(result.seconds, 1),
    }


def accuracy_table(net: str, table: Table) -> Iterator[str]:
    """How right each way is, and what a step of it costs in torch."""
    yield "| trained by | rates | held out, % | test, % | lowest | of each seed | MACs a sample |"
    yield "|---|---|---:|---:|---:|---|---:|"
    for row in rows_of(net):
        pair, held_out = table.tuned(net, row)
        results = table.tests(net, row)
        if not results:
            continue
        tried = "" if held_out is None else f"{100 * held_out:.2f}"
        values = [100 * result["score"] for result in results]
        macs = f"{round(mean(result.get('macs', 0) for result in results)):,}"
        if row is MEMORY:
            macs = ""  # Torch runs more of a memory net than a device does, which counts itself.
        figures = f"{tried} | {spread(values)} | {min(values):.2f} | {each(values)}"
        yield f"| {row.about} | {rate_text(*pair)} | {figures} | {macs} |"


@dataclass(frozen=True)
class Estimate:
    """What a device would need, by formulas: bytes of RAM and multiply-accumulates of a window.

    Weights have two bytes, as in s16; values of layers one, errors two. Instructions are those of
    multiply-accumulates and updates alone: softmax, norms and errors that are passed come on top.
    """

    weights: int
    macs: int
    exponentials: int
    read_instructions: int
    trained_instructions: int
    read_bytes: int
    trained_bytes: int


def estimate(graph: Graph) -> Estimate:
    """Estimate the needs of a net of one block, read and trained with errors passed in it.

    Read: weights, the window, and while attention runs the residual values, queries, keys, values,
    outputs and a row of shares. Trained: also the normalized values that the projections read, and
    errors of queries, keys, values and attention; shares are computed again.
    """
    weighted = graph.weighted
    weights = sum(math.prod(shape) for la in weighted for shape in la.weight_shapes)
    (mix,) = (layer for layer in graph.layers if isinstance(layer, Attention))
    _, steps, channels = mix.y_shape
    values = steps * channels
    read = 2 * weights + graph.n_inputs + 5 * values + 2 * steps
    of_layers = sum(la.n_in * la.y_count for la in weighted)
    forward = FORWARD * (of_layers + mix.macs)
    return Estimate(
        weights=sum(math.prod(la.weight_shapes[0]) for la in weighted),
        macs=of_layers + mix.macs,
        exponentials=mix.heads * steps * steps,
        read_instructions=round(forward),
        trained_instructions=round(forward + UPDATE * of_layers),
        read_bytes=read,
        trained_bytes=read + values + 2 * 4 * values,
    )


@cache
def graph_of(net: str) -> Graph:
    """The graph of an example."""
    spec = spec_of(net, ())
    spec, dataset = with_defaults(spec, load_dataset(spec))
    return build_graph(spec, dataset)


def cost_table() -> Iterator[str]:
    """What formulas say of each net whose data are there."""
    yield (
        "| net | weights | RAM read, B | RAM trained, B | MACs read | exponentials "
        "| instructions read, at least | instructions trained, at least |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for net in NETS:
        try:
            made = estimate(graph_of(net))
        except DataError:
            continue
        ram = (made.read_bytes, made.trained_bytes)
        work = (made.macs, made.exponentials, made.read_instructions, made.trained_instructions)
        figures = (made.weights, *ram, *work)
        yield f"| {net} | {' | '.join(f'{figure:,}' for figure in figures)} |"


def main() -> None:
    """Train what is missing, print the tables."""
    parser = results_parser(__doc__)
    parser.add_argument("--net", choices=NETS, action="append", help="only this net")
    arguments = parser.parse_args()
    table = Table(arguments.results, may_train=not arguments.only_print)
    if missing("har_attention") and table.may_train:
        print("note: examples/ has no HAPT: make it with tools/make_hapt.py", file=sys.stderr)
    for net in arguments.net or NETS:
        print(f"\n{net}\n\n" + "\n".join(accuracy_table(net, table)))
    print("\nestimated\n\n" + "\n".join(cost_table()))


if __name__ == "__main__":
    main()
