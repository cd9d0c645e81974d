"""Gated recurrent layers in the reference: against scalar loops, and against PyTorch's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.gated import with_gru_layers
from tests.support.models import VALUE_TYPES, random_model
from tests.support.same_training import assert_same_training
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.quantize.model import QuantizedGru, QuantizedModel
from tpsgd_edge.reference import Reference
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


@pytest.mark.slow
@settings(deadline=None, max_examples=120)
@given(st.integers(0, 2**32 - 1))
def test_random_models_train_as_scalar_loops_do(seed):
    rng = np.random.default_rng(seed)
    model = with_gru_layers(rng, random_model(rng, recurrent=True, max_width=6))
    assert_same_training(model, steps=3, seed=seed)


def test_random_models_hold_every_kind_of_gru():
    models = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        models.append(with_gru_layers(rng, random_model(rng, recurrent=True, max_width=6)))
    grus = [la for model in models for la in model.recurrent if isinstance(la, QuantizedGru)]
    kinds = {(la.reset_before, la.weight_type, la.x_type) for la in grus}
    assert len(kinds) == 10
    assert len({(la.trains, la.weight_type, la.x_type) for la in grus}) == 10
    stacks = {tuple(la.kind for la in model.recurrent) for model in models}
    assert stacks >= {("gru",), ("gru", "gru"), ("gru", "rnn"), ("rnn", "gru")}


def gru_model(numbers: dict[str, str], reset: str) -> QuantizedModel:
    layers = [
        {"kind": "gru", "name": "gated", "units": UNITS, "reset": reset, "train": False},
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


def gru_of_torch(model: QuantizedModel, sample: np.ndarray) -> np.ndarray:
    """What torch.nn.GRU makes of the same weights and inputs."""
    torch = pytest.importorskip("torch")
    (layer,) = model.recurrent
    assert isinstance(layer, QuantizedGru)
    net = torch.nn.GRU(N_X, UNITS, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for unit, name in ((layer.reads, "ih"), (layer.own, "hh")):
            step = unit.numbers.bias_scale
            w = torch.tensor(unit.init.w * unit.numbers.weight_scale, dtype=torch.float64)
            getattr(net, f"weight_{name}_l0").copy_(w)
            getattr(net, f"bias_{name}_l0").copy_(torch.tensor(unit.init.b * step))
        return net(torch.tensor(sample[np.newaxis]))[0][0].numpy()


@pytest.mark.parametrize("numbers", NUMBERS)
def test_it_is_the_gru_of_torch(numbers):
    wanted, tolerance = NUMBERS[numbers]
    model = gru_model(wanted, "after")
    sample = np.random.default_rng(5).uniform(-1, 1, (STEPS, N_X))
    expected = gru_of_torch(model, sample)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(states(model, sample), expected, atol=tolerance)


def test_where_the_reset_gate_acts_makes_a_difference():
    sample = np.random.default_rng(5).uniform(-1, 1, (STEPS, N_X))
    after, before = (
        states(gru_model(NUMBERS["f32"][0], way), sample) for way in ("after", "before")
    )
    # At the first step there is nothing to reset.
    np.testing.assert_array_equal(after[0], before[0])
    assert np.abs(after - before).max() > 1e-3


def test_every_format_is_in_the_table():
    assert {key[1] for key in GATED if key[0] == "gru"} == set(VALUE_TYPES)
