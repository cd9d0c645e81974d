"""Long short-term memory in the reference: against scalar loops, and against PyTorch's."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.gated import with_lstm_layers
from tests.support.models import VALUE_TYPES, random_model
from tests.support.parts import altered
from tests.support.same_training import assert_same_training
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.quantize.model import QuantizedLstm, QuantizedModel
from tpsgd_edge.reference import Reference
from tpsgd_edge.reference.integer.lstm import IntegerLstm
from tpsgd_edge.reference.layer import GATED
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import prepare

STEPS, N_X, UNITS = 9, 4, 6
NUMBERS = {
    "f32": ({"weights": "f32"}, 2e-6),
    "s16, a16": ({"weights": "s16", "activations": "s16"}, 1e-3),
    "s16, a8": ({"weights": "s16", "activations": "s8"}, 3e-2),
    "s8, a16": ({"weights": "s8", "activations": "s16"}, 3e-2),
}


def drawn(seed: int) -> QuantizedModel:
    rng = np.random.default_rng(seed)
    return with_lstm_layers(rng, random_model(rng, recurrent=True, max_width=6))


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_random_models_train_as_scalar_loops_do(seed):
    assert_same_training(drawn(seed), steps=3, seed=seed)


@pytest.mark.parametrize("seed", range(6))
def test_a_few_models_train_as_scalar_loops_do(seed):
    assert_same_training(drawn(seed), steps=2, seed=seed)


def test_random_models_hold_every_kind_of_lstm():
    models = [drawn(seed) for seed in range(120)]
    lstms = [la for model in models for la in model.recurrent if isinstance(la, QuantizedLstm)]
    assert len({(la.trains, la.weight_type, la.x_type) for la in lstms}) == 10
    stacks = {tuple(la.kind for la in model.recurrent) for model in models}
    assert stacks >= {("lstm",), ("lstm", "lstm"), ("lstm", "rnn"), ("rnn", "lstm")}


def lstm_model(numbers: dict[str, str]) -> QuantizedModel:
    layers = [
        {"kind": "lstm", "name": "cells", "units": UNITS, "train": False},
        {"name": "out", "units": 2},
    ]
    spec = spec_from_dict(
        {
            "name": "net",
            "model": {"layers": layers},
            "numbers": numbers,
            "data": {"file": "x.npz", "scaling": "none"},
        }
    )
    x = np.random.default_rng(4).uniform(-1, 1, (30, STEPS, N_X))
    return prepare(spec, dataset_from_arrays(spec, x, np.arange(30) % 2)).model


def states(model: QuantizedModel, sample: np.ndarray) -> np.ndarray:
    """h after each step, in real numbers."""
    reference = Reference(model)
    (layer,) = reference._steps.keeping
    layer.reset()
    unit = 1.0 if model.value_type == "f32" else 2.0**-15
    x = quantize_inputs(model, sample.reshape(1, -1))[0].reshape(STEPS, N_X)
    wide = np.float32 if model.value_type == "f32" else np.int64
    found = []
    for x_t in x.astype(wide):
        layer.forward(x_t)
        found.append(layer.h * unit)
    return np.array(found)


def lstm_of_torch(model: QuantizedModel, sample: np.ndarray) -> np.ndarray:
    """What torch.nn.LSTM, whose candidate comes third, makes of the same weights and inputs."""
    torch = pytest.importorskip("torch")
    (layer,) = model.recurrent
    assert isinstance(layer, QuantizedLstm)
    net = torch.nn.LSTM(N_X, UNITS, batch_first=True, dtype=torch.float64)
    rows = np.arange(4 * UNITS).reshape(4, UNITS)[[0, 1, 3, 2]].ravel()
    with torch.no_grad():
        for unit, name in ((layer.reads, "ih"), (layer.own, "hh")):
            w = unit.init.w[rows] * unit.numbers.weight_scale
            b = unit.init.b[rows] * unit.numbers.bias_scale
            getattr(net, f"weight_{name}_l0").copy_(torch.tensor(w, dtype=torch.float64))
            getattr(net, f"bias_{name}_l0").copy_(torch.tensor(b, dtype=torch.float64))
        return net(torch.tensor(sample[np.newaxis]))[0][0].numpy()


@pytest.mark.parametrize("numbers", NUMBERS)
def test_it_is_the_lstm_of_torch(numbers):
    wanted, tolerance = NUMBERS[numbers]
    model = lstm_model(wanted)
    sample = np.random.default_rng(5).uniform(-1, 1, (STEPS, N_X))
    expected = lstm_of_torch(model, sample)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(states(model, sample), expected, atol=tolerance)


def test_a_cell_that_only_takes_in_stays_within_its_bound():
    model = lstm_model(NUMBERS["s16, a16"][0])
    (layer,) = model.recurrent
    # Sums that hold both gates and the candidate at their ends.
    b = np.full(4 * UNITS, 2**27, np.int32)
    reads = replace(layer.reads, init=replace(layer.reads.init, b=b))
    reads = altered(reads, z=replace(reads.numbers.z, shift=20))
    cells = IntegerLstm.from_quantized(replace(layer, reads=reads), "class", 2)
    for unit, part in zip((reads, layer.own), cells.parts, strict=True):
        part.set_state(unit.init.w, unit.init.b)
    cells.cell = np.full(UNITS, 2**30, np.int64)
    for _ in range(3):
        cells.forward(np.zeros(N_X, np.int64))
        assert (cells.seen.gates[1] > 32_700).all()
        assert (cells.seen.c > 32_700).all()
        assert (abs(cells.cell) <= 2**30).all()
    assert (cells.h > 32_600).all()


def test_every_format_is_in_the_table():
    assert {key[1] for key in GATED if key[0] == "lstm"} == set(VALUE_TYPES)
