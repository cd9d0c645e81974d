"""Nets in integers keep what our formats can hold of them.

`tests/data/tf_digits*_int8.tflite` were made once, with tensorflow 2.21, by these lines:

    import keras, numpy as np, tensorflow as tf
    from keras import layers as la
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("f4")
    keep = np.arange(len(x)) % 5 != 0
    x, y = x[keep], y[keep]

    def make(name, shape, *layers, per_tensor=False):
        keras.utils.set_random_seed(0)
        net = keras.Sequential([keras.Input(shape), *layers])
        net.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        net.fit(x.reshape(-1, *shape), y, epochs=30, verbose=0, batch_size=32)
        c = tf.lite.TFLiteConverter.from_keras_model(net)
        c.optimizations = [tf.lite.Optimize.DEFAULT]
        c.representative_dataset = lambda: ([one.reshape(1, *shape)] for one in x[:300])
        c.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        c.inference_input_type = c.inference_output_type = tf.int8
        if per_tensor:
            c._experimental_disable_per_channel = True
            c._experimental_disable_per_channel_quantization_for_dense_layers = True
        open(f"tf_{name}_int8.tflite", "wb").write(c.convert())

    def dense():
        return (la.Dense(32, activation="relu"), la.Dense(16, activation="relu"), la.Dense(10))

    make("digits", (64,), *dense(), per_tensor=True)
    make("digits_rows", (64,), *dense())
    make("digits_cnn", (8, 8, 1), la.Conv2D(8, 3, padding="same", activation="relu"),
         la.MaxPooling2D(2), la.Conv2D(16, 3, padding="same", activation="relu"), la.Flatten(),
         la.Dense(10))
"""

from pathlib import Path

import numpy as np
import pytest

from tpsgd_edge.errors import ToolError
from tpsgd_edge.frontend.imports.source import read_source, with_source
from tpsgd_edge.frontend.imports.steps import step_of
from tpsgd_edge.frontend.tflite.file import constant, read_tflite_file
from tpsgd_edge.quantize.scales import weight_scale
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages.preparation import prepare
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform

DATA = Path(__file__).parent.parent / "data"
RNG = np.random.default_rng(12)


def spec_of(name, **sections):
    return spec_from_dict(
        {
            "name": "net",
            "model": {"source": f"tf_{name}_int8.tflite", **sections.pop("model", {})},
            "data": {"file": "x.npz"},
            **sections,
        },
        folder=DATA,
    )


def prepared(name, tmp_path, **sections):
    """The model of a file, for samples over the whole of int8."""
    spec = spec_of(name, **sections)
    spec._folder = tmp_path
    (tmp_path / f"tf_{name}_int8.tflite").write_bytes(
        (DATA / f"tf_{name}_int8.tflite").read_bytes()
    )
    x = RNG.integers(-128, 128, (60, 64)).astype(np.int8)
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(60) % 10)
    return prepare(spec)


def integers_of(path):
    """The weights of each FULLY_CONNECTED of a file, as they lie there."""
    net = read_tflite_file(path)
    places = [op.inputs[1] for op in net.operators if op.op == "FULLY_CONNECTED"]
    return [np.rint(constant(net, at) / net.tensor(at).steps.scale.reshape(-1, 1)) for at in places]


@pytest.mark.parametrize("weights", ["s8", "s16"])
@pytest.mark.parametrize("activations", ["s8", "s16"])
def test_weights_with_one_scale_are_the_integers_of_the_file(weights, activations, tmp_path):
    numbers = {"weights": weights, "activations": activations}
    model = prepared("digits", tmp_path, numbers=numbers).model
    for layer, whole in zip(
        model.weighted, integers_of(DATA / "tf_digits_int8.tflite"), strict=True
    ):
        times = np.abs(layer.init.w).max() / np.abs(whole).max()
        assert times == 2 ** round(np.log2(times))
        assert times == 1 or weights == "s16"
        np.testing.assert_array_equal(layer.init.w, times * whole)


def test_integers_of_16_bits_have_room_to_learn_beside_those_of_the_file(tmp_path):
    model = prepared("digits", tmp_path).model
    assert all(np.abs(la.init.w).max() < 2 ** (la.numbers.weight_bits - 1) for la in model.weighted)


def test_weight_range_goes_before_what_the_file_has(tmp_path):
    name = read_source(spec_of("digits")).layers[0]["name"]
    settings = {"model": {"settings": {name: {"weight_range": 3.0}}}}
    ready = prepared("digits", tmp_path, numbers={"weights": "s8"}, **settings)
    assert ready.model.weighted[0].numbers.weight_scale == 3.0 / 2**7
    (note,) = ready.spec.notes
    assert f"those of '{name}' have several scales" not in note
    assert f"'{name}' has a weight_range" in note


def test_samples_in_integers_keep_their_scale_beside_the_weights(tmp_path):
    """So weights and learning rates are as large as those of any other net."""
    ready = prepared("digits", tmp_path)
    inputs = ready.model.inputs
    np.testing.assert_allclose(inputs.std, 255, rtol=1e-5)
    np.testing.assert_allclose(inputs.mean, -128, rtol=1e-5)


def test_notes_say_which_layers_keep_the_integers():
    (note,) = with_source(spec_of("digits")).notes
    assert note == (
        "'tf_digits_int8.tflite' is a net in integers; the weights of all layers are the file's "
        "integers; values between layers have scales of ours, without zero points"
    )
    (note,) = with_source(spec_of("digits_cnn")).notes
    assert "are the file's" not in note
    assert "have several scales there" in note
    assert not with_source(spec_of("digits", numbers={"weights": "f32"})).notes
    real = spec_from_dict(
        {"name": "n", "model": {"source": "tf_steps.tflite"}, "data": {"file": "x.npz"}}, DATA
    )
    assert not with_source(real).notes


def test_integers_of_more_than_8_bits_are_kept_by_16():
    w = RNG.integers(-200, 201, (4, 8)) * 0.013
    w[0, 0], step = 200 * 0.013, 0.013
    w[1, :2] = 199 * 0.013, 13 * 0.013
    assert step_of(w) == pytest.approx(step)
    how = {"asked": None, "trains": True, "all_dense": True, "is_given": True}
    largest = float(np.abs(w).max())
    with_step = weight_scale("s8", 7, 8, largest, step=step, **how)
    assert with_step == weight_scale("s8", 7, 8, largest, **how)
    times = step / weight_scale("s16", 15, 8, largest, step=step, **how)
    assert times == 2 ** round(np.log2(times))


def test_a_step_is_found_where_there_is_one():
    whole = RNG.integers(-127, 128, (30, 20))
    whole[0, :2] = 127, 126
    assert step_of(whole * np.float32(0.0123).astype(float)) == pytest.approx(0.0123)
    assert step_of(whole * RNG.uniform(0.01, 0.02, (30, 1))) is None
    assert step_of(RNG.normal(size=(30, 20))) is None
    assert step_of(np.zeros((3, 3))) is None
    # One that differs where the first look does not reach.
    large = np.tile(whole, (20, 20)).astype(float)
    large[1, 1] += 0.4
    assert step_of(large) is None


@pytest.mark.parametrize(("weight_type", "bits"), [("s8", 7), ("s16", 15), ("s16", 11)])
def test_small_given_weights_keep_some_steps(weight_type, bits):
    how = {"asked": None, "trains": True, "all_dense": True}
    scale = weight_scale(weight_type, bits, 64, 1e-5, is_given=True, **how)
    assert 2**4 <= 1e-5 / scale <= 2**5
    drawn = weight_scale(weight_type, bits, 64, 1e-5, **how)
    assert drawn > scale
    # What is large enough is as it was.
    assert weight_scale(weight_type, bits, 64, 0.5, is_given=True, **how) == weight_scale(
        weight_type, bits, 64, 0.5, **how
    )


@pytest.mark.parametrize("name", ["digits", "digits_rows", "digits_cnn"])
@pytest.mark.parametrize("weights", ["s8", "s16"])
def test_integers_give_the_classes_of_litert(name, weights):
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("sklearn")
    from tools import results_integers

    row = results_integers.row(DATA / f"tf_{name}_int8.tflite", weights, learns=False)
    integers, real, litert, ours = (float(cell.rstrip(" %")) for cell in row.split(" | "))
    assert integers > 98.5
    assert real > 99
    assert abs(litert - ours) < 1


@pytest.mark.slow
def test_a_net_in_integers_goes_on_learning():
    """With the default learning rate; scores fell to chance where weights took the scale in."""
    pytest.importorskip("ai_edge_litert")
    pytest.importorskip("sklearn")
    from tools import results_integers

    try:
        find_compiler(load_platform("host"))
    except ToolError as error:
        pytest.skip(str(error))
    row = results_integers.row(DATA / "tf_digits_int8.tflite", "s8")
    assert float(row.split(" | ")[-1].rstrip(" %")) > 90
