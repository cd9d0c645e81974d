"""Quantiles are numpy's, to the bit: scales of published results follow from them."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as drawn

from tpsgd_edge.arithmetic.quantile import quantiles

VALUES = drawn.arrays(
    np.float64, drawn.array_shapes(max_dims=2, max_side=40), elements=st.floats(-1e9, 1e9)
)


@given(VALUES, st.lists(st.floats(0, 1) | st.sampled_from([0.999, 0.9999]), min_size=1))
def test_they_are_those_of_numpy(values, shares):
    before = values.copy()
    assert quantiles(values, *shares) == tuple(float(np.quantile(values, s)) for s in shares)
    assert (values == before).all()


@pytest.mark.parametrize("ties", [1, 3, 1e9])
def test_of_many_values_the_largest_say_it(ties):
    """The way that looks at a few only, with values that are all different, and with ties."""
    rng = np.random.default_rng(4)
    for count in (5000, 64 * 300, 64 * 300 + 7):
        values = np.round(rng.normal(size=count) * ties) / ties
        for shares in [(0.9999,), (0.999, 0.9999), (0.998,), (1.0,)]:
            expected = tuple(float(np.quantile(values, share)) for share in shares)
            assert quantiles(values.reshape(1, -1), *shares) == expected


def test_they_load_no_masked_arrays():
    code = (
        "import sys, numpy as np; from tpsgd_edge.arithmetic.quantile import quantiles\n"
        "quantiles(np.arange(9.0), 0.3); assert 'numpy.ma' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
