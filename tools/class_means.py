"""Statistics of classes in place of the last layer, in floating point, beside kept samples.

    nice python tools/class_means.py

makes a table of docs/results/stream.md: a dense net of 64 units on HAPT, in one pass as recorded.
The hidden layer learns by tpSGD, and a last layer as ever; the answer is that layer's, or the class
whose mean of hidden outputs is nearest, with one variance a unit or with all covariances. The last
fifth of the recordings is held out first, then the test set is answered.
"""

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np
from experiments import EXAMPLES
from numpy.typing import NDArray

UNITS, CLASSES, SEEDS = 64, 6, (1, 2, 3)
STEP_SIZE, GATE, FORGETTING = 0.3, 0.9, 1 / 256
# What the last layer is, how many samples are kept, and bytes with means in s16, samples in s8.
WAYS = (
    ("as ever, nothing kept", "weights", 0, 0),
    ("as ever, 6 samples kept", "weights", 6, 6 * 770),
    ("as ever, 22 samples kept", "weights", 22, 22 * 770),
    ("as ever, 50 samples kept", "weights", 50, 50 * 770),
    ("class means, one variance a unit", "means", 0, 2 * UNITS * (CLASSES + 1)),
    ("the same, as means that forget", "forgetting", 0, 2 * UNITS * (CLASSES + 1)),
    ("class means, all covariances", "covariances", 0, 2 * UNITS * CLASSES + 4 * UNITS**2),
)
Samples = tuple[NDArray[Any], NDArray[Any]]


def hapt(*, is_trial: bool) -> tuple[Samples, Samples]:
    """Training samples as recorded, and those that are answered; each channel standardised."""
    train, test = (np.load(EXAMPLES / f"hapt_{part}.npz") for part in ("train", "test"))
    names, x, y = np.unique(train["y"]), train["x"], train["y"]
    count = len(x) - (len(x) // 5 if is_trial else 0)
    x_test, y_test = (x[count:], y[count:]) if is_trial else (test["x"], test["y"])
    centre, spread = x[:count].mean((0, 1)), x[:count].std((0, 1))
    flat = [((part - centre) / spread).reshape(len(part), -1) for part in (x[:count], x_test)]
    labels = [np.searchsorted(names, part) for part in (y[:count], y_test)]
    return (flat[0], labels[0]), (flat[1], labels[1])


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Probabilities of the classes."""
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())


class Net:
    """The net with sign projections and projected cross entropy, one sample at a time."""

    def __init__(self, rng: np.random.Generator, x: NDArray[Any]) -> None:
        n_in = x.shape[1]
        self.w = rng.uniform(-1, 1, (UNITS, n_in)) / math.sqrt(n_in)
        self.b, self.p = np.zeros(UNITS), rng.choice([-1.0, 1.0], (UNITS, CLASSES))
        self.w_out, self.b_out = np.zeros((CLASSES, UNITS)), np.zeros(CLASSES)
        self.rate = STEP_SIZE / np.mean((x**2).sum(1)), STEP_SIZE / (UNITS / 2)

    def hidden(self, x: NDArray[Any]) -> NDArray[Any]:
        """Outputs of the hidden layer, for one sample or for many."""
        return np.tanh(x @ self.w.T + self.b)

    def learn(self, x: NDArray[Any], y: int) -> NDArray[Any]:
        """One training step; the hidden outputs before it."""
        h, wanted = self.hidden(x), np.eye(CLASSES)[y]
        prob = softmax(self.w_out @ h + self.b_out)
        if prob[y] < GATE:
            q = wanted - softmax(self.p.T @ h / math.sqrt(UNITS))
            delta = self.rate[0] * (self.p @ q) * (1 - h * h)
            self.w += np.outer(delta, x)
            self.b += delta
        self.w_out += self.rate[1] * np.outer(wanted - prob, h)
        self.b_out += self.rate[1] * (wanted - prob)
        return h


@dataclass
class Statistics:
    """Means of the hidden outputs of each class, and how they spread."""

    forgets: bool
    seen: NDArray[Any]
    means: NDArray[Any]
    variances: NDArray[Any]
    products: NDArray[Any]

    @classmethod
    def empty(cls, *, forgets: bool) -> "Statistics":
        """Nothing was seen yet."""
        zeros = np.zeros(CLASSES), np.zeros((CLASSES, UNITS)), np.zeros(UNITS)
        return cls(forgets, *zeros, np.eye(UNITS))

    def add(self, h: NDArray[Any], y: int) -> None:
        """Add the hidden outputs of one sample."""
        self.seen[y] += 1
        share = max(1 / self.seen[y], FORGETTING if self.forgets else 0)
        away = h - self.means[y]
        self.means[y] += share * away
        spread = away * (h - self.means[y])
        total = FORGETTING / 2 if self.forgets else 1 / self.seen.sum()
        self.variances += total * (spread - self.variances)
        self.products += np.outer(h, h)

    def scores(self, h: NDArray[Any], *, is_full: bool) -> NDArray[Any]:
        """Scores of the classes for many hidden outputs."""
        if not is_full:
            away = (h[:, None, :] - self.means) ** 2 / (self.variances + 1e-3)
            return np.asarray(-away.sum(2))
        shares = (self.seen / self.seen.sum())[:, None]
        covariances = self.products / self.seen.sum() - (self.means * shares).T @ self.means
        weights = np.linalg.solve(covariances + 1e-2 * np.eye(UNITS), self.means.T)
        return np.asarray(h @ weights - np.einsum("dk,kd->k", weights, self.means) / 2)


class Kept:
    """Kept samples, balanced, by section 24 of the contract."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size, self.rng = size, rng
        self.samples: list[tuple[NDArray[Any], int]] = []
        self.seen = np.zeros(CLASSES, int)

    def add(self, x: NDArray[Any], y: int) -> None:
        """Keep a sample, or leave it."""
        self.seen[y] += 1
        labels = np.array([label for _, label in self.samples], int)
        counts = np.bincount(labels, minlength=CLASSES)
        if len(labels) < self.size:
            self.samples.append((x, y))
        elif counts[y] + 1 < counts.max():
            self.samples[self.rng.choice(np.flatnonzero(labels == counts.argmax()))] = (x, y)
        elif (pick := self.rng.integers(self.seen[y])) < counts[y]:
            self.samples[np.flatnonzero(labels == y)[pick]] = (x, y)


def accuracy(last: str, size: int, seed: int, *, is_trial: bool) -> float:
    """Share of right answers after one pass, in percent."""
    (x, y), (x_test, y_test) = hapt(is_trial=is_trial)
    rng = np.random.default_rng(seed)
    net, kept = Net(rng, x), Kept(size, rng)
    statistics = Statistics.empty(forgets=last == "forgetting")
    for sample, label in zip(x, y, strict=True):
        if kept.samples:
            net.learn(*kept.samples[rng.integers(len(kept.samples))])
        statistics.add(net.learn(sample, label), label)
        if size:
            kept.add(sample, label)
    h = net.hidden(x_test)
    if last == "weights":
        scores = h @ net.w_out.T + net.b_out
    else:
        scores = statistics.scores(h, is_full=last == "covariances")
    return 100 * float(np.mean(scores.argmax(1) == y_test))


def rows() -> Iterator[str]:
    """The table in Markdown."""
    yield "| last layer | bytes | held out | test |"
    yield "|---|---:|---:|---:|"
    for name, last, size, count in WAYS:
        held, test = (
            mean(accuracy(last, size, seed, is_trial=is_trial) for seed in SEEDS)
            for is_trial in (True, False)
        )
        yield f"| {name} | {count:,} | {held:.1f} | {test:.1f} |"


if __name__ == "__main__":
    argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0]).parse_args()
    for row in rows():
        print(row, flush=True)
