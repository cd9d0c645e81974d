"""Corners of the activations that are tables, and of their slopes: numbers that follow by hand."""

import numpy as np
import pytest

from tests.proof.bench import one_layer, start, steps_of
from tpsgd_edge.arithmetic.tables import Curve, table_s8, table_s16

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
        # -16 / 2^15 is -1 / 128 in eight bits, and so are all down to -256; -1.001 is less than
        # -alpha in eight bits, whose slope would be negative.
        (Curve("elu", (1.001,), 16.0, 2.0), [-32768, 32767], [-16400, 32767], [0, 1 / 1.001]),
        (Curve("softplus", (), 8.0, 8.0), [-32768, 32767], [1, 32766], [0, 0.99964]),
    ],
    ids=["hard_sigmoid", "elu that saturates", "elu to its end", "softplus"],
)
def test_slopes_of_tables_at_their_ends(curve, z, outputs, slopes):
    model = one_layer("l1", len(z), activation=curve.activation, numbers=curve.numbers, curve=curve)
    state = start(model, fc1_b=z)
    # e is 16384 or -16384, and never 0.
    labels = [-32768 if y > 0 else 32767 for y in outputs]
    ((after, output),) = steps_of(model, [(state, [0, 0], labels)])
    assert output.tolist() == outputs
    g = [int(np.floor(2**15 * slope + 0.5)) for slope in slopes]
    signs = [-1 if y > 0 else 1 for y in outputs]
    expected = [(s * 16384 * g_ + 2**14) >> 15 for s, g_ in zip(signs, g, strict=True)]
    assert (after["fc1.b"] - state["fc1.b"]).tolist() == expected
