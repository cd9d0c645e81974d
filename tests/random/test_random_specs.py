"""Random specs through quantizer and renderer: no bit differs from the reference.

As many as tests/random/counts.py says; more, with the count at the end, by tools/prove_specs.py.
"""

import pytest
from hypothesis import given, seed, settings

from tests.random.counts import NOW
from tests.random.proving import Tally
from tests.random.specs import Drawn, specs

BLOCKS = 4


@pytest.mark.series(1)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_specs_become_code_that_does_what_the_reference_does(block):
    tally = Tally()

    @seed(block)
    @settings(max_examples=NOW["specs"].sanitized // BLOCKS)
    @given(specs())
    def check(one: Drawn) -> None:
        tally.run(one)

    check()
    assert tally.nets > tally.drawn // 4, f"{tally.refused} of {tally.drawn} specs were refused"
