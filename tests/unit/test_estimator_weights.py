"""Weights of samples in the scikit-learn estimators."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from tpsgd_edge import TPSGDClassifier, TPSGDRegressor
from tpsgd_edge.estimator.weights import weighted_order
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.memory import state_layout
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.reference import Reference

IRIS = load_iris(return_X_y=True)
FORMATS = [
    {"weights": "s16"},
    {"weights": "s8"},
    {"weights": "s16", "activations": "s16"},
    {"weights": "f32"},
]


def small(**parameters: object) -> TPSGDClassifier:
    """A classifier that is quick to train."""
    return TPSGDClassifier((8,), **{"epochs": 2, "random_state": 1} | parameters)


def reference_outputs(estimator, x):
    """What the reference answers in the state of an estimator."""
    model = estimator.model_
    reference = Reference(model)
    reference.load_state(state_layout(model).read(estimator.state_))
    inputs = quantize_inputs(model, x.astype(np.float32))
    return np.array([reference.output(sample) for sample in inputs])


class TestWeights:
    """A weight is a share of an epoch's steps."""

    def order(self, weights, epochs=1):
        weights = np.asarray(weights, np.float64)
        return [
            weighted_order(epoch_order(3, epoch, len(weights)), weights, 3, epoch)
            for epoch in range(epochs)
        ]

    @pytest.mark.parametrize("weight", [1.0, 0.1, 3e-9, 1e12])
    @pytest.mark.parametrize("count", [1, 7, 1000, 30_011])
    def test_equal_weights_change_nothing(self, weight, count):
        for epoch, order in enumerate(self.order(np.full(count, weight), epochs=3)):
            np.testing.assert_array_equal(order, epoch_order(3, epoch, count))

    def test_each_sample_comes_as_often_as_its_share_says(self):
        weights = np.random.default_rng(1).gamma(0.5, size=200) + 1e-6
        share = weights / weights.sum() * len(weights)
        counts = np.array([np.bincount(order, minlength=200) for order in self.order(weights, 400)])
        assert (counts.sum(axis=1) == 200).all()
        assert (np.abs(counts - share) < 1).all()  # floor or ceil
        np.testing.assert_allclose(counts.mean(axis=0), share, atol=0.1)

    def test_copies_of_a_sample_do_not_follow_each_other(self):
        (order,) = self.order([200.0, *np.ones(200)])
        pairs = (order[1:] == 0) & (order[:-1] == 0)
        assert np.bincount(order)[0] in (100, 101)
        assert 0 < pairs.sum() < 90

    def test_it_is_the_same_each_time_and_another_in_each_epoch(self):
        one, other = self.order([3.0, 1, 1, 2, 0.5], 2), self.order([3.0, 1, 1, 2, 0.5], 2)
        for i in range(2):
            np.testing.assert_array_equal(one[i], other[i])
        assert one[0].tolist() != one[1].tolist()

    def test_no_weights_are_equal_weights(self):
        x, y = IRIS
        plain = small().fit(x, y).state_
        assert small().fit(x, y, sample_weight=np.full(150, 2.5)).state_ == plain
        assert small(class_weight={0: 7, 1: 7, 2: 7}).fit(x, y).state_ == plain
        # All classes of iris are equally frequent.
        assert small(class_weight="balanced").fit(x, y).state_ == plain

    def test_a_weight_of_zero_is_a_sample_that_is_not_there(self):
        x, y = IRIS
        kept = np.arange(150) % 3 > 0
        without = small().fit(x[kept], y[kept])
        weighted = small().fit(x, y, sample_weight=kept.astype(float))
        assert weighted.state_ == without.state_
        assert weighted.project_.digest == without.project_.digest
        # So is a class of which nothing is left.
        two = small().fit(x, y, sample_weight=y > 0)
        assert two.classes_.tolist() == [1, 2]

    def test_weights_of_classes_and_of_samples_are_one_thing(self):
        x, y = IRIS
        by_class = small(class_weight={1: 4.0}).fit(x, y)
        by_sample = small().fit(x, y, sample_weight=np.where(y == 1, 4.0, 1.0))
        assert by_class.state_ == by_sample.state_
        assert by_class.state_ != small().fit(x, y).state_

    def test_a_rare_class_is_found_if_it_weighs(self):
        rng = np.random.default_rng(1)
        x = np.concatenate([rng.normal(0, 1, (475, 2)), rng.normal(1.2, 1, (25, 2))])
        y = np.repeat([0, 1], [475, 25])
        found = [
            (small(class_weight=weight, epochs=20).fit(x, y).predict(x)[475:] == 1).mean()
            for weight in (None, "balanced")
        ]
        assert found[0] < 0.4
        assert found[1] > 0.6

    def test_a_regression_goes_where_the_weights_are(self):
        x = np.linspace(-1, 1, 60).reshape(-1, 1)
        x, y = np.concatenate([x, x]), np.repeat([0.0, 1.0], 60)
        weight = np.repeat([1.0, 9.0], 60)
        regressor = TPSGDRegressor((), epochs=40, random_state=1)
        assert abs(regressor.fit(x, y, sample_weight=weight).predict(x).mean() - 0.9) < 0.1
        assert abs(regressor.fit(x, y).predict(x).mean() - 0.5) < 0.1

    def test_parts_are_weighted_too(self):
        x, y = IRIS
        weight = np.where(y == 2, 5.0, 1.0)
        whole = small(schedule="constant").fit(x, y, sample_weight=weight)
        parts = small()
        for _ in range(2):
            parts.partial_fit(x, y, classes=[0, 1, 2], sample_weight=weight)
        assert parts.state_ == whole.state_
        regressor = TPSGDRegressor((4,), random_state=1)
        regressor.partial_fit(x, y.astype(float), sample_weight=weight)
        assert regressor.n_iter_ == 1

    @pytest.mark.parametrize(
        ("weight", "words"),
        [
            (np.ones(3), "shape"),
            (np.ones((150, 2)), "shape"),
            (np.full(150, -1.0), "not below 0"),
            (np.full(150, np.nan), "finite"),
            (np.zeros(150), "every sample_weight is zero"),
        ],
    )
    def test_weights_that_are_no_good(self, weight, words):
        with pytest.raises(ValueError, match=words):
            small().fit(*IRIS, sample_weight=weight)

    def test_class_weights_that_are_no_good(self):
        x, y = IRIS
        with pytest.raises(ValueError, match="class_weight"):
            small(class_weight={0: -1.0}).fit(x, y)
        with pytest.raises(ValueError, match="needs all samples"):
            small(class_weight="balanced").partial_fit(x, y, classes=[0, 1, 2])

    def test_a_search_over_class_weights(self):
        search = GridSearchCV(small(), {"class_weight": [None, "balanced"]}, cv=2)
        search.fit(*IRIS, sample_weight=np.ones(150))
        assert search.best_score_ > 0.5
