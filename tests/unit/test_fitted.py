"""Projections that are fitted to a net's initial weights."""

from typing import Any

import numpy as np
import pytest

from tpsgd_edge import verify
from tpsgd_edge.errors import SpecError, ToolError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.frontend.fitted import least_squares, with_fitted_projections
from tpsgd_edge.frontend.network import build_graph, dataset_scaling
from tpsgd_edge.graph.forward import behind, seen_by_loss
from tpsgd_edge.spec import Spec, first_projection, layer_loss, layer_projection, spec_from_dict
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform

CONV = {"kind": "conv2d", "name": "conv", "filters": 6, "kernel": 3}
LAYERS = [CONV, {"kind": "max_pool"}, {"name": "fc", "units": 12}, {"name": "out", "units": 3}]


@pytest.fixture
def spec(tmp_path) -> Any:
    """A function that makes specs on three kinds of stripes in noise, 8 x 8."""
    rng = np.random.default_rng(3)
    y = rng.integers(3, size=400)
    x = rng.normal(size=(400, 8, 8, 1))
    for label, rows in enumerate((x, x.transpose(0, 2, 1, 3))):
        rows[y == label, ::2] += 2.0
    np.savez(tmp_path / "stripes.npz", x=x.astype(np.float32), y=y)

    def make(**sections: Any) -> Spec:
        content = {
            "name": "stripes",
            "model": {"layers": LAYERS},
            "data": {"file": "stripes.npz", "scaling": "unit"},
            **sections,
        }
        return spec_from_dict(content, folder=tmp_path)

    return make


def test_least_squares_are_those_of_numpy_without_a_ridge() -> None:
    rng = np.random.default_rng(1)
    seen, wanted = rng.normal(size=(500, 4)), rng.normal(size=(500, 2))
    expected = np.linalg.lstsq(seen - seen.mean(0), wanted - wanted.mean(0), rcond=None)[0]
    assert np.allclose(least_squares(seen, wanted), expected, rtol=0.02, atol=1e-3)


def test_with_more_values_than_samples_it_is_the_same_matrix() -> None:
    rng = np.random.default_rng(2)
    seen, wanted = rng.normal(size=(30, 40)), rng.normal(size=(30, 2))
    m, t = seen - seen.mean(0), wanted - wanted.mean(0)
    ridge = 0.01 * np.square(m).sum() / 40
    expected = np.linalg.inv(m.T @ m + ridge * np.eye(40)) @ m.T @ t
    assert np.allclose(least_squares(seen, wanted), expected)


def test_a_fitted_read_out_knows_the_classes_before_training(spec) -> None:
    one = spec()
    dataset = load_dataset(one)
    graph = with_fitted_projections(one, build_graph(one, dataset), dataset)
    assert {name: p.shape for name, p in graph.fitted.items()} == {"conv": (54, 3), "fc": (12, 3)}
    mean, std = dataset_scaling(one, dataset)
    x = np.asarray((dataset.x_test - mean) / std, np.float64)
    for layer, y in zip(graph.layers, behind(graph, x, one.seed), strict=True):
        if layer.name in graph.fitted:
            p = graph.fitted[layer.name]
            assert abs(float(p.astype(float).std()) - 36.95) < 4
            seen = seen_by_loss(layer, y)
            right = ((seen - seen.mean(0)) @ p).argmax(axis=1) == dataset.y_test
            assert right.mean() > 0.75


def test_units_that_say_nothing_get_a_random_read_out(spec, tmp_path) -> None:
    silent = {"conv.w": (6, 3, 3, 1), "fc.w": (12, 54), "out.w": (3, 12)}
    biases = {"conv.b": 6, "fc.b": 12, "out.b": 3}
    arrays = {name: np.zeros(shape) for name, shape in {**silent, **biases}.items()}
    np.savez(tmp_path / "w.npz", **arrays)
    model = {"layers": LAYERS, "weights_file": "w.npz"}
    one = spec(model=model, projection={"kind": "fitted"})
    dataset = load_dataset(one)
    graph = with_fitted_projections(one, build_graph(one, dataset), dataset)
    assert len(np.unique(graph.fitted["conv"])) > 10


def test_where_they_are_the_default(spec) -> None:
    def kind(layer: int = 0, **sections: Any) -> str:
        return layer_projection(spec(**sections), layer, "class")

    assert (kind(), kind(2)) == ("fitted", "fitted")
    assert layer_loss(spec(), 0, "class").temperature == 0.5
    assert layer_projection(spec(), 0, "vector") == "sign"
    assert kind(projection={"kind": "ternary"}) == "ternary"
    assert kind(projection={"storage": "packed"}) == "sign"
    assert kind(rule={"loss": "l2"}) == "sign"
    assert kind(rule={"kind": "backprop"}) == "sign"
    assert kind(model={"layers": [{**CONV, "train": False}, *LAYERS[1:]]}) == "sign"
    assert kind(model={"layers": [{**CONV, "projection": "random"}, *LAYERS[1:]]}) == "sign"
    dense = {"layers": LAYERS[2:]}
    assert kind(model=dense) == "sign"
    assert kind(model=dense, projection={"kind": "fitted"}) == "fitted"
    own = {"layers": [{**LAYERS[2], "projection": "fitted"}, LAYERS[3]]}
    assert kind(model=own) == "fitted"
    learned = spec(model={"layers": LAYERS, "weights_file": "w.npz"})
    assert layer_projection(learned, 0, "class") == "prototype"
    assert first_projection(learned, 0, "class") == "fitted"


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"projection": {"kind": "fitted", "storage": "seed"}}, "fitted, so they are stored"),
        (
            {
                "model": {"layers": LAYERS, "extra_classes": 2},
                "projection": {"kind": "fitted"},
            },
            "nor to classes that come later",
        ),
        (
            {
                "model": {
                    "layers": [
                        {"kind": "rnn", "name": "r", "units": 4, "projection": "fitted"},
                        *LAYERS[3:],
                    ]
                }
            },
            "not fitted to sequences",
        ),
    ],
)
def test_what_they_do_not_go_with(spec, sections, words) -> None:
    with pytest.raises(SpecError, match=words):
        spec(**sections)


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["s16", "s8", "f32"])
def test_the_device_computes_what_the_reference_does(spec, weights) -> None:
    try:
        find_compiler(load_platform("host"))
    except ToolError as error:
        pytest.skip(str(error))
    assert verify(spec(numbers={"weights": weights}), steps=60).is_equal
