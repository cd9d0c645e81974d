"""Every activation has its entry in every stage, and what is said of it holds of its function."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from tests.support.losses import ACTIVATIONS, FROZEN_ACTIVATIONS
from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.tables import Curve, slope_table, table_s8, table_s16, z_reach
from tpsgd_edge.codegen.activations import ACTIVATIONS_C
from tpsgd_edge.codegen.dense_kernels import GradKernel
from tpsgd_edge.codegen.rendering import template
from tpsgd_edge.graph.activation import ACTIVATION, DERIVATIVE
from tpsgd_edge.reference.binary32 import activation as binary32
from tpsgd_edge.reference.integer import activation as integer
from tpsgd_edge.rule import activations as rule
from tpsgd_edge.spec import NOT_MONOTONE, Activation
from tpsgd_edge.spec.activations import _SETTINGS

NAMES = get_args(Activation)
CURVES = [name for name, facts in FACTS.items() if facts.curve]
Z = np.linspace(-12, 12, 4801)


def numbers(name: str) -> tuple[float, ...]:
    return tuple((FACTS[name].settings or {}).values())


def test_every_stage_has_every_activation() -> None:
    learning = {name for name in NAMES if FACTS[name].learns}
    assert set(NAMES) == {*ACTIVATIONS, *FROZEN_ACTIVATIONS}
    for table in (
        FACTS,
        ACTIVATION,
        rule.ACTIVATIONS,
        integer.ACTIVATIONS,
        binary32.ACTIVATIONS,
        ACTIVATIONS_C,
    ):
        assert set(table) == set(NAMES)
    for slopes in (DERIVATIVE, integer.DERIVATIVES, binary32.DERIVATIVES):
        assert set(slopes) == learning
    assert {name for name, of in rule.ACTIVATIONS.items() if of.slope} == learning
    assert set(NAMES) - learning == set(NOT_MONOTONE)
    for name, facts in FACTS.items():
        wanted = {key for key, names in _SETTINGS.items() if name in names}
        assert set(facts.settings or {}) == wanted
        has_slope = facts.learns and name != "linear"
        assert has_slope == all(slopes_in_c(name))
        assert has_slope == any(slopes_in_c(name))


def slopes_in_c(name: str) -> tuple[bool, bool]:
    """Whether the templates have the activation's slope for integers, and for binary32."""
    macros = template("dense_grad.c.j2").module
    own = GradKernel("", name, ACTIVATIONS_C[name].shares or name, "int8_t", "INT8")
    integer_c = macros.closed_where(own) + macros.slope(own)  # type: ignore[attr-defined]
    real_c = macros.slope_f32(replace(own, slope=name))  # type: ignore[attr-defined]
    return bool(integer_c), bool(real_c)


@pytest.mark.parametrize("name", NAMES)
def test_facts_hold_of_the_function(name: str) -> None:
    y = ACTIVATION[name](Z, *numbers(name))
    facts = FACTS[name]
    assert (y.min() >= 0) == facts.is_never_negative
    assert (np.abs(y).max() <= 1) == facts.is_bounded
    assert bool((np.diff(y) >= -1e-12).all()) == facts.learns


@pytest.mark.parametrize("name", CURVES)
def test_the_function_of_tables_is_that_of_arrays(name: str) -> None:
    facts = FACTS[name].curve
    assert facts is not None
    y = [facts.function(z, *numbers(name)) for z in Z]
    np.testing.assert_allclose(ACTIVATION[name](Z, *numbers(name)), y, atol=2e-6)
    # Binary32 comes as near as its approximations of exponential, logarithm and erf.
    real = binary32.ACTIVATIONS[name](Z.astype(np.float32), *map(np.float32, numbers(name)))
    np.testing.assert_allclose(real, y, atol=4e-6)


# Of what a layer may set, not the default, where one number may stand for another.
OTHER = [
    *[(name, (alpha,)) for name in ("elu", "celu") for alpha in (0.3, 2.5)],
    ("leaky_relu", (0.3,)),
    ("hard_sigmoid", (0.3, 0.4)),
]


@pytest.mark.parametrize(("name", "own"), OTHER)
def test_what_a_layer_sets_holds_in_every_stage(name: str, own: tuple[float, ...]) -> None:
    y = ACTIVATION[name](Z, *own)
    slope = (ACTIVATION[name](Z + 1e-6, *own) - ACTIVATION[name](Z - 1e-6, *own)) / 2e-6
    if (curve := FACTS[name].curve) is not None:
        np.testing.assert_allclose(y, [curve.function(z, *own) for z in Z], atol=2e-6)
    single = tuple(map(np.float32, own))
    real = binary32.ACTIVATIONS[name](Z.astype(np.float32), *single)
    np.testing.assert_allclose(real, y, atol=4e-6)
    torch = pytest.importorskip("torch")
    numbers_in_torch = [torch.tensor(number) for number in own]
    found = rule.ACTIVATIONS[name].function(torch.tensor(Z), *own)
    np.testing.assert_allclose(found.numpy(), y, atol=1e-6)
    # Where the function bends there is no slope.
    smooth = np.abs(slope - np.roll(slope, 1)) < 0.01
    slopes = {
        "graph": DERIVATIVE[name](y, *own),
        "binary32": binary32.DERIVATIVES[name](real, *single),
        "rule": rule.ACTIVATIONS[name].slope(torch.tensor(y), *numbers_in_torch).numpy(),
    }
    for stage, values in slopes.items():
        np.testing.assert_allclose(values[smooth], slope[smooth], atol=1e-4, err_msg=stage)


@pytest.mark.parametrize("full_scale", [0.5, 2.0, 16.0])
@pytest.mark.parametrize("name", CURVES)
def test_tables_are_the_function_in_steps(name: str, full_scale: float) -> None:
    """Within a step of s8 and some steps of s16, wherever z and y are inside of their ranges."""
    facts, own = FACTS[name], numbers(name)
    if facts.is_bounded:
        full_scale = 1.0
    for y_type, table, steps in (("s8", table_s8, 2**7), ("s16", table_s16, 2**15)):
        reach = z_reach(name, y_type, own, full_scale)
        made = table(Curve(name, own, reach, full_scale)).astype(float)
        z = (np.arange(len(made)) - 128) * reach / 128
        exact = np.clip(ACTIVATION[name](z, *own) / full_scale, -1, 1 - 1 / steps)
        assert np.abs(made / steps - exact).max() <= 1 / steps
        # What lies beyond the end of z is nearly what lies at it.
        assert facts.curve is not None
        beyond = ACTIVATION[name](np.array([-4 * reach, -reach]), *own)
        assert abs(beyond[0] - beyond[1]) < 0.04 * max(full_scale, 1)


@pytest.mark.parametrize("name", [n for n in CURVES if Curve(n, (), 1.0, 1.0).has_slopes])
def test_slopes_are_those_of_the_function(name: str) -> None:
    own = numbers(name)
    curve = Curve(name, own, 8.0, 8.0)
    slopes = slope_table(curve) / 2**15 * curve.steepest
    z = Z[np.abs(Z) > 0.01]
    y = ACTIVATION[name](z, *own)
    exact = (ACTIVATION[name](z + 1e-6, *own) - ACTIVATION[name](z - 1e-6, *own)) / 2e-6
    near = slopes[np.clip(np.floor(y * 128 / 8 + 0.5) + 128, 0, 255).astype(int)]
    inside = (y > -8) & (y < 8) & (np.abs(y) > 8 / 128)
    assert np.abs(near - exact)[inside].max() < 0.05
    assert 0.95 * 2**15 < slope_table(curve).max() <= 2**15
