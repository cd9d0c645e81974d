"""Checks of plausibility: each warns beyond its threshold and says what to try."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.graph import Labels
from tpsgd_edge.stages.doubts import CHECKS, Facts, doubts
from tpsgd_edge.stages.linear_baseline import linear_score

GOOD = Facts(
    tests=360,
    score=0.95,
    scores=(0.1, 0.9, 0.96, 0.95),
    largest=(0.2, "three"),
    random_hidden=("hidden layers at random", 0.85),
    linear=("logistic regression", 0.96),
    inputs=64,
    steps=256,
    weights_at_limits=(("fc1", 0.01), ("fc2", 0.02)),
    class_shares=(("three", 0.5, 0.48), ("four", 0.5, 0.52)),
    set_sizes=(1400, 360),
)
# What is doubtful, what is just not, and words of the message.
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "inputs-lost": (
        {"lost_inputs": 16, "steps_left": 2},
        {"lost_inputs": 15, "steps_left": 2},
        "16 of 64 inputs use at most 2 of the 256 steps",
    ),
    "inputs-clipped": ({"clipped_inputs": 0.06}, {"clipped_inputs": 0.05}, "6.0 % of the input"),
    "at-chance": (
        {"score": 0.2, "scores": (0.1, 0.2), "random_hidden": None, "linear": None},
        {"score": 0.21, "scores": (0.1, 0.21), "random_hidden": None, "linear": None},
        "20.0 % on the test set is no more than the share of the largest class, 'three', 20.0 %",
    ),
    "below-untaught": (
        {"random_hidden": ("hidden layers at random", 0.98)},
        {"random_hidden": ("hidden layers at random", 0.97)},
        "below the 98.0 % of the same net with its hidden layers at random",
    ),
    "below-linear": (
        {"linear": ("logistic regression", 0.985)},
        {"linear": ("logistic regression", 0.975)},
        "95.0 % on the test set is below the 98.5 % of logistic regression",
    ),
    "class-never-answered": (
        {"never_answered": ("two", "five")},
        {"never_answered": ()},
        "no answer names 'two', 'five', of which the test set has samples",
    ),
    "outputs-clipped": ({"clipped_outputs": 0.02}, {"clipped_outputs": 0.01}, "2.0 % of the answ"),
    "best-is-past": (
        {"scores": (0.1, 0.99, 0.95)},
        {"scores": (0.1, 0.97, 0.95)},
        "95.0 % at the end is far below the 99.0 % after epoch 1",
    ),
    "weights-at-limits": (
        {"weights_at_limits": (("fc1", 0.02), ("fc2", 0.11))},
        {"weights_at_limits": (("fc1", 0.1), ("fc2", 0.1))},
        "11.0 % of the weights of layer 'fc2'",
    ),
    "few-tests": (
        {"tests": 19, "set_sizes": (1400, 19)},
        {"tests": 20, "set_sizes": (1400, 20)},
        "19 answers were scored: each is 5 % of them",
    ),
    "sets-unlike": (
        {"class_shares": (("three", 0.5, 0.7), ("four", 0.5, 0.3))},
        {"class_shares": (("three", 0.5, 0.6), ("four", 0.5, 0.4))},
        "training and test set hold unlike shares of the classes: of 'four' 50.0 % and 30.0 %",
    ),
}


def codes(facts: Facts) -> list[str]:
    return [doubt.code for doubt in doubts(facts)]


def test_a_good_training_has_no_doubts():
    assert doubts(GOOD) == ()


def test_nothing_known_is_no_doubt():
    assert doubts(Facts()) == ()


def test_each_check_has_a_case():
    assert CASES.keys() == CHECKS.keys()


@pytest.mark.parametrize("code", CHECKS)
def test_a_check_warns_beyond_its_threshold_and_not_before(code):
    doubtful, good, words = CASES[code]
    assert code not in codes(dataclasses.replace(GOOD, **good))
    found = {doubt.code: doubt for doubt in doubts(dataclasses.replace(GOOD, **doubtful))}
    assert list(found) == [code]
    assert words in found[code].message
    assert found[code].help
    assert found[code].to_json() == {
        "code": code,
        "message": found[code].message,
        "help": found[code].help,
    }


def test_r2_has_words_of_its_own():
    facts = Facts(metric="r2", tests=80, score=0.0, linear=("ridge regression", 0.5))
    chance, linear = doubts(facts)
    assert "R² 0.000 on the test set: no better than the mean of the labels" in chance.message
    assert "below the R² 0.500 of ridge regression" in linear.message


def test_training_that_harms_is_told_from_training_too_long():
    facts = dataclasses.replace(GOOD, scores=(0.99, 0.9, 0.95))
    (doubt,) = doubts(facts)
    assert "far below the 99.0 % before training began" in doubt.message
    assert "smaller learning_rate" in doubt.help


def test_what_was_tried_already_is_not_advised():
    lost = Facts(inputs=6, lost_inputs=6, steps_left=2, steps=256, clipped_inputs=0.5)
    for doubt in doubts(lost):
        assert 'set data.scaling = "standard", or ' in doubt.help
    for doubt in doubts(dataclasses.replace(lost, scaling="standard")):
        assert doubt.help
        assert "standard" not in doubt.help


def test_one_sample_of_few_is_no_doubt():
    # 1 of 25 more than the net: 4 points.
    facts = dataclasses.replace(GOOD, tests=25, score=0.92, scores=(0.92,))
    assert codes(facts) == []


def test_many_classes_are_not_all_listed():
    facts = dataclasses.replace(GOOD, never_answered=tuple("abcdefgh"))
    assert "'a', 'b', 'c', 'd', 'e', and 3 more" in doubts(facts)[0].message


def test_chance_says_all_that_silent_classes_would():
    facts = Facts(tests=100, score=0.5, largest=(0.5, "a"), never_answered=("b",))
    assert codes(facts) == ["at-chance"]


# ------------------------------------------------------------------ the linear model


def data_of(x: Any, y: Any, kind: Any, count: int) -> Dataset:
    half = len(x) // 2
    x = np.asarray(x, np.float32)
    names = tuple(map(str, range(count))) if kind == "class" else ()
    labels = Labels(kind, count)
    return Dataset(x[:half], y[:half], x[half:], y[half:], labels, names, x.shape[1:], "toy")


@pytest.mark.parametrize("factor", [1e-6, 1, 1e6])
@pytest.mark.parametrize("outlier", [False, True])
def test_logistic_regression_is_as_good_as_scikit_learns(factor, outlier):
    sklearn = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 600)
    x = rng.normal(size=(600, 5)) + 1.5 * np.eye(5)[y]
    scale = np.array([1, 10, 0.1, 1, 1000]) * factor
    data = data_of(x * scale + 5 * scale, y, "class", 3)
    theirs = sklearn.LogisticRegression().fit(x[:300], y[:300]).score(x[300:], y[300:])
    if outlier:
        data.x_train[7] = 65535 * scale
    found = linear_score(data)
    assert found is not None
    assert found[0] == "logistic regression"
    assert abs(found[1] - theirs) < 0.02


def test_ridge_regression_is_as_good_as_scikit_learns():
    sklearn = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 6))
    y = (x @ rng.normal(size=(6, 2)) + rng.normal(size=(400, 2))).astype(np.float64)
    theirs = sklearn.Ridge().fit(x[:200], y[:200]).predict(x[200:])
    spread = ((y[200:] - y[200:].mean(axis=0)) ** 2).sum()
    found = linear_score(data_of(x, y, "vector", 2))
    assert found is not None
    assert found[0] == "ridge regression"
    assert found[1] == pytest.approx(1 - ((y[200:] - theirs) ** 2).sum() / spread, abs=0.01)


def test_bytes_constants_and_empty_sets_are_no_obstacle():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 200)
    x = np.hstack([np.full((200, 1), 7), 100 * y[:, None] + rng.integers(0, 50, (200, 1))])
    data = data_of(x, y, "class", 2)
    data = dataclasses.replace(
        data, x_train=data.x_train.astype(np.uint8), x_test=data.x_test.astype(np.uint8)
    )
    assert linear_score(data) == ("logistic regression", 1.0)
    assert linear_score(dataclasses.replace(data, x_test=data.x_test[:0])) is None


def test_labels_of_each_step_and_constant_values_have_no_linear_model():
    x, y = np.ones((40, 4)), np.zeros((40, 2))
    data = data_of(x, np.zeros((40, 4), np.int64), "class", 2)
    each = dataclasses.replace(data.labels, each_step=True)
    assert linear_score(dataclasses.replace(data, labels=each)) is None
    assert linear_score(data_of(x, y, "vector", 2)) is None
