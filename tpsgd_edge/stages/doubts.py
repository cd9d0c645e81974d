"""Checks of plausibility: what makes the result of a training doubtful, in words."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

# Shares and differences below are of accuracy, or of R^2.
_CHANCE = 0.005  # above the share of the largest class, or above an R^2 of 0
_BELOW_LINEAR, _BELOW_LINEAR_BY_HEART = 0.03, 0.1
_BELOW_BEST = 0.03
_HARDLY_TOLD = 0.6  # AUROC; 0.5 is chance
_LOST_INPUTS = 0.25  # share of the inputs
_CLIPPED_INPUTS = 0.05  # share of the values
_CLIPPED_OUTPUTS = 0.01  # share of the answers
_STILL_WEIGHTS = 0.1  # share of a layer's weights
_FEW_TESTS = 20
# Samples of a class, below which no answer may name it.
ENOUGH_OF_A_CLASS = 5
_UNLIKE = 0.05


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that makes a result doubtful.

    Attributes:
        code: a name that stays, for programs.
        message: what was found, with its numbers.
        help: what to try.
    """

    code: str
    message: str
    help: str

    def to_json(self) -> dict[str, str]:
        """The fields by name."""
        return {"code": self.code, "message": self.message, "help": self.help}


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts that the checks look at; None or empty where a fact is not known.

    Attributes:
        seen: what was scored, in words: "the test set".
        tests: answers that were scored, to samples that were not learned.
        score: accuracy or R^2 at the end, `scores` before the first and after each epoch.
        largest: share and name of the largest class among them.
        never_answered: classes with some samples among them that no answer names.
        random_hidden: name and score of the same net with its hidden layers as they were at first.
        linear: name and score of a linear model of the same data.
        inputs: how many inputs vary; `lost_inputs` of them have but `steps_left` values or less
            where the data have many.
        steps: values that the type of inputs has.
        clipped_inputs: share of the inputs' values that lie beyond what their type holds.
        clipped_outputs: share of answers whose largest output is at the end of its range.
        weights_at_limits: share of each layer's weights at the ends of their range, by name.
        class_shares: of each class in the training and in the test set, by name.
        set_sizes: samples in these two.
        scaling: how the data are scaled, as a spec says it.
    """

    seen: str = "the test set"
    metric: Literal["accuracy", "r2", "auroc"] = "accuracy"
    tests: int | None = None
    score: float | None = None
    scores: tuple[float, ...] = ()
    largest: tuple[float, str] | None = None
    never_answered: tuple[str, ...] = ()
    random_hidden: tuple[str, float] | None = None
    linear: tuple[str, float] | None = None
    inputs: int = 0
    lost_inputs: int = 0
    steps_left: int = 0
    steps: int = 0
    clipped_inputs: float = 0.0
    clipped_outputs: float = 0.0
    weights_at_limits: tuple[tuple[str, float], ...] = ()
    class_shares: tuple[tuple[str, float, float], ...] = ()
    set_sizes: tuple[int, int] = (0, 0)
    scaling: str = ""

    @property
    def noise(self) -> float:
        """Difference that the scores of two equally good nets may have."""
        return max(0.005, 0.5 / math.sqrt(self.tests or 1))

    def text(self, score: float) -> str:
        """A score as the reports print it."""
        if self.metric == "auroc":
            return f"AUROC {score:.3f}"
        return f"{100 * score:.1f} %" if self.metric == "accuracy" else f"R² {score:.3f}"


def doubts(facts: Facts) -> tuple[Doubt, ...]:
    """Whatever is doubtful, the gravest first."""
    found = ((code, check(facts)) for code, check in CHECKS.items())
    return tuple(Doubt(code, *words) for code, words in found if words is not None)


# What a check says: the message, and what to try.
Words = tuple[str, str] | None


def _inputs_lost(facts: Facts) -> Words:
    if not facts.inputs or facts.lost_inputs < _LOST_INPUTS * facts.inputs:
        return None
    return (
        f"{_of(facts.lost_inputs, facts.inputs)} inputs use at most {facts.steps_left} of the "
        f"{facts.steps:,} steps of their type: the net hardly sees them",
        f"{_scaled(facts)}drop or limit the values far from all others",
    )


def _scaled(facts: Facts) -> str:
    """The advice to standardise, where it is not done yet."""
    return "" if facts.scaling == "standard" else 'set data.scaling = "standard", or '


def _inputs_clipped(facts: Facts) -> Words:
    if facts.clipped_inputs <= _CLIPPED_INPUTS:
        return None
    return (
        f"{100 * facts.clipped_inputs:.1f} % of the input values lie beyond what their type holds",
        f"{_scaled(facts)}scale the samples to [-1, 1] yourself",
    )


def _at_chance(facts: Facts) -> Words:
    score, largest = facts.score, facts.largest
    if score is None:
        return None
    helps = "another learning_rate (3 times more, 3 times less), more epochs, or look at the data"
    if facts.metric == "auroc":
        if score > _HARDLY_TOLD:
            return None
        return (
            f"{facts.text(score)} on {facts.seen}: anomalies score hardly higher than normal ones",
            "other units, the other method, or samples that show more of what is normal",
        )
    if facts.metric == "r2" and score <= _CHANCE:
        return f"{facts.text(score)} on {facts.seen}: no better than the mean of the labels", helps
    if facts.metric == "r2" or largest is None or score > largest[0] + _CHANCE:
        return None
    return (
        f"{facts.text(score)} on {facts.seen} is no more than the share of the largest class, "
        f"'{largest[1]}', {facts.text(largest[0])}",
        helps,
    )


def _below_random_hidden(facts: Facts) -> Words:
    score, random_hidden = facts.score, facts.random_hidden
    if score is None or random_hidden is None or score >= random_hidden[1] - facts.noise:
        return None
    return (
        f"{facts.text(score)} on {facts.seen} is below the {facts.text(random_hidden[1])} of "
        f"the same net with its {random_hidden[0]}: learning harms them",
        "a smaller learning_rate for hidden layers, more units, or another projection.kind",
    )


def _below_linear(facts: Facts) -> Words:
    score, linear = facts.score, facts.linear
    if score is None or linear is None:
        return None
    gap = linear[1] - score
    # On samples that both have learned, the one that learns them by heart is ahead.
    most = _BELOW_LINEAR if facts.tests is not None else _BELOW_LINEAR_BY_HEART
    if gap <= most or (facts.tests is not None and gap * facts.tests < 2):
        return None
    return (
        f"{facts.text(score)} on {facts.seen} is below the {facts.text(linear[1])} of {linear[0]} "
        "on the same data: a net should do better",
        "another learning_rate, more epochs, or data.scaling as the inputs need it",
    )


def _never_answered(facts: Facts) -> Words:
    if not facts.never_answered or _at_chance(facts):
        return None
    return (
        f"no answer names {_listed(facts.never_answered)}, of which {facts.seen} has samples",
        "more samples of what is rare (or the same more often), more epochs, or more units",
    )


def _outputs_clipped(facts: Facts) -> Words:
    if facts.clipped_outputs <= _CLIPPED_OUTPUTS:
        return None
    return (
        f"{100 * facts.clipped_outputs:.1f} % of the answers end at the limit of the outputs' "
        "range, where larger ones cannot be told apart",
        "a smaller learning_rate; of a net made elsewhere: divide the last layer's weights",
    )


def _best_is_past(facts: Facts) -> Words:
    if len(facts.scores) < 2:
        return None
    best = max(range(len(facts.scores)), key=lambda epoch: facts.scores[epoch])
    before, last = facts.scores[best], facts.scores[-1]
    if not before - last > max(_BELOW_BEST, facts.noise):
        return None
    when = f"epoch {best}" if best else "training began"
    said = "after" if best else "before"
    return (
        f"{facts.text(last)} at the end is far below the {facts.text(before)} {said} {when}",
        f"epochs = {best}" if best else "a smaller learning_rate, or train = false in some layers",
    )


def _weights_stand_still(facts: Facts) -> Words:
    worst = max(facts.weights_at_limits, key=lambda part: part[1], default=("", 0.0))
    if worst[1] <= _STILL_WEIGHTS:
        return None
    return (
        f"{100 * worst[1]:.1f} % of the weights of layer '{worst[0]}' are at the ends of their "
        "range, where they cannot learn on",
        'a smaller learning_rate, or weights = "s16"',
    )


def _few_tests(facts: Facts) -> Words:
    if facts.tests is None or facts.tests >= _FEW_TESTS:
        return None
    return (
        f"{facts.tests} answers were scored: each is {100 / max(1, facts.tests):.0f} % of them",
        "a larger data.test_fraction, more samples, or several seeds",
    )


def _sets_unlike(facts: Facts) -> Words:
    difference = sum(abs(train - test) for _, train, test in facts.class_shares) / 2
    if not facts.class_shares or difference <= _UNLIKE + 3 * _drawn_difference(facts):
        return None
    name, train, test = max(facts.class_shares, key=lambda row: abs(row[1] - row[2]))
    return (
        "training and test set hold unlike shares of the classes: of "
        f"'{name}' {100 * train:.1f} % and {100 * test:.1f} %",
        "leave test_file out, so that samples are drawn, or give one of the same kind",
    )


def _drawn_difference(facts: Facts) -> float:
    """Expected half sum of differences between the class shares of two sets drawn from one."""
    each = sum(1 / max(1, size) for size in facts.set_sizes)
    shares = [(train + test) / 2 for _, train, test in facts.class_shares]
    return sum(math.sqrt(2 / math.pi * p * (1 - p) * each) for p in shares) / 2


CHECKS: dict[str, Callable[[Facts], Words]] = {
    "inputs-lost": _inputs_lost,
    "inputs-clipped": _inputs_clipped,
    "at-chance": _at_chance,
    "below-untaught": _below_random_hidden,
    "below-linear": _below_linear,
    "class-never-answered": _never_answered,
    "outputs-clipped": _outputs_clipped,
    "best-is-past": _best_is_past,
    "weights-at-limits": _weights_stand_still,
    "few-tests": _few_tests,
    "sets-unlike": _sets_unlike,
}


def _of(part: int, whole: int) -> str:
    return f"all {whole:,}" if part == whole else f"{part:,} of {whole:,}"


def _listed(names: tuple[str, ...]) -> str:
    """Names in quotes, at most five of them."""
    return ", ".join(_quoted(names))


def _quoted(names: tuple[str, ...]) -> Iterator[str]:
    yield from (f"'{name}'" for name in names[:5])
    if len(names) > 5:
        yield f"and {len(names) - 5} more"
