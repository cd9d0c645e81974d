"""Each activation in each kind of layer, learning or not, no bit away from the reference."""

from dataclasses import replace

import numpy as np
import pytest

from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tests.support.curves import FUNCTION
from tests.support.frozen_curves import frozen
from tests.support.losses import FROZEN_ACTIVATIONS
from tests.support.maps import plans_of_kernels
from tests.support.models import VALUE_TYPES, random_model
from tests.support.parts import altered
from tpsgd_edge.quantize.model import Weighted

# All layers of a model store their projections the same way.
ALIKE = {"projection": "sign", "storage": "seed"}
LEARNING = tuple(name for name in FUNCTION if name not in FROZEN_ACTIVATIONS)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("activation", LEARNING)
def test_dense_layers_learn_with_each_curve(activation, value_type):
    rng = np.random.default_rng(len(activation))
    model = random_model(
        rng,
        value_type=value_type,
        n_in=11,
        hidden=[9, 6],
        activations=[activation] * 3,
        lively=True,
        **ALIKE,
    )
    run_model(model, 3, SANITIZED)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("activation", FROZEN_ACTIVATIONS)
def test_dense_layers_run_with_each_curve(activation, value_type):
    rng = np.random.default_rng(len(activation))
    model = random_model(
        rng, value_type=value_type, n_in=11, hidden=[9], lively=True, stored_weights=True, **ALIKE
    )
    run_model(frozen(model, activation, rng=rng), 3, SANITIZED)


@pytest.mark.parametrize("value_type", ["s8", "s16"])
@pytest.mark.parametrize("name", ["plain", "pairs", "as fast as it gets"])
@pytest.mark.parametrize("activation", ["elu", "hard_swish"])
@pytest.mark.parametrize("number", [0, 2])
def test_maps_in_all_kernels(number, activation, name, value_type):
    """Convolutions and depthwise layers, whose kernels make outputs in ways of their own."""
    rng = np.random.default_rng(number)
    model = random_model(
        rng,
        value_type=value_type,
        map_plans=plans_of_kernels()[number],
        hidden=[],
        stored_weights=True,
        **ALIKE,
    )
    if activation in FROZEN_ACTIVATIONS:
        model = frozen(model, activation, rng=rng)
    else:
        own = [layer for layer in model.layers if isinstance(layer, Weighted)]
        model = random_model(
            np.random.default_rng(number),
            value_type=value_type,
            activations=[activation] * len(own),
            map_plans=plans_of_kernels()[number],
            hidden=[],
            **ALIKE,
        )
    run_model(model, number, OTHER_BUILDS[name])


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_layers_with_equal_numbers_share_a_table_and_others_do_not(value_type):
    rng = np.random.default_rng(9)
    model = random_model(
        rng,
        value_type=value_type,
        n_in=5,
        hidden=[4, 5, 6],
        activations=["elu"] * 4,
        losses=["l2"] * 4,
        **ALIKE,
    )
    first = model.layers[0]
    table = {} if value_type == "f32" else {"curve": first.numbers.curve}
    layers = (first, altered(model.layers[1], settings=first.settings, **table))
    run_model(replace(model, layers=(*layers, *model.layers[2:])), 4, SANITIZED)
