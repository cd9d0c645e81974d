"""A dump of a state: the ends of every range are taken, and what lies beyond them is refused."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.models import random_model
from tests.support.parts import altered
from tests.support.readouts import with_learning_readouts
from tpsgd_edge.arithmetic.random import PHI
from tpsgd_edge.errors import DataError
from tpsgd_edge.memory import state_layout
from tpsgd_edge.memory.dump import read_dump
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference import Reference

BITS = 10


def model_of(value_type: str) -> QuantizedModel:
    """Two layers with weights of fewer bits than their type, a read-out that learns."""
    rng = np.random.default_rng(2)
    model = random_model(
        rng,
        value_type=value_type,
        label_kind="class",
        label_count=3,
        n_in=4,
        hidden=[5],
        losses=["projected_cross_entropy", "softmax_cross_entropy"],
        weight_types=["f32" if value_type == "f32" else "s16"] * 2,
        projection="sign",
    )
    model = with_learning_readouts(rng, model)
    if value_type != "f32":
        layers = tuple(altered(layer, weight_bits=BITS) for layer in model.layers)
        model = replace(model, layers=layers)
    return model


def dump(model: QuantizedModel, *, steps: int = 0, **values: float) -> bytes:
    """A state after so many steps; the last entry of some tensors is given."""
    state = {name: np.array(tensor) for name, tensor in Reference(model).state().items()}
    for name, tensor in state.items():
        tensor *= 0 if name.endswith(".w") else 1
    state["step"] = np.array(steps, np.uint32)
    rng = int(state["rng"]) + PHI * model.total_units * steps
    state["rng"] = np.array(rng % 2**32, np.uint32)
    for name, value in values.items():
        state[name.replace("_", ".")].flat[-1] = value
    return state_layout(model).write(state)


INTEGERS = {
    "fc1_w": ([-(2**BITS), 2**BITS - 1], [-(2**BITS) - 1, 2**BITS]),
    "fc2_b": ([-(2**27), 2**27], [-(2**27) - 1, 2**27 + 1]),
    "fc1_p": ([-127, 127], [-128]),
    "rate": ([0, 2**15], [2**15 + 1]),
    "start": ([0, 7], [8]),
}
REALS = {
    "fc1_w": ([-1e30, 1e30], [np.nan, np.inf]),
    "fc2_b": ([-1e30, 1e30], [np.nan, -np.inf]),
    "fc1_p": ([-127, 127], [-127.5, 128, np.nan]),
    "rate": ([0, 1], [1.0000001, -0.5, np.nan]),
    "start": ([0, 7], [8]),
}
CASES = [("s8", name, *ends) for name, ends in INTEGERS.items()]
CASES += [("f32", name, *ends) for name, ends in REALS.items()]


@pytest.mark.parametrize(("value_type", "name", "within", "beyond"), CASES)
def test_a_value_at_its_end_is_taken_and_one_beyond_is_not(value_type, name, within, beyond):
    model = model_of(value_type)
    for value in within:
        state = read_dump(model, dump(model, steps=7, **{name: value}), where="dump")
        assert state[name.replace("_", ".")].flat[-1] == np.float32(value)
    for value in beyond:
        with pytest.raises(DataError, match="the dump holds what") as caught:
            read_dump(model, dump(model, steps=7, **{name: value}), where="dump")
        assert "can never be" in str(caught.value)


def test_random_numbers_that_do_not_follow_from_the_steps_are_of_another_model():
    model = model_of("s8")
    assert read_dump(model, dump(model, steps=2**32 - 2), where="dump")["step"] == 2**32 - 2
    with pytest.raises(DataError, match="no state of this model"):
        read_dump(model, dump(model, steps=7, step=8), where="dump")
    # The counter stays at its end, and random numbers go on.
    assert read_dump(model, dump(model, steps=7, step=2**32 - 1), where="dump")["step"] == 2**32 - 1
