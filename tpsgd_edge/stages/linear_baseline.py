"""Score of a linear model on the same data: logistic regression, or ridge for real values.

The checks of plausibility compare nets with it. It needs numpy alone: scikit-learn takes longer to
load than the model takes to learn.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.frontend.data import Dataset

# Multiply-accumulates that a pass over the samples may take: about a second for all of them.
_AFFORDABLE = 20_000_000
_PASSES = 150
_MOST_SAMPLES = 10_000
_WIDEST = 4096  # inputs for which ridge is solved: a matrix of that many squared
# A lone outlier must not rule: percent of the values at each end, standard deviations.
_OUTERMOST, _LARGEST = 0.5, 8.0


def linear_score(dataset: Dataset) -> tuple[str, float] | None:
    """Name and score on the test set of a linear model; None where none is made.

    It learns from as many training samples as are affordable, on standardised inputs.
    """
    if dataset.labels.each_step or not len(dataset.x_train) or not len(dataset.x_test):
        return None
    is_class = dataset.labels.kind == "class"
    width, answers = dataset.x_train.shape[1] + 1, dataset.labels.count
    if not is_class and width > _WIDEST:
        return None
    most = min(_MOST_SAMPLES, max(200, _AFFORDABLE // (width * (answers if is_class else width))))
    x, y = dataset.x_train[:most], dataset.y_train[:most]
    mean, std = _scale(x)

    def scaled(values: NDArray[Any]) -> Real:
        standard = np.clip((values - mean) / std, -_LARGEST, _LARGEST)
        return np.hstack([standard, np.ones((len(values), 1))]).astype(np.float32)

    inputs, tests = scaled(x), scaled(dataset.x_test[:_MOST_SAMPLES])
    wanted = dataset.y_test[:_MOST_SAMPLES]
    if is_class:
        w = _logistic(inputs, y, answers)
        right = (tests @ w).argmax(axis=1) == wanted
        return "logistic regression", float(right.mean())
    return _of_ridge(tests @ _ridge(inputs, np.asarray(y, np.float64)), wanted)


def _scale(x: NDArray[Any]) -> tuple[Real, Real]:
    """Mean and std of each column without its outermost values; infinite where constant."""
    low, high = np.percentile(x, (_OUTERMOST, 100 - _OUTERMOST), axis=0)
    inner = np.where(high > low, np.clip(x, low, high), x)
    mean, std = inner.mean(axis=0), inner.std(axis=0)
    return mean, np.where(std > 1e-9 * np.abs(mean), std, np.inf)


def _logistic(x: Real, y: NDArray[Any], count: int) -> Real:
    """Weights (n_in, count) of softmax regression, by Nesterov's accelerated gradient.

    The penalty is scikit-learn's at its default C = 1.
    """
    n = len(x)
    target = np.eye(count, dtype=x.dtype)[np.asarray(y, np.int64)]
    penalty = 1 / n
    rate = 1 / (0.5 * _largest_eigenvalue(x) / n + penalty)
    w = ahead = np.zeros((x.shape[1], count), x.dtype)
    for turn in range(_PASSES):
        logits = x @ ahead
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        before, w = w, ahead - rate * (x.T @ (p - target) / n + penalty * ahead)
        ahead = w + turn / (turn + 3) * (w - before)
    return w


def _largest_eigenvalue(x: Real) -> float:
    """Upper bound, a little above the largest eigenvalue of x^T x for x (n, columns)."""
    vector = np.ones(x.shape[1], x.dtype)
    value = 1.0
    for _ in range(20):
        vector = x.T @ (x @ vector)
        value = float(np.linalg.norm(vector))
        if value == 0:
            return 1.0
        vector /= value
    return 1.1 * value


def _ridge(x: Real, y: Real) -> Real:
    """Weights (n_in, K) of least squares with a penalty of 1 on their squares."""
    x = x.astype(np.float64)
    gram = x.T @ x + np.eye(x.shape[1])
    return np.asarray(np.linalg.solve(gram, x.T @ y))


def _of_ridge(answers: Real, wanted: NDArray[Any]) -> tuple[str, float] | None:
    spread = float(((wanted - wanted.mean(axis=0)) ** 2).sum())
    if spread <= 0:
        return None
    return "ridge regression", 1 - float(((wanted - answers) ** 2).sum()) / spread
