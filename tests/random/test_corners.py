"""Corners that random networks seldom meet: all kernels, long rows of P, full accumulators."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.random.networks import project_of, samples_of
from tests.random.running import SANITIZED, assert_same, host_binary, written
from tests.support.models import (
    ACTIVATIONS,
    PROJECTIONS,
    VALUE_TYPES,
    loss_choices,
    random_model,
    weight_bits,
)
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, StoredInit
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device

STORAGES = [
    (kind, storage)
    for kind in PROJECTIONS
    for storage in ("seed", "s8", "packed")
    if (kind, storage) != ("gaussian", "packed")
]


def check(model: QuantizedModel) -> None:
    """Build under sanitizers, run, compare."""
    x, labels = samples_of(model, model.seed)
    project = project_of(model, x[:4], labels[:4])
    with written(project) as folder:
        binary = host_binary(project, folder, SANITIZED)
        with open_device(binary, interface_of(model), timeout=60) as device:
            assert_same(model, device, model.seed)


def draw(seed: int, **wanted: Any) -> QuantizedModel:
    return random_model(np.random.default_rng(seed), lively=True, **wanted)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("label_kind", ["class", "vector"])
@pytest.mark.slow
def test_every_activation_with_every_loss_in_one_deep_network(value_type, label_kind):
    hidden = [(a, k) for a in ACTIVATIONS for k in loss_choices(label_kind, a, is_last=False)]
    last = ("linear", "softmax_cross_entropy" if label_kind == "class" else "l2")
    activations, losses = zip(*hidden, last, strict=True)
    model = draw(
        len(hidden),
        value_type=value_type,
        label_kind=label_kind,
        label_count=3,
        hidden=[3] * len(hidden),
        activations=activations,
        losses=losses,
        weight_types=["s8", "s16"] * len(hidden),
        projection="ternary",
        storage="seed",
    )
    check(model)


@pytest.mark.parametrize("value_type", ["s8", "f32"])
@pytest.mark.parametrize("label_kind", ["class", "vector"])
@pytest.mark.parametrize(("projection", "storage"), STORAGES)
def test_every_projection_with_rows_of_several_words(projection, storage, label_kind, value_type):
    model = draw(
        7,
        value_type=value_type,
        label_kind=label_kind,
        label_count=37,
        hidden=[5, 4],
        activations=["tanh"] * 3,
        losses=["l2", "projected_l2", "l2"],
        projection=projection,
        storage=storage,
    )
    check(model)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("value_type", "weight_type", "n_in"),
    [
        ("s8", "s16", 480),
        ("s8", "s16", 481),
        ("s8", "s16", 61439),
        ("s8", "s8", 9000),
        ("s16", "s16", 9000),
    ],
)
def test_an_accumulator_at_its_proved_bound(value_type, weight_type, n_in, sign):
    """All inputs, weights and biases at an end of their range: one unit more would overflow."""
    model = draw(
        11, value_type=value_type, hidden=[], n_in=n_in, label_count=2, weight_types=[weight_type]
    )
    layer = model.layers[0]
    limit = 2 ** weight_bits(weight_type, value_type, n_in)
    w = np.full((2, n_in), -limit if sign > 0 else limit - 1, DTYPES[weight_type])
    init = StoredInit(w, np.full(2, sign * 2**27, DTYPES["s32"]))
    assert layer.numbers.accumulator is not None
    lowest = -128 if value_type == "s8" else -32768
    reach = n_in * int(w[0, 0]) * lowest + sign * 2 ** (27 + layer.numbers.bias_shift)
    assert abs(reach) >= 0.99 * layer.numbers.accumulator.high
    check(replace(model, layers=(replace(layer, init=init),)))
