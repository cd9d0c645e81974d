"""Sequences: their samples, labels and scaling, and what a recurrent layer cannot follow."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.resolved import resolved
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays, input_scaling
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Rnn
from tpsgd_edge.quantize import quantize, quantize_labels
from tpsgd_edge.spec import Spec, spec_from_dict

RNG = np.random.default_rng(5)
STEPS, CHANNELS = 7, 3
X = RNG.normal(size=(20, STEPS, CHANNELS))
RNN = {"kind": "rnn", "name": "r1", "units": 4, "leak": 0.25}


def make_spec(layers: list[dict[str, Any]] | None = None, units: int = 3, **data: Any) -> Spec:
    layers = [*(layers or [RNN]), {"name": "out", "units": units}]
    content = {"name": "toy", "model": {"layers": layers}, "data": {"file": "toy.npz", **data}}
    return spec_from_dict(content, folder=Path())


def labels(*shape: int) -> Any:
    return RNG.integers(0, 3, shape)


def test_a_recurrent_layer_reads_one_step_at_a_time() -> None:
    spec = make_spec([RNN, {"kind": "rnn", "name": "r2", "units": 5}])
    graph = build_graph(spec, dataset_from_arrays(spec, X, labels(20)))
    first, second, out = graph.layers
    assert isinstance(first, Rnn)
    assert isinstance(second, Rnn)
    assert (graph.steps, graph.n_inputs) == (STEPS, STEPS * CHANNELS)
    assert (first.n_x, first.n_in, first.n_out, first.leaks) == (CHANNELS, CHANNELS + 4, 4, (0.25,))
    assert (second.n_x, second.n_in, second.n_out) == (4, 9, 5)
    assert (out.x_count, graph.labels.each_step) == (5, False)


def test_rows_of_images_are_steps() -> None:
    spec = make_spec()
    dataset = dataset_from_arrays(spec, RNG.integers(0, 256, (20, 5, 4), np.uint8), labels(20))
    assert (build_graph(spec, dataset).steps, build_graph(spec, dataset).layers[0].x_count) == (
        5,
        4,
    )


def test_an_input_shape_cuts_long_samples_into_steps() -> None:
    spec = make_spec(input_shape=[1, 3, 7])
    graph = build_graph(spec, dataset_from_arrays(spec, X.reshape(20, -1), labels(20)))
    assert (graph.steps, graph.layers[0].x_count) == (3, 7)


@pytest.mark.parametrize(
    ("y", "units", "kind", "shape"),
    [
        (labels(20, STEPS), 3, "class", (16, STEPS)),
        (np.array(["rest", "walk", "run"])[labels(20, STEPS)], 3, "class", (16, STEPS)),
        (RNG.normal(size=(20, STEPS)), 1, "vector", (16, STEPS, 1)),
        (RNG.normal(size=(20, STEPS, 2)), 2, "vector", (16, STEPS, 2)),
    ],
)
def test_labels_of_each_step(y: Any, units: int, kind: str, shape: tuple[int, ...]) -> None:
    spec, dataset = resolved(make_spec(units=units), X, y)
    assert (dataset.labels.kind, dataset.labels.each_step) == (kind, True)
    assert dataset.y_train.shape == shape
    assert dataset.y_test.shape == (4, *shape[1:])
    model = quantize(spec, build_graph(spec, dataset), dataset)
    assert (model.steps, model.answers) == (STEPS, STEPS)
    assert quantize_labels(model, dataset.y_train).shape == shape
    # A learning rate decays over as many training steps as there are labels.
    spec_at_end, one_label = resolved(make_spec(units=units), X, y[:, 0])
    spec_at_end = spec_at_end.model_copy(
        update={"rule": spec_at_end.rule.model_copy(update={"learn_every": 0})}
    )
    once = quantize(spec_at_end, build_graph(spec_at_end, one_label), one_label)
    assert model.schedule.segment_steps > STEPS * (once.schedule.segment_steps - 1)


@pytest.mark.parametrize("layer", [RNN, {"kind": "gru", "name": "g1", "units": 4}])
def test_labels_of_each_step_stay_with_their_samples(layer: dict[str, Any]) -> None:
    y = labels(20, STEPS)
    x = np.broadcast_to(y[:, :, np.newaxis], X.shape).astype(np.float32)
    dataset = dataset_from_arrays(make_spec([layer]), x, y)
    np.testing.assert_array_equal(
        dataset.x_train.reshape(16, *X.shape[1:])[:, :, 0], dataset.y_train
    )


def test_a_vector_as_long_as_the_sequence_is_one_label() -> None:
    dataset = dataset_from_arrays(make_spec(units=STEPS), X, RNG.normal(size=(20, STEPS)))
    assert (dataset.labels.each_step, dataset.labels.count) == (False, STEPS)


def error_of(spec: Spec, x: Any, y: Any) -> str:
    with pytest.raises((DataError, SpecError)) as error:
        build_graph(spec, dataset_from_arrays(spec, x, y))
    return str(error.value)


def test_sequences_without_steps() -> None:
    assert "the data set is empty" in error_of(make_spec(), np.zeros((20, 0, 3)), labels(20))


def test_labels_for_another_number_of_steps() -> None:
    message = error_of(make_spec(), X, RNG.normal(size=(20, STEPS + 1, 2)))
    assert "samples or labels have the wrong shape" in message
    assert f"y (20, {STEPS + 1}, 2)" in message


def test_a_map_of_several_rows_is_no_sequence() -> None:
    message = error_of(make_spec(input_shape=[3, 7, 1]), X.reshape(20, -1), labels(20))
    assert "layer 'r1' needs sequences" in message
    assert "a map of 3 x 7 x 1" in message


@pytest.mark.parametrize(
    "before",
    [
        {"kind": "flatten"},
        {"name": "fc1", "units": 3},
        {"kind": "conv1d", "name": "c1", "filters": 3},
        {"kind": "global_avg_pool"},
    ],
)
def test_a_recurrent_layer_comes_first(before: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="'r1' cannot follow a layer that is not rec") as error:
        make_spec([before, RNN])
    assert "recurrent layers come first" in str(error.value)


def test_standard_scaling_of_channels(tmp_path: Path) -> None:
    x = X.astype(np.float32).reshape(20, -1)
    spec = make_spec(scaling="standard_channels")
    mean, std = input_scaling(spec, x, CHANNELS)
    assert mean.shape == std.shape == (STEPS * CHANNELS,)
    np.testing.assert_allclose(mean[:CHANNELS], X.mean(axis=(0, 1)), rtol=1e-5)
    np.testing.assert_allclose(std[-CHANNELS:], X.std(axis=(0, 1)), rtol=1e-5)


def test_one_standard_scaling_for_all(tmp_path: Path) -> None:
    x = X.astype(np.float32).reshape(20, -1)
    mean, std = input_scaling(make_spec(scaling="standard_all"), x, CHANNELS)
    np.testing.assert_allclose((mean, std), ([x.mean()], [x.std()]), rtol=1e-5)
