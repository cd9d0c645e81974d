"""Layers that normalize on every emulated core: their 64 bits are the reference's."""

import pytest

from tests.emulator.test_random_networks import CORES, run_on
from tests.support.models import VALUE_TYPES
from tests.support.norms import normalizing

pytestmark = pytest.mark.emulator


@pytest.mark.slow
@pytest.mark.parametrize(("place", "core"), [*enumerate(CORES)])
def test_a_core_normalizes_as_the_reference_does(core, place):
    value_type = VALUE_TYPES[place % 3]
    run_on(core, normalizing(value_type, (2, 2, 7), centered=place % 2 == 0), 3)
