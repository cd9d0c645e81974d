"""A network, several rules, several seeds: trained on all cores, with nothing computed twice."""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from pathlib import Path

from tpsgd_edge.comparison.runs import GRID, RANDOM, TITLES, TRIAL_SEEDS, Plan, Result, Run
from tpsgd_edge.comparison.store import Store, open_store
from tpsgd_edge.comparison.summary import Comparison, summarize
from tpsgd_edge.comparison.workers import cores, deaf_to_the_keyboard, workers_of
from tpsgd_edge.errors import SpecError, ToolError, how_to_install
from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.imports.source import with_source
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.frontend.order import Order, check_classes, passes_in
from tpsgd_edge.rule.defined import check_activations, check_rule
from tpsgd_edge.spec import Spec, finds_anomalies

Progress = Callable[[str, int, int], None]


def compare_rules(
    spec: Spec,
    *,
    rules: Sequence[str] | None = None,
    seeds: int = 3,
    epochs: int | None = None,
    order: Order = "shuffled",
    batch: int = 32,
    rates: Sequence[float] = GRID,
    ratios: Sequence[float] = (1.0,),
    tune_tpsgd: bool = False,
    trial_seeds: int = TRIAL_SEEDS,
    out: Path | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Train the network of a spec by each rule with each seed, in floating point.

    Runs that the file of results holds are not made again. [model.pretrain] is left out.

    Args:
        rules: names in `TITLES`, all that are defined for the network where not given; hidden
            layers left at random come along in any case.
        seeds: how many, from that of the spec on.
        epochs: those of the spec where not given.
        order: in which the samples come; class by class it is one pass.
        rates: of one sample, for all rules but tpSGD, which has those of the spec. Where there are
            several, each rule gets the best on a fifth of the training set, held out.
        ratios: hidden layers learn at the rate times one of these, chosen along with the rate.
        tune_tpsgd: tpSGD chooses too, from the rates of the spec times each of `FACTORS`.
        trial_seeds: with how many of the seeds each rate is tried (`runs.steady_score`).
        out: the file of results; NAME-rules.sqlite beside the spec where not given.
        jobs: processes; one for each core where not given.

    Raises:
        TpsgdError: a rule is unknown or not defined for the network, the spec has no hidden layer,
            torch is missing, the file of results is of another spec.
    """
    spec = with_source(spec)
    _check(spec, rules or ())
    spec, dataset = with_defaults(spec, _in_classes(order, load_dataset(spec)))
    plan = Plan(
        rules=tuple(dict.fromkeys([*_defined(spec, dataset, rules), RANDOM])),
        seeds=tuple((spec.seed + i) % 2**32 for i in range(seeds)),
        epochs=passes_in(order, epochs) or spec.rule.passes,
        order=order,
        batch=batch,
        rates=tuple(dict.fromkeys(rates)),
        ratios=tuple(dict.fromkeys(ratios)),
        is_tpsgd_tuned=tune_tpsgd,
        trial_seeds=min(trial_seeds, seeds),
    )
    path = out or spec.folder / f"{spec.name}-rules.sqlite"
    with open_store(path, spec.digest) as store, workers_of(jobs or cores()) as workers:
        do = partial(_all, spec, store, workers, progress or _silent)
        trials = do(plan.trials(), "choosing learning rates")
        results = do(plan.runs(trials), "training")
    return replace(summarize(spec, plan, path, trials, results), data=dataset.said)


def _in_classes(order: Order, dataset: Dataset) -> Dataset:
    if order == "classes":
        check_classes(dataset)
    return dataset


def _check(spec: Spec, rules: Sequence[str]) -> None:
    unknown = [rule for rule in rules if rule not in TITLES]
    if unknown:
        raise SpecError(
            f"there is no rule '{unknown[0]}'", where="--rules", help=f"one of {', '.join(TITLES)}"
        )
    if spec.rule.kind == "backprop":
        raise SpecError(
            "rules are compared with tpSGD as the spec has it, not with backpropagation",
            where="[rule], kind",
            found='kind = "backprop"',
            help="remove it; backpropagation is among the rules",
        )
    if finds_anomalies(spec.model):
        raise SpecError(
            "there is no rule in floating point for detectors",
            where=f"[model], layer '{spec.model.layers[-1].name}'",
            found='kind = "detector"',
            help="docs/results/anomaly.md compares them with others; simulate trains in integers",
        )
    *hidden, _ = spec.model.weighted
    if not any(layer.train for layer in hidden):
        raise SpecError(
            "without hidden layers that learn, all rules are the same",
            where="[model], layers",
            found=f"{len(hidden)} hidden layers with weights, none of them learns",
            help="add a layer, or remove train = false from one",
        )
    if importlib.util.find_spec("torch") is None:
        raise ToolError(
            "comparing rules needs torch, which is not installed",
            help=how_to_install("torch"),
        )


def _defined(spec: Spec, dataset: Dataset, rules: Sequence[str] | None) -> list[str]:
    """The rules as asked for, or all that are defined for this network and its labels."""
    graph = build_graph(spec, dataset)
    check_activations(graph)
    losses = [layer.learning.first_loss for layer in graph.weighted]
    defined = []
    for rule in TITLES if rules is None else rules:
        try:
            check_rule(graph, rule, losses)
        except SpecError:
            if rules is not None:
                raise
        else:
            defined.append(rule)
    return defined


def _all(
    spec: Spec,
    store: Store,
    workers: ProcessPoolExecutor,
    progress: Progress,
    runs: Sequence[Run],
    stage: str,
) -> list[Result]:
    """The results of all runs, in their order."""
    found = {run: result for run in runs if (result := store.find(run)) is not None}
    if runs:
        progress(stage, len(found), len(runs))
    for result in _computed(spec, workers, [run for run in runs if run not in found]):
        store.add(result)
        found[result.run] = result
        progress(stage, len(found), len(runs))
    return [found[run] for run in runs]


def _computed(spec: Spec, workers: ProcessPoolExecutor, runs: Sequence[Run]) -> Iterator[Result]:
    # Seed by seed: a process reads the data set again only where the seed is another.
    in_order = sorted(runs, key=lambda run: run.seed)
    with deaf_to_the_keyboard():
        futures: list[Future[Result]] = [workers.submit(_execute, spec, run) for run in in_order]
    try:
        for future in as_completed(futures):
            yield future.result()
    except BrokenProcessPool:
        raise ToolError(
            "a process that trained has ended before its time",
            found="most often too little memory",
            help="fewer processes, as with --jobs 1, or a smaller --batch; what was done is kept",
        ) from None


def _execute(spec: Spec, run: Run) -> Result:
    # Here, because only workers load torch.
    from tpsgd_edge.comparison.training import execute

    return execute(spec, run)


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
