"""What follows from the data where the spec says nothing: scaling, epochs, rates; and glitches."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.resolved import resolved
from tpsgd_edge.cli import run
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays, input_scaling
from tpsgd_edge.frontend.network import dataset_scaling
from tpsgd_edge.frontend.scaling import without_glitches
from tpsgd_edge.spec import Spec, layer_learning_rate, spec_from_dict
from tpsgd_edge.stages import prepare

RNG = np.random.default_rng(0)
DENSE = ({"name": "a", "units": 5}, {"name": "o", "units": 3})
CONV1D = {"kind": "conv1d", "name": "a", "filters": 6}
CONV2D = {"kind": "conv2d", "name": "a", "filters": 6}
GRU = {"kind": "gru", "name": "a", "units": 4}


def spec_of(*layers: dict[str, Any], folder: Any = ".", **sections: Any) -> Spec:
    content: dict[str, Any] = {"name": "net", "data": {"file": "x.npz"}, **sections}
    content["model"] = {"layers": list(layers or DENSE), **content.get("model", {})}
    return spec_from_dict(content, folder=folder)


def classes(count: int) -> Any:
    return np.arange(count) % 3


def scaling_of(x: Any, *layers: dict[str, Any], **sections: Any) -> str:
    spec, _ = resolved(spec_of(*layers, **sections), x, classes(len(x)))
    return spec.data.scaling


def uniform(*shape: int) -> Any:
    return RNG.uniform(-1, 1, shape).astype(np.float32)


# ------------------------------------------------------------------ scaling


def test_columns_of_unlike_ranges_are_standardised():
    assert scaling_of(uniform(300, 6) * np.array([1, 1, 1, 1, 1, 100])) == "standard"
    assert scaling_of(uniform(300, 6) + np.array([0, 0, 0, 0, 0, 100])) == "standard"


def test_columns_of_like_ranges_keep_one_scale():
    assert scaling_of(uniform(300, 6)) == "standard_all"
    assert scaling_of(uniform(300, 6) * np.array([1, 1, 1, 1, 0.4, 1])) == "standard_all"


def test_columns_that_never_change_have_no_say():
    assert scaling_of(np.hstack([uniform(300, 6), np.full((300, 1), 1e4)])) == "standard_all"


def test_zeros_that_are_many_stay_zeros():
    x = np.abs(uniform(300, 6))
    assert scaling_of(x) == "standard_all"
    assert scaling_of(np.where(uniform(300, 6) > 0, x, 0)) == "unit"
    # Where values lie on both sides of zero, there is no end at which zeros could stay.
    assert scaling_of(np.where(uniform(300, 6) > 0, uniform(300, 6), 0)) == "standard_all"


@pytest.mark.parametrize("layers", [DENSE, (CONV2D, DENSE[1])], ids=["dense", "conv2d"])
@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (8, 9, 3)])
def test_images_have_one_scale_and_zeros_stay_zeros(layers, shape):
    bytes_ = RNG.integers(0, 256, (60, *shape), np.uint8)
    assert scaling_of(bytes_, *layers) == "unit"
    assert scaling_of(bytes_ / np.float32(255), *layers) == "unit"
    assert scaling_of(bytes_ / np.float32(127.5) - 1, *layers) == "standard_all"


@pytest.mark.parametrize("first", [CONV1D, GRU], ids=["conv1d", "gru"])
def test_each_channel_of_a_signal_has_one_scale(first):
    x = RNG.normal((0, 50, 0), (1, 20, 0.1), (60, 12, 3))
    spec, dataset = resolved(spec_of(first, DENSE[1]), x, classes(60))
    assert spec.data.scaling == "standard_channels"
    mean, std = dataset_scaling(spec, dataset)
    assert mean.shape == (36,)
    np.testing.assert_allclose(mean[:3], [0, 50, 0], atol=2)
    np.testing.assert_allclose(std[:3], [1, 20, 0.1], rtol=0.1)
    assert (mean.reshape(12, 3) == mean[:3]).all()


def test_windows_before_a_dense_net_are_columns():
    """No layer says which axis is time; channels of unlike ranges must not share a scale."""
    x = RNG.normal((0, 50, 0), (1, 20, 0.1), (60, 12, 3))
    assert scaling_of(x) == "standard"
    assert scaling_of(RNG.normal(size=(60, 12, 3))) == "standard_all"


def test_a_net_that_was_trained_before_reads_samples_as_they_are(tmp_path):
    shapes = {"a.w": (5, 6), "a.b": 5, "o.w": (3, 5), "o.b": 3}
    np.savez(tmp_path / "w.npz", **{name: RNG.normal(size=s) for name, s in shapes.items()})
    spec = spec_of(folder=tmp_path, model={"weights_file": "w.npz"})
    x = uniform(60, 6) * np.array([1, 1, 1, 1, 1, 100])
    found, dataset = resolved(spec, x, classes(60))
    assert found.data.scaling == "none"
    assert dataset.said.chosen[0].reason == (
        "a net that was trained before reads samples as they are"
    )
    assert [layer.learning_rate for layer in found.model.weighted] == [None, None]
    # Pre-training is training here, on samples as they will be.
    taught = spec_of(model={"pretrain": {"method": "tpsgd"}})
    assert resolved(taught, x, classes(60))[0].data.scaling == "standard"


# ------------------------------------------------------------------ glitches


def scales(x: Any, scaling: str) -> Any:
    return input_scaling(spec_of(data={"file": "x.npz", "scaling": scaling}), x)


@pytest.mark.parametrize("scaling", ["unit", "standard", "standard_channels", "standard_all"])
def test_a_row_of_a_dead_sensor_is_no_scale(scaling):
    x = uniform(400, 6)
    for value in (65535.0, -65535.0):
        mean, std = scales(np.vstack([x, np.full((1, 6), np.float32(value))]), scaling)
        good_mean, good = scales(x, scaling)
        np.testing.assert_allclose(std, good, rtol=0.02)
        np.testing.assert_allclose(mean, good_mean, atol=0.02)


def test_two_cells_are_no_scale():
    x = uniform(13_000, 10)
    glitched = x.copy()
    glitched[7, 3], glitched[9000, 8] = 1e5, 1e5
    np.testing.assert_array_equal(scales(glitched, "unit")[1], scales(x, "unit")[1])
    np.testing.assert_allclose(scales(glitched, "standard")[1], scales(x, "standard")[1], rtol=1e-3)
    assert scaling_of(glitched) == "standard_all"


def test_a_column_that_hardly_ever_changes_has_no_glitches():
    """Whatever differs there may be all that the column says."""
    x = np.hstack([uniform(400, 2), np.zeros((400, 1), np.float32)])
    x[5, 2] = 1000
    assert without_glitches(x, 3) is x
    assert scales(x, "standard")[1][2] == pytest.approx(x[:, 2].std())


def test_bytes_and_what_is_not_far_stay_as_they_are():
    bytes_ = np.zeros((400, 6), np.uint8)
    bytes_[:, 0] = RNG.integers(0, 3, 400)
    bytes_[3] = 255
    assert without_glitches(bytes_, 1) is bytes_
    for x in (uniform(400, 6), RNG.normal(size=(50_000, 2)), uniform(19, 1) * 1e6):
        assert without_glitches(x, x.shape[1]) is x


def test_few_values_tell_no_usual_range():
    x = np.array([[-4.0, 2.0], [1.0, 0.0]])
    assert without_glitches(x, 1) is x
    many = np.append(np.linspace(0, 1, 19), 1e6).reshape(-1, 1)
    assert without_glitches(many[-19:], 1) is not many
    assert without_glitches(many, 1).max() == 1
    assert without_glitches(many[-19:], 1).max() == 1e6


# ------------------------------------------------------------------ epochs and rates


@pytest.mark.parametrize(
    ("samples", "epochs"), [(20, 500), (150, 67), (1000, 10), (1001, 10), (5000, 10), (9, 1000)]
)
def test_epochs_take_ten_thousand_steps_and_ten_at_least(samples, epochs):
    x, y = uniform(samples, 4), classes(samples)
    spec, _ = resolved(spec_of(), x, y, x[:9], y[:9])
    assert spec.rule.passes == epochs


def test_rates_by_hand():
    x = uniform(3000, 6)
    spec, _ = resolved(spec_of(data={"file": "x.npz", "scaling": "none"}), x, classes(3000))
    # A uniform value in [-1, 1] has a mean square of 1/3, six of them 2; five units count 2.5.
    rates = [layer_learning_rate(spec, index) for index in (0, 1)]
    assert rates == pytest.approx([0.3 / 2, 0.3 / 2.5], rel=0.02)


def test_what_a_spec_names_stays_and_is_no_choice():
    named = {"learning_rate": 0.02, "epochs": 3}
    spec = spec_of(rule=named, data={"file": "x.npz", "scaling": "unit"})
    found, dataset = resolved(spec, uniform(60, 4) * [1, 1, 1, 99], classes(60))
    assert found == spec
    assert dataset.said.chosen == ()
    layers = ({**DENSE[0], "learning_rate": 0.5}, DENSE[1])
    spec = spec_of(*layers, rule={"output_learning_rate": 0.25})
    found, dataset = resolved(spec, uniform(60, 4), classes(60))
    assert [layer_learning_rate(found, index) for index in (0, 1)] == [0.5, 0.25]
    assert [choice.key for choice in dataset.said.chosen] == ["data.scaling", "rule.epochs"]


def test_asked_twice_the_answer_is_the_same():
    spec, dataset = resolved(spec_of(), uniform(60, 4), classes(60))
    assert resolved(spec, uniform(60, 4), classes(60))[0] == spec
    assert prepare(spec, dataset).spec == spec


# ------------------------------------------------------------------ what is said


def test_commands_say_what_was_chosen_and_why(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(3).uniform(-1, 1, (60, 4)).astype(np.float32)
    np.savez("x.npz", x=x * np.float32([1, 1, 1, 100]), y=classes(60))
    layers = '[{ name = "a", units = 5 }, { name = "o", units = 3 }]'
    Path("net.toml").write_text(f'name = "net"\nmodel.layers = {layers}\ndata.file = "x.npz"\n')
    command = ["build", "net.toml", "--no-compile", "--out", "made"]
    assert run(command) == 0
    lines = capsys.readouterr().out.splitlines()
    # 48 samples to learn from; four standardised columns; five units.
    assert lines[1:4] == [
        'data.scaling: "standard" (the columns have unlike ranges)',
        "rule.epochs: 209 (10,032 steps)",
        "learning_rate: a 0.075, o 0.12 (a step size over the mean square of what each layer "
        "reads)",
    ]
    assert run([*command, "--json"]) == 0
    chosen = json.loads(capsys.readouterr().out)["chosen"]
    assert [(c["key"], c["value"]) for c in chosen] == [
        ("data.scaling", '"standard"'),
        ("rule.epochs", "209"),
        ("learning_rate", "a 0.075, o 0.12"),
    ]
    assert all(c["reason"] for c in chosen)
    named = ["data.scaling=unit", "rule.epochs=3", "rule.learning_rate=0.1"]
    assert run([*command, "--json", *(part for key in named for part in ("--set", key))]) == 0
    assert json.loads(capsys.readouterr().out)["chosen"] == []


# ------------------------------------------------------------------ never refused


FORMATS = [("s8", "s16"), ("s16", "s8"), ("s8", "s8"), ("s16", "s16")]


@pytest.mark.parametrize("seed", range(22))
def test_no_rate_that_nobody_asked_for_is_refused(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(60, int(rng.integers(8, 60)), int(rng.integers(1, 5))))
    numbers = {"weights": "s8", "activations": "s16"}
    spec = spec_of(CONV1D, DENSE[1], numbers=numbers, seed=seed)
    for layer in prepare(spec, dataset_from_arrays(spec, x, classes(60))).model.weighted:
        assert layer.learning.steps.rate is not None
        assert layer.learning.steps.rate.mult > 0


@pytest.mark.parametrize(("weights", "activations"), FORMATS)
@pytest.mark.parametrize("kind", ["tpsgd", "backprop"])
@pytest.mark.parametrize("size", [1e-7, 1e-3, 1e3, 2e4])
def test_whatever_the_samples_the_nearest_rate_is_taken(weights, activations, kind, size):
    """Samples as they are, far from 1, ask for rates beyond what integers can express."""
    settings: dict[str, Any] = {
        "numbers": {"weights": weights, "activations": activations},
        "data": {"file": "x.npz", "scaling": "none"},
    }
    x = np.random.default_rng(4).normal(size=(60, 6)) * size
    spec = spec_of(rule={"kind": kind}, **settings)
    model = prepare(spec, dataset_from_arrays(spec, x, classes(60))).model
    assert all(
        layer.learning.steps.rate is not None and layer.learning.steps.rate.mult > 0
        for layer in model.trainable
    )


def test_a_rate_that_is_asked_for_is_refused_where_the_same_one_by_default_is_not():
    x = np.random.default_rng(4).normal(size=(60, 6)) * 1e6
    data = {"file": "x.npz", "scaling": "none"}
    spec, dataset = resolved(spec_of(data=data), x, classes(60))
    prepare(spec, dataset)
    first, last = spec.model.weighted
    layers = [{**DENSE[0], "learning_rate": first.learning_rate}, DENSE[1]]
    assert last.learning_rate == 0.12
    with pytest.raises(SpecError, match="out of the integers' reach"):
        prepare(spec_of(*layers, data=data), dataset)
