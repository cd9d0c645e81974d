"""One training run, what it came to, and which runs a comparison asks for."""

from dataclasses import dataclass
from statistics import mean
from typing import Literal

Metric = Literal["accuracy", "r2"]

# The learning rates that are tried for rules other than tpSGD, whose rate the spec gives. What
# leaves hidden layers nearly alone (PEPITA, and leaving them at random) needs the large ones.
GRID = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
# What the run with the hidden layers left at random is called; every comparison has it.
RANDOM = "random"
TPSGD = "tpsgd"
# The same, its projections learning too.
TPSGD_LEARNED = "tpsgd_learned"

TITLES = {
    TPSGD: "tpSGD",
    "backprop": "backpropagation",
    "fa": "FA",
    "dfa": "DFA",
    "sdfa": "sDFA",
    "drtp": "DRTP",
    "pepita": "PEPITA",
    TPSGD_LEARNED: "tpSGD, learned read-outs",
    RANDOM: "hidden layers at random",
}
"""The rules by the names that users type."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training run of the network of a spec.

    Attributes:
        rate: learning rate of one sample, as in the spec; None: the spec's rates, layer by layer.
        is_trial: scored on the last fifth of the training set, which it does not learn.
    """

    rule: str
    seed: int
    rate: float | None
    epochs: int
    batch: int
    is_trial: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to.

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
        """Whether the weights left the finite numbers."""
        return len(self.scores) <= self.run.epochs

    @property
    def score(self) -> float:
        """After the last epoch; the lowest of all where the training diverged."""
        return float("-inf") if self.has_diverged else self.scores[-1]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare.

    Attributes:
        rules: by their names in `TITLES`; `RANDOM` is among them.
        rates: to choose from, if there are several, for every rule, tpSGD in both ways only if
            asked for.
        trial_seeds: with how many of the seeds.
    """

    rules: tuple[str, ...]
    seeds: tuple[int, ...]
    epochs: int
    batch: int
    rates: tuple[float, ...]
    is_tpsgd_tuned: bool = False
    trial_seeds: int = 1

    def trials(self) -> list[Run]:
        """The runs that choose a learning rate."""
        if len(self.rates) == 1:
            return []
        return [
            Run(rule, seed, rate, self.epochs, self.batch, is_trial=True)
            for rule in self.rules
            if self._is_tuned(rule)
            for rate in self.rates
            for seed in self.seeds[: self.trial_seeds]
        ]

    def runs(self, trials: list[Result]) -> list[Run]:
        """The runs that are compared, each rule at its best rate."""
        best = {rule: self._best(rule, trials) for rule in self.rules}
        return [
            Run(rule, seed, best[rule], self.epochs, self.batch)
            for rule in self.rules
            for seed in self.seeds
        ]

    def _best(self, rule: str, trials: list[Result]) -> float | None:
        if not self._is_tuned(rule):
            return None
        tried = tried_rates([trial for trial in trials if trial.run.rule == rule])
        return max(tried, key=lambda rate: tried[rate]) if tried else self.rates[0]

    def _is_tuned(self, rule: str) -> bool:
        return rule not in (TPSGD, TPSGD_LEARNED) or self.is_tpsgd_tuned


def tried_rates(trials: list[Result]) -> dict[float, float]:
    """The mean score of one rule at each learning rate that was tried."""
    scores: dict[float, list[float]] = {}
    for trial in trials:
        scores.setdefault(trial.run.rate or 0.0, []).append(trial.score)
    return {rate: mean(of_rate) for rate, of_rate in scores.items()}
