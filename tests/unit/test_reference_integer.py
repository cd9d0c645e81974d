"""Each integer stage of the reference: numbers worked out by hand, and scalar loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import scalar
from tests.support.draws import TYPE_RANGE
from tests.support.layers import random_curve, random_numbers
from tests.support.losses import FROZEN_ACTIVATIONS
from tests.support.models import ACTIVATIONS, random_model
from tests.support.parts import altered
from tpsgd_edge.quantize.model import Loss, LossTable, Readout, Requantize, Target
from tpsgd_edge.reference.integer.activation import (
    ACTIVATIONS as ACTIVATION_TABLE,
)
from tpsgd_edge.reference.integer.activation import (
    DERIVATIVES,
    activate,
    derivative,
)
from tpsgd_edge.reference.integer.loss import LABEL_SPACE, TARGET_SPACE, local_error, prepare_loss
from tpsgd_edge.reference.integer.softmax import label_minus_softmax, softmax


def array(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def layer_of(activation="tanh", y_type="s8", loss=None, *, is_last=False, kind="sign", count=4):
    """One layer with the parameters that a test is about."""
    model = random_model(
        np.random.default_rng(5),
        value_type="s8",
        label_kind="class",
        label_count=count,
        n_in=3,
        hidden=[6],
        projection=kind,
    )
    layer = model.layers[1 if is_last else 0]
    layer = altered(layer, activation=activation, y_type=y_type)
    return altered(layer, loss=loss) if loss else layer


# ------------------------------------------------------------------ activation, derivative


@pytest.mark.parametrize("y_type", ["s8", "s16"])
@pytest.mark.parametrize("activation", ACTIVATIONS + FROZEN_ACTIVATIONS)
def test_activation_and_derivative_agree_with_scalar_loops(activation, y_type):
    low, high = TYPE_RANGE[y_type]
    z = np.unique(np.linspace(low, high, 1111).astype(np.int64))
    slope, top = 12345, high // 2
    if activation in ("relu", "relu6"):
        z = z[z >= 0]
    if activation == "relu6":
        z = z[z <= top]
    layer = layer_of(activation, y_type)
    rng = np.random.default_rng(7)
    numbers = random_numbers(rng, activation)
    curve = random_curve(rng, activation, numbers, y_type)
    layer = altered(layer, negative_slope=slope, z_max=top, settings=numbers, curve=curve)
    y = activate(layer, z)
    assert y.tolist() == [scalar.activation_of(layer, v) for v in z.tolist()]
    assert low <= y.min()
    assert y.max() <= high
    if activation in FROZEN_ACTIVATIONS:
        return
    gate = derivative(layer, y)
    assert gate.tolist() == [scalar.derivative_of(layer, v) for v in y.tolist()]
    assert gate.min() >= 0
    assert gate.max() <= 32768


@pytest.mark.parametrize(
    ("activation", "y_type", "z", "y"),
    [
        ("tanh", "s8", [-128, -32, 0, 32, 127], [-128, -97, 0, 97, 127]),
        ("tanh", "s16", [0, 8192, 32767], [0, 24956, 32746]),
        ("sigmoid", "s8", [-128, 0, 16, 127], [0, 64, 94, 127]),
        ("sigmoid", "s16", [0, 4096], [16384, 23955]),
        ("linear", "s16", [-32768, 5], [-32768, 5]),
        # A slope of 1/4 rounds as any other does; z reaches 4 times as far down as y.
        ("leaky_relu", "s8", [-512, -7, -6, -2, 0, 127], [-128, -2, -1, 0, 0, 127]),
        ("leaky_relu", "s16", [-32768, -1, 32767], [-8192, 0, 32767]),
    ],
)
def test_activation_on_numbers_worked_out_by_hand(activation, y_type, z, y):
    layer = altered(layer_of(activation, y_type), negative_slope=2**13)
    assert activate(layer, array(*z)).tolist() == y


@pytest.mark.parametrize(
    ("activation", "y_type", "y", "gate"),
    [
        ("tanh", "s8", [-128, 0, 64, 127], [0, 32768, 24576, 510]),
        ("sigmoid", "s8", [0, 64, 127], [0, 8192, 254]),
        ("sigmoid", "s16", [16384, 32767], [8192, 0]),
        ("relu", "s8", [0, 1], [0, 32768]),
        ("hard_tanh", "s8", [-128, -127, 126, 127], [0, 32768, 32768, 0]),
        ("hard_tanh", "s16", [-32768, 127, 32767], [0, 32768, 0]),
        ("linear", "s16", [-5, 0], [32768, 32768]),
        ("leaky_relu", "s8", [-128, -1, 0, 1], [8192, 8192, 8192, 32768]),
        ("relu6", "s8", [0, 1, 95, 96], [0, 32768, 32768, 0]),
    ],
)
def test_derivative_on_numbers_worked_out_by_hand(activation, y_type, y, gate):
    layer = altered(layer_of(activation, y_type), negative_slope=2**13, z_max=96)
    assert derivative(layer, array(*y)).tolist() == gate


def test_every_activation_of_the_spec_is_in_both_tables():
    assert set(DERIVATIVES) == set(ACTIVATIONS)
    assert set(ACTIVATION_TABLE) == {*ACTIVATIONS, *FROZEN_ACTIVATIONS}


# ------------------------------------------------------------------ softmax


def test_softmax_of_equal_logits_is_even():
    assert softmax(array(7, 7, 7, 7)).tolist() == [8192] * 4


def test_softmax_halves_for_each_256():
    # 4/7, 2/7, 1/7 in Q15; e = 32768, 16384, 8192, q = floor(2^31 / 57344) = 37449
    assert softmax(array(512, 256, 0)).tolist() == [18724, 9362, 4681]


def test_softmax_drops_what_lies_sixteen_factors_of_two_below():
    # h = 15: e = 1, and q = floor(2^31 / 32769) = 65534 takes one from the larger; h = 16: e = 0.
    assert softmax(array(0, -15 * 256)).tolist() == [32767, 0]
    assert softmax(array(0, -16 * 256)).tolist() == [32768, 0]
    assert softmax(array(32767, -32768)).tolist() == [32768, 0]


def test_softmax_of_one_logit_is_certain():
    assert softmax(array(-32768)).tolist() == [32768]
    assert label_minus_softmax(array(5), 0).tolist() == [0]


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=40))
def test_softmax_agrees_with_scalar_loops(logits):
    p = softmax(array(*logits))
    assert p.tolist() == scalar.softmax(logits)
    assert p.min() >= 0
    assert p.sum() <= 32768


def test_label_minus_softmax_on_numbers_worked_out_by_hand():
    assert label_minus_softmax(array(512, 256, 0), 1).tolist() == [-9362, 11703, -2341]


# ------------------------------------------------------------------ losses


@pytest.mark.parametrize(
    ("loss", "e"),
    [
        (Loss("l2", Target(on=16384, off=-16384)), [10240, -10240, -14336]),
        (Loss("cross_entropy", Target(on=16384, off=-16384)), [10240, -10240, -14336]),
        (Loss("l1", Target(on=16384, off=-16384)), [16384, -16384, -16384]),
        (Loss("huber", Target(on=16384, off=-16384), delta=12000), [10240, -10240, -12000]),
        (Loss("epsilon_insensitive", Target(on=16384, off=-16384), delta=12000), [0, 0, -2336]),
        (
            Loss(
                "custom",
                Target(on=16384, off=-16384),
                table=LossTable(np.arange(-128, 128, dtype=np.int16)),
            ),
            [40, -40, -56],
        ),
    ],
)
def test_losses_in_target_space_on_numbers_worked_out_by_hand(loss, e):
    # Class 0: targets 1/2, -1/2, -1/2 meet outputs -1/8, 1/8, 3/8, that is, r in Q14.
    layer = altered(layer_of(loss=loss, is_last=True, count=3), y_type="s16")
    y = array(-4096, 4096, 12288)
    assert local_error(prepare_loss(layer, "class", 3), y, 0).tolist() == e


def test_l1_is_zero_where_the_target_is_met():
    layer = layer_of(loss=Loss("l1", Target(on=100, off=0)), y_type="s16", is_last=True, count=3)
    # (0 - 1) >> 1 is -1, (100 - 99) >> 1 is 0: the floor of the contract.
    assert local_error(prepare_loss(layer, "class", 3), array(99, 1, 0), 0).tolist() == [
        0,
        -16384,
        0,
    ]


def test_softmax_cross_entropy_on_numbers_worked_out_by_hand():
    layer = layer_of("linear", "s16", Loss("softmax_cross_entropy"), is_last=True, count=3)
    e = local_error(prepare_loss(layer, "class", 3), array(512, 256, 0), 1)
    assert e.tolist() == [-9362, 11703, -2341]


def test_projected_cross_entropy_at_zero_output_pulls_towards_the_label():
    layer = layer_of(
        loss=Loss("projected_cross_entropy", readout=Readout(Requantize(16384, 14), 0))
    )
    p = layer.projection.values.astype(np.int64)
    e = local_error(prepare_loss(layer, "class", 4), np.zeros(6, np.int64), 2)
    # q = (24576, -8192, -8192, -8192) / 2 with the label's entry first
    assert e.tolist() == [int(16384 * row[2] - 4096 * row.sum()) for row in p]


def test_every_error_agrees_with_scalar_loops():
    seen = set()
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        model = random_model(rng, value_type=("s8", "s16")[seed % 2], n_in=1, max_width=9)
        count, kind = model.labels.count, model.labels.kind
        for layer in model.layers:
            low, high = TYPE_RANGE[layer.y_type]
            y = rng.integers(max(low, layer.numbers.z_min), high + 1, layer.n_out)
            y[rng.random(layer.n_out) < 0.2] = high
            y[rng.random(layer.n_out) < 0.2] = max(low, layer.numbers.z_min)
            label = int(rng.integers(count))
            if kind == "vector":
                label = rng.integers(-32768, 32768, count)
            error = local_error(prepare_loss(layer, kind, count), y, label)
            plain = label if isinstance(label, int) else label.tolist()
            assert error.tolist() == scalar.local_errors(layer, y.tolist(), plain)
            assert error.min() >= -32768
            assert error.max() <= 32767
            seen.add((kind, layer.is_last, layer.loss.kind))
    assert {loss for _, _, loss in seen} == {*TARGET_SPACE, *LABEL_SPACE}
    assert len(seen) == 7 + 8 + 6 + 7  # class: last, hidden; vector: last, hidden
