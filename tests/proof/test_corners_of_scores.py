"""Corners of section 22 of docs/ARITHMETIC.md: scores that are carried, by hand."""

from dataclasses import replace

import numpy as np

from tests.proof.bench import Requantize, Schedule, start, steps_of
from tests.support.models import random_model
from tests.support.parts import altered
from tpsgd_edge.quantize.model import DTYPES, Projection, Readout, ReadoutF32, StoredInit

P = np.array([[127, -127]], np.int8)
# Of y = 127: 127 * 127 * 2.
SCORE = 32258


def carrying(p=P, *, value_type="s8", readout=None, gate=None, shift=0):
    """Two hidden units, one a layer, and two classes: y = b everywhere, and b moves by delta."""
    real = value_type == "f32"
    model = random_model(
        np.random.default_rng(3),
        value_type=value_type,
        label_kind="class",
        label_count=2,
        n_in=1,
        hidden=[1, 1],
        activations=["linear"] * 3,
        losses=["projected_cross_entropy", "projected_cross_entropy", "softmax_cross_entropy"],
        weight_types=["f32" if real else "s16"] * 3,
        gate=False,
        dead_zone=False,
        stored_weights=True,
        lively=True,
    )
    layers = []
    for layer in model.layers:
        zeros = StoredInit(np.zeros_like(layer.init.w), np.zeros_like(layer.init.b))
        loss = replace(layer.loss, logit_shift=shift)
        if not layer.is_last:
            own = Readout(readout or Requantize(2**15, 14), 0)
            loss = replace(loss, readout=ReadoutF32(1.0, 1.0) if real else own)
        bench = {"rate": 1.0} if real else {"z": Requantize(2**14, 14), "bias_shift": 0}
        if not real:
            one = 2**layer.learning.steps.update_shift
            bench |= {"rate": Requantize(2**15, 15), "bias_one": one}
        own = Projection("gaussian", "s8", 0, p) if not layer.is_last else None
        layers.append(altered(layer, init=zeros, loss=loss, projection=own, **bench))
    return replace(
        model, layers=tuple(layers), scores="carried", gate=gate, schedule=Schedule((2**15,), 1)
    )


def answers(model, *biases):
    """The answers from biases of both hidden units and of the last layer."""
    states = [start(model, fc1_b=[b1], fc2_b=[b2], fc3_b=last) for b1, b2, last in biases]
    zeros = np.zeros(1, DTYPES[model.value_type])
    return [outputs.tolist() for _, outputs in steps_of(model, [(s, zeros, 0) for s in states])]


def test_totals_saturate_at_both_ends():
    made = answers(
        carrying(),
        (127, 0, [0, 0]),
        (127, 1, [0, 0]),
        (127, 127, [0, 0]),
        (127, -128, [0, 0]),
        (-128, -128, [0, 0]),
    )
    assert made[0] == [SCORE, -SCORE]
    assert made[1] == [SCORE + 254, -SCORE - 254]
    assert made[2] == [32767, -32768]
    # A read-out of -128 * 127 * 2 is -32512.
    assert made[3] == [SCORE - 32512, 32512 - SCORE]
    assert made[4] == [-32768, 32767]


def test_an_answer_saturates_at_both_ends():
    made = answers(
        carrying(),
        (127, 0, [509, -510]),
        (127, 0, [510, -511]),
        (127, 0, [-1, 1]),
        (127, 127, [-1000, 1000]),
    )
    assert made[0] == [32767, -32768]
    assert made[1] == [32767, -32768]
    assert made[2] == [SCORE - 1, 1 - SCORE]
    # Saturated before the last layer, and not again.
    assert made[3] == [31767, -31768]


def test_a_layer_learns_from_the_total_so_far():
    model = carrying(np.array([[1, -1]], np.int8))
    state = start(model, fc1_b=[100], fc2_b=[-100])
    ((after, outputs),) = steps_of(model, [(state, np.zeros(1, np.int8), 0)])
    assert outputs.tolist() == [0, 0]
    # Totals of 200 and -200, 400 / 256 of a factor of two apart: 1 / (1 + 2^(-400 / 256)).
    power = int(np.floor(32768 * 2 ** (-((400 & 255) >> 2) / 64) + 0.5)) >> 1
    recip = 2**31 // (32768 + power)
    q = [(32768 - (32768 * recip >> 16)) >> 1, -(power * recip >> 16) >> 1]
    assert after["fc1.b"].tolist() == [100 + q[0] - q[1]]
    # What it read out itself is gone in the sum: both classes are even, 8192 and -8192.
    assert after["fc2.b"].tolist() == [-100 + 16384]
    assert after["fc3.b"].tolist() == [8192, -8192]


def test_totals_count_as_the_last_outputs_do():
    # With a shift of 4, a difference of 32 is a whole factor of four: 2^(-32 * 16 / 256).
    model = carrying(np.array([[1, -1]], np.int8), readout=Requantize(2**14, 14), shift=4)
    state = start(model, fc1_b=[16])
    ((after, _),) = steps_of(model, [(state, np.zeros(1, np.int8), 0)])
    recip = 2**31 // (32768 + 8192)
    q = [(32768 - (32768 * recip >> 16)) >> 1, -(8192 * recip >> 16) >> 1]
    assert after["fc1.b"].tolist() == [16 + q[0] - q[1]]


def test_the_error_gate_looks_at_the_sum():
    # By the last layer alone each class has 1/2; with the scores the label is sure.
    model = carrying(gate=20000)
    state = start(model, fc1_b=[127], fc2_b=[0])
    ((after, _), (other, _)) = steps_of(
        model, [(state, np.zeros(1, np.int8), 0), (state, np.zeros(1, np.int8), 1)]
    )
    assert after["fc1.b"].tolist() == [127]
    assert other["fc1.b"].tolist() != [127]


def test_totals_and_answers_of_f32_stop_at_both_ends():
    made = answers(
        carrying(value_type="f32"),
        (1.0, 2.0, [0.5, 0.5]),
        (1e6, 0.0, [0.0, 0.0]),
        (1e6, 1e6, [0.0, 0.0]),
        (1e6, -8.0, [8.0, -8.0]),
        (1e6, 0.0, [-8.0, 8.0]),
        (1e6, 1e6, [-8.0, 8.0]),
        (1e6, 0.0, [8.0, -8.0]),
    )
    assert made[0] == [381.5, -380.5]
    assert made[1] == made[2] == [2.0**20, -(2.0**20)]
    assert made[3] == [2.0**20 - 1016 + 8, -(2.0**20) + 1016 - 8]
    # Limited before the last layer, and after it.
    assert made[4] == made[5] == [2.0**20 - 8, -(2.0**20) + 8]
    assert made[6] == [2.0**20, -(2.0**20)]


def test_a_layer_that_does_not_train_adds_nothing():
    model = carrying()
    first, second, last = model.layers
    still = altered(second, trains=False, projection=None)
    model = replace(model, layers=(first, still, altered(last, unit_offset=1)))
    assert model.carrying == ("fc1",)
    state = start(model, fc1_b=[127])
    ((_, outputs),) = steps_of(model, [(state, np.zeros(1, np.int8), 0)])
    assert outputs.tolist() == [SCORE, -SCORE]
