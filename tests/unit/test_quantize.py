"""Scales, factors, schedules, samples and labels, initial weights; and what cannot be quantized."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import resolved
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.quantize import (
    QuantizedModel,
    quantize_inputs,
    quantize_labels,
)
from tpsgd_edge.quantize.model import QuantizedWeighted, SeededInit, StoredInit
from tpsgd_edge.quantize.samples import read_outputs
from tpsgd_edge.quantize.scales import (
    as_requantize,
    input_scale,
    power_of_two_above,
    weight_bits,
    weight_range,
)
from tpsgd_edge.spec import Spec, spec_from_dict

RNG = np.random.default_rng(0)
X = RNG.uniform(-4, 4, (50, 6)).astype(np.float32)
CLASSES = np.arange(50) % 3
VECTORS = RNG.uniform(-2, 6, (50, 2))


def make_spec(folder: Path, *, hidden: Any = None, last: Any = None, **sections: Any) -> Spec:
    vectors = sections.pop("vectors", False)
    content = {
        "name": "toy",
        "model": {
            "layers": [
                {"name": "fc1", "units": 5, **(hidden or {})},
                {"name": "fc2", "units": 2 if vectors else 3, **(last or {})},
            ],
            **sections.pop("model", {}),
        },
        "data": {"file": "toy.npz", **sections.pop("data", {})},
        **sections,
    }
    return spec_from_dict(content, folder=folder)


def quantized(spec: Spec, x: Any = X, y: Any = CLASSES) -> QuantizedModel:
    return resolved.quantized(spec, x, y)


# ------------------------------------------------------------------ factors


@given(st.floats(2.0**-46, 2.0**13.9))
def test_a_factor_is_met_within_half_a_unit_of_15_bits(factor):
    found = as_requantize(factor, max_shift=62)
    assert found is not None
    assert 2**14 <= found.mult <= 2**15
    assert 1 <= found.shift <= 62
    assert abs(found.mult / 2**found.shift / factor - 1) <= 2**-15


@pytest.mark.parametrize(("factor", "max_shift"), [(2.0**14, 62), (2.0**-49, 62), (2.0**-17, 30)])
def test_a_factor_out_of_reach_is_none(factor, max_shift):
    assert as_requantize(factor, max_shift=max_shift) is None


@given(st.floats(1e-30, 1e30))
def test_powers_of_two_are_the_next_above(value):
    power = power_of_two_above(value)
    assert power / 2 < value <= power
    assert math.frexp(power)[0] == 0.5


@given(st.integers(1, 65535))
def test_weights_of_s8_inputs_have_as_many_bits_as_the_accumulator_allows(n_in):
    fitting = [k for k in range(16) if n_in * 2 ** (k + 7) + 2**27 <= 2**31 - 1]
    assert weight_bits("s16", "s8", n_in) == max(fitting, default=0)
    assert weight_bits("s8", "s8", n_in) == 7
    assert weight_bits("s16", "s16", n_in) == 15


@given(st.integers(1, 65535), st.floats(0, 100), st.sampled_from(["s8", "s16"]), st.booleans())
def test_the_range_of_weights_holds_the_first_ones_and_room_to_learn(
    n_in, largest, weight_type, all_dense
):
    reach = weight_range(weight_type, n_in, largest, all_dense=all_dense)
    assert reach >= 1.25 * largest
    # Large weights in s8 get just that.
    assert math.frexp(reach)[0] == 0.5 or (weight_type == "s8" and reach == 1.25 * largest)


@pytest.mark.parametrize(
    ("below", "reach"),
    [
        ([{"name": "first", "units": 4}], 1.0),
        ([{"kind": "rnn", "name": "steps", "units": 8}], 0.5),
        ([{"kind": "gru", "name": "steps", "units": 8}], 0.5),
        ([{"kind": "conv1d", "name": "steps", "filters": 4}], 0.5),
    ],
)
def test_nets_of_dense_layers_alone_have_wide_ranges_in_s8(tmp_path, below, reach):
    layers = [*below, {"name": "fc", "units": 64}, {"name": "out", "units": 3}]
    content = {"name": "toy", "model": {"layers": layers}, "data": {"file": "toy.npz"}}
    spec = spec_from_dict({**content, "numbers": {"weights": "s8"}}, folder=tmp_path)
    last = quantized(spec, x=RNG.uniform(-1, 1, (50, 7, 6))).trainable[-1]
    assert last.numbers.weight_scale * 2**last.numbers.weight_bits == reach


def test_one_input_in_ten_thousand_may_saturate():
    x = np.append(np.linspace(-1, 1, 99_999), 50.0).reshape(-1, 4)
    assert input_scale(x, "s8") == pytest.approx(1 / 127, rel=1e-3)
    assert input_scale(x, "s16") == pytest.approx(1 / 32767, rel=1e-3)
    assert input_scale(x, "f32") == 1
    assert input_scale(np.zeros((3, 3)), "s8") > 0
    sparse = np.zeros((20_000, 1))
    sparse[0] = 7
    assert input_scale(sparse, "s8") == pytest.approx(7 / 127)


def _rate_unit(layer: QuantizedWeighted) -> float:
    """The factor of a layer whose learning rate and error scale are 1."""
    numbers, shift = layer.numbers, layer.learning.steps.update_shift
    return numbers.x_scale / numbers.weight_scale * 2.0 ** (shift - 14)


@pytest.mark.parametrize("weights", ["s16", "s8"])
@pytest.mark.parametrize("activations", ["s8", "s16"])
@pytest.mark.parametrize("rate", [0.0005, 0.003, 0.1, 1.3])
def test_the_learning_rate_is_met(tmp_path, weights, activations, rate):
    """The factor stands for learning_rate * error_scale * x_scale / weight_scale (section 7)."""
    spec = make_spec(
        tmp_path,
        hidden={"loss": "l2"},
        numbers={"weights": weights, "activations": activations},
        rule={"learning_rate": rate, "output_learning_rate": rate / 2},
    )
    for layer, wanted in zip(quantized(spec).trainable, (rate, rate / 2), strict=True):
        unit = _rate_unit(layer)
        met = layer.learning.steps.rate.mult / 2**layer.learning.steps.rate.shift / unit
        assert met == pytest.approx(wanted, rel=2**-14)


def test_rates_below_15_bits_keep_the_bits_that_are_left(tmp_path):
    spec = make_spec(tmp_path, hidden={"loss": "l2"}, rule={"learning_rate": 1e-5})
    layer = quantized(spec).trainable[0]
    assert layer.learning.steps.rate.shift == 30
    assert 2**6 <= layer.learning.steps.rate.mult < 2**14
    unit = _rate_unit(layer)
    met = layer.learning.steps.rate.mult / 2**layer.learning.steps.rate.shift / unit
    assert met == pytest.approx(1e-5, rel=2**-7)


def test_each_layer_may_have_its_own_rate(tmp_path):
    spec = make_spec(tmp_path, hidden={"learning_rate": 0.25}, numbers={"weights": "f32"})
    # The other one follows from the five units that it reads: 0.3 over half their number.
    assert [layer.learning.steps.rate for layer in quantized(spec).trainable] == [
        0.25,
        pytest.approx(0.12),
    ]


@pytest.mark.parametrize(
    ("target_pool", "share"), [(1, 1 / 20), (2, 4 / 20), (9, 1), ("position", 1)]
)
@pytest.mark.parametrize("weights", ["s16", "f32"])
def test_the_rate_of_a_map_is_that_of_its_averages(tmp_path, weights, target_pool, share):
    """kr * kc / (oh * ow), 1 / (mean area of the windows), is part of the rate (section 14)."""
    conv = {"kind": "conv2d", "name": "conv1", "filters": 2, "kernel": 3}
    layers = [{**conv, "target_pool": target_pool}, {"name": "fc", "units": 3}]
    spec = make_spec(
        tmp_path,
        model={"layers": layers},
        numbers={"weights": weights},
        rule={"learning_rate": 0.02},
        data={"input_shape": [6, 7, 1]},
    )
    layer = quantized(spec, x=RNG.uniform(-1, 1, (50, 42))).trainable[0]
    if weights == "f32":
        assert layer.learning.steps.rate == pytest.approx(0.02 * share)
        return
    unit = _rate_unit(layer)
    met = layer.learning.steps.rate.mult / 2**layer.learning.steps.rate.shift / unit
    error_scale = 1.0  # of projected cross entropy under signs
    assert met == pytest.approx(0.02 * share * error_scale, rel=2**-14)


# ------------------------------------------------------------------ samples and labels


def test_samples_are_rounded_and_saturated(tmp_path):
    model = quantized(make_spec(tmp_path, data={"scaling": "unit"}))
    scale = model.inputs.scale * float(model.inputs.std[0])
    raw = np.array([[0, 1.4, 1.6, -1.4, 1000, -1000]]) * scale
    assert quantize_inputs(model, raw).tolist() == [[0, 1, 2, -1, 127, -128]]
    assert quantize_inputs(model, raw).dtype == np.int8


def test_samples_of_integers_and_bytes_are_taken(tmp_path):
    bytes_ = RNG.integers(0, 256, (50, 6), np.uint8)
    model = quantized(make_spec(tmp_path, data={"scaling": "unit"}), x=bytes_)
    same = quantize_inputs(model, bytes_.astype(np.float64))
    assert (quantize_inputs(model, bytes_) == same).all()
    assert quantize_inputs(model, np.full((1, 6), 255)).tolist() == [[127] * 6]


def test_real_samples_stay_within_the_proved_range(tmp_path):
    model = quantized(make_spec(tmp_path, numbers={"weights": "f32"}))
    found = quantize_inputs(model, np.full((1, 6), 1e30))
    assert found.dtype == np.float32
    assert found.tolist() == [[2.0**20] * 6]


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (np.zeros((2, 5)), "shape (2, 5), expected (n, 6)"),
        (np.zeros(6), "shape (6,), expected (n, 6)"),
        (np.full((2, 6), np.nan), "x[0][0]"),
        (np.array([[0, 1, 2, -np.inf, 4, 5]]), "x[0][3]"),
    ],
)
def test_bad_samples_are_refused(tmp_path, raw, words):
    with pytest.raises(DataError) as error:
        quantize_inputs(quantized(make_spec(tmp_path)), raw)
    assert words in str(error.value)


def test_classes_are_indices(tmp_path):
    model = quantized(make_spec(tmp_path))
    labels = quantize_labels(model, [0, 2, 1])
    assert labels.dtype == np.uint16
    assert labels.tolist() == [0, 2, 1]
    for bad in ([3], [-1]):
        with pytest.raises(DataError, match="labels of this model run from 0 to 2"):
            quantize_labels(model, bad)


@pytest.mark.parametrize("activation", ["linear", "tanh", "sigmoid"])
@pytest.mark.parametrize("weights", ["s16", "f32"])
def test_label_vectors_come_back_as_they_were(tmp_path, activation, weights):
    spec = make_spec(
        tmp_path,
        vectors=True,
        last={"activation": activation, "loss": "l2"},
        numbers={"weights": weights},
        data={"task": "regression"},
    )
    model = quantized(spec, y=VECTORS)
    # Bounded outputs reach the training labels, not all that might come.
    raw = dataset_from_arrays(spec, X, VECTORS).y_train
    labels = quantize_labels(model, raw)
    assert labels.dtype == (np.float32 if weights == "f32" else np.int16)
    assert labels.shape == raw.shape
    # Outputs and labels share their unit: an output equal to its label is the label.
    np.testing.assert_allclose(read_outputs(model, labels), raw, atol=1e-3)


def test_huge_label_vectors_stay_within_the_proved_range(tmp_path):
    for weights, largest in (("s16", 2**15 - 1), ("f32", 2.0**20)):
        settings = {"numbers": {"weights": weights}, "data": {"task": "regression"}}
        model = quantized(make_spec(tmp_path, vectors=True, **settings), y=VECTORS)
        assert quantize_labels(model, np.full((1, 2), 1e30)).tolist() == [[largest] * 2]


# ------------------------------------------------------------------ calibration


def test_relu_layers_get_room_above_what_they_reach(tmp_path):
    spec = make_spec(tmp_path, hidden={"activation": "relu"}, data={"scaling": "none"})
    first = quantized(spec).layers[0]
    full_scale = first.y_scale * 2**7
    assert math.frexp(full_scale)[0] == 0.5
    bound = 1 / math.sqrt(6)
    assert 4 * 0.5 <= full_scale <= 2 * 4 * 4 * 6 * bound


@pytest.mark.parametrize(("activations", "z_min"), [("s8", -(2**22 // 1638)), ("s16", -(2**15))])
def test_leaky_units_hold_what_lies_far_below_zero(tmp_path, activations, z_min):
    """Sums from -20 to -10: y alone, which is a twentieth of them, would ask for less room."""
    weights = {"fc1.w": np.full((5, 6), 0.2), "fc1.b": np.full(5, -15.0)}
    np.savez(tmp_path / "w.npz", **weights, **{"fc2.w": np.zeros((3, 5)), "fc2.b": np.zeros(3)})
    hidden = {"activation": "leaky_relu", "negative_slope": 0.05, "train": False}
    spec = make_spec(
        tmp_path,
        hidden=hidden,
        model={"weights_file": "w.npz"},
        numbers={"activations": activations},
        data={"scaling": "none"},
    )
    layer = quantized(spec).layers[0]
    assert (layer.numbers.negative_slope, layer.numbers.z_min) == (1638, z_min)
    lowest = float((X @ weights["fc1.w"][0] - 15).min())
    assert layer.numbers.z_min * layer.y_scale < lowest < -15


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "hard_tanh"])
def test_bounded_layers_have_a_full_scale_of_one(tmp_path, activation):
    layer = quantized(make_spec(tmp_path, hidden={"activation": activation})).layers[0]
    assert layer.y_scale == 2**-7


def test_the_same_input_gives_the_same_model(tmp_path):
    assert repr(quantized(make_spec(tmp_path))) == repr(quantized(make_spec(tmp_path)))


def test_another_seed_gives_other_weights_and_projections(tmp_path):
    models = [quantized(make_spec(tmp_path, seed=seed)) for seed in (1, 2)]
    inits = [model.trainable[0].init for model in models]
    assert all(isinstance(init, SeededInit) for init in inits)
    assert inits[0] != inits[1]
    projections = [model.trainable[0].projection for model in models]
    assert projections[0] is not None
    assert projections[1] is not None
    assert (projections[0].values != projections[1].values).any()


@pytest.mark.parametrize("weights", ["s16", "s8", "f32"])
def test_given_weights_are_kept(tmp_path, weights):
    w, b = RNG.normal(0, 0.5, (5, 6)), RNG.normal(0, 0.1, 5)
    last = {"fc2.w": np.zeros((3, 5)), "fc2.b": np.zeros(3)}
    np.savez(tmp_path / "w.npz", **{"fc1.w": w, "fc1.b": b}, **last)
    spec = make_spec(tmp_path, model={"weights_file": "w.npz"}, numbers={"weights": weights})
    layer = quantized(spec).trainable[0]
    assert isinstance(layer.init, StoredInit)
    unit = layer.numbers.weight_scale
    np.testing.assert_allclose(layer.init.w * unit, w, atol=max(unit / 2, 1e-6) * 1.01)
    bias_scale = layer.numbers.bias_scale
    np.testing.assert_allclose(layer.init.b * bias_scale, b, atol=max(bias_scale, 1e-6))


# ------------------------------------------------------------------ what cannot be quantized


def refused(folder: Path, *, x: Any = X, y: Any = CLASSES, **settings: Any) -> str:
    with pytest.raises(SpecError) as error:
        quantized(make_spec(folder, **settings), x, y)
    assert error.value.exit_code == 2
    return str(error.value)


def test_a_learning_rate_out_of_reach(tmp_path):
    message = refused(tmp_path, rule={"learning_rate": 1e-12})
    assert "the learning rate of layer 'fc1' is out of the integers' reach" in message
    assert "where: [rule] learning_rate, layer 'fc1'" in message
    assert "found: 1e-12" in message
    assert "choose one from " in message
    assert "choose one from " in refused(tmp_path, rule={"learning_rate": 1e6})


def test_too_many_inputs_for_an_accumulator(tmp_path):
    x = np.ones((6, 61_500), np.float32)
    message = refused(tmp_path, x=x, y=np.arange(6) % 3)
    assert "layer 'fc1' can overflow its accumulator" in message
    assert "61,500 inputs of s16 x s8 leave 7 bits a weight; s32 holds 2,147,483,647" in message
    assert 'use weights = "s8" or activations = "s16"' in message


def test_too_many_labels_for_a_read_out(tmp_path):
    y = np.zeros((50, 520)) + np.arange(50)[:, None]
    layers = [{"name": "fc1", "units": 5, "loss": "projected_l2"}, {"name": "fc2", "units": 520}]
    message = refused(tmp_path, y=y, model={"layers": layers}, data={"task": "regression"})
    assert "layer 'fc1' can overflow its local error" in message
    assert "found: 520 label values under projected_l2; s32 holds 515" in message


def test_a_custom_loss_of_nothing(tmp_path):
    message = refused(tmp_path, hidden={"loss": {"kind": "custom", "expression": "0 * r"}})
    assert "the custom loss of layer 'fc1' is zero everywhere" in message
    assert "expression = '0 * r'" in message


def test_a_temperature_out_of_reach(tmp_path):
    loss = {"kind": "projected_cross_entropy", "temperature": 1e-9}
    message = refused(tmp_path, hidden={"loss": loss})
    assert "the read-out of layer 'fc1' cannot be expressed in integers" in message
    assert "choose a temperature from " in message


def test_inputs_of_another_world(tmp_path):
    message = refused(tmp_path, x=X * 1e20, data={"scaling": "none"})
    assert "layer 'fc1'" in message
    assert 'scaling = "standard"' in message or "learning rate" in message
