"""Prototypes, extra classes and the domain that a net comes from, as the device gets them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays, load_dataset
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.quantize.model import Target, TargetF32
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import Spec, layer_loss, layer_projection, spec_from_dict
from tpsgd_edge.stages import Prepared, prepare

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(120, 12)), RNG.integers(0, 3, 120)


def make_spec(folder: Path, layers: list[dict[str, Any]], **more: Any) -> Spec:
    model = {"layers": layers, "weights_file": "net.npz"} | more.pop("model", {})
    content = {"name": "net", "model": model, "data": {"file": "x.npz"}, **more}
    return spec_from_dict(content, folder=folder)


def save_weights(folder: Path, **shapes: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    arrays = {}
    for name, (n_out, n_in) in shapes.items():
        arrays[f"{name}.w"] = rng.normal(size=(n_out, n_in)) / np.sqrt(n_in)
        arrays[f"{name}.b"] = rng.normal(size=n_out) / 4
    np.savez(folder / "net.npz", **arrays)


def dense_net(folder: Path, **more: Any) -> Prepared:
    save_weights(folder, fc1=(8, 12), fc2=(6, 8), out=(3, 6))
    layers = [{"name": "fc1", "units": 8}, {"name": "fc2", "units": 6}, {"name": "out", "units": 3}]
    spec = make_spec(folder, layers, **more)
    return prepare(spec, dataset_from_arrays(spec, X, Y))


def first_outputs(prepared: Prepared, layer: int) -> np.ndarray:
    """What the reference answers at a layer before it has learned, for the training set."""
    reference, model = Reference(prepared.model), prepared.model
    inputs = quantize_inputs(model, prepared.dataset.x_train)
    rows = []
    for x in inputs:
        values = [x.astype(np.float32 if model.value_type == "f32" else np.int64)]
        for each in reference._behind[: layer + 1]:
            values.append(each.forward(values[-1]))
        rows.append(values[-1])
    return np.stack(rows)


@pytest.mark.parametrize("activations", ["s8", "s16"])
def test_targets_are_the_mean_outputs_of_each_class(tmp_path: Path, activations: str) -> None:
    prepared = dense_net(tmp_path, numbers={"activations": activations})
    for index, layer in enumerate(prepared.model.weighted[:-1]):
        assert layer.projection is not None
        assert (layer.projection.kind, layer.projection.storage) == ("prototype", "s8")
        assert layer.loss.kind == "l2"
        assert isinstance(layer.loss.target, Target)
        y = first_outputs(prepared, index)
        y15 = y << 8 if activations == "s8" else y
        t15 = (layer.projection.values.astype(int) * layer.loss.target.mult) / 2.0 ** (
            layer.loss.target.shift
        )
        assert np.abs(layer.projection.values).max() == 127
        for c in range(3):
            mean = y15[prepared.dataset.y_train == c].mean(axis=0)
            # Half a unit of an entry, and what the integers of the net itself are off by.
            assert np.abs(mean - t15[:, c]).max() < 32768 / 127 * 2


def test_f32_targets_are_real(tmp_path: Path) -> None:
    prepared = dense_net(tmp_path, numbers={"weights": "f32"})
    layer = prepared.model.weighted[0]
    assert layer.projection is not None
    assert layer.loss.target is not None
    targets = layer.projection.values * layer.loss.target.mult
    y = first_outputs(prepared, 0)
    for c in range(3):
        mean = y[prepared.dataset.y_train == c].mean(axis=0)
        assert np.abs(mean - targets[:, c]).max() < layer.loss.target.mult


@pytest.mark.parametrize("behind_pool", [0, 1])
def test_targets_of_a_map_are_means_over_windows(tmp_path: Path, behind_pool: int) -> None:
    save_weights(tmp_path, conv=(2, 9), out=(3, 18 if behind_pool else 72))
    layers = [
        {"kind": "conv2d", "name": "conv", "filters": 2, "target_pool": 2, "activation": "linear"},
        *([{"kind": "max_pool"}] if behind_pool else []),
        {"name": "out", "units": 3},
    ]
    spec = make_spec(tmp_path, layers, numbers={"weights": "f32"})
    x = RNG.normal(size=(90, 8, 8))
    prepared = prepare(spec, dataset_from_arrays(spec, x, Y[:90]))
    conv = prepared.model.weighted[0]
    assert conv.kind == "conv2d"
    assert conv.projection is not None
    assert isinstance(conv.loss.target, TargetF32)
    maps = first_outputs(prepared, 0).reshape(-1, 6, 6, 2)
    if behind_pool:
        maps = maps.reshape(-1, 3, 2, 3, 2, 2).max(axis=(2, 4))
    half = maps.shape[1] // 2
    parts = [slice(0, half), slice(half, None)]
    for c in range(3):
        mean = maps[prepared.dataset.y_train == c].mean(axis=0)
        windows = [mean[rows, columns].mean(axis=(0, 1)) for rows in parts for columns in parts]
        found = conv.projection.values[:, c] * conv.loss.target.mult
        assert np.abs(np.ravel(windows) - found).max() < conv.loss.target.mult


def test_targets_of_a_recurrent_layer_are_its_states(tmp_path: Path) -> None:
    save_weights(tmp_path, rnn=(4, 7), out=(3, 4))
    layers = [{"kind": "rnn", "name": "rnn", "units": 4}, {"name": "out", "units": 3}]
    spec = make_spec(tmp_path, layers, numbers={"weights": "f32"}, rule={"learn_every": 2})
    x = RNG.normal(size=(60, 5, 3))
    prepared = prepare(spec, dataset_from_arrays(spec, x, Y[:60]))
    rnn, model = prepared.model.weighted[0], prepared.model
    assert rnn.projection is not None
    assert rnn.loss.target is not None
    reference, states = Reference(model), []
    for sample in quantize_inputs(model, prepared.dataset.x_train):
        taught = [h for t, (_, h) in reference._walk(sample.astype(np.float32), range(5))]
        states.append(np.mean([h for t, h in enumerate(taught) if t in model.learning_steps], 0))
    for c in range(3):
        mean = np.stack(states)[prepared.dataset.y_train == c].mean(axis=0)
        found = rnn.projection.values[:, c] * rnn.loss.target.mult
        assert np.abs(mean - found).max() < rnn.loss.target.mult


def test_only_nets_with_a_meaning_learn_towards_prototypes_unasked(tmp_path: Path) -> None:
    def first(**more: Any) -> tuple[str, str]:
        layers = [{"name": "fc1", "units": 8}, {"name": "out", "units": 3}]
        model = {"layers": layers, **more.pop("model", {})}
        spec = spec_from_dict({"name": "n", "model": model, "data": {"file": "x"}, **more})
        return layer_projection(spec, 0, "class"), layer_loss(spec, 0, "class").kind

    given = {"weights_file": "net.npz"}
    assert first() == ("sign", "projected_cross_entropy")
    assert first(model=given) == ("prototype", "l2")
    assert first(model={"pretrain": {"method": "backprop"}}) == ("prototype", "l2")
    # It goes on towards the targets that it was trained for.
    assert first(model={"pretrain": {}}) == ("sign", "projected_cross_entropy")
    assert first(model=given, rule={"loss": "projected_cross_entropy"})[0] == "sign"
    assert first(model=given, projection={"kind": "ternary"})[0] == "ternary"
    assert first(model=given, rule={"loss": "huber"}) == ("prototype", "huber")


def test_the_last_layer_meets_the_labels_whatever_the_others_learn_towards(tmp_path: Path) -> None:
    model = dense_net(tmp_path, projection={"kind": "prototype"}).model
    assert [layer.loss.kind for layer in model.weighted] == ["l2", "l2", "softmax_cross_entropy"]
    assert model.last.projection is None


def test_random_and_measured_targets_share_one_storage(tmp_path: Path) -> None:
    save_weights(tmp_path, fc1=(8, 12), fc2=(6, 8), out=(3, 6))
    layers = [
        {"name": "fc1", "units": 8, "projection": "random"},
        {"name": "fc2", "units": 6},
        {"name": "out", "units": 3},
    ]
    spec = make_spec(tmp_path, layers)
    model = prepare(spec, dataset_from_arrays(spec, X, Y)).model
    found = [(p.kind, p.storage) for p in (la.projection for la in model.weighted) if p]
    assert found == [("sign", "s8"), ("prototype", "s8")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": {"weights_file": None}}, "prototypes need a net that has learned something"),
        ({"rule": {"loss": "projected_cross_entropy"}}, "needs a random projection"),
        ({"data": {"file": "x.npz", "task": "regression"}}, "prototypes are means of classes"),
        ({"projection": {"kind": "prototype", "storage": "packed"}}, "prototypes are measured"),
    ],
)
def test_where_there_are_no_prototypes(tmp_path: Path, change: Any, words: str) -> None:
    layers = [{"name": "fc1", "units": 8, "projection": "prototype"}, {"name": "out", "units": 3}]
    with pytest.raises(SpecError, match=words):
        make_spec(tmp_path, layers, **change)


def test_extra_classes_are_not_answered_before_they_are_taught(tmp_path: Path) -> None:
    rule = {"learning_rate": 0.05, "schedule": "constant"}
    prepared = dense_net(tmp_path, model={"extra_classes": 2}, rule=rule)
    model = prepared.model
    assert (model.n_out, model.labels.count) == (5, 5)
    assert prepared.dataset.class_names == ("0", "1", "2", "extra 1", "extra 2")
    reference = Reference(model)
    x = quantize_inputs(model, X)
    answers = np.stack([reference.output(sample) for sample in x])
    assert answers.argmax(axis=1).max() < 3
    # What is new to the net is taught like the rest.
    for _ in range(60):
        reference.train_step(x[0], 4)
    assert reference.output(x[0]).argmax() == 4
    # A class that nobody has seen has a code of its own.
    for layer in model.weighted[:-1]:
        assert layer.projection is not None
        assert len(np.unique(layer.projection.values, axis=1).T) == 5


def test_more_classes_than_room(tmp_path: Path) -> None:
    spec = dense_net(tmp_path, model={"extra_classes": 1}).spec
    names = np.array(["a", "b", "c", "d", "e"])[np.arange(120) % 5]
    with pytest.raises(DataError, match="more classes than the model has room for") as caught:
        dataset_from_arrays(spec, X, names)
    assert "set extra_classes = 2" in str(caught.value)


def test_extra_classes_of_real_values(tmp_path: Path) -> None:
    layers = [{"name": "out", "units": 3}]
    data = {"file": "x.npz", "task": "regression"}
    with pytest.raises(SpecError, match="no classes to which extra_classes could add"):
        make_spec(tmp_path, layers, model={"extra_classes": 1}, data=data)


def two_domains(folder: Path, names: list[str], new_names: list[str], extra: int = 0) -> Dataset:
    np.savez(folder / "old.npz", x=X * 3, y=np.array(names)[np.arange(120) % len(names)])
    np.savez(folder / "new.npz", x=X[:40], y=np.array(new_names)[np.arange(40) % len(new_names)])
    save_weights(folder, out=(3, 12))
    data = {"file": "new.npz", "source_file": "old.npz", "scaling": "standard"}
    layers = [{"name": "out", "units": 3}]
    spec = make_spec(folder, layers, data=data, model={"extra_classes": extra})
    dataset = load_dataset(spec)
    model = prepare(spec, dataset).model
    assert np.allclose(model.inputs.std, dataset.first.x_train.std(axis=0), rtol=1e-6)
    return dataset


def test_scales_and_classes_come_from_where_the_net_comes_from(tmp_path: Path) -> None:
    dataset = two_domains(tmp_path, ["b", "c", "z"], ["z", "b"])
    assert dataset.class_names == ("b", "c", "z")
    assert dataset.source_domain is not None
    assert set(dataset.y_train.tolist()) == {0, 2}
    assert len(dataset.source_domain.x_train) == 96
    # A new class comes behind those that the net has, whatever its name.
    dataset = two_domains(tmp_path, ["b", "c", "z"], ["z", "a"], extra=1)
    assert dataset.class_names == ("b", "c", "z", "a")


def test_domains_must_be_of_one_kind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not of the kind that the net comes from"):
        two_domains(tmp_path, ["b", "c", "z"], ["a", "b"])
