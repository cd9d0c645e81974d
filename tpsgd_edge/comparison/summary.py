"""Summary of a comparison, rule by rule."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

from tpsgd_edge.comparison.runs import (
    FACTORS,
    RANDOM,
    TPSGD,
    TPSGD_LEARNED,
    Metric,
    Plan,
    Result,
    rate_text,
    tried_rates,
)
from tpsgd_edge.frontend.data import NO_NOTES, DataNotes
from tpsgd_edge.spec import Spec


@dataclass(frozen=True, slots=True)
class RuleSummary:
    """One rule over all seeds.

    Attributes:
        rate: of one sample; None: the spec's, layer by layer.
        ratio: hidden layers learned at this times the rate, all layers at this times the spec's.
        tried: mean held-out score at each learning rate that was tried, or at each pair of hidden
            layers' and last layer's.
        scores: on the test set after the last epoch, seed by seed; None where it diverged.
        over_random: distance of the mean to that of hidden layers left at random.
        curve: mean score before the first and after each epoch.
        seconds: of processor time an epoch; not exact.
        macs: multiply-accumulates a sample.
        step_bytes: the most memory that a training step had allocated.
    """

    rule: str
    rate: float | None
    ratio: float
    tried: dict[str, float | None]
    scores: tuple[float | None, ...]
    mean: float | None
    lowest: float | None
    deviation: float | None
    over_random: float | None
    curve: tuple[float, ...]
    seconds: float
    macs: float
    step_bytes: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """One network by several rules; `samples` is the number of training samples an epoch."""

    spec: Spec
    plan: Plan
    path: Path
    metric: Metric
    samples: int
    rules: tuple[RuleSummary, ...]
    data: DataNotes = NO_NOTES

    @property
    def rate_note(self) -> str:
        """Say in one sentence how the learning rates were found."""
        has_own = {TPSGD, TPSGD_LEARNED} & {*self.plan.rules}
        others = "learning rates of the other rules" if has_own else "learning rates"
        if has_own and self.plan.is_tpsgd_tuned:
            factors = ", ".join(f"{factor:g}" for factor in FACTORS)
            others = f"tpSGD's learning rates chosen from the spec's times {factors}, {others}"
        if len(self.plan.rates) == 1:
            return f"{others}: {self.plan.rates[0]:g} as asked"
        tried = ", ".join(f"{rate:g}" for rate in self.plan.rates)
        if len(self.plan.ratios) > 1:
            ratios = ", ".join(f"{ratio:g}" for ratio in self.plan.ratios)
            tried += f", hidden layers at {ratios} times that,"
        seeds = self.plan.seeds[: self.plan.trial_seeds]
        by = "by the mean less the standard deviation, " if len(seeds) > 1 else ""
        return (
            f"{others} chosen from {tried} on the last fifth of the training set, held out, "
            f"{by}with {_seeds(seeds)}"
        )

    @property
    def at_the_edge(self) -> tuple[str, ...]:
        """Rules whose best learning rate is the smallest or the largest that was tried."""
        return tuple(r.rule for r in self.rules if r.tried and self._is_at_the_edge(r))

    def _is_at_the_edge(self, rule: RuleSummary) -> bool:
        if rule.rate is None:
            return rule.ratio in (min(FACTORS), max(FACTORS))
        return rule.rate in (min(self.plan.rates), max(self.plan.rates))

    def to_json(self) -> dict[str, object]:
        """A document for `json.dumps`."""
        return {
            "name": self.spec.name,
            "spec": self.spec.digest,
            "file": str(self.path),
            "metric": self.metric,
            "seeds": list(self.plan.seeds),
            "order": self.plan.order,
            "epochs": self.plan.epochs,
            "batch": self.plan.batch,
            "samples_per_epoch": self.samples,
            "labels": self.data.labels or None,
            "notes": list(self.data.notes),
            "learning_rates": self.rate_note,
            "at_the_edge": list(self.at_the_edge),
            "rules": [
                asdict(rule) | {"curve": [_finite(score) for score in rule.curve]}
                for rule in self.rules
            ],
        }


def summarize(
    spec: Spec, plan: Plan, path: Path, trials: Sequence[Result], results: Sequence[Result]
) -> Comparison:
    """One summary for each rule, in the order that was asked for."""
    of_random = _mean([r.score for r in results if r.run.rule == RANDOM])
    return Comparison(
        spec=spec,
        plan=plan,
        path=path,
        metric=results[0].metric,
        samples=results[0].samples // plan.epochs,
        rules=tuple(
            _summary(
                rule,
                [trial for trial in trials if trial.run.rule == rule],
                [result for result in results if result.run.rule == rule],
                of_random,
            )
            for rule in plan.rules
        ),
    )


def _summary(
    rule: str, trials: list[Result], results: list[Result], of_random: float | None
) -> RuleSummary:
    scores = [result.score for result in results]
    own = _mean(scores)
    steps = min(len(result.scores) for result in results)
    return RuleSummary(
        rule=rule,
        rate=results[0].run.rate,
        ratio=results[0].run.ratio,
        tried={rate_text(*pair): _finite(score) for pair, score in tried_rates(trials).items()},
        scores=tuple(_finite(score) for score in scores),
        mean=own,
        lowest=_finite(min(scores)),
        deviation=stdev(scores) if own is not None and len(scores) > 1 else None,
        over_random=None if own is None or of_random is None else own - of_random,
        curve=tuple(mean(result.scores[i] for result in results) for i in range(steps)),
        seconds=mean(result.seconds / result.run.epochs for result in results),
        macs=mean((result.macs or 0) / result.samples for result in results),
        step_bytes=max(result.step_bytes or 0 for result in results),
    )


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"


def _mean(scores: Sequence[float]) -> float | None:
    return _finite(mean(scores)) if scores else None


def _finite(score: float) -> float | None:
    return score if math.isfinite(score) else None
