"""Sequences in the reference: labels of samples and of steps, state, traces, errors."""

import dataclasses
import zlib
from typing import Any

import numpy as np
import pytest

from tests.support.models import VALUE_TYPES, random_model
from tests.support.parts import altered
from tests.support.same_training import samples
from tests.support.scalar import PHI, stream
from tests.support.sequences import rnn_plans
from tpsgd_edge.errors import DataError
from tpsgd_edge.quantize.model import DTYPES, DenseShape, QuantizedModel
from tpsgd_edge.reference import Reference, trace

ELMAN = (0,)


def small(value_type, widths, leak_shifts, *, has_traces=False, **wanted: Any) -> QuantizedModel:
    """Recurrent layers, `widths` from the values of one step on, then what is asked for."""
    plans = rnn_plans(value_type, widths, leak_shifts, [has_traces] * len(leak_shifts))
    wish = {"hidden": [], "rnn_plans": plans, **wanted}
    return random_model(np.random.default_rng(3), value_type=value_type, **wish)


# ------------------------------------------------------------------ what a sequence is


@pytest.mark.parametrize("has_traces", [False, True])
@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_a_plain_layer_at_its_first_step_is_a_dense_layer_that_also_reads_zeros(
    value_type, has_traces
):
    wanted = {"steps": 1, "each_step": False, "stored_weights": True}
    model = small(value_type, [3, 4], [ELMAN], has_traces=has_traces, **wanted)
    rnn, last = model.layers
    assert rnn.kind == "rnn"
    dense = dataclasses.replace(rnn, shape=DenseShape(rnn.n_in, rnn.n_out))
    as_dense = dataclasses.replace(model, layers=(dense, last))
    x, labels = samples(model, 8)
    x += x.dtype.type(0)  # A trace of -0.0 is 0.0.
    padded = np.pad(x, ((0, 0), (0, 4)))
    expected = trace(as_dense, padded, labels).digests
    assert np.array_equal(trace(model, x, labels).digests, expected)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("each_step", [False, True])
@pytest.mark.parametrize("has_traces", [False, True])
def test_a_sequence_leaves_nothing_behind(value_type, each_step, has_traces):
    wanted = {"has_traces": has_traces, "steps": 4, "each_step": each_step, "lively": True}
    model = small(value_type, [2, 3, 3], [(2, 1), ELMAN], **wanted)
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
    model = small(value_type, [2, 3], [(2,)], steps=5, each_step=False, hidden=[4])
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
        "learn_every": 0,
        "activations": ["tanh", "linear"],
        "losses": ["l2", "softmax_cross_entropy"],
        "dead_zone": False,
        "gate": False,
        "stored_weights": False,
        "lively": True,
    }
    return small(value_type, [2, 6], [(2, 1)], **{**wish, **wanted})


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_every_labelled_step_counts(value_type):
    model = labelled_steps(value_type)
    reference, (x, labels) = Reference(model), samples(model, 3)
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
    units = 6 + 3
    assert int(reference.state()["step"]) == 3 * 4
    assert int(reference.state()["rng"]) == (stream(model.seed, 0, 0) + 12 * units * PHI) % 2**32


# For four steps: after which of them something learns.
LEARNING_STEPS = {0: (3,), 1: (0, 1, 2, 3), 2: (1, 3), 3: (0, 3), 4: (3,), 5: (3,), 65535: (3,)}


@pytest.mark.parametrize(("learn_every", "steps"), LEARNING_STEPS.items())
def test_learning_steps_are_counted_back_from_the_last(learn_every, steps):
    model = labelled_steps(each_step=False, learn_every=learn_every)
    assert model.learning_steps == steps
    reference, (x, labels) = Reference(model), samples(model, 3)
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
    units = 6 + 3
    learned = 3 * len(steps)
    assert int(reference.state()["step"]) == learned
    expected = (stream(model.seed, 0, 0) + learned * units * PHI) % 2**32
    assert int(reference.state()["rng"]) == expected
    assert reference.output(x[0]).shape == (model.n_out,)


def test_with_a_label_for_each_step_learn_every_says_nothing():
    model = dataclasses.replace(labelled_steps(), learn_every=3)
    assert model.learning_steps == (0, 1, 2, 3)
    x, labels = samples(model, 4)
    expected = trace(dataclasses.replace(model, learn_every=0), x, labels)
    assert np.array_equal(trace(model, x, labels).digests, expected.digests)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("has_traces", [False, True])
def test_an_early_step_teaches_recurrent_layers_alone(value_type, has_traces):
    model = labelled_steps(value_type, has_traces=has_traces, each_step=False, learn_every=1)
    labels = dataclasses.replace(model.labels, each_step=True)
    once, each = Reference(model), Reference(dataclasses.replace(model, labels=labels))
    (x, *_), (label, *_) = samples(model, 1)
    once.train_step(x, label)
    # What the last layer learns does not reach the recurrent one.
    each.train_step(x, np.full(4, label))
    for name in ("rnn1.w", "rnn1.b", "rng", "step"):
        assert np.array_equal(once.state()[name], each.state()[name])


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_the_last_layer_learns_once_with_the_random_numbers_of_its_turn(value_type):
    model = labelled_steps(value_type, each_step=False, learn_every=1)
    deaf = altered(model.layers[0], dead_zone=32767)
    model = dataclasses.replace(model, layers=(deaf, model.layers[1]))
    (x, *_), (label, *_) = samples(model, 1)
    often, late = Reference(model), Reference(dataclasses.replace(model, learn_every=0))
    rng = (stream(model.seed, 0, 0) + 3 * 9 * PHI) % 2**32
    counters = {"rng": np.array(rng, np.uint32), "step": np.array(3, np.uint32)}
    late.load_state({**late.state(), **counters})
    assert np.array_equal(often.train_step(x, label), late.train_step(x, label))
    assert all(np.array_equal(often.state()[name], t) for name, t in late.state().items())
    assert often.changed == (1,)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_a_closed_gate_keeps_early_steps_from_teaching(value_type):
    never, always = (0.0, 2.0) if value_type == "f32" else (0, 2**16 - 1)
    for gate, moves in ((never, False), (always, True)):
        model = labelled_steps(value_type, each_step=False, learn_every=2)
        reference = Reference(dataclasses.replace(model, gate=gate))
        before = reference.state()
        for x, label in zip(*samples(model, 3), strict=True):
            reference.train_step(x, label)
        after = reference.state()
        assert np.array_equal(before["rnn1.w"], after["rnn1.w"]) != moves
        assert not np.array_equal(before["fc2.w"], after["fc2.w"])
        assert int(after["step"]) == 6


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
