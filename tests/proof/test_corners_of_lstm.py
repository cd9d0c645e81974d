"""Corners of section 29 of docs/ARITHMETIC.md: gates at their ends, cells at their bounds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.proof.bench import Requantize, start, steps_of
from tests.support.gated import with_lstm_layers
from tests.support.models import random_model, random_samples
from tests.support.parts import altered
from tests.support.sequences import RnnPlan
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, StoredInit
from tpsgd_edge.reference import Reference

STEPS = 5


def drawn(value_type: str, seed: int = 3, **how: Any) -> QuantizedModel:
    """An lstm of 4 units that learns, and a dense layer behind it."""
    plans = [RnnPlan(3, 4, (0,), has_traces=False, own_shift=8 if value_type == "s8" else 0)]
    for number in range(seed, seed + 40):
        rng = np.random.default_rng(number)
        made = random_model(
            rng,
            value_type=value_type,
            label_kind="class",
            label_count=3,
            rnn_plans=plans,
            steps=STEPS,
            each_step=False,
            hidden=[],
            stored_weights=True,
            dead_zone=False,
            lively=True,
            **how,
        )
        model = with_lstm_layers(rng, made)
        if model.layers[0].trains:
            return model
    raise AssertionError("no lstm that learns was drawn")


def pushed(dense, signs):
    """Sums that hold gates and candidate at their ends, each by its sign."""
    limit = 2**dense.numbers.weight_bits
    rows = np.repeat(signs, dense.n_out // 4)
    w = np.zeros((dense.n_out, dense.n_in), DTYPES[dense.weight_type])
    w[:] = np.clip(rows[:, None] * limit, -limit, limit - 1)
    b = (rows * 2**27).astype(np.int32)
    return altered(dense, init=StoredInit(w, b), z=Requantize(2**15, 1))


def held(value_type: str, signs: list[int], cell_max: int) -> QuantizedModel:
    model = drawn(value_type)
    lstm, last = model.layers
    parts = {name: pushed(getattr(lstm, name), signs) for name in ("reads", "own")}
    # The sums over the output are 0: with it they would go where its sign goes.
    own = parts["own"]
    nothing = StoredInit(np.zeros_like(own.init.w), np.zeros_like(own.init.b))
    parts["own"] = altered(own, init=nothing)
    return replace(model, layers=(replace(lstm, **parts, cell_max=cell_max), last))


def reached(model: QuantizedModel) -> int:
    """The output after a sequence, of which device and reference learn before."""
    most = 127 if model.value_type == "s8" else 32767
    x = np.full(model.n_inputs, most)
    steps_of(model, [(start(model), x, 0), (start(model), -x, 1)])
    return int(Reference(model).layer_outputs(x.astype(DTYPES[model.value_type]))[0][0])


END = {"s8": 127, "s16": 32767}


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_open_gates_let_cells_count(sign, value_type):
    # After five timesteps of a candidate at its end a cell is near 5, and tanh of it near 1.
    y = reached(held(value_type, [1, 1, 1, sign], 2**30))
    assert abs(y - sign * END[value_type]) <= END[value_type] / 500 + 1


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_cells_stop_at_their_bound(sign, value_type):
    y = reached(held(value_type, [1, 1, 1, sign], 2**14))
    assert abs(y / END[value_type] - sign * np.tanh(0.5)) < 1 / 100


@pytest.mark.parametrize("closed", [0, 2])
def test_a_gate_that_is_closed_lets_nothing_through(closed):
    signs = [1, 1, 1, 1]
    signs[closed] = -1
    assert abs(reached(held("s16", signs, 2**30))) < 60


def test_a_closed_forget_gate_leaves_the_latest_step_alone():
    y = reached(held("s16", [1, -1, 1, 1], 2**30))
    assert abs(y / 32767 - np.tanh(1)) < 1 / 100


@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_gates_between_their_ends_are_rounded_half_up(value_type):
    model = drawn(value_type)
    lstm, last = model.layers
    rng = np.random.default_rng(8)

    def gently(sums):
        """Sums of some thousand for inputs of any size: sigmoid and tanh between their ends."""
        w = rng.integers(-90, 90, (sums.n_out, sums.n_in)).astype(DTYPES[sums.weight_type])
        init = StoredInit(w, np.zeros(sums.n_out, np.int32))
        shift = 26 if value_type == "s16" else 18
        return altered(sums, init=init, z=Requantize(2**15, shift))

    lstm = replace(lstm, reads=gently(lstm.reads), own=gently(lstm.own), cell_max=2**30)
    model = replace(model, layers=(lstm, last))
    x, labels = random_samples(rng, model, 8)
    state = start(model)
    steps_of(model, [(state, *lesson) for lesson in zip(x, labels, strict=True)])
    assert np.abs(Reference(model).layer_outputs(x[0])[0].astype(int)).max() < END[value_type]


def test_a_large_cell_teaches_its_forget_gate_within_s16():
    """Of ten timesteps the last one finds a cell near 9 and leaves a tenth of it."""
    # Its errors are whole ones, up or down.
    model = drawn("s16", losses=["l1", "softmax_cross_entropy"])
    model = replace(model, steps=11, learn_every=0, gate=None)
    lstm, last = model.layers
    n, (n_x, rows) = 4, (lstm.reads.n_in, lstm.reads.n_out)
    kind = DTYPES[lstm.weight_type]
    w, b = np.zeros((rows, n_x), kind), np.zeros(rows, np.int32)
    # One input opens the forget gates, one drives candidates; the other gates stay open.
    w[n : 2 * n, 0] = w[3 * n :, 1] = 1
    b[:n] = b[2 * n : 3 * n] = 2**10
    numbers = {"z": Requantize(2**15, 15), "rate": Requantize(2**15, 17), "bias_one": 2**12}
    reads = altered(lstm.reads, init=StoredInit(w, b), **numbers)
    nothing = StoredInit(np.zeros((rows, n), kind), np.zeros(rows, np.int32))
    own = altered(lstm.own, init=nothing, **numbers)
    model = replace(model, layers=(replace(lstm, reads=reads, own=own, cell_max=2**30), last))
    x = np.zeros((11, n_x), int)
    x[:10, :2] = 32767
    x[10, 0] = -9000
    lessons = [(start(model), x.ravel(), label) for label in range(3)]
    steps_of(model, lessons)
    layer = Reference(model)._steps.keeping[0]
    layer.reset()
    for row in x:
        layer.forward(row)
    assert (layer.seen.before == 32767).all()
    assert (layer.seen.gates[1] < 5000).all()
