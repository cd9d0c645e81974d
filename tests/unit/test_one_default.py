"""A net has the same defaults from a spec and from an estimator: rates, scaling, epochs."""

from pathlib import Path

import pytest

from tpsgd_edge import TPSGDClassifier, TPSGDRegressor
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.spec import Spec, layer_learning_rate, spec_from_dict
from tpsgd_edge.stages import prepare

EXAMPLES = Path(__file__).parents[2] / "examples"
CASES = {
    "digits": ("digits.npz", 10, (64,), TPSGDClassifier),
    "digits, two hidden layers": ("digits.npz", 10, (64, 32), TPSGDClassifier),
    "diabetes": ("diabetes.npz", 1, (16,), TPSGDRegressor),
}


def with_defaults(file: str, units: int, hidden: tuple[int, ...]) -> tuple[Spec, object]:
    """The spec of a net about which nothing else is said, as `prepare` leaves it, and its data."""
    layers = [{"name": f"fc{i}", "units": n} for i, n in enumerate((*hidden, units), 1)]
    content = {"name": "net", "model": {"layers": layers}, "data": {"file": file}}
    spec = spec_from_dict(content, folder=EXAMPLES)
    dataset = load_dataset(spec)
    return prepare(spec, dataset).spec, dataset


@pytest.mark.parametrize("case", CASES)
def test_a_spec_and_an_estimator_have_the_same_defaults(case, monkeypatch):
    file, units, hidden, estimator = CASES[case]
    spec, dataset = with_defaults(file, units, hidden)
    found = []
    monkeypatch.setattr(
        "tpsgd_edge.estimator.base.prepare",
        lambda *given: found.append(prepare(*given)) or found[-1],
    )
    x, y = dataset.x_train, dataset.y_train
    estimator(hidden, random_state=1, epochs=1).fit(x, y[:, 0] if y.ndim == 2 else y)
    own = found[0].spec
    for index in range(len(hidden) + 1):
        assert layer_learning_rate(own, index) == layer_learning_rate(spec, index)
    assert own.data.scaling == spec.data.scaling
    assert own.rule.final_rate == spec.rule.final_rate


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_as_many_epochs(case):
    file, units, hidden, estimator = CASES[case]
    spec, dataset = with_defaults(file, units, hidden)
    x, y = dataset.x_train[:50], dataset.y_train[:50]
    fitted = estimator(hidden, random_state=1).fit(x, y[:, 0] if y.ndim == 2 else y)
    # Fewer samples, more passes: 10,000 steps.
    assert fitted.n_iter_ == 200
    assert spec.rule.epochs == max(10, -(-10_000 // len(dataset.x_train)))
