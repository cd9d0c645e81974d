"""Errors that are passed on, in the reference: scalar loops."""

import numpy as np
import pytest

from tests.support.blocks import lively, with_blocks
from tests.support.models import VALUE_TYPES, random_model
from tests.support.same_training import assert_same_training, samples
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference import Reference


def model_of(seed: int, **wanted: object) -> QuantizedModel:
    rng = np.random.default_rng(seed)
    return with_blocks(rng, random_model(rng, plain_maps=True, **wanted))


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("seed", range(10))
def test_a_step_is_that_of_scalar_loops(seed, value_type):
    hidden = [[5, 4, 6], [4, 5]][seed % 2]
    model = model_of(seed, value_type=value_type, maps=seed % 3 > 0, hidden=hidden)
    assert lively(model)
    assert_same_training(model, 6, seed)


def test_the_set_has_all_that_a_block_can_have():
    """Heads on maps and last ones, long ways, layers that only pass, pools, and pools left out."""
    found = set()
    for seed in range(40):
        model = model_of(seed, value_type="s8", maps=seed % 3 > 0, hidden=[5, 4, 6])
        for way in model.ways_down:
            head, lowest = model.layers[way[0]], model.layers[way[-1]]
            found.add("last" if head.units[0].is_last else f"head {head.kind}")
            found |= {f"on the way: {model.layers[index].kind}" for index in way[1:-1]}
            passing = (model.layers[index] for index in way if model.layers[index].units)
            found |= {"frozen" for layer in passing if not layer.trains}
            found |= {"pooled" for unit in lowest.units if unit.shape.is_pooled}
            found.add(f"{min(len(way), 4)} layers")
    assert found >= {
        *("last", "head dense", "head conv2d", "frozen", "pooled"),
        *("2 layers", "3 layers", "4 layers"),
        *(f"on the way: {kind}" for kind in ("dense", "conv2d", "max_pool", "average_pool")),
    }


def test_errors_move_what_they_come_to():
    moved = ways = 0
    for seed in range(20):
        model = model_of(seed, value_type="s8", hidden=[5, 4])
        reference = Reference(model)
        for x, label in zip(*samples(model, 8, seed), strict=True):
            reference.train_step(x, label)
            ways += len(model.ways_down)
            moved += sum(way[-1] in reference.changed for way in model.ways_down)
    assert moved > ways / 4 > 20
