"""Integers mean what the real numbers say: outputs and one step of learning, against binary32.

Both models come from one spec and one file of weights. Scales, factors, targets and error scales of
the integer model all enter into how far a weight moves, so an error in any of them shows.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.losses import ACTIVATIONS, FROZEN_ACTIVATIONS
from tests.support.resolved import quantized
from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.quantize import (
    QuantizedModel,
    quantize_inputs,
    quantize_labels,
)
from tpsgd_edge.quantize.samples import read_outputs
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import spec_from_dict

N_IN, HIDDEN, CLASSES = 12, 10, 4
FORMATS = [("s16", "s8"), ("s8", "s8"), ("s16", "s16"), ("s8", "s16")]
TARGET_LOSSES: list[Any] = [
    "l2",
    "l1",
    {"kind": "huber", "delta": 0.5},
    {"kind": "epsilon_insensitive", "delta": 0.2},
    {"kind": "custom", "expression": "tanh(3 * r)"},
]
LABEL_LOSSES: list[Any] = ["projected_l2", {"kind": "projected_cross_entropy", "temperature": 0.7}]
HIDDEN_CASES = [
    (activation, loss)
    for activation in ACTIVATIONS
    for loss in (*TARGET_LOSSES, *LABEL_LOSSES)
    # Targets of unbounded units are shares of a range that only integers have.
    if FACTS[activation].is_bounded or loss in LABEL_LOSSES
] + [("sigmoid", "cross_entropy")]


def samples(*, vectors: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(3)
    x = rng.uniform(-3, 3, (40, N_IN)).astype(np.float32)
    if vectors:
        return x, rng.uniform(-5, 5, (40, CLASSES)) + np.arange(CLASSES)
    return x, np.arange(40) % CLASSES


def make_model(
    folder: Path, *, weights: str, activations: str = "s8", vectors: bool = False, **changes: Any
) -> QuantizedModel:
    """A model of one hidden layer with given weights, at a large and constant rate.

    `hidden` and `last` are keys of the two layers, `projection` those of its section.
    """
    rng = np.random.default_rng(5)
    np.savez(
        folder / "w.npz",
        **{
            "fc1.w": rng.normal(0, 0.5 / np.sqrt(N_IN), (HIDDEN, N_IN)),
            "fc1.b": rng.normal(0, 0.2, HIDDEN),
            "fc2.w": rng.normal(0, 1 / np.sqrt(HIDDEN), (CLASSES, HIDDEN)),
            "fc2.b": rng.normal(0, 0.2, CLASSES),
        },
    )
    layers = [
        {"name": "fc1", "units": HIDDEN, **changes.get("hidden", {})},
        {"name": "fc2", "units": CLASSES, **changes.get("last", {})},
    ]
    content = {
        "name": "toy",
        "model": {"layers": layers, "weights_file": "w.npz"},
        "numbers": {"weights": weights, "activations": activations},
        "rule": {"learning_rate": 0.8, "schedule": "constant", **changes.get("rule", {})},
        "projection": changes.get("projection", {}),
        "data": {
            "file": "toy.npz",
            "scaling": "unit",
            "task": "regression" if vectors else "classification",
        },
    }
    spec = spec_from_dict(content, folder=folder)
    return quantized(spec, *samples(vectors=vectors))


def steps(model: QuantizedModel, layer: int, *, vectors: bool = False) -> NDArray[np.float64]:
    """How far each weight and bias of a layer moves, in real units, for each of some samples."""
    raw_x, raw_y = samples(vectors=vectors)
    x, y = quantize_inputs(model, raw_x), quantize_labels(model, raw_y)
    quantized = model.trainable[layer]
    scales = quantized.numbers.weight_scale, quantized.numbers.bias_scale
    moved = []
    for sample, label in zip(x[:20], y[:20], strict=True):
        reference = Reference(model)
        before = reference.state()
        reference.train_step(sample, label)
        after = reference.state()
        name = quantized.name
        change = after[f"{name}.w"].astype(float) - before[f"{name}.w"]
        bias_change = after[f"{name}.b"].astype(float) - before[f"{name}.b"]
        moved += [change * scales[0], bias_change * scales[1]]
    return np.concatenate([part.ravel() for part in moved])


def assert_alike(actual: NDArray[Any], expected: NDArray[Any], *, slope: float = 0.05) -> None:
    """All entries together move as far as they should, and each about so."""
    length = float(expected @ expected)
    assert length > 0
    measured = float(actual @ expected) / length
    assert abs(measured - 1) < slope, f"{measured:.3f} times what is expected"
    correlation = np.corrcoef(actual, expected)[0, 1]
    assert correlation > 0.85, f"correlation {correlation:.3f}"


@pytest.mark.parametrize(("weights", "activations"), FORMATS)
@pytest.mark.parametrize("activation", ACTIVATIONS + FROZEN_ACTIVATIONS)
def test_outputs_are_those_of_real_numbers(tmp_path, activation, weights, activations):
    hidden: dict[str, Any] = {"activation": activation, "train": FACTS[activation].learns}
    if activation == "leaky_relu":
        hidden["negative_slope"] = 0.6
    if activation == "elu":
        hidden["alpha"] = 1.5
    last = {"loss": "l2"}
    raw_x, _ = samples(vectors=True)
    results = []
    for formats in (("f32", "s8"), (weights, activations)):
        model = make_model(
            tmp_path,
            weights=formats[0],
            activations=formats[1],
            vectors=True,
            hidden=hidden,
            last=last,
        )
        reference = Reference(model)
        outputs = np.stack([reference.output(x) for x in quantize_inputs(model, raw_x)])
        results.append(read_outputs(model, outputs))
    share = np.linalg.norm(results[1] - results[0]) / np.linalg.norm(results[0])
    assert share < 0.01 + 0.03 * ("s8" in (weights, activations))


@pytest.mark.parametrize(("weights", "activations"), FORMATS)
@pytest.mark.parametrize(("activation", "loss"), HIDDEN_CASES, ids=str)
def test_a_hidden_layer_learns_as_in_real_numbers(tmp_path, activation, loss, weights, activations):
    hidden = {"activation": activation, "loss": loss}
    if activation == "hard_sigmoid":
        hidden["alpha"] = 0.5  # steps of a flatter one are few
    expected = steps(make_model(tmp_path, weights="f32", hidden=hidden), 0)
    model = make_model(tmp_path, weights=weights, activations=activations, hidden=hidden)
    # Sums of units that reach beyond 1 saturate in projected_l2.
    far = activation in ("selu", "softplus") and loss == "projected_l2"
    assert_alike(steps(model, 0), expected, slope=0.12 if far else 0.05)


@pytest.mark.parametrize("kind", ["sign", "hadamard", "ternary", "gaussian"])
@pytest.mark.parametrize(
    ("loss", "vectors"),
    [
        ("l2", False),
        ("projected_l2", False),
        ("projected_l2", True),
        ("projected_cross_entropy", False),
    ],
)
def test_all_projections_do(tmp_path, kind, loss, vectors):
    settings = {"hidden": {"loss": loss}, "projection": {"kind": kind}, "vectors": vectors}
    expected = steps(make_model(tmp_path, weights="f32", **settings), 0, vectors=vectors)
    model = make_model(tmp_path, weights="s16", activations="s16", **settings)
    # Sums over large entries of a gaussian projection saturate.
    slope = 0.3 if kind == "gaussian" else 0.05
    assert_alike(steps(model, 0, vectors=vectors), expected, slope=slope)


@pytest.mark.parametrize(("weights", "activations"), FORMATS)
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", *TARGET_LOSSES], ids=str)
def test_the_last_layer_learns_as_in_real_numbers(tmp_path, loss, weights, activations):
    vectors = loss != "softmax_cross_entropy"
    settings = {"last": {"activation": "linear", "loss": loss}, "vectors": vectors}
    expected = steps(make_model(tmp_path, weights="f32", **settings), 1, vectors=vectors)
    model = make_model(tmp_path, weights=weights, activations=activations, **settings)
    assert_alike(steps(model, 1, vectors=vectors), expected)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "hard_tanh", "leaky_relu", "linear"])
def test_the_last_layer_meets_classes_in_target_space(tmp_path, activation):
    settings = {"last": {"activation": activation, "loss": "l2"}}
    expected = steps(make_model(tmp_path, weights="f32", **settings), 1)
    model = make_model(tmp_path, weights="s16", activations="s16", **settings)
    assert_alike(steps(model, 1), expected)


def test_the_dead_zone_is_the_same_width(tmp_path):
    settings = {"rule": {"dead_zone": 0.6}, "hidden": {"loss": "l2"}}
    expected = steps(make_model(tmp_path, weights="f32", **settings), 0)
    without = steps(make_model(tmp_path, weights="f32", hidden={"loss": "l2"}), 0)
    assert 0.1 < (expected == 0).mean() < 0.9
    assert (without == 0).mean() < 0.05
    model = make_model(tmp_path, weights="s16", activations="s16", **settings)
    assert_alike(steps(model, 0), expected)
