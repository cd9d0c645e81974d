"""Whole training steps of the reference against scalar loops, its state, its traces."""

import dataclasses
import zlib
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.models import (
    ACTIVATIONS,
    VALUE_TYPES,
    loss_choices,
    projection_values,
    random_model,
)
from tests.support.parts import altered
from tests.support.same_training import assert_same_training, samples
from tests.support.scalar import PHI, stream
from tpsgd_edge.errors import DataError
from tpsgd_edge.memory.state import digest_order
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, Readout, Requantize
from tpsgd_edge.reference import Reference, trace


def small(seed: int = 3, **wanted) -> QuantizedModel:
    return random_model(np.random.default_rng(seed), max_width=6, **wanted)


HIDDEN_CASES = [
    (value_type, label_kind, activation, loss)
    for value_type, label_kind, activation in product(VALUE_TYPES, ("class", "vector"), ACTIVATIONS)
    for loss in loss_choices(label_kind, activation, is_last=False)
]
LAST_CASES = [
    (value_type, label_kind, activation, loss)
    for value_type, label_kind, activation in product(VALUE_TYPES, ("class", "vector"), ACTIVATIONS)
    for loss in loss_choices(label_kind, activation, is_last=True)
]


def last_pair(label_kind: str) -> tuple[str, str]:
    return ("linear", "softmax_cross_entropy" if label_kind == "class" else "l2")


@pytest.mark.parametrize(("value_type", "label_kind", "activation", "loss"), HIDDEN_CASES)
def test_hidden_layers_train_as_scalar_loops_do(value_type, label_kind, activation, loss):
    last_activation, last_loss = last_pair(label_kind)
    model = small(
        value_type=value_type,
        label_kind=label_kind,
        hidden=[4, 3],
        activations=[activation, activation, last_activation],
        losses=[loss, loss, last_loss],
        weight_types=["s8", "s16", "s16"],
        lively=True,
    )
    assert_same_training(model, steps=6)


@pytest.mark.parametrize(("value_type", "label_kind", "activation", "loss"), LAST_CASES)
def test_last_layers_train_as_scalar_loops_do(value_type, label_kind, activation, loss):
    for weight_type in ("s8", "s16"):
        model = small(
            value_type=value_type,
            label_kind=label_kind,
            hidden=[],
            activations=[activation],
            losses=[loss],
            weight_types=[weight_type],
            lively=True,
        )
        assert_same_training(model, steps=6)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32 - 1))
def test_random_models_train_as_scalar_loops_do(seed):
    model = random_model(np.random.default_rng(seed), max_width=8)
    assert_same_training(model, steps=5, seed=seed)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(VALUE_TYPES))
def test_gated_models_train_as_scalar_loops_do(seed, value_type):
    model = small(
        seed,
        value_type=value_type,
        label_kind="class",
        hidden=[4],
        activations=["tanh", "linear"],
        losses=["l2", "softmax_cross_entropy"],
        gate=True,
        lively=True,
    )
    assert_same_training(model, steps=8, seed=seed)


def test_wide_layers_train_as_scalar_loops_do():
    # 500 inputs of s16 weights leave 14 bits for the weights in a8.
    model = small(value_type="s8", n_in=500, hidden=[2], weight_types=["s16", "s16"], lively=True)
    assert model.layers[0].numbers.weight_bits == 14
    assert_same_training(model, steps=3)


# ------------------------------------------------------------------ the rule


def lively_net(seed: int = 11, value_type="s8", **wanted) -> QuantizedModel:
    return random_model(
        np.random.default_rng(seed),
        value_type=value_type,
        label_kind="class",
        n_in=10,
        hidden=[12],
        activations=["tanh", "linear"],
        losses=["projected_cross_entropy", "softmax_cross_entropy"],
        stored_weights=False,
        dead_zone=False,
        lively=True,
        **{"gate": False, "label_count": 5, **wanted},
    )


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_a_closed_gate_leaves_hidden_layers_alone_and_rng_goes_on(value_type):
    model = dataclasses.replace(lively_net(value_type=value_type), gate=0)
    reference, (x, labels) = Reference(model), samples(model, 5)
    before = reference.state()
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
        assert set(reference.changed) <= {1}
    after = reference.state()
    assert np.array_equal(before["fc1.w"], after["fc1.w"])
    assert not np.array_equal(before["fc2.w"], after["fc2.w"])
    assert int(after["rng"]) == (stream(model.seed, 0, 0) + 5 * 17 * PHI) % 2**32


def test_an_open_gate_is_no_gate():
    model = lively_net()
    x, labels = samples(model, 10)
    opened = trace(dataclasses.replace(model, gate=40000), x, labels)
    assert np.array_equal(opened.digests, trace(model, x, labels).digests)


def test_the_output_is_that_of_before_the_update():
    model = lively_net()
    reference, (x, labels) = Reference(model), samples(model, 1)
    before = reference.output(x[0])
    assert np.array_equal(reference.train_step(x[0], labels[0]), before)
    assert not np.array_equal(reference.output(x[0]), before)


def test_a_weight_whose_input_is_zero_does_not_change():
    model = lively_net()
    reference = Reference(model)
    x = samples(model, 1)[0][0].copy()
    x[::2] = 0
    before = reference.state()["fc1.w"]
    reference.train_step(x, 1)
    after = reference.state()["fc1.w"]
    assert np.array_equal(before[:, ::2], after[:, ::2])
    assert not np.array_equal(before, after)


def test_a_weight_of_negative_zero_survives_a_unit_that_does_not_learn():
    model = lively_net(value_type="f32")
    layers = tuple(altered(layer, dead_zone=100.0) for layer in model.layers)
    reference = Reference(dataclasses.replace(model, layers=layers))
    state = reference.state()
    state["fc1.w"][...] = -0.0
    reference.load_state(state)
    reference.train_step(*(part[0] for part in samples(model, 1)))
    assert np.signbit(reference.state()["fc1.w"]).all()


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_the_dead_zone_spares_what_is_as_large_as_itself(value_type):
    # Two classes and logits of zero: |delta| is 1/2, in Q14 for integers.
    half = 0.5 if value_type == "f32" else 2**13
    model = lively_net(value_type=value_type, label_count=2, weight_types=["s16", "s16"])
    layer = altered(model.layers[1], dead_zone=half, rate=1.0)
    if value_type != "f32":
        layer = altered(layer, rate=Requantize(32768, 20))
    for dead_zone, learns in ((half, True), (half * (1 + 2**-13), False)):
        last = altered(layer, dead_zone=type(half)(dead_zone))
        schedule = dataclasses.replace(model.schedule, decay=(32768,))
        reference = Reference(
            dataclasses.replace(model, layers=(model.layers[0], last), schedule=schedule)
        )
        reference.load_state(
            {n: t * 0 if n[:2] == "fc" else t for n, t in reference.state().items()}
        )
        reference.train_step(*(part[0] for part in samples(model, 1)))
        assert (1 in reference.changed) == learns


def test_weights_and_biases_stop_at_their_bounds():
    model = lively_net()
    layers = tuple(
        altered(layer, rate=Requantize(32768, 8), bias_one=2**30) for layer in model.layers
    )
    reference = Reference(dataclasses.replace(model, layers=layers))
    for x, label in zip(*samples(model, 200), strict=True):
        reference.train_step(x, label)
    state = reference.state()
    for layer in model.layers:
        w, b = state[f"{layer.name}.w"].astype(int), state[f"{layer.name}.b"]
        assert w.min() == -(2**layer.numbers.weight_bits)
        assert w.max() == 2**layer.numbers.weight_bits - 1
        assert np.abs(b).max() == 2**27


def test_the_learning_rate_decays_by_segments_and_stays_at_the_last():
    model = lively_net()
    schedule = dataclasses.replace(model.schedule, decay=(32768, 0), segment_steps=2)
    reference = Reference(dataclasses.replace(model, schedule=schedule))
    learned = []
    for x, label in zip(*samples(model, 8), strict=True):
        reference.train_step(x, label)
        learned.append(bool(reference.changed))
    assert learned == [True, True] + [False] * 6


def test_step_stays_at_its_largest_value():
    reference = Reference(lively_net())
    state = reference.state()
    state["step"][...] = 2**32 - 1
    reference.load_state(state)
    reference.train_step(*(part[0] for part in samples(reference.model, 1)))
    assert int(reference.state()["step"]) == 2**32 - 1


def net_for_blobs(value_type) -> QuantizedModel:
    """10-12-5 with a weight scale of 2^-13, R = 1 and a learning rate near 0.02."""
    model = lively_net(value_type=value_type, weight_types=["s16", "s16"], projection="sign")
    schedule = dataclasses.replace(model.schedule, decay=(32768,))
    if value_type == "f32":
        layers = tuple(altered(layer, rate=0.02) for layer in model.layers)
        return dataclasses.replace(model, schedule=schedule, layers=layers)
    wide = value_type == "s16"
    hidden, last = (
        altered(
            layer,
            rate=Requantize(20972, 20),
            bias_one=2**22 if wide else 2**14,
            init=dataclasses.replace(layer.init, bound=4096),
        )
        for layer in model.layers
    )
    readout = dataclasses.replace(hidden.loss, readout=Readout(Requantize(27269, 15), 0))
    hidden = altered(hidden, z=Requantize(16384, 29), loss=readout)
    last = altered(last, z=Requantize(23616, 34 if wide else 26))
    return dataclasses.replace(model, schedule=schedule, layers=(hidden, last))


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_training_learns(value_type):
    # Five blobs: after a few hundred steps nearly all are told apart.
    rng = np.random.default_rng(0)
    centres, labels = rng.normal(0, 0.4, (5, 10)), rng.integers(0, 5, 600)
    x = np.clip(centres[labels] + rng.normal(0, 0.1, (600, 10)), -1, 0.99)
    x *= {"s8": 2**7, "s16": 2**15, "f32": 1.0}[value_type]
    reference = Reference(net_for_blobs(value_type))
    hits = [
        reference.train_step(sample, label).argmax() == label
        for sample, label in zip(x.astype(DTYPES[value_type]), labels, strict=True)
    ]
    assert np.mean(hits[-100:]) > 0.9


# ------------------------------------------------------------------ state and trace


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_state_can_be_saved_and_loaded(value_type):
    model = small(value_type=value_type, hidden=[5], lively=True)
    x, labels = samples(model, 6)
    whole, first, second = Reference(model), Reference(model), Reference(model)
    for sample, label in zip(x[:3], labels[:3], strict=True):
        whole.train_step(sample, label)
        first.train_step(sample, label)
    second.load_state(first.state())
    for sample, label in zip(x[3:], labels[3:], strict=True):
        whole.train_step(sample, label)
        second.train_step(sample, label)
    for name, tensor in whole.state().items():
        assert tensor.tobytes() == second.state()[name].tobytes(), name


def test_state_is_a_copy_in_the_types_of_the_device():
    reference = Reference(lively_net())
    state = reference.state()
    assert tuple(state) == digest_order(reference.model)
    assert [state[name].dtype.str for name in ("fc1.b", "rng", "step")] == ["<i4", "<u4", "<u4"]
    state["fc1.w"][...] = 0
    state["fc1.b"][...] = 77
    assert reference.state()["fc1.w"].any()
    assert not reference.state()["fc1.b"].any()


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_trace_digests_what_the_state_holds(value_type):
    model = small(6, value_type=value_type, label_kind="class", hidden=[5], gate=True)
    x, labels = samples(model, 7)
    result, reference = trace(model, x, labels), Reference(model)
    for step in range(7):
        output = reference.train_step(x[step], labels[step])
        tensors = {**reference.state(), "output": output}
        expected = [zlib.crc32(tensors[name].tobytes()) for name in result.tensors]
        assert result.digests[step].tolist() == expected
    assert result.tensors == (*digest_order(model), "output")
    assert result.steps == 7
    assert result.digests.dtype == np.uint32
    for name, tensor in {**reference.state(), "output": output}.items():
        assert np.array_equal(result.final[name], tensor)


def test_trace_of_no_samples_holds_the_first_state():
    model = lively_net()
    x, labels = samples(model, 1)
    empty = trace(model, x[:0], labels[:0])
    assert empty.steps == 0
    assert tuple(empty.final) == digest_order(model)


# ------------------------------------------------------------------ what does not fit


@pytest.mark.parametrize(
    ("x", "label", "words"),
    [
        (np.zeros(9, np.int8), 0, "the sample does not fit"),
        (np.zeros(10, np.int16), 0, "the sample does not fit"),
        (np.zeros(10, np.int8), 5, "the label is out of range"),
        (np.zeros(10, np.int8), -1, "the label is out of range"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(x, label, words):
    reference = Reference(lively_net())
    with pytest.raises(DataError, match=words):
        reference.train_step(x, label)
    assert int(reference.state()["step"]) == 0


def test_a_label_vector_of_another_type_is_refused():
    model = small(value_type="s16", label_kind="vector", label_count=3)
    x = samples(model, 1)[0][0]
    with pytest.raises(DataError, match="the label does not fit"):
        Reference(model).train_step(x, np.zeros(3, np.float32))


def test_a_state_that_does_not_fit_is_refused():
    reference = Reference(lively_net())
    state = reference.state()
    with pytest.raises(DataError, match=r"lacks the tensor 'fc2\.b'"):
        reference.load_state({name: t for name, t in state.items() if name != "fc2.b"})
    with pytest.raises(DataError, match=r"tensor 'fc1\.w' does not fit"):
        reference.load_state({**state, "fc1.w": state["fc1.w"].T})


# ------------------------------------------------------------------ initial weights, random models


def test_first_weights_from_the_seed_keep_their_bound():
    model = lively_net()
    layer = model.layers[0]
    init = dataclasses.replace(layer.init, bound=1000)
    layers = (dataclasses.replace(layer, init=init), *model.layers[1:])
    w = Reference(dataclasses.replace(model, layers=layers)).state()["fc1.w"]
    limit = min(1000, 2**layer.numbers.weight_bits)
    assert -limit <= w.min() < 0 < w.max() <= limit


@pytest.mark.parametrize(
    ("kind", "values", "spread"),
    [
        ("sign", {-1, 1}, 1.0),
        ("hadamard", {-1, 1}, 1.0),
        ("ternary", {-1, 0, 1}, 2**-0.5),
        ("gaussian", None, 36.95),
    ],
)
def test_projections_have_the_spread_of_the_contract(kind, values, spread):
    p = projection_values(kind, 12345, 500, 37).astype(float)
    assert values is None or set(p.flat) == values
    assert abs(p.mean()) < 0.05 * spread
    assert p.std() == pytest.approx(spread, rel=0.02)


def test_random_models_are_the_same_for_the_same_seed():
    one, two = (random_model(np.random.default_rng(9)) for _ in range(2))
    x, labels = samples(one, 3)
    assert np.array_equal(trace(one, x, labels).digests, trace(two, x, labels).digests)
