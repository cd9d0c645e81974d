"""Refusals of rates, read-outs and temperatures name the numbers that would do."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_quantize import CLASSES, X, make_spec, quantized
from tpsgd_edge.errors import SpecError
from tpsgd_edge.quantize.expressible import inverse, proportional, smallest_of_shift
from tpsgd_edge.quantize.rates import expressible_rates, integer_rate
from tpsgd_edge.quantize.scales import as_requantize

# A layer's factor for a rate of 1: as small as those of large maps, as large as those of wide data.
UNITS = st.floats(1e-9, 1e9)
FORMATS = [(w, a) for w in ("s8", "s16") for a in ("s8", "s16")]


def named(message: str) -> tuple[float, float]:
    """The numbers of the advice: from ... to ..."""
    found = re.search(r"help: .* from (\S+) to ([^\s,]+)", message)
    assert found is not None, message
    return float(found[1]), float(found[2])


def refusal(folder: Path, y: Any = CLASSES, **settings: Any) -> str | None:
    """What is said against a spec; None where nothing is."""
    try:
        quantized(make_spec(folder, **({"rule": {"epochs": 3}} | settings)), X, y)
    except SpecError as error:
        return str(error)
    return None


@given(UNITS)
def test_rates_that_are_named_are_taken_and_those_beyond_are_not(unit):
    good = expressible_rates(unit)
    for rate in (good.smallest, good.largest, (good.smallest * good.largest) ** 0.5):
        integer_rate(unit * rate, layer="fc1", asked=rate)
    beyond = [0.98 * good.smallest] + [1.02 * good.largest] * (good.largest < 1e6)
    for rate in beyond:
        with pytest.raises(SpecError) as error:
            integer_rate(unit * rate, layer="fc1", asked=rate)
        smallest, largest = named(str(error.value))
        assert (smallest, largest) == pytest.approx((good.smallest, good.largest), rel=0.02)
        for found in (smallest, largest):
            integer_rate(unit * found, layer="fc1", asked=found)


@given(UNITS)
def test_factors_at_the_named_ends_have_a_multiplier_and_a_shift(unit):
    for max_shift in (30, 62):
        smallest = smallest_of_shift(max_shift)
        for good, factor in (
            (proportional(unit, smallest_factor=smallest), lambda n: unit * n),
            (inverse(unit, smallest_factor=smallest), lambda n: unit / n),
        ):
            assert good.smallest < good.largest
            for number in (good.smallest, good.largest):
                assert as_requantize(factor(number), max_shift=max_shift) is not None
            for number in (0.98 * good.smallest, 1.02 * good.largest):
                assert as_requantize(factor(number), max_shift=max_shift) is None


@given(st.floats(1e-12, 1e12))
def test_the_nearest_number_is_within_the_ends(wanted):
    good = expressible_rates(0.37)
    nearest = good.nearest(wanted)
    assert good.smallest <= nearest <= good.largest
    assert nearest in (wanted, good.smallest, good.largest)


@pytest.mark.parametrize(("weights", "activations"), FORMATS)
@pytest.mark.parametrize("asked", [1e-12, 1e6])
def test_a_learning_rate_out_of_reach(tmp_path, asked, weights, activations):
    numbers = {"weights": weights, "activations": activations}

    def said(rate: float) -> str | None:
        return refusal(tmp_path, hidden={"learning_rate": rate}, numbers=numbers)

    message = said(asked)
    assert message is not None
    assert "the learning rate of layer 'fc1' is out of the integers' reach" in message
    for rate in named(message):
        assert said(rate) is None
    assert said(0.97 * named(message)[0]) is not None
    assert said(min(1e6, 1.03 * named(message)[1])) is not None


@pytest.mark.parametrize("asked", [1e-12, 1e6])
def test_the_rate_of_a_read_out_out_of_reach(tmp_path, asked):
    projection = {"kind": "learned"}
    message = refusal(tmp_path, hidden={"learning_rate": asked}, projection=projection)
    assert message is not None
    good = named(message)
    assert good[0] < 0.003 < good[1]


def test_a_temperature_out_of_reach(tmp_path):
    def said(temperature: float) -> str | None:
        loss = {"kind": "projected_cross_entropy", "temperature": temperature}
        return refusal(tmp_path, hidden={"loss": loss})

    message = said(1e-9)
    assert message is not None
    assert "the read-out of layer 'fc1' cannot be expressed in integers" in message
    assert "choose a temperature from " in message
    for temperature in named(message):
        assert said(temperature) is None


def test_labels_that_no_read_out_reaches():
    from tpsgd_edge.quantize.losses import LossContext, make_loss
    from tpsgd_edge.spec import LossSpec

    def make(label_scale: float) -> None:
        context = LossContext(
            "fc1", 8, 2, "vector", "tanh", False, False, 1.0, label_scale, "sign", 0.8
        )
        make_loss(LossSpec(kind="projected_l2"), context)

    for scale in (1e-9, 1e30):
        with pytest.raises(SpecError) as error:
            make(scale)
        assert "scale the labels, whose largest may be from " in str(error.value)
        for good in named(str(error.value)):
            make(good)
    assert np.isfinite(named(str(error.value))).all()
