"""The scikit-learn estimators: scikit-learn's own checks, and the reference to the bit."""

import pickle
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits, load_iris, load_linnerud
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from tpsgd_edge import TPSGDClassifier, TPSGDRegressor
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.estimator import library
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.memory import state_layout
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.quantize.samples import read_outputs
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


def not_expected(estimator):
    """Checks of scikit-learn that a net which learns sample by sample cannot pass."""
    return {
        "check_sample_weight_equivalence_on_dense_data": "a weight is a share of the steps: the "
        "same as repetition in the mean over epochs, not in the order of the steps"
    }


@pytest.mark.slow
@parametrize_with_checks([TPSGDClassifier(), TPSGDRegressor()], expected_failed_checks=not_expected)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.mark.series(1)
@pytest.mark.parametrize(
    "formats",
    [*FORMATS, {"scores": "carried"}],
    ids=lambda formats: "-".join(formats.values()),
)
def test_a_classifier_answers_as_the_reference(formats):
    x, y = IRIS
    classifier = small(**formats).fit(x, y)
    outputs = reference_outputs(classifier, x)
    np.testing.assert_array_equal(classifier.predict(x), outputs.argmax(axis=1))
    logits = outputs.astype(np.float64) * classifier.model_.layers[-1].y_scale
    np.testing.assert_array_equal(classifier.decision_function(x), logits)


@pytest.mark.series(1)
@pytest.mark.parametrize("formats", FORMATS, ids=lambda formats: "-".join(formats.values()))
def test_a_regressor_answers_as_the_reference(formats):
    x, y = load_linnerud(return_X_y=True)
    regressor = TPSGDRegressor((8, 4), epochs=5, random_state=1, **formats).fit(x, y)
    values = read_outputs(regressor.model_, reference_outputs(regressor, x))
    np.testing.assert_array_equal(regressor.predict(x), values)


def test_fit_learns_as_the_reference():
    x, y = IRIS
    classifier = small().fit(x, y)
    model = classifier.model_
    inputs, labels = quantize_inputs(model, x.astype(np.float32)), quantize_labels(model, y)
    reference = Reference(model)
    for epoch in range(2):
        for index in epoch_order(model.seed, epoch, len(x)):
            reference.train_step(inputs[index], labels[index])
    expected = reference.state()
    for name, tensor in state_layout(model).read(classifier.state_).items():
        np.testing.assert_array_equal(tensor, expected[name])


@pytest.mark.slow
def test_digits_are_learned():
    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
    classifier = TPSGDClassifier(random_state=0).fit(x_train, y_train)
    assert classifier.score(x_test, y_test) > 0.95
    likely = classifier.predict_proba(x_test)
    np.testing.assert_allclose(likely.sum(axis=1), 1)
    np.testing.assert_array_equal(likely.argmax(axis=1), classifier.predict(x_test))
    # The device's softmax has 6 bits between two powers of two.
    sure = classifier.confidence(x_test)
    np.testing.assert_allclose(sure, likely.max(axis=1), atol=0.02)


@pytest.mark.slow
def test_a_regression_is_learned():
    x, y = load_diabetes(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
    assert TPSGDRegressor(random_state=0).fit(x_train, y_train).score(x_test, y_test) > 0.2


@pytest.mark.slow
def test_names_of_classes_and_features_are_kept():
    x, y = IRIS
    names = np.array(["setosa", "versicolor", "virginica"])
    classifier = small(epochs=50).fit(x, names[y])
    assert classifier.classes_.tolist() == names.tolist()
    assert classifier.score(x, names[y]) > 0.9
    assert classifier.n_iter_ == 50
    assert classifier.n_features_in_ == 4


@pytest.mark.slow
def test_two_classes_have_one_decision():
    x, y = IRIS[0][:100], IRIS[1][:100]
    classifier = small().fit(x, y)
    decision = classifier.decision_function(x)
    assert decision.shape == (100,)
    np.testing.assert_array_equal(decision > 0, classifier.predict(x) == 1)


@pytest.mark.slow
def test_what_nobody_says_follows_from_the_samples():
    """As in a spec without keys: 10,000 steps, unlike columns standardised, rates by their squares.

    Four standardised values have a mean square of 4, and so have eight units, by half their number.
    """
    x, y = IRIS[0] * [1, 1, 1, 100], IRIS[1]
    classifier = TPSGDClassifier((8,), random_state=1, weights="f32").fit(x, y)
    regressor = TPSGDRegressor((8,), random_state=1, weights="f32").fit(x, y)
    for estimator, steps in ((classifier, (0.3, 0.3)), (regressor, (0.1, 0.03))):
        assert estimator.n_iter_ == 67  # 10,050 steps
        np.testing.assert_allclose(estimator.model_.inputs.std, x.std(axis=0), rtol=1e-5)
        rates = [layer.learning.steps.rate for layer in estimator.model_.trainable]
        assert rates == pytest.approx([step / 4 for step in steps], rel=1e-3)
    # Named, they do the same.
    named = TPSGDClassifier((8,), random_state=1, weights="f32", epochs=67, scaling="standard")
    assert named.fit(x, y).state_ == classifier.state_
    assert TPSGDClassifier((), learning_rate=0.5, weights="f32", epochs=1).fit(
        x, y
    ).model_.last.learning.steps.rate == pytest.approx(0.5)


def test_calls_of_partial_fit_are_the_epochs_of_fit():
    x, y = IRIS
    whole = small(epochs=3, schedule="constant").fit(x, y)
    parts = small()
    for _ in range(3):
        parts.partial_fit(x, y, classes=[0, 1, 2])
    assert parts.state_ == whole.state_
    assert parts.n_iter_ == 3


def test_partial_fit_goes_on_after_fit():
    x, y = IRIS
    classifier = small().fit(x, y)
    state, model = classifier.state_, classifier.model_
    classifier.partial_fit(x, y)
    assert classifier.state_ != state
    assert classifier.model_ is model
    assert classifier.n_iter_ == 3


@pytest.mark.slow
def test_classes_may_come_later():
    x, y = IRIS
    classifier = small().partial_fit(x[:100], y[:100], classes=[0, 1, 2])
    for _ in range(20):
        classifier.partial_fit(x, y)
    assert classifier.score(x, y) > 0.9


def test_partial_fit_of_a_regressor_goes_on():
    x, y = load_linnerud(return_X_y=True)
    regressor = TPSGDRegressor((8,), random_state=1).partial_fit(x, y)
    state = regressor.state_
    assert regressor.partial_fit(x[:1], y[:1]).state_ != state
    with pytest.raises(ValueError, match="the model learned 3"):
        regressor.partial_fit(x, y[:, :2])


def test_labels_must_be_known():
    x, y = IRIS
    with pytest.raises(ValueError, match="needs classes"):
        small().partial_fit(x, y)
    with pytest.raises(ValueError, match="the label 2, which is not in classes_"):
        small().partial_fit(x, y, classes=[0, 1])
    with pytest.raises(ValueError, match="1 class"):
        small().fit(x[:50], y[:50])
    with pytest.raises(ValueError, match="differs from the first"):
        small().fit(x, y).partial_fit(x, y, classes=[0, 1])


def test_a_wrong_parameter_is_a_spec_error():
    with pytest.raises(SpecError, match="did you mean 'tanh'") as caught:
        small(activation="tanhh").fit(*IRIS)
    assert "TPSGDClassifier" in caught.value.message()


def test_more_inputs_than_the_c_counts_are_refused():
    with pytest.raises(DataError, match="a sample is too large"):
        small().fit(np.zeros((4, 65_536), np.float32), [0, 1, 0, 1])


def test_the_first_state_is_not_an_answer():
    with pytest.raises(NotFittedError):
        small().predict(IRIS[0])


@pytest.mark.slow
def test_numpys_numbers_are_parameters():
    sizes = {"epochs": np.int64(2), "learning_rate": np.float32(0.01), "random_state": np.int64(1)}
    plain = {"epochs": 2, "learning_rate": float(np.float32(0.01)), "random_state": 1}
    states = {
        TPSGDClassifier(layers, **given).fit(*IRIS).state_
        for layers, given in ((np.array([8]), sizes), ((8,), plain), (8, plain))
    }
    assert len(states) == 1


@pytest.mark.slow
def test_a_seed_is_drawn_where_none_is_given():
    assert len({small(random_state=None).fit(*IRIS).model_.seed for _ in range(2)}) == 2
    drawn = [small(random_state=np.random.RandomState(3)).fit(*IRIS).model_.seed for _ in range(2)]
    assert drawn[0] == drawn[1]


@pytest.mark.slow
def test_a_pickle_works_in_another_process(tmp_path):
    x, _ = IRIS
    classifier = small().fit(*IRIS)
    (tmp_path / "pickle").write_bytes(pickle.dumps((classifier, x)))
    code = (
        "import pickle, sys; c, x = pickle.load(open(sys.argv[1], 'rb'));"
        "print(c.decision_function(x).tobytes().hex())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "pickle")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert bytes.fromhex(done.stdout) == classifier.decision_function(x).tobytes()


@pytest.mark.slow
def test_a_clone_has_learned_nothing_but_learns_the_same():
    classifier = small().fit(*IRIS)
    copy = clone(classifier)
    assert not hasattr(copy, "state_")
    assert copy.fit(*IRIS).state_ == classifier.state_


@pytest.mark.slow
def test_a_project_is_compiled_once_and_leaves_no_files(monkeypatch, tmp_path):
    compiled = []

    def compile_and_note(project, folder):
        compiled.append(project.name)
        return compile_for_host(project, folder)

    compile_for_host = library.compile_for_host
    monkeypatch.setattr(library, "compile_for_host", compile_and_note)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for _ in range(3):
        small(random_state=77).fit(*IRIS).predict(IRIS[0])
    assert compiled == ["classifier"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_estimators_of_one_project_keep_apart_in_threads():
    x, y = IRIS
    classifiers = [
        small(schedule="constant").partial_fit(x[i:], y[i:], classes=[0, 1, 2]) for i in (0, 0)
    ]
    classifiers[1].partial_fit(x[:30], y[:30])
    alone = [classifier.decision_function(x) for classifier in classifiers]
    assert (alone[0] != alone[1]).any()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: classifiers[i % 2].decision_function(x), range(40)))
    for i, decision in enumerate(together):
        np.testing.assert_array_equal(decision, alone[i % 2])


@pytest.mark.slow
def test_a_search_over_a_pipeline():
    search = GridSearchCV(
        make_pipeline(MinMaxScaler(), small(epochs=20)),
        {"tpsgdclassifier__weights": ["s8", "s16"]},
        cv=2,
        error_score="raise",
    )
    search.fit(*IRIS)
    assert search.best_score_ > 0.8
    assert search.predict(IRIS[0]).shape == (150,)


def test_without_scikit_learn_the_error_says_how_to_get_it():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from tpsgd_edge.errors import ToolError\n"
        "try: from tpsgd_edge import TPSGDClassifier\n"
        "except ToolError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert "pip install 'tpsgd-edge[sklearn]'" in done.stdout
