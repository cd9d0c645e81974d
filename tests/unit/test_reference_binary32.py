"""The binary32 stages of the reference: scalar loops over `np.float32`, and the traps of numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import scalar
from tests.support.losses import FROZEN_ACTIVATIONS
from tests.support.models import ACTIVATIONS, random_model
from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.reference.binary32.activation import (
    ACTIVATIONS as ACTIVATION_TABLE,
)
from tpsgd_edge.reference.binary32.activation import (
    DERIVATIVES,
)
from tpsgd_edge.reference.binary32.dense import Binary32Dense
from tpsgd_edge.reference.binary32.functions import (
    exp2,
    softmax,
    sum_in_order,
)
from tpsgd_edge.reference.binary32.loss import LABEL_SPACE, TARGET_SPACE, local_error, prepare_loss

MODERATE = st.floats(-300, 300, width=32)


def f32(values) -> np.ndarray:
    return np.array(values, np.float32)


def same_bits(actual: np.ndarray, expected) -> bool:
    assert actual.dtype == np.float32
    return actual.tobytes() == f32(expected).tobytes()


def test_sum_in_order_does_not_add_in_pairs():
    terms = np.random.default_rng(1).normal(size=4096).astype(np.float32)
    assert same_bits(sum_in_order(terms), scalar.sum_f32(terms))
    assert sum_in_order(terms) != terms.sum()
    column = terms[:, np.newaxis]
    assert same_bits(sum_in_order(column)[0], scalar.sum_f32(terms))


def test_a_sum_of_negative_zeros_starts_at_zero():
    assert not np.signbit(sum_in_order(f32([-0.0, -0.0])))


@given(st.lists(MODERATE, min_size=1, max_size=20))
def test_exp2_agrees_with_scalar_loops(values):
    assert same_bits(exp2(f32(values)), [scalar.exp2_f32(v) for v in f32(values)])


def test_exp2_is_exact_at_integers_and_close_elsewhere():
    integers = np.arange(-126, 127)
    assert same_bits(exp2(integers.astype(np.float32)), 2.0**integers)
    x = np.linspace(-20, 20, 10001).astype(np.float32)
    exact = 2.0 ** x.astype(np.float64)
    assert np.abs(exp2(x) / exact - 1).max() < 4e-7


def test_exp2_is_limited():
    assert same_bits(exp2(f32([-1e6, 1e6])), [2.0**-126, 2.0**126])


@pytest.mark.parametrize("activation", ACTIVATIONS + FROZEN_ACTIVATIONS)
def test_activation_and_derivative_agree_with_scalar_loops(activation):
    z = f32([*np.linspace(-20, 20, 501), 0.0, -0.0, 1.0, -1.0, 2.0**20, -(2.0**20)])
    numbers = [np.float32(0.3), np.float32(0.7)][: len(FACTS[activation].settings or ())]
    y = ACTIVATION_TABLE[activation](z, *numbers)
    assert same_bits(y, [scalar.activation_f32(activation, v, *numbers) for v in z])
    if activation in FROZEN_ACTIVATIONS:
        return
    gate = DERIVATIVES[activation](y, *numbers)
    assert same_bits(gate, [scalar.derivative_f32(activation, v, *numbers) for v in y])


def test_every_activation_of_the_spec_is_in_both_tables():
    assert set(DERIVATIVES) == set(ACTIVATIONS)
    assert set(ACTIVATION_TABLE) == {*ACTIVATIONS, *FROZEN_ACTIVATIONS}


@given(st.lists(MODERATE, min_size=1, max_size=20))
def test_softmax_agrees_with_scalar_loops(logits):
    p = softmax(f32(logits))
    assert same_bits(p, scalar.softmax_f32(list(f32(logits))))
    assert abs(float(p.sum()) - 1) < 1e-5


@pytest.mark.parametrize("n_out", [1, 2, 7])
@pytest.mark.parametrize("n_in", [1, 5, 8, 9, 16, 100, 785])
def test_eight_lanes_add_in_the_order_of_the_contract(n_in, n_out):
    rng = np.random.default_rng(n_in)
    model = random_model(
        rng, value_type="f32", n_in=n_in, hidden=[], label_count=n_out, label_kind="vector"
    )
    layer = Binary32Dense.from_quantized(model.layers[0], "vector", n_out)
    w = rng.normal(size=(n_out, n_in)).astype(np.float32)
    b, x = rng.normal(size=n_out).astype(np.float32), rng.normal(size=n_in).astype(np.float32)
    layer.set_state(w, b)
    assert same_bits(layer.forward(x), scalar.forward_f32(model.layers[0], w, b, x))


def test_every_error_agrees_with_scalar_loops():
    seen = set()
    for seed in range(600):
        rng = np.random.default_rng(seed)
        model = random_model(rng, value_type="f32", n_in=1, max_width=9)
        count, kind = model.labels.count, model.labels.kind
        for layer in model.layers:
            y = rng.normal(size=layer.n_out).astype(np.float32)
            label = int(rng.integers(count))
            if kind == "vector":
                label = rng.normal(size=count).astype(np.float32)
            error = local_error(prepare_loss(layer, kind, count), y, label)
            assert same_bits(error, scalar.local_errors_f32(layer, list(y), label))
            seen.add((kind, layer.is_last, layer.loss.kind))
    assert {loss for _, _, loss in seen} == {*TARGET_SPACE, *LABEL_SPACE}
    assert len(seen) == 7 + 8 + 6 + 7  # class: last, hidden; vector: last, hidden
