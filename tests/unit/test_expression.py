"""Custom losses: what an expression means, and what none is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpsgd_edge.arithmetic.expression import FUNCTIONS, compile_expression
from tpsgd_edge.errors import SpecError

R = np.linspace(-2, 2, 256)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("r", R),
        (" -r ", -R),
        ("+r * 2 - 1 / 4", 2 * R - 0.25),
        ("r ** 3", R**3),
        ("tanh(4 * r)", np.tanh(4 * R)),
        ("sign(r) * sqrt(abs(r))", np.sign(R) * np.sqrt(np.abs(R))),
        ("clip(r, -0.5, 0.5)", np.clip(R, -0.5, 0.5)),
        ("minimum(r, maximum(-r, 1e-1))", np.minimum(R, np.maximum(-R, 0.1))),
        (
            "where(r > 0, log(1 + abs(r)), -exp(-r) + 1)",
            np.where(R > 0, np.log1p(np.abs(R)), 1 - np.exp(-R)),
        ),
        ("r * (abs(r) <= 1)", R * (np.abs(R) <= 1)),
        ("(r < 0) + (r >= 0) + (r == 9) + (r != 9)", np.full(256, 2.0)),
        ("1", np.ones(256)),
    ],
)
def test_means(text: str, values: np.ndarray) -> None:
    got = compile_expression(text)(R)
    np.testing.assert_allclose(got, values)
    assert got.dtype == np.float64


def test_keeps_the_shape() -> None:
    assert compile_expression("3")(np.zeros((2, 3))).shape == (2, 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "invalid syntax"),
        ("tanh(", "was never closed"),
        ("r; r", "invalid syntax"),
        ("t - y", "'t' is not allowed"),
        ("r if r > 0 else 0", "is not allowed"),
        ("lambda: r", "is not allowed"),
        ("r.real", "'r.real' is not allowed"),
        ("__import__('os')", "is not allowed"),
        ("(1).__class__", "is not allowed"),
        ("open(r)", "'open(r)' is not allowed"),
        ("tanh", "'tanh' is not allowed"),
        ("tanh(r, r)", "tanh takes 1 arguments, not 2"),
        ("clip(r, *r)", "clip takes 3 arguments, not 2"),
        ("tanh(x=r)", "is not allowed"),
        ("r // 2", "is not allowed"),
        ("r % 2", "is not allowed"),
        ("0 < r < 1", "is not allowed"),
        ("r > 0 and r < 1", "is not allowed"),
        ("True", "'True' is not allowed"),
        ("'r'", "is not allowed"),
        ("2j", "is not allowed"),
        ("r := 2", "invalid syntax"),
        ("[r]", "is not allowed"),
        ("1" * 400, "too large"),
        ("r + " * 400 + "r", "1601 characters; 1000 are allowed"),
        ("r\0", "null byte"),
    ],
)
def test_is_no_expression(text: str, reason: str) -> None:
    with pytest.raises(SpecError) as error:
        compile_expression(text, where="digits.toml, loss of layer 'fc1'")
    message = str(error.value)
    assert message.startswith("the expression of a custom loss cannot be read\n")
    assert "where: digits.toml, loss of layer 'fc1'" in message
    assert reason in message
    assert "write -dJ/dy as an expression in r = t - y" in message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("log(r)", "log(r) = nan at r = -2"),
        ("1 / (r - 2)", "1 / (r - 2) = inf at r = 2"),
        ("exp(1000 * r)", "= inf at r ="),
        ("r ** 0.5", "= nan at r = -2"),
    ],
)
def test_must_be_finite_everywhere(text: str, found: str) -> None:
    with pytest.raises(SpecError) as error:
        compile_expression(text)(R)
    message = str(error.value)
    assert "the custom loss is not finite everywhere" in message
    assert found in message
    assert "guard it with where(), clip() or maximum()" in message


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=30)
    | st.lists(
        st.sampled_from(
            ["r", "1", "2.5", "(", ")", "+", "-", "*", "/", "**", "<", ",", "9e99", *FUNCTIONS]
        ),
        max_size=15,
    ).map(" ".join)
)
def test_no_text_crashes_it(text: str) -> None:
    try:
        values = compile_expression(text)(R)
    except SpecError:
        return
    assert np.isfinite(values).all()
