"""Ranges of values: how far outputs may grow while a net learns, and where they end."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import resolved
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.quantize import QuantizedModel
from tpsgd_edge.quantize.network import _growth
from tpsgd_edge.quantize.scales import z_limits
from tpsgd_edge.spec import Spec, spec_from_dict

RNG = np.random.default_rng(5)
X, CLASSES = RNG.uniform(-4, 4, (60, 6)).astype(np.float32), np.arange(60) % 2
OUT = {"name": "out", "units": 2}


def make(
    folder: Path, *layers: dict[str, Any], weights: bool = False, size: float = 1.0, **keys: Any
) -> Spec:
    """Layers of six units, with weights of a size from a file or with those that are drawn."""
    content = [{"units": 6} | layer for layer in layers]
    model: dict[str, Any] = {"layers": content, **keys.pop("model", {})}
    if weights:
        arrays = {}
        for layer in content:
            if layer.get("kind", "dense") == "dense":
                units = layer["units"]
                arrays |= {f"{layer['name']}.w": size * np.eye(units, 6)}
                arrays |= {f"{layer['name']}.b": np.zeros(units)}
        np.savez(folder / "w.npz", **arrays)
        model["weights_file"] = "w.npz"
    for layer in content:
        if layer.get("kind", "dense") != "dense":
            del layer["units"]
    data = {"file": "d.npz", "scaling": "none"}
    return spec_from_dict({"name": "net", "model": model, "data": data, **keys}, folder=folder)


def growth(spec: Spec) -> dict[str, float]:
    """The factor of each layer."""
    graph = build_graph(spec, dataset_from_arrays(spec, X, CLASSES))
    return {layer.name: _growth(graph, at) for at, layer in enumerate(graph.layers)}


def test_outputs_grow_with_what_learns_before_them(tmp_path):
    hidden = ({"name": "a"}, {"name": "b"}, OUT)
    assert set(growth(make(tmp_path, *hidden)).values()) == {4.0}
    assert set(growth(make(tmp_path, *hidden, weights=True)).values()) == {1.5}
    frozen = ({"name": "a", "train": False}, {"name": "b"}, OUT)
    assert growth(make(tmp_path, *frozen, weights=True)) == {"a": 1.0, "b": 1.5, "out": 1.5}
    beside = (
        {"name": "a"},
        {"name": "b", "from": "x", "train": False},
        {"kind": "add", "name": "j", "from": ["a", "b"]},
        OUT,
    )
    found = growth(make(tmp_path, *beside, weights=True))
    assert found == {"a": 1.5, "b": 1.0, "j": 1.5, "out": 1.5}


def quantized(spec: Spec) -> QuantizedModel:
    return resolved.quantized(spec, X, CLASSES)


def test_room_is_left_for_what_grows(tmp_path):
    """Outputs of up to 4: four times that from nothing, half as much again with what is known."""
    relu = {"name": "a", "activation": "relu"}
    known = quantized(make(tmp_path, relu, OUT, weights=True))
    frozen = quantized(make(tmp_path, relu | {"train": False}, OUT, weights=True))
    reach = [model.layers[0].y_scale * 2**7 for model in (known, frozen)]
    assert reach == [8.0, 4.0]


@pytest.mark.parametrize(("size", "reach"), [(1.0, 8.0), (100.0, 8.0), (0.1, 1.0)])
def test_nothing_of_relu6_lies_above_eight(tmp_path, size, reach):
    layer = {"name": "a", "activation": "relu6"}
    model = quantized(make(tmp_path, layer, OUT, weights=True, size=size))
    assert model.layers[0].y_scale * 2**7 == reach


@pytest.mark.parametrize(
    ("y_type", "y_scale", "z_max"),
    [("s8", 1 / 16, 96), ("s8", 1 / 32, 127), ("s16", 2.0**-12, 24576), ("s8", 0.7, 9)],
)
def test_relu6_ends_at_six_or_where_its_type_does(y_type, y_scale, z_max):
    # 6 / 0.7 is 8.57.
    assert z_limits("relu6", y_type, 0, y_scale) == (0, z_max)


def test_outputs_that_are_compared_with_classes_reach_to_two(tmp_path):
    last = {**OUT, "loss": "l2", "activation": "linear"}
    model = quantized(make(tmp_path, {"name": "a"}, last))
    assert model.last.y_scale * 2**15 == 2.0
