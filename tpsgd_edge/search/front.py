"""The front: nets that no other one beats in everything."""

from collections.abc import Iterable

from tpsgd_edge.search.study import Trial
from tpsgd_edge.search.trial import Outcome


def front_of(trials: Iterable[Trial]) -> list[Trial]:
    """The trials within all budgets that no other one beats, from the least RAM on.

    One beats another where score, RAM and work are no worse and one of them is better; of equals
    the first stays.
    """
    able = [(trial, trial.outcome) for trial in trials if trial.over <= 0 and trial.outcome]
    ended = [(trial, outcome) for trial, outcome in able if not outcome.is_stopped]
    best = [
        trial
        for place, (trial, own) in enumerate(ended)
        if not any(_beats(other, own) for _, other in ended)
        and not any(_costs(other) == _costs(own) for _, other in ended[:place])
    ]
    return sorted(best, key=lambda trial: _of(trial).cost.ram)


def best_of(front: Iterable[Trial]) -> Trial | None:
    """The net with the best score on held-out samples, of equals the one with the least RAM."""
    return min(front, key=lambda trial: (-_of(trial).score, _of(trial).cost.ram), default=None)


def _beats(one: Outcome, other: Outcome) -> bool:
    is_no_worse = all(a <= b for a, b in zip(_costs(one), _costs(other), strict=True))
    return is_no_worse and _costs(one) != _costs(other)


def _costs(outcome: Outcome) -> tuple[float, int, int]:
    return (-outcome.score, outcome.cost.ram, outcome.cost.work)


def _of(trial: Trial) -> Outcome:
    if trial.outcome is None:
        raise ValueError(f"trial {trial.number} has no outcome")
    return trial.outcome
