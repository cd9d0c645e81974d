"""Recurrent layers in the reference: scalar loops, numbers worked out by hand."""

import dataclasses
import zlib
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.models import ACTIVATIONS, VALUE_TYPES, loss_choices, random_model
from tests.support.same_training import assert_same_training, samples
from tests.support.scalar import PHI, stream
from tests.support.sequences import rnn_plans
from tpsgd_edge.errors import DataError
from tpsgd_edge.quantize.model import (
    DTYPES,
    Loss,
    QuantizedDense,
    QuantizedModel,
    QuantizedRnn,
    Requantize,
    Schedule,
    StoredInit,
    Target,
    TargetF32,
)
from tpsgd_edge.reference import Reference, trace
from tpsgd_edge.reference.layer import TRAINED, prepare

ELMAN = 1.0
TINY = 2.0**-15


def small(value_type, widths, leaks, seed: int = 3, **wanted: Any) -> QuantizedModel:
    """Recurrent layers, `widths` from the values of one step on, then what is asked for."""
    wish = {"hidden": [], "rnn_plans": rnn_plans(value_type, widths, leaks), **wanted}
    return random_model(np.random.default_rng(seed), value_type=value_type, **wish)


# ------------------------------------------------------------------ against scalar loops


CASES = [
    (value_type, label_kind, activation, loss)
    for value_type, label_kind, activation in product(VALUE_TYPES, ("class", "vector"), ACTIVATIONS)
    for loss in loss_choices(label_kind, activation, is_last=False)
]


@pytest.mark.parametrize(("value_type", "label_kind", "activation", "loss"), CASES)
def test_recurrent_layers_train_as_scalar_loops_do(value_type, label_kind, activation, loss):
    last = "softmax_cross_entropy" if label_kind == "class" else "l2"
    for each_step in (False, True):
        model = small(
            value_type,
            [3, 4, 2],
            [ELMAN, 0.3],
            label_kind=label_kind,
            steps=4,
            each_step=each_step,
            activations=[activation, activation, "linear"],
            losses=[loss, loss, last],
            weight_types=["s8", "s16", "s16"],
            lively=True,
        )
        assert_same_training(model, steps=4)


SHAPES = {
    "one unit, one value, one step": ([1, 1], [0.15], 1, []),
    "one step, two layers": ([3, 4, 5], [0.15, ELMAN], 1, [2]),
    "plain layer": ([2, 5], [ELMAN], 7, []),
    "hardly moves": ([3, 4], [TINY], 9, []),
    "slow": ([3, 4], [0.01], 40, []),
    "wide input": ([20, 2], [0.3], 3, []),
    "wide layer": ([1, 17], [0.3], 3, [3]),
    "two layers": ([2, 3, 4], [0.5, 0.15], 6, []),
    "three layers": ([4, 3, 2, 5], [0.15, TINY, ELMAN], 5, [3]),
    "two dense layers behind": ([3, 4], [0.15], 5, [5, 3]),
}


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize(("widths", "leaks", "steps", "hidden"), SHAPES.values(), ids=SHAPES)
def test_all_shapes_train_as_scalar_loops_do(widths, leaks, steps, hidden, value_type):
    for seed, each_step in product(range(2), (False, True)):
        model = small(
            value_type,
            widths,
            leaks,
            seed,
            steps=steps,
            hidden=hidden,
            each_step=each_step,
            lively=True,
        )
        assert_same_training(model, steps=3, seed=seed)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_random_models_train_as_scalar_loops_do(seed):
    model = random_model(np.random.default_rng(seed), recurrent=True, max_width=6)
    assert_same_training(model, steps=4, seed=seed)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_models_with_maps_behind_train_as_scalar_loops_do(seed):
    model = random_model(np.random.default_rng(seed), recurrent=True, maps=True, max_width=5)
    assert_same_training(model, steps=3, seed=seed)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(VALUE_TYPES), st.booleans())
def test_gated_models_train_as_scalar_loops_do(seed, value_type, each_step):
    model = small(
        value_type,
        [3, 4],
        [0.3],
        seed,
        label_kind="class",
        each_step=each_step,
        activations=["tanh", "linear"],
        losses=["l2", "softmax_cross_entropy"],
        gate=True,
        lively=True,
    )
    assert_same_training(model, steps=6, seed=seed)


def test_random_models_hold_every_kind_of_sequence():
    models = [
        random_model(np.random.default_rng(seed), recurrent=True, maps=None, max_width=6)
        for seed in range(400)
    ]
    assert {model.steps for model in models} == set(range(1, 10))
    assert {model.labels.each_step for model in models} == {False, True}
    assert {len(model.recurrent) for model in models} == {1, 2, 3}
    behind = {tuple(la.kind for la in model.layers if la.kind != "rnn") for model in models}
    assert behind >= {("dense",), ("dense",) * 2, ("conv2d", "dense"), ("max_pool", "dense")}
    leaks = {layer.leak for model in models for layer in model.recurrent}
    assert leaks >= {1, 2**15, TINY}
    gates = {(model.gate is not None, model.labels.each_step) for model in models}
    assert len(gates) == 4


# ------------------------------------------------------------------ numbers worked out by hand

# For each format: weights of x and of o, biases of 0, a leak of a half; two steps of one value;
# then o after each step, h and trace after both, and what the update reads.
HALF: dict[str, dict[str, Any]] = {
    "s8": {
        "w": [64, 32],
        "z": Requantize(2**15, 15 + 6),
        "leak": 2**14,
        "x": [100, -100],
        # c is 100, then (-6400 + 32 * 50) / 64 = -75.
        "o": [50, -12],
        "h": -3200,
        "trace": [-6400, 6400],
        "read": [-25, 25],
    },
    "s16": {
        "w": [2**14, 2**13],
        "z": Requantize(2**15, 15 + 14),
        "leak": 2**14,
        "x": [2**14, -(2**14)],
        "o": [2**13, -(2**11)],
        "h": -(2**11),
        "trace": [-(2**12), 2**12],
        "read": [-(2**12), 2**12],
    },
    "f32": {
        "w": [1.0, 0.5],
        "z": None,
        "leak": 0.5,
        "x": [0.5, -0.5],
        "o": [0.25, -0.0625],
        "h": -0.0625,
        "trace": [-0.125, 0.125],
        "read": [-0.125, 0.125],
    },
}


def by_hand(value_type: str) -> QuantizedModel:
    """One recurrent unit, two steps; it wants to answer more, and its d is 256 (f32: 0.5)."""
    numbers, real = HALF[value_type], value_type == "f32"
    model = small(
        value_type,
        [1, 1],
        [0.5],
        label_kind="class",
        steps=2,
        each_step=False,
        activations=["hard_tanh", "linear"],
        losses=["l1", "softmax_cross_entropy"],
        weight_types=["s16", "s16"],
        gate=False,
        dead_zone=False,
    )
    rnn, last = model.layers
    w = np.array([numbers["w"]], DTYPES[rnn.weight_type])
    rnn = dataclasses.replace(
        rnn,
        leak=numbers["leak"],
        z=numbers["z"],
        init=StoredInit(w, np.zeros(1, DTYPES[rnn.bias_type])),
        loss=Loss("l1", target=TargetF32(mid=1.0) if real else Target(mid=32767, mult=0)),
        # e * a is 2^14 * 2^15: 256 times 2^21, and nothing is left to round.
        rate=None if real else Requantize(2**15, 21),
        rate_f32=0.5,
        bias_one=10,
    )
    one = Schedule((2**15,), 1)
    return dataclasses.replace(model, layers=(rnn, last), schedule=one)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_two_steps_on_numbers_worked_out_by_hand(value_type):
    model, numbers = by_hand(value_type), HALF[value_type]
    wide = np.float32 if value_type == "f32" else np.int64
    layer: Any = prepare(model.layers[0], model)
    layer.set_state(model.layers[0].init.w, model.layers[0].init.b)
    for _ in range(2):
        layer.reset()
        outputs = [float(layer.forward(np.array([x], wide))[0]) for x in numbers["x"]]
        assert outputs == numbers["o"]
        assert layer.h.tolist() == [numbers["h"]]
        assert layer.trace.tolist() == numbers["trace"]


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_an_update_reads_the_trace_on_numbers_worked_out_by_hand(value_type):
    model, numbers = by_hand(value_type), HALF[value_type]
    reference = Reference(model)
    reference.train_step(np.array(numbers["x"], DTYPES[value_type]), 0)
    # Integers: 256 * read >> 8, where s16 activations shift by 8 more; f32: 0.5 * read.
    d = {"s8": 1, "s16": 2**-8, "f32": 0.5}[value_type]
    expected = [w + d * read for w, read in zip(numbers["w"], numbers["read"], strict=True)]
    assert reference.state()["rnn1.w"].tolist() == [expected]
    (b,) = reference.state()["rnn1.b"].tolist()
    assert b in {"s8": [10], "s16": [0, 1], "f32": [0.5]}[value_type]


@pytest.mark.parametrize(
    ("o", "leak", "c", "expected"),
    [
        (127, 2**14, 127, 127),
        (-128, 2**15, 127, 127),
        (127, 2**15, -128, -128),
        # A leak of 2^-15 moves by one where half the range or more is missing, tie included.
        (0, 1, 64, 0),
        (-128, 1, 127, -128),
    ],
)
def test_outputs_of_s8_stay_in_their_range(o, leak, c, expected):
    model = by_hand("s8")
    layer: Any = prepare(dataclasses.replace(model.layers[0], leak=leak), model)
    # Without weights c is the bias over 64.
    layer.set_state(np.zeros((1, 2)), np.array([64 * c]))
    layer.h = np.array([o << 8])
    assert layer.forward(np.zeros(1, np.int64)).tolist() == [expected]


@pytest.mark.parametrize(("b", "moved"), [(2**14 - 1, 0), (2**14, 1), (-(2**14), 0), (-16385, -1)])
def test_a_tie_moves_towards_plus_infinity(b, moved):
    model = by_hand("s16")
    layer: Any = prepare(dataclasses.replace(model.layers[0], leak=1), model)
    layer.forward(np.array([b]))
    assert layer.trace.tolist() == [moved, 0]


# ------------------------------------------------------------------ what a sequence is


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_a_plain_layer_at_its_first_step_is_a_dense_layer_that_also_reads_zeros(value_type):
    model = small(value_type, [3, 4], [ELMAN], steps=1, each_step=False, lively=True)
    rnn, last = model.layers
    assert isinstance(rnn, QuantizedRnn)
    own = [field.name for field in dataclasses.fields(QuantizedDense)]
    dense = QuantizedDense(**{name: getattr(rnn, name) for name in own})
    as_dense = dataclasses.replace(model, layers=(dense, last))
    x, labels = samples(model, 8)
    padded = np.pad(x, ((0, 0), (0, 4)))
    expected = trace(as_dense, padded, labels).digests
    assert np.array_equal(trace(model, x, labels).digests, expected)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("each_step", [False, True])
def test_a_sequence_leaves_nothing_behind(value_type, each_step):
    model = small(value_type, [2, 3, 3], [0.3, ELMAN], steps=4, each_step=each_step, lively=True)
    x, labels = samples(model, 4)
    first, second = Reference(model), Reference(model)
    for sample, label in zip(x, labels, strict=True):
        before = first.output(sample)
        assert np.array_equal(before, first.output(sample))
        first.output(x[0])
        assert np.array_equal(first.train_step(sample, label), second.train_step(sample, label))
    assert all(np.array_equal(first.state()[name], t) for name, t in second.state().items())


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_an_answer_for_each_step_ends_with_the_answer_for_the_sample(value_type):
    model = small(value_type, [2, 3], [0.3], steps=5, each_step=False, hidden=[4])
    labels = dataclasses.replace(model.labels, each_step=True)
    each = Reference(dataclasses.replace(model, labels=labels))
    (x, *_), _ = samples(model, 1)
    answers = each.output(x)
    assert answers.shape == (5, model.n_out)
    assert answers.dtype == DTYPES[model.output_type]
    assert np.array_equal(answers[-1], Reference(model).output(x))


def labelled_steps(value_type="s8", **wanted: Any) -> QuantizedModel:
    wish = {
        "label_kind": "class",
        "label_count": 3,
        "steps": 4,
        "each_step": True,
        "activations": ["tanh", "linear"],
        "losses": ["l2", "softmax_cross_entropy"],
        "dead_zone": False,
        "gate": False,
        "stored_weights": False,
        "lively": True,
    }
    return small(value_type, [2, 6], [0.3], **{**wish, **wanted})


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_every_labelled_step_counts(value_type):
    model = labelled_steps(value_type)
    reference, (x, labels) = Reference(model), samples(model, 3)
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
    units = 6 + 3
    assert int(reference.state()["step"]) == 3 * 4
    assert int(reference.state()["rng"]) == (stream(model.seed, 0, 0) + 12 * units * PHI) % 2**32


def test_a_sample_with_one_label_is_one_step():
    model = labelled_steps(each_step=False)
    reference, (x, labels) = Reference(model), samples(model, 3)
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
    assert int(reference.state()["step"]) == 3


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("each_step", [False, True])
def test_a_trace_holds_the_digests_of_the_whole_state(value_type, each_step):
    # Dead zones and a gate: layers learn at some steps of a sequence and not at others.
    model = labelled_steps(value_type, each_step=each_step, gate=True, dead_zone=True)
    x, labels = samples(model, 20)
    run, reference = trace(model, x, labels), Reference(model)
    for row, sample, label in zip(run.digests, x, labels, strict=True):
        output = reference.train_step(sample, label)
        tensors = {**reference.state(), "output": output}
        assert [zlib.crc32(tensors[name].tobytes()) for name in run.tensors] == row.tolist()


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_layers_count_as_changed_when_an_early_step_changed_them(value_type):
    model = dataclasses.replace(labelled_steps(value_type), gate=0.5)
    if value_type != "f32":
        model = dataclasses.replace(model, gate=2**14)
    reference, (x, labels) = Reference(model), samples(model, 40)
    early = 0
    for sample, label in zip(x, labels, strict=True):
        before = reference.state()["rnn1.w"]
        reference.train_step(sample, label)
        moved = not np.array_equal(before, reference.state()["rnn1.w"])
        assert 0 in reference.changed or not moved
        early += moved
    assert early


# ------------------------------------------------------------------ what does not fit


def test_labels_of_another_number_of_steps_are_refused():
    reference, x = Reference(labelled_steps()), np.zeros(8, np.int8)
    for labels in (np.uint16(1), np.zeros(3, np.uint16), np.zeros((4, 1), np.uint16)):
        with pytest.raises(DataError, match="label does not fit") as caught:
            reference.train_step(x, labels)
        assert "expected (4,)" in str(caught.value)
    with pytest.raises(DataError, match="out of range"):
        reference.train_step(x, np.array([0, 1, 3, 0], np.uint16))
    assert int(reference.state()["step"]) == 0


@pytest.mark.parametrize("shape", [(3,), (12,), (3, 4), (3, 3)])
def test_label_vectors_of_another_shape_are_refused(shape):
    model = labelled_steps(label_kind="vector", losses=["l2", "l2"])
    reference = Reference(model)
    with pytest.raises(DataError, match="label does not fit") as caught:
        reference.train_step(np.zeros(8, np.int8), np.zeros(shape, np.int16))
    assert "expected (4, 3) of int16" in str(caught.value)


def test_a_sample_of_one_step_is_refused():
    reference = Reference(labelled_steps())
    with pytest.raises(DataError, match="sample does not fit") as caught:
        reference.output(np.zeros(2, np.int8))
    assert "expected (8,)" in str(caught.value)


def test_every_format_is_in_the_table():
    assert {key[1] for key in TRAINED if key[0] == "rnn"} == set(VALUE_TYPES)
