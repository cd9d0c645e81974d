"""Corners of section 6 of docs/ARITHMETIC.md: losses, targets, softmax and read-outs by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proof.bench import Requantize, moved, one_layer, start, steps_of
from tests.proof.models import hidden, places
from tests.support.parts import altered
from tpsgd_edge.quantize.model import LossTable, Projection, Readout, Target
from tpsgd_edge.reference import Reference

# y and label of each unit, with r = (t15 - y15) >> 1.
ENDS = [(32767, -32768), (-32768, 32767), (0, 0), (0, 1), (1, 0), (0, -2), (0, 2), (0, 3)]
R = [-32768, 32767, 0, 0, -1, -1, 1, 1]


def test_r_is_halved_towards_minus_infinity():
    y, labels = zip(*ENDS, strict=True)
    assert moved(one_layer("l2", 8), y, labels) == R


def test_l1_at_zero():
    y, labels = places(0, 1, -1, 32767, -32767)
    assert moved(one_layer("l1", 5), y, labels) == [0, 16384, -16384, 16384, -16384]


def test_huber_at_its_delta():
    y, labels = places(999, 1000, 1001, -999, -1000, -1001, 32767, -32767)
    model = one_layer("huber", 8, loss_numbers={"delta": 1000})
    assert moved(model, y, labels) == [999, 1000, 1000, -999, -1000, -1000, 1000, -1000]


def test_the_dead_zone_of_a_loss_at_its_delta():
    y, labels = places(999, 1000, 1001, -999, -1000, -1001, 32767, -32767)
    model = one_layer("epsilon_insensitive", 8, loss_numbers={"delta": 1000})
    assert moved(model, y, labels) == [0, 0, 1, 0, 0, -1, 31767, -31767]


def test_the_table_of_a_custom_loss_at_its_ends_and_between_two_entries():
    table = LossTable(np.arange(256, dtype=np.int16) * 100)
    model = one_layer("custom", 8, loss_numbers={"table": table})
    y, labels = places(127, 128, -128, -129, 32639, 32767, -32767, -32640)
    entries = [0, 1, 0, -1, 127, 127, -128, -127]
    assert moved(model, y, labels) == [100 * (i + 128) for i in entries]


def test_softmax_from_its_largest_to_nothing():
    # Logits below the largest by nothing, by the last entry of the table, by the last shift, by 16.
    logits = [5000, 5000 - 255, 5000 - (15 * 256 + 255), 5000 - 16 * 256, -32768]
    model = one_layer("softmax_cross_entropy", 5, kind="class")
    exp2 = [int(np.floor(32768 * 2 ** (-i / 64) + 0.5)) for i in range(64)]
    e = [exp2[0], exp2[63], exp2[63] >> 15, 0, 0]
    q = 2**31 // sum(e)
    p = [(value * q) >> 16 for value in e]
    errors = [((32768 if k == 2 else 0) - p_k) >> 1 for k, p_k in enumerate(p)]
    assert moved(model, logits, 2) == errors


@pytest.mark.parametrize(("distance", "e"), [(15 * 256 + 3, 1), (15 * 256 + 4, 0), (16 * 256, 0)])
def test_the_last_of_fifteen_halvings_still_counts(distance, e):
    # 32768 >> 15 is 1, and so little shows in the confidence alone: 2^31 / 32769 is 65534.
    model = one_layer("softmax_cross_entropy", 2, kind="class")
    logits = [9000, 9000 - distance]
    assert Reference(model).confidence_of(np.array(logits, np.int16)) == 32768 - e
    assert moved(model, logits, 1) == [-16384, 16384]


@pytest.mark.parametrize(("logit_shift", "steps"), [(1, 128), (5, 8), (15, 1)])
def test_softmax_of_logits_that_count_more(logit_shift, steps):
    # Below the largest by the first step of all, by so many that e halves, by all that s16 holds.
    logits = [32767, 32767 - 1, 32767 - steps, -32768]
    numbers = {"logit_shift": logit_shift}
    model = one_layer("softmax_cross_entropy", 4, kind="class", loss_numbers=numbers)
    exp2 = [int(np.floor(32768 * 2 ** (-i / 64) + 0.5)) for i in range(64)]
    e = []
    for logit in logits:
        distance = (32767 - logit) << logit_shift
        halvings = distance >> 8
        e.append(0 if halvings > 15 else exp2[(distance & 255) >> 2] >> halvings)
    assert e[0] == 2**15
    assert e[2] == (2**14 if logit_shift < 15 else 0)
    assert e[3] == 0
    q = 2**31 // sum(e)
    p = [(value * q) >> 16 for value in e]
    errors = [((32768 if k == 2 else 0) - p_k) >> 1 for k, p_k in enumerate(p)]
    assert moved(model, logits, 2) == errors
    assert Reference(model).confidence_of(np.array(logits, np.int16)) == p[0]


def test_equal_outputs_are_the_first_class():
    model = one_layer("softmax_cross_entropy", 4, kind="class")
    # Answers, predict and evaluate among them, are compared before the step.
    lessons = [(start(model, fc1_b=b), [0, 0], 3) for b in ([0] * 4, [1, 7, 7, 7], [-9, -9, -9, 0])]
    outputs = [output for _, output in steps_of(model, lessons)]
    assert [int(y.argmax()) for y in outputs] == [0, 1, 3]


def test_last_targets_of_a_class():
    model = one_layer("l2", 3, kind="class")
    assert moved(model, [0, 0, 8192], 1) == [-4096, 4096, -8192]


def test_targets_saturate_at_both_ends():
    signs = np.array([[1] * 8, [-1] * 8, [1, -1] * 4, [1, 1, 1, 1, -1, -1, -1, -1]], np.int8)
    model = hidden("l2", mid=0, mult=32767, projection=signs)
    # sum_k p_jk label_k is 8 * 32767, its opposite, 0 and 0; y is 0.
    assert moved(model, [0] * 4, [32767] * 8) == [32767 >> 1, -32768 >> 1, 0, 0]


def test_targets_of_vectors_are_rounded_half_up():
    signs = np.array([[1] + [0] * 7, [-1] + [0] * 7], np.int8)
    p = Projection("ternary", "s8", 0, signs)
    model = hidden("l2", mult=16384, n_out=2, projection=p)
    # rshift_round(+-5 * 16384, 15) is 2.5 rounded to 3, and -2.5 to -2; r halves downwards.
    assert moved(model, [0, 0], [5] + [0] * 7) == [3 >> 1, -2 >> 1]


def test_read_outs_and_errors_in_label_space_saturate():
    model = hidden("projected_l2", readout=Readout(Requantize(2**15, 1), 0))
    # v = 4 * 127 * 2^14, saturated: q_k = (-32768 - 32767) >> 1 = -32768 each, 8 of them: clipped.
    assert moved(model, [127] * 4, [-32768] * 8) == [-32767] * 4
    assert moved(model, [-128] * 4, [32767] * 8) == [32767] * 4


def test_learned_read_outs_stop_at_both_ends():
    values = np.array([[127] * 8, [-127] * 8, [126] * 8, [-126] * 8], np.int8)
    rate = Requantize(2**15, 2)
    p = Projection("learned", "ram", 0, values, rate)
    model = hidden("projected_l2", projection=p, readout=Readout(Requantize(2**14, 30), 5))
    state = start(model, fc1_b=[127, -128, 127, -128])
    up, down = [32767] * 8, [-32768] * 8
    after = [s["fc1.p"] for s, _ in steps_of(model, [(state, [0, 0], up), (state, [0, 0], down)])]
    assert after[0].tolist() == [[127] * 8, [-127] * 8, [127] * 8, [-127] * 8]
    assert (after[1][0] < 127).all()
    assert (after[1][1] > -127).all()
    again = start(model, fc1_b=[127, -128, 127, -128], fc1_p=[[-127] * 8, [127] * 8] * 2)
    ((end, _),) = steps_of(model, [(again, [0, 0], down)])
    assert end["fc1.p"].tolist() == [[-127] * 8, [127] * 8] * 2


def classes(loss, target, p, n_out):
    """As `hidden`, of classes: the target is that of one column of P."""
    vectors = hidden(loss, n_out=n_out, projection=Projection("gaussian", "s8", 0, p))
    first, last = vectors.layers
    first = altered(first, loss=replace(first.loss, target=target))
    labels = replace(vectors.labels, kind="class")
    last = altered(last, loss=replace(last.loss, target=Target(on=0, off=0)))
    return replace(vectors, labels=labels, layers=(first, last))


def test_targets_of_classes_are_rounded_half_up_and_saturate():
    p = np.zeros((6, 8), np.int8)
    p[:, 2] = [127, -127, 3, -3, 1, -1]
    model = classes("l2", Target(mid=0, mult=32767, shift=1), p, 6)
    # 127 * 32767 / 2 is beyond the s16; 3 * 32767 / 2 = 49150.5 too; 16383.5 goes to 16384.
    t15 = [32767, -32768, 32767, -32768, 16384, -16383]
    assert moved(model, [0] * 6, 2) == [t >> 1 for t in t15]


def test_steps_of_learned_read_outs_saturate():
    values = np.array([[0] * 8, [1] * 8], np.int8)
    p = Projection("learned", "ram", 0, values, Requantize(2**15, 1))
    model = hidden("projected_l2", n_out=2, projection=p, readout=Readout(Requantize(2**14, 40), 5))
    state = start(model, fc1_b=[1, 0])
    ((after, _),) = steps_of(model, [(state, [0, 0], [32767, -32768, 4] + [0] * 5)])
    # q = 16383 a / 2 = 16383 * 2^14, saturated: 32767 / 2^13 with what rounding adds is 3 or 4.
    assert after["fc1.p"][0, 0] in (3, 4)
    assert after["fc1.p"][0, 1] in (-4, -3)
    assert after["fc1.p"][1].tolist() == [1] * 8
