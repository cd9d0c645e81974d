"""Adaptors: layers that add to what they read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.test_prototypes import save_weights
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.quantize import QuantizedModel, quantize_inputs
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import Spec, load_spec, spec_from_dict, with_layers
from tpsgd_edge.stages import prepare
from tpsgd_edge.stages.export import onnx_of

RNG = np.random.default_rng(8)
X, Y = RNG.normal(size=(50, 12)), RNG.integers(0, 3, 50)
FROZEN = {"name": "fc1", "units": 8, "train": False}


def make_spec(folder: Path, *layers: dict[str, Any], **more: Any) -> Spec:
    model = {"layers": list(layers), "weights_file": "net.npz"}
    content = {"name": "net", "model": model, "data": {"file": "x.npz"}, **more}
    return spec_from_dict(content, folder=folder)


def answers(model: QuantizedModel) -> np.ndarray:
    reference = Reference(model)
    return np.stack([reference.output(x) for x in quantize_inputs(model, X)])


@pytest.mark.parametrize("numbers", [{}, {"activations": "s16"}, {"weights": "f32"}])
def test_a_net_with_new_adaptors_answers_as_before(tmp_path: Path, numbers: Any) -> None:
    save_weights(tmp_path, fc1=(8, 12), out=(3, 8))
    out = {"name": "out", "units": 3}
    plain = make_spec(tmp_path, FROZEN, out, numbers=numbers)
    first, second = ({"name": f"a{i}", "kind": "adaptor"} for i in (1, 2))
    adapted = make_spec(tmp_path, first, FROZEN, second, out, numbers=numbers)
    models = [prepare(spec, dataset_from_arrays(spec, X, Y)).model for spec in (plain, adapted)]
    np.testing.assert_array_equal(*map(answers, models))
    assert [layer.residual for layer in models[1].weighted] == [True, False, True, False]
    assert [layer.n_weights for layer in models[1].trainable] == [144, 64, 24]


def test_an_adaptor_of_a_map_is_a_convolution_of_one_by_one(tmp_path: Path) -> None:
    save_weights(tmp_path, conv=(5, 9), out=(3, 45))
    spec = make_spec(
        tmp_path,
        {"name": "conv", "kind": "conv2d", "filters": 5, "train": False},
        {"name": "a", "kind": "adaptor", "target_pool": 2},
        {"kind": "max_pool"},
        {"name": "out", "units": 3},
    )
    dataset = dataset_from_arrays(spec, RNG.normal(size=(50, 8, 8)), Y)
    layer = prepare(spec, dataset).model.weighted[1]
    assert (layer.kind, layer.n_in, layer.n_out, layer.n_target) == ("conv2d", 5, 5, 20)


def test_adaptors_behind_layers_of_a_source() -> None:
    example = load_spec(Path(__file__).parents[2] / "examples" / "digits_onnx.toml")
    model = example.model.model_copy(update={"adaptors": ("fc1",)})
    tables = [{"name": "fc1", "units": 4}, {"name": "matmul", "units": 10}]
    spec = with_layers(example.model_copy(update={"model": model}), tables, (1, 1, 64))
    assert [layer.name for layer in spec.model.layers] == ["fc1", "fc1_adaptor", "matmul"]
    model = example.model.model_copy(update={"adaptors": ("fc2",)})
    with pytest.raises(SpecError, match="has no layer 'fc2'") as caught:
        with_layers(example.model_copy(update={"model": model}), tables, (1, 1, 64))
    assert "fc1" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rule": {"kind": "backprop"}}, "does not pass through the adaptor 'a'"),
        ({"model": {"adaptors": ["fc1"]}}, "adaptors are for a source"),
        ({"layer": {"activation": "tanh"}}, "activation"),
    ],
)
def test_what_adaptors_cannot_be(change: dict[str, Any], words: str) -> None:
    adaptor = {"name": "a", "kind": "adaptor", **change.pop("layer", {})}
    layers = [FROZEN, adaptor, {"name": "out", "units": 3}]
    model = {"layers": layers, **change.pop("model", {})}
    with pytest.raises(SpecError, match=words):
        spec_from_dict({"name": "n", "model": model, "data": {"file": "x"}, **change})


def test_adaptors_are_not_exported(tmp_path: Path) -> None:
    save_weights(tmp_path, fc1=(8, 12), out=(3, 8))
    adaptor = {"name": "a", "kind": "adaptor"}
    spec = make_spec(tmp_path, FROZEN, adaptor, {"name": "out", "units": 3})
    prepared = prepare(spec, dataset_from_arrays(spec, X, Y))
    with pytest.raises(SpecError, match="the adaptor 'a' cannot be exported"):
        onnx_of(prepared, Reference(prepared.model).state())
