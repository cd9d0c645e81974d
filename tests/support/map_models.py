"""Small random models with layers on maps, put together from single layers."""

import numpy as np

from tests.support.maps import MapShape, conv_plan, pool_plan
from tests.support.models import random_model
from tpsgd_edge.quantize.model import QuantizedModel

MAP: MapShape = (6, 5, 2)


def chain(*makers, x_shape: MapShape = MAP):
    """Plans of layers on maps, each made from the map before it."""
    plans = []
    for make in makers:
        plans.append(make(x_shape))
        x_shape = plans[-1].y_shape
    return plans


def conv(channels: int, kernel=(3, 3), **shapes):
    """What makes the plan of a convolution from the shape of its map."""
    return lambda x_shape: conv_plan(x_shape, channels, kernel, **shapes)


def pool(mode: str, kernel=(2, 2), stride=None, **edges):
    """What makes the plan of a pool from the shape of its map."""
    return lambda x_shape: pool_plan(x_shape, mode, kernel, stride, **edges)


def small(plans, seed: int = 3, **wanted) -> QuantizedModel:
    """A model with these layers; what `wanted` leaves open is drawn."""
    return random_model(np.random.default_rng(seed), map_plans=plans, **wanted)
