"""Detectors of any numbers, as the last layer of a model of their own."""

from dataclasses import replace
from typing import Any

import numpy as np

from tests.support.draws import Rng
from tests.support.models import random_model
from tests.support.parts import altered
from tpsgd_edge.quantize.detectors import QuantizedDetector
from tpsgd_edge.quantize.model import (
    DenseShape,
    LabelFormat,
    Loss,
    QuantizedModel,
    QuantizedWeighted,
    Requantize,
    SeededInit,
    StoredInit,
)
from tpsgd_edge.quantize.scales import as_requantize

UP, DOWN = 16_220, 164


def dense_of(
    rng: Rng, value_type: str, n_in: int, units: int, weight_type: str = "s16"
) -> tuple[QuantizedModel, QuantizedWeighted]:
    """A model of one linear layer, and the layer as units of a detector."""
    base = random_model(
        rng,
        value_type=value_type,
        label_kind="vector",
        label_count=units,
        n_in=n_in,
        hidden=[],
        activations=["linear"],
        losses=["l2"],
        weight_types=[weight_type],
        stored_weights=True,
        gate=False,
        dead_zone=False,
        lively=True,
    )
    (dense,) = base.layers
    init = StoredInit(dense.init.w, np.zeros(units, "<i4"))
    return base, altered(dense, loss=Loss("reconstruction"), bias_one=0, init=init)


def detecting(
    rng: Rng, value_type: str, n_in: int, units: int, weight_type: str = "s16", **numbers: Any
) -> QuantizedModel:
    """A model of one detector, of statistics where it has no units.

    Args:
        numbers: what is to be different in the detector.
    """
    base, code = dense_of(rng, value_type, n_in, max(1, units), weight_type)
    outputs = replace(code, shape=DenseShape(n_in, 2), init=SeededInit(0, 0))
    mean = as_requantize(1 / n_in, max_shift=62)
    assert mean is not None
    back = Requantize(int(rng.integers(2**14, 2**15 + 1)), int(rng.integers(18, 34)))
    detector = QuantizedDetector(
        name=code.name,
        n_in=n_in,
        code=code if units else None,
        back=back if units else None,
        mean=mean,
        up=UP,
        down=DOWN,
        loss_layer=outputs,
    )
    one = np.ones(1)
    labels = LabelFormat("class", 2, 1.0, 0 * one, one, names=("normal", "anomaly"))
    return replace(base, layers=(replace(detector, **numbers),), labels=labels, gate=None)


def random_detecting(seed: int) -> QuantizedModel:
    """A detector of any kind, format and size; every third is of statistics."""
    rng = np.random.default_rng(seed)
    value_type = ("s8", "s16")[seed % 2]
    weight_type = ("s16", "s8")[seed // 2 % 2]
    n_in = int(rng.integers(1, 40))
    units = 0 if seed % 3 == 0 else int(rng.integers(1, 12))
    share = float(rng.choice([0.001, 0.01, 0.1, 0.5]))
    steps = {"up": round(2**14 * (1 - share)), "down": round(2**14 * share)}
    return detecting(rng, value_type, n_in, units, weight_type, **steps)
