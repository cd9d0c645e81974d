"""Small nets whose costs are bounded, and steps that try to exceed the bounds."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.quantize.model import DTYPES
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import Prepared, prepare
from tpsgd_edge.stages.worst_step import Provocation

DENSE = [{"name": "a", "units": 13}, {"name": "b", "units": 6, "activation": "relu"}]
MAPS = [
    {"name": "a", "kind": "conv2d", "filters": 5, "kernel": 3, "padding": "same"},
    {"name": "pool", "kind": "max_pool", "size": 2},
    {"name": "b", "kind": "conv2d", "filters": 4, "kernel": 3, "activation": "relu"},
]
OUT = {"name": "out", "units": 4}


def prepared_net(
    layers: list[dict[str, Any]],
    platform: str = "cortex-m4f",
    weights: str = "s8",
    *,
    rule: dict[str, Any] | None = None,
    **sections: dict[str, Any],
) -> Prepared:
    """A classifier of four classes that reads 8 x 8 random numbers."""
    content = {
        "name": "net",
        "model": {"layers": [*layers, OUT]},
        "numbers": {"weights": weights},
        "rule": {"learning_rate": 0.05, **(rule or {})},
        "data": {"file": "arrays"},
        "platform": {"name": platform},
        **sections,
    }
    spec = spec_from_dict(content)
    rng = np.random.default_rng(3)
    shape = (60, 8, 8) if any("kind" in layer for layer in layers) else (60, 64)
    x = rng.normal(size=shape).astype(np.float32)
    return prepare(spec, dataset_from_arrays(spec, x, np.arange(60) % 4))


def attempts(found: Provocation, count: int) -> Iterator[Provocation]:
    """Other weights, random numbers, inputs and labels than those that gave the bound."""
    rng = np.random.default_rng(11)
    model = found.model
    dtype = DTYPES[model.value_type]
    ends = np.iinfo(dtype)
    inputs = (
        lambda n: np.full(n, ends.max),
        lambda n: np.full(n, ends.min),
        lambda n: rng.integers(1, ends.max, n) * rng.choice((-1, 1), n),
    )
    weights = (
        lambda _, w: w,
        lambda high, w: rng.integers(-high, high, w.shape),
        lambda high, w: rng.choice((-high - 1, high), w.shape),
        lambda _, w: np.zeros(w.shape),
    )
    first = Reference(model).state()
    bits = {f"{unit.name}.w": unit.numbers.weight_bits for unit in model.trainable}
    for turn in range(count):
        change = weights[turn % len(weights)]
        state = dict(found.state) | {"rng": np.array(rng.integers(2**32), np.uint32)}
        for name in bits:
            state[name] = change(2 ** bits[name] - 1, first[name]).astype(first[name].dtype)
        x = inputs[turn % len(inputs)](model.n_inputs).astype(dtype)
        yield replace(found, state=state, x=x, label=int(rng.integers(4)))
