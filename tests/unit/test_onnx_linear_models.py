"""Classifiers and regressions of scikit-learn as skl2onnx writes them: one dense layer, or two."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.imports.onnx_net import read_onnx

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")
pytest.importorskip("torch")

from sklearn import linear_model, pipeline, preprocessing  # noqa: E402
from sklearn.neural_network import MLPClassifier  # noqa: E402
from sklearn.svm import LinearSVC  # noqa: E402

from tests.support import onnx_nets as nets  # noqa: E402

node = onnx.helper.make_node
RNG = np.random.default_rng(8)
X = RNG.normal(size=(150, 4)).astype(np.float32)
TWO = (X[:, 0] + 0.3 * X[:, 1] > 0.2).astype(int)
THREE = TWO + (X[:, 2] > 0)
NAMES = np.array(["cat", "dog"])[TWO]
CLASSIFIERS = {
    "LogisticRegression": linear_model.LogisticRegression,
    "LinearSVC": LinearSVC,
    "SGDClassifier": linear_model.SGDClassifier,
    "Perceptron": linear_model.Perceptron,
    "RidgeClassifier": linear_model.RidgeClassifier,
    "MLPClassifier": lambda: MLPClassifier((7,), max_iter=40, random_state=1),
}
# Those whose second output are probabilities.
PROBABLE = ("LogisticRegression", "MLPClassifier")


def save(folder: Path, model: Any, y: Any, **options: Any) -> Path:
    path = folder / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = skl2onnx.to_onnx(model.fit(X, y), X[:1], target_opset=17, **options)
    path.write_bytes(made.SerializeToString())
    return path


def runtime(path: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    labels, scores = session.run(None, {session.get_inputs()[0].name: X})
    if isinstance(scores, list):
        scores = np.array([list(row.values()) for row in scores])
    return np.unique(labels, return_inverse=True)[1], scores


@pytest.mark.parametrize("labels", [TWO, THREE, NAMES], ids=["two", "three", "names"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_answers_the_same(name: str, labels: Any, tmp_path: Path) -> None:
    path = save(tmp_path, CLASSIFIERS[name](), labels)
    expected, scores = runtime(path)
    y, graph = nets.answers(path, X, labels)
    assert (y.argmax(axis=1) == expected).all()
    assert len(graph.layers) == (2 if name == "MLPClassifier" else 1)
    if name in PROBABLE:
        np.testing.assert_allclose(nets.softmax(y), scores, rtol=1e-5, atol=1e-5)
    elif scores.shape == y.shape:
        np.testing.assert_allclose(y, scores, rtol=1e-5, atol=1e-4)
    assert read_onnx(path).class_names == (("cat", "dog") if labels is NAMES else None)


def test_two_classes_of_a_logistic_loss_are_probable_alike(tmp_path: Path) -> None:
    path = save(tmp_path, linear_model.SGDClassifier(loss="log_loss", random_state=1), TWO)
    y, _ = nets.answers(path, X, TWO)
    np.testing.assert_allclose(nets.softmax(y), runtime(path)[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "before", [preprocessing.StandardScaler(), preprocessing.MinMaxScaler()], ids=str
)
def test_what_scales_samples_goes_into_the_layer(before: Any, tmp_path: Path) -> None:
    model = pipeline.make_pipeline(before, linear_model.LogisticRegression())
    path = save(tmp_path, model, THREE)
    y, graph = nets.answers(path, X, THREE)
    assert len(graph.layers) == 1
    np.testing.assert_allclose(nets.softmax(y), runtime(path)[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("kind", [linear_model.Ridge, linear_model.LinearRegression])
def test_a_regression_says_the_same(kind: Any, targets: int, tmp_path: Path) -> None:
    labels = X @ RNG.normal(size=(4, targets)) + 5 + RNG.normal(size=(150, targets))
    path = save(tmp_path, kind(), labels if targets > 1 else labels.ravel())
    y, graph = nets.answers(path, X, labels)
    mean, std = labels.mean(axis=0), labels.std(axis=0)
    expected = nets.runtime(path, X)
    np.testing.assert_allclose(y * std + mean, expected, rtol=1e-4, atol=1e-4)
    assert [layer.n_out for layer in graph.layers] == [targets]


def test_what_is_no_layer_is_refused_in_words(tmp_path: Path) -> None:
    model = pipeline.make_pipeline(preprocessing.Normalizer(), linear_model.LogisticRegression())
    with pytest.raises(DataError) as error:
        read_onnx(save(tmp_path, model, TWO))
    assert "the operator Normalizer has no layer of ours" in str(error.value)
    assert "divides each sample by its own length" in str(error.value)
    model = linear_model.SGDClassifier(loss="log_loss", random_state=1)
    with pytest.raises(DataError, match="raw_scores"):
        read_onnx(save(tmp_path, model, THREE))
    read_onnx(save(tmp_path, model, THREE, options={id(model): {"raw_scores": True}}))


def linear(folder: Path, op: str, **attributes: Any) -> Path:
    path = folder / "net.onnx"
    outputs = ["label", "y"] if op == "LinearClassifier" else ["y"]
    made = node(op, ["x"], outputs, domain="ai.onnx.ml", **attributes)
    path.write_bytes(nets.model_of([made], {}, ("n", 4)).SerializeToString())
    return path


@pytest.mark.parametrize(
    ("op", "attributes", "words"),
    [
        ("LinearClassifier", {"coefficients": [1.0] * 7}, "7 coefficients for values of shape"),
        (
            "LinearClassifier",
            {"coefficients": [1.0] * 8, "intercepts": [0.0]},
            "1 intercepts for 2",
        ),
        (
            "LinearClassifier",
            {"coefficients": [1.0] * 8, "classlabels_ints": [0, 1, 2]},
            "3 classes, 2 rows",
        ),
        (
            "LinearClassifier",
            {"coefficients": [1.0] * 8, "post_transform": "SOFTMAX_ZERO"},
            "post_transform = SOFTMAX_ZERO",
        ),
        ("LinearRegressor", {"coefficients": [1.0] * 8, "targets": 1}, "1 targets, 2 rows"),
        ("LinearRegressor", {}, "0 coefficients"),
        ("LinearClassifier", {"coefficients": [float("nan")] * 8}, "holds NaN"),
        ("LinearRegressor", {"coefficients": [1.0] * 4, "mystery": 1}, "not known here: 'mystery'"),
    ],
)
def test_linear_models_that_do_not_fit(
    op: str, attributes: Any, words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as error:
        read_onnx(linear(tmp_path, op, **attributes))
    assert words in str(error.value)


def test_names_of_classes_come_with_the_net(tmp_path: Path) -> None:
    names = {"coefficients": [1.0] * 8, "classlabels_strings": ["low", "high"]}
    assert read_onnx(linear(tmp_path, "LinearClassifier", **names)).class_names == ("low", "high")
    places = {"coefficients": [1.0] * 8, "classlabels_ints": [0, 1]}
    assert read_onnx(linear(tmp_path, "LinearClassifier", **places)).class_names is None


def test_outputs_keep_the_order_of_the_classes_in_the_file(tmp_path: Path) -> None:
    rows = {"a": [1.0, 2.0, 3.0, 4.0], "b": [0.5, -1.0, 1.0, 0.0], "c": [0.0, 0.1, -2.0, 1.0]}
    for order in (("a", "b", "c"), ("c", "a", "b")):
        names = {
            "coefficients": [value for name in order for value in rows[name]],
            "classlabels_strings": list(order),
        }
        path = linear(tmp_path, "LinearClassifier", **names)
        labels = np.array(["a", "b", "c"])[np.arange(150) % 3]
        assert dataset_from_arrays(nets.spec_of(path), X, labels).class_names == order
        y, _ = nets.answers(path, X, labels)
        np.testing.assert_allclose(y, X @ np.array([rows[name] for name in order]).T, rtol=1e-5)
