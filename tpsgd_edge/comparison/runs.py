"""One training run, what it came to, and which runs a comparison asks for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Literal

from tpsgd_edge.frontend.order import Order

Metric = Literal["accuracy", "r2"]
# A rate and a ratio, as in `Run`.
Pair = tuple[float | None, float]

# The learning rates that are tried for rules other than tpSGD, whose rate the spec gives. What
# leaves hidden layers nearly alone (PEPITA, and leaving them at random) needs the large ones.
GRID = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
# What the spec's rates are multiplied with where tpSGD chooses too.
FACTORS = (0.3, 0.5, 1.0, 2.0, 3.0)
# With how many seeds each rate is tried: by one alone a rate may be chosen at which others diverge.
TRIAL_SEEDS = 3
# What the run with the hidden layers left at random is called; every comparison has it.
RANDOM = "random"
TPSGD = "tpsgd"
# The same, its projections learning too.
TPSGD_LEARNED = "tpsgd_learned"
# The same, each layer learning from the sum of the scores so far.
TPSGD_CARRIED = "tpsgd_carried"
OURS = (TPSGD, TPSGD_LEARNED, TPSGD_CARRIED)

TITLES = {
    TPSGD: "tpSGD",
    "backprop": "backpropagation",
    "fa": "FA",
    "dfa": "DFA",
    "sdfa": "sDFA",
    "drtp": "DRTP",
    "pepita": "PEPITA",
    TPSGD_LEARNED: "tpSGD, learned read-outs",
    TPSGD_CARRIED: "tpSGD, carried scores",
    RANDOM: "hidden layers at random",
}
"""The rules by the names that users type."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training run of the network of a spec.

    Attributes:
        rate: learning rate of one sample, as in the spec; None: the spec's rates, layer by layer.
        ratio: hidden layers learn at this times the rate; all layers where it is the spec's.
        is_trial: scored on the last fifth of the training set, which it does not learn.
        order: in which the samples come.
    """

    rule: str
    seed: int
    rate: float | None
    epochs: int
    batch: int
    is_trial: bool = False
    ratio: float = 1.0
    order: Order = "shuffled"


@dataclass(frozen=True, slots=True)
class Result:
    """Result of one run.

    Attributes:
        metric: accuracy, or r2 of label vectors.
        scores: before the first and after each epoch; shorter where the training diverged.
        seconds: of processor time in training, scoring left out.
        samples: seen in all epochs.
        macs: multiply-accumulates spent on them.
        step_bytes: the most memory that a training step had allocated; None for trials.
    """

    run: Run
    metric: Metric
    scores: tuple[float, ...]
    seconds: float
    samples: int
    macs: int | None
    step_bytes: int | None

    @property
    def has_diverged(self) -> bool:
        """Tell whether the weights left the finite numbers."""
        return len(self.scores) <= self.run.epochs

    @property
    def score(self) -> float:
        """After the last epoch; the lowest of all where the training diverged."""
        return float("-inf") if self.has_diverged else self.scores[-1]


@dataclass(frozen=True, slots=True)
class Plan:
    """Rules, rates and seeds of a comparison.

    Attributes:
        rules: by their names in `TITLES`; `RANDOM` is among them.
        rates: to choose from, if there are several, for every rule but tpSGD.
        ratios: of the hidden layers' rate to the last layer's, chosen along with it.
        is_tpsgd_tuned: tpSGD, in all its ways, chooses from the spec's rates times `FACTORS`.
        trial_seeds: with how many of the seeds, all where there are fewer.
        order: in which the samples come, in trials too.
    """

    rules: tuple[str, ...]
    seeds: tuple[int, ...]
    epochs: int
    batch: int
    rates: tuple[float, ...]
    is_tpsgd_tuned: bool = False
    trial_seeds: int = TRIAL_SEEDS
    ratios: tuple[float, ...] = (1.0,)
    order: Order = "shuffled"

    def trials(self) -> list[Run]:
        """The runs that choose learning rates."""
        return [
            self._run(rule, seed, (rate, ratio), is_trial=True)
            for rule in self.rules
            if len(self._pairs(rule)) > 1
            for rate, ratio in self._pairs(rule)
            for seed in self.seeds[: self.trial_seeds]
        ]

    def runs(self, trials: list[Result]) -> list[Run]:
        """The runs that are compared, each rule at its best rate."""
        best = {rule: self._best(rule, trials) for rule in self.rules}
        return [self._run(rule, seed, best[rule]) for rule in self.rules for seed in self.seeds]

    def _run(self, rule: str, seed: int, pair: Pair, *, is_trial: bool = False) -> Run:
        rate, ratio = pair
        return Run(rule, seed, rate, self.epochs, self.batch, is_trial, ratio, self.order)

    def _best(self, rule: str, trials: list[Result]) -> Pair:
        """The first of those that are best by `steady_score`: the smallest rate where rates tie."""
        tried = _scores([trial for trial in trials if trial.run.rule == rule])
        steady = {pair: steady_score(scores) for pair, scores in tried.items()}
        return max(steady, key=lambda pair: steady[pair]) if steady else self._pairs(rule)[0]

    def _pairs(self, rule: str) -> list[Pair]:
        """Rates and ratios to choose from; one ratio where no hidden layer learns."""
        if rule in OURS:
            return [(None, factor) for factor in (FACTORS if self.is_tpsgd_tuned else (1.0,))]
        ratios = (1.0,) if rule == RANDOM else self.ratios
        return [(rate, ratio) for ratio in ratios for rate in self.rates]


def tried_rates(trials: list[Result]) -> dict[Pair, float]:
    """The mean score of one rule at each learning rate and ratio that were tried."""
    return {pair: mean(scores) for pair, scores in _scores(trials).items()}


def steady_score(scores: Sequence[float]) -> float:
    """Score by which a rate is chosen: the mean less the standard deviation over seeds.

    A rate at which training is unstable can be the best of all with a single seed.

    >>> steady_score([0.9, 0.9]) > steady_score([0.99, 0.85])
    True
    >>> steady_score([0.9])
    0.9
    """
    if not all(math.isfinite(score) for score in scores):
        return float("-inf")
    return mean(scores) - (stdev(scores) if len(scores) > 1 else 0.0)


def _scores(trials: list[Result]) -> dict[Pair, list[float]]:
    scores: dict[Pair, list[float]] = {}
    for trial in trials:
        scores.setdefault((trial.run.rate, trial.run.ratio), []).append(trial.score)
    return scores


def rate_text(rate: float | None, ratio: float) -> str:
    """A rate for all layers, or that of hidden layers and that of the last.

    >>> rate_text(0.01, 1), rate_text(0.01, 0.1), rate_text(None, 2)
    ('0.01', '0.001, 0.01', "2 x the spec's")
    """
    if rate is None:
        return "the spec's" if ratio == 1 else f"{ratio:g} x the spec's"
    return f"{rate:g}" if ratio == 1 else f"{rate * ratio:g}, {rate:g}"
