"""Corners of the activations that are tables, and of their slopes: numbers that follow by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proof.bench import one_layer, start, steps_of
from tests.support.frozen_curves import frozen
from tests.support.models import random_model
from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.tables import Curve, table_s8, table_s16
from tpsgd_edge.quantize.model import StoredInit

LINE = Curve("hard_sigmoid", (1.0, 0.5), 0.5, 1.0)


def test_tables_are_rounded_half_up_and_saturate():
    # f(z) = z + 1/2 over its whole reach: half a unit of s8 more with each i, 128 of s16.
    s8, s16 = table_s8(LINE).tolist(), table_s16(LINE).tolist()
    assert [s8[i] for i in (0, 1, 2, 253, 254, 255)] == [0, 1, 1, 127, 127, 127]
    assert [s16[i] for i in (0, 1, 255, 256)] == [0, 128, 32640, 32767]
    steep = Curve("elu", (4.0,), 8.0, 2.0)
    assert (table_s8(steep)[0], table_s8(steep)[255]) == (-128, 127)
    assert (table_s16(steep)[0], table_s16(steep)[256]) == (-32768, 32767)


def test_a_table_of_hard_swish_bends_at_three_and_saturates():
    s16 = table_s16(Curve("hard_swish", (), 8.0, 4.0)).tolist()
    reals = {-8: 0, -3: 0, -1.5: -0.375, 1.5: 1.125, 3: 3}
    for z, y in reals.items():
        assert s16[128 + int(16 * z)] == y / 4 * 2**15
    assert s16[128 + 16 * 4] == s16[256] == 32767


@pytest.mark.parametrize(
    ("curve", "z", "outputs", "slopes"),
    [
        (LINE, [-32768, -32767, 0, 32766, 32767], [0, 1, 16384, 32766, 32767], [0, 1, 1, 1, 0]),
        # Below -R and above R outputs saturate; y + alpha over alpha, then 1 over alpha.
        (
            Curve("elu", (4.0,), 8.0, 2.0),
            [-32768, -1, 0, 32767],
            [-32768, -16, 0, 32767],
            [1 / 2, (4 - 1 / 64) / 4, 1 / 4, 1 / 4],
        ),
        # An alpha below 1 is nowhere steeper than the line: y + alpha in steps of 2 / 128.
        (
            Curve("elu", (0.5,), 8.0, 2.0),
            [-32768, -1, 0, 32767],
            [-8189, -2, 0, 32767],
            [0, 31 / 64, 1, 1],
        ),
        # In eight bits the least output is below -alpha, where the slope would be negative.
        (Curve("elu", (1.003,), 16.0, 2.0), [-32768, 32767], [-16433, 32767], [0, 1 / 1.003]),
        # y / alpha + 1, in steps of 4 / 128: -63 and -1 of them.
        (
            Curve("celu", (2.0,), 8.0, 4.0),
            [-32768, -1, 0, 32767],
            [-16084, -2, 0, 32767],
            [1 / 64, 63 / 64, 1, 1],
        ),
        (Curve("softplus", (), 8.0, 8.0), [-32768, 32767], [1, 32766], [0, 0.99964]),
    ],
    ids=[
        "hard_sigmoid",
        "elu that saturates",
        "elu that is flat",
        "elu to its end",
        "celu",
        "softplus",
    ],
)
def test_slopes_of_tables_at_their_ends(curve, z, outputs, slopes):
    model = one_layer(
        "l1", len(z), activation=curve.activation, settings=curve.numbers, curve=curve
    )
    state = start(model, fc1_b=z)
    # e is 16384 or -16384, and never 0.
    labels = [-32768 if y > 0 else 32767 for y in outputs]
    ((after, output),) = steps_of(model, [(state, [0, 0], labels)])
    assert output.tolist() == outputs
    g = [int(np.floor(2**15 * slope + 0.5)) for slope in slopes]
    signs = [-1 if y > 0 else 1 for y in outputs]
    expected = [(s * 16384 * g_ + 2**14) >> 15 for s, g_ in zip(signs, g, strict=True)]
    assert (after["fc1.b"] - state["fc1.b"]).tolist() == expected


@pytest.mark.parametrize("activation", [name for name, facts in FACTS.items() if facts.curve])
def test_curves_of_f32_to_their_last_bit(activation):
    """12,800 values, so many that the last bit of each constant shows: the last layer copies."""
    rng = np.random.default_rng(1)
    model = random_model(
        rng,
        value_type="f32",
        label_kind="vector",
        label_count=64,
        n_in=2,
        hidden=[64],
        activations=["linear", "linear"],
        losses=["l2", "l2"],
        stored_weights=True,
    )
    hidden, last = frozen(model, activation, rng=rng).layers
    b = rng.uniform(-1, 1, 64) * 2.0 ** np.arange(-8, 8, 0.25)
    hidden = replace(hidden, init=init_of(np.full((64, 2), 0.37), b))
    last = replace(last, init=init_of(np.eye(64), np.zeros(64)))
    model = replace(model, layers=(hidden, last))
    x = rng.uniform(-9, 9, (200, 2))
    steps_of(model, [(start(model), one, [0] * 64) for one in x])


def init_of(w, b):
    return StoredInit(w.astype(np.float32), b.astype(np.float32))
