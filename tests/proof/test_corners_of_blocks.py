"""Corners of section 26 of docs/ARITHMETIC.md: errors that are passed on, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proof.bench import AS_IT_IS, RATE, Loss, Schedule, start, steps_of
from tests.support.models import random_model
from tests.support.parts import altered
from tpsgd_edge.quantize.model import (
    InputGradient,
    InputGradientF32,
    Interval,
    StoredInit,
)

FAR = Interval(-(2**40), 2**40)


def passing(*, shift=1, frozen=None, value_type="s8", rate=1.0):
    """One unit a layer, linear, y = x w / 2 + b: the last one has l2, and all errors come from it.

    `frozen` is the weight of a layer in the middle that does not learn, `rate` that of f32.
    """
    real = value_type == "f32"
    middle = [] if frozen is None else [1]
    model = random_model(
        np.random.default_rng(3),
        value_type=value_type,
        label_kind="vector",
        label_count=1,
        n_in=1,
        hidden=[1, *middle],
        activations=["linear"] * (2 + len(middle)),
        losses=["l2"] * (2 + len(middle)),
        weight_types=["f32" if real else "s16"] * (2 + len(middle)),
        gate=False,
        dead_zone=False,
        stored_weights=True,
        lively=True,
    )
    layers, offset = [], 0
    for index, layer in enumerate(model.layers):
        is_frozen = frozen is not None and index == 1
        w = np.full_like(layer.init.w, frozen if is_frozen else 0)
        bench = {"rate": rate} if real else {"z": AS_IT_IS, "rate": RATE, "bias_shift": 0}
        if not real:
            bench["bias_one"] = 2**layer.learning.steps.update_shift
        if not layer.is_last:
            bench |= {"loss": Loss("backward"), "projection": None}
        if index:
            bench["input_gradient"] = InputGradientF32() if real else InputGradient(shift, FAR)
        bench |= {"init": StoredInit(w, np.zeros_like(layer.init.b)), "trains": not is_frozen}
        layers.append(altered(layer, unit_offset=offset, **bench))
        offset += layers[-1].trains
    return replace(model, layers=tuple(layers), schedule=Schedule((2**15,), 1))


def errors(model, w, label, x=(0,), **tensors):
    """How far the biases of the first and the last layer move, which is delta of each."""
    state = start(model, **{f"{model.last.name}_w": [[w]]}, **tensors)
    ((after, _),) = steps_of(model, [(state, list(x), [label])])
    last = f"{model.last.name}.b"
    real = model.value_type == "f32"
    return [float(after[b][0]) if real else int(after[b][0]) for b in ("fc1.b", last)]


@pytest.mark.parametrize(
    ("w", "shift", "expected"),
    [
        (2, 1, 100),
        # 301 / 2 = 150.5, and -150.5: halves go up.
        (3, 1, 150),
        (-3, 1, -150),
        # An error of 100 times 2^14 is beyond what goes down.
        (2**14, 1, 32767),
        (-(2**14), 1, -32767),
    ],
)
def test_what_goes_down_is_rounded_and_limited(w, shift, expected):
    moved, own = errors(passing(shift=shift), w, 200)
    assert own == 100
    assert moved == expected


def test_halves_go_up():
    # delta is 101: 303 / 2 and -303 / 2.
    assert errors(passing(), 3, 202) == [152, 101]
    assert errors(passing(), -3, 202) == [-151, 101]


def test_the_error_goes_down_before_the_weights_change():
    # y of the first layer is 64, so the weight moves by 64 * 64 / 2^6; it goes down as it was.
    model = passing()
    state = start(model, fc1_b=[64], fc2_w=[[2]], fc2_b=[0])
    ((after, _),) = steps_of(model, [(state, [0], [0])])
    y = int(after["fc1.b"][0]) - 64
    delta = int(after["fc2.b"][0])
    assert delta == -64
    assert int(after["fc2.w"][0, 0]) == 2 - 64
    assert y == -64


def test_a_layer_that_does_not_learn_passes_errors_on():
    # 100 * 2 / 2 at the last layer, then * 6 / 2 through the one that stays.
    assert errors(passing(frozen=6), 2, 200) == [300, 100]
    assert errors(passing(frozen=-6), 2, 200) == [-300, 100]


def test_in_binary32_nothing_is_rounded_but_by_the_format():
    assert errors(passing(value_type="f32"), 3.0, 0.5) == [1.5, 0.5]
    assert errors(passing(value_type="f32", frozen=-0.25), 3.0, 0.5) == [-0.375, 0.5]
    # Errors end at 2^20.
    slow = passing(value_type="f32", rate=2.0**-11)
    assert errors(slow, 2.0**22, 1.0) == [2.0**9, 2.0**-11]
