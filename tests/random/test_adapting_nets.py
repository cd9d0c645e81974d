"""Random networks with prototypes and adaptors, beside layers that do not train.

A failing test names its seed, and `pytest tests/random/test_adapting_nets.py -k SEED` repeats it.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.random.counts import NOW
from tests.random.networks import network
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.adapting import with_adaptor, with_prototypes
from tests.support.draws import TYPE_RANGE
from tests.support.frozen import with_frozen_layers
from tests.support.maps import conv_plan
from tests.support.models import VALUE_TYPES
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, StoredInit
from tpsgd_edge.reference import Reference

COUNTS = NOW["frozen"]
_FIRST_SEED = 13_000


def adapting_network(seed: int) -> QuantizedModel:
    """A net with an adaptor: its first layer, on a map, or the second one of vectors."""
    rng = np.random.default_rng(seed)
    wanted: dict[str, Any] = {"value_type": VALUE_TYPES[seed % 3], "label_kind": "class"}
    width = int(rng.integers(1, 25))
    if seed % 2:
        rows, columns, channels = (int(n) for n in rng.integers(1, 7, 3))
        windows = (int(rng.integers(1, rows + 1)), int(rng.integers(1, columns + 1)))
        plan = conv_plan((rows, columns, channels), channels, (1, 1), windows=windows)
        model = network(
            seed, map_plans=[plan], hidden=(width,), activations=("linear", None, None), **wanted
        )
    else:
        model = network(seed, hidden=(width, width), activations=(None, "linear", None), **wanted)
    model = with_prototypes(rng, with_adaptor(model, 1 - seed % 2))
    return with_frozen_layers(rng, model) if seed % 4 > 1 else model


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + COUNTS.sanitized))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(adapting_network(seed), seed, SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + COUNTS.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(adapting_network(seed), seed, OTHER_BUILDS[name])


def test_an_adaptor_of_zeros_changes_nothing():
    for seed in range(_FIRST_SEED, _FIRST_SEED + 6):
        model = adapting_network(seed)
        at = next(i for i, layer in enumerate(model.layers) if getattr(layer, "residual", False))
        layer = model.weighted[at]
        w = np.zeros((layer.n_out, layer.n_in), DTYPES[layer.weight_type])
        still = replace(layer, init=StoredInit(w, np.zeros(layer.n_out, DTYPES[layer.bias_type])))
        layers = (*model.layers[:at], still, *model.layers[at + 1 :])
        own = Reference(replace(model, layers=layers))._behind[at]
        low, high = TYPE_RANGE.get(layer.x_type, (-100, 100))
        x = np.random.default_rng(seed).integers(low, high + 1, layer.x_count)
        x = x.astype(np.float32 if layer.x_type == "f32" else np.int64)
        np.testing.assert_array_equal(own.forward(x), x)
