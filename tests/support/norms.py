"""Models whose first layer normalizes."""

from dataclasses import replace
from typing import Any

import numpy as np

from tests.support.models import random_model
from tpsgd_edge.quantize.model import QuantizedModel, QuantizedNorm


def normalizing(value_type: str, shape: tuple[int, int, int], **how: Any) -> QuantizedModel:
    """A norm of samples of this shape, over channels unless `group_size` says else, and a net.

    `how` are members of the norm that are to be others.
    """
    count = int(np.prod(shape))
    rng = np.random.default_rng(30)
    model = random_model(
        rng, value_type=value_type, label_kind="class", n_in=count, hidden=[3], gate=False
    )
    real = value_type == "f32"
    bits = {"s8": 5, "s16": 13, "f32": 0}[value_type]
    norm = QuantizedNorm(
        name="norm1",
        y_shape=shape,
        group_size=shape[2],
        centered=True,
        x_type=model.value_type,
        y_scale=2.0**-bits,
        epsilon=float(np.float32(1e-5)) if real else 1,
        unit_bits=bits,
    )
    return replace(model, layers=(replace(norm, **how), *model.layers))
