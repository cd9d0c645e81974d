"""Reference and scalar loops, side by side."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.models import random_samples
from tests.support.scalar_model import GATED, POOLS, ScalarModel
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel
from tpsgd_edge.reference import Reference

Samples = tuple[NDArray[Any], NDArray[Any]]


def samples(model: QuantizedModel, steps: int, seed: int = 1) -> Samples:
    """x and labels for that many steps."""
    return random_samples(np.random.default_rng(seed), model, steps)


def assert_same_training(model: QuantizedModel, steps: int, seed: int = 1) -> Reference:
    """Train reference and scalar loops side by side; every output and the last state must agree."""
    reference, naive = Reference(model), ScalarModel(model)
    for x, label in zip(*samples(model, steps, seed), strict=True):
        output = reference.train_step(x, label)
        expected = np.array(naive.train_step(x, label), DTYPES[model.output_type])
        assert output.tobytes() == expected.tobytes()
    answer = np.array(naive.output(x), DTYPES[model.output_type])
    assert reference.output(x).tobytes() == answer.tobytes()
    state = reference.state()
    tensors = []
    for layer, w, b in zip(model.layers, naive.w, naive.b, strict=True):
        if layer.kind in GATED and layer.trains:
            tensors += zip(layer.units, w, b, strict=True)
        elif layer.kind not in (*POOLS, *GATED) and layer.trains:
            tensors.append((layer, w, b))
    for layer, w, b in tensors:
        for name, values, type_ in (("w", w, layer.weight_type), ("b", b, layer.bias_type)):
            expected = np.array(values, DTYPES[type_])
            assert state[f"{layer.name}.{name}"].tobytes() == expected.tobytes(), name
    assert int(state["rng"]) == naive.rng
    assert int(state["step"]) == naive.step
    return reference
