"""Corners of section 12 of docs/ARITHMETIC.md, binary32: numbers follow from the page by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tests.proof.bench import Schedule, moved, one_layer, start, steps_of
from tests.random.networks import project_of, samples_of
from tests.support.backprop import with_backprop
from tests.support.maps import conv_plan, pool_plan
from tests.support.models import random_model
from tests.support.parts import altered
from tests.unit.test_codegen_builds import compiler
from tests.unit.test_two_models import FLAGS, run
from tpsgd_edge.quantize.model import LossTableF32, Projection
from tpsgd_edge.reference import Reference
from tpsgd_edge.toolchain.folder import write_project

F = np.float32


def test_z_of_f32_is_clipped():
    # Computers with vector units have a loop for four units, and another one for those left.
    model = one_layer("l2", 6, value_type="f32", rate=1.0)
    state = start(model, fc1_b=[2.0**20, 2.0**21, -(2.0**20) - 1, 3, 2.0**21, -(2.0**21)])
    ((_, output),) = steps_of(model, [(state, [0, 0], [0] * 6)])
    assert output.tolist() == [2.0**20, 2.0**20, -(2.0**20), 3, 2.0**20, -(2.0**20)]


def test_steps_of_f32_are_clipped():
    model = one_layer("l2", 4, value_type="f32", rate=1.0)
    assert moved(model, [0] * 4, [1024, 1024.5, -1024, -5000]) == [1024, 1024, -1024, -1024]


def test_dead_zones_of_f32_are_met_exactly():
    below = float(np.nextafter(F(0.5), F(0)))
    model = one_layer("l2", 4, value_type="f32", dead_zone=0.5)
    assert moved(model, [0] * 4, [0.5, below, -0.5, -below]) == [0.5, 0, -0.5, 0]
    zone = one_layer("epsilon_insensitive", 4, value_type="f32", loss_numbers={"delta": 0.5})
    assert moved(zone, [0] * 4, [0.5, 0.75, -0.5, -0.75]) == [0, 0.25, 0, -0.25]
    huber = one_layer("huber", 4, value_type="f32", loss_numbers={"delta": 0.5})
    assert moved(huber, [0] * 4, [0.5, 0.75, -0.5, -0.75]) == [0.5, 0.5, -0.5, -0.5]


def test_l1_and_custom_losses_of_f32():
    assert moved(one_layer("l1", 3, value_type="f32"), [0] * 3, [0, 9, -9]) == [0, 1, -1]
    table = LossTableF32(np.arange(256, dtype=F), 64.0)
    model = one_layer("custom", 5, value_type="f32", loss_numbers={"table": table})
    # floor(64 r + 128.5): half of a place goes up, and the ends stay.
    labels = [0.5 / 64, 0.49 / 64, -0.5 / 64, 100, -100]
    assert moved(model, [0] * 5, labels) == [129, 128, 128, 255, 0]


@pytest.mark.parametrize(
    ("activation", "b", "slopes", "numbers"),
    [
        ("relu", [0, 1, -1], [0, 1, 0], {}),
        ("relu6", [0, 6, 7, 5.5], [0, 0, 0, 1], {}),
        ("hard_tanh", [1, -1, 0.5, 3], [0, 0, 1, 0], {}),
        (
            "leaky_relu",
            [0, 2, -2],
            [0.25, 1, 0.25],
            {"negative_slope": 0.25, "settings": (0.25,)},
        ),
        ("hard_sigmoid", [-1, -2, 1, 2, 0, 0.5], [0, 0, 0, 0, 0.5, 0.5], {"settings": (0.5, 0.5)}),
        ("elu", [0, 2, -99], [2, 1, 0], {"settings": (2.0,)}),
        ("celu", [0, 2, -999], [1, 1, 0], {"settings": (2.0,)}),
        ("softplus", [-200, 90], [0, 1], {}),
    ],
)
def test_derivatives_of_f32_at_their_ends(activation, b, slopes, numbers):
    model = one_layer("l1", len(b), value_type="f32", activation=activation, **numbers)
    assert moved(model, b, [100.0] * len(b)) == slopes


def test_exp2_of_f32_at_its_ends():
    # Far below the largest logit e is 2^-126, and no less. A weight of 0 shows what a bias hides.
    model = one_layer("softmax_cross_entropy", 4, value_type="f32", kind="class")
    state = start(model, fc1_b=[0, -88.0, -(2.0**20), -(2.0**20)])
    ((after, _),) = steps_of(model, [(state, [1, 0], 0)])
    assert after["fc1.w"][:, 0].tolist() == [0, -(2.0**-126), -(2.0**-126), -(2.0**-126)]
    assert Reference(model).confidence_of(np.array([0, -88, -99, -99], F)) == 1


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_functions_of_f32_to_their_last_bit(activation):
    """12,800 values, so many that one bit of the smallest coefficient of exp2 shows.

    Three units are beyond what computers with vector units compute at once.
    """
    model = one_layer("l2", 67, value_type="f32", activation=activation)
    b = np.random.default_rng(1).uniform(-1, 1, 64) * 2.0 ** np.arange(-8, 8, 0.25)
    state = start(model, fc1_b=[*b, 99.0, -99.0, 0.5], fc1_w=np.full((67, 2), 0.37))
    x = np.random.default_rng(2).uniform(-9, 9, (200, 2))
    steps_of(model, [(state, one, [0] * 67) for one in x])


def test_powers_of_softmax_in_f32_to_their_last_bit():
    """As many values, which computers with vector units compute one by one as well.

    A weight of 0 shows all of a probability.
    """
    model = one_layer("softmax_cross_entropy", 64, value_type="f32", kind="class")
    each = np.random.default_rng(1).uniform(-4, 4, (200, 64))
    steps_of(model, [(start(model, fc1_b=b), [1, 0], 0) for b in each])


def test_dot_products_of_f32_in_their_order():
    """Sums of 29 products of unlike sizes: another order rounds to another number."""
    model = random_model(
        np.random.default_rng(14),
        value_type="f32",
        label_kind="class",
        label_count=5,
        n_in=29,
        hidden=[],
        activations=["linear"],
        losses=["softmax_cross_entropy"],
        stored_weights=True,
        lively=True,
    )
    rng = np.random.default_rng(15)
    x = rng.normal(size=(20, 29)) * 2.0 ** rng.integers(-6, 6, (20, 29))
    steps_of(model, [(start(model), one, 1) for one in x])


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_tanh_and_sigmoid_of_f32_far_out(activation):
    model = one_layer("l2", 4, value_type="f32", activation=activation)
    state = start(model, fc1_b=[200.0, -200.0, 0.0, 2.0**21])
    ((_, y),) = steps_of(model, [(state, [0, 0], [0] * 4)])
    low, middle = (-1, 0) if activation == "tanh" else (0, 0.5)
    assert y[[0, 2, 3]].tolist() == [1, middle, 1]
    assert abs(y[1] - low) < 1e-30


def test_learned_read_outs_of_f32_stop_at_both_ends():
    model = random_model(
        np.random.default_rng(11),
        value_type="f32",
        label_kind="vector",
        label_count=3,
        n_in=2,
        hidden=[2],
        activations=["linear", "linear"],
        losses=["projected_l2", "l2"],
        dead_zone=False,
        stored_weights=True,
        lively=True,
    )
    first, last = model.layers
    values = np.array([[127] * 3, [-127] * 3], np.int8)
    p = Projection("learned", "ram", 0, values, 1.0)
    first = altered(
        first, projection=p, loss=replace(first.loss, readout=replace(first.loss.readout, gain=0.0))
    )
    model = replace(model, layers=(first, last), schedule=Schedule((2**15,), 1))
    state = start(model, fc1_b=[1000.0, -1000.0], fc1_w=[[0, 0]] * 2)
    ((after, _),) = steps_of(model, [(state, [0, 0], [5.0, 1.0, -1.0])])
    # c_k = 5, 1 and -1 times y = 1000 and -1000.
    assert after["fc1.p"].tolist() == [[127, 127, -127], [-127, -127, 127]]


_ODD = """
#include "port/model_port.h"

#include <math.h>

static struct net_model model;

int main(void)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY, 0x1.000002p20f, -0x1.000002p20f};

    net_init(&model);
    const uint32_t before = net_digest(&model);
    for (int i = 0; i < 5 * COUNT; i++) {
        const float good = WRONG[i % COUNT];
        WRONG[i % COUNT] = odd[i / COUNT];
        if (net_train_step(&model, x, LABEL) != TPS_BAD_INPUT || net_digest(&model) != before) {
            return 1;
        }
        WRONG[i % COUNT] = good;
    }
    return net_train_step(&model, x, LABEL) != TPS_OK || net_digest(&model) == before;
}
"""
# A place that the errors of a pool go back to is looked for by its value, which NaN has not.
_POOLED = {
    "map_plans": [conv_plan((4, 4, 1), 2, (1, 1)), pool_plan((4, 4, 2), "max", (2, 2), (2, 2))],
    "hidden": [],
}
_DENSE = {"n_in": 5, "hidden": [4]}


@pytest.mark.parametrize(
    ("kind", "shape", "wrong"),
    [("class", _POOLED, "x"), ("vector", _DENSE, "x"), ("vector", _DENSE, "label")],
    ids=["a map", "a vector", "label values"],
)
def test_inputs_that_are_no_numbers_are_refused_and_change_nothing(tmp_path, kind, shape, wrong):
    rng = np.random.default_rng(3)
    model = random_model(
        rng,
        value_type="f32",
        label_kind=kind,
        label_count=3,
        projection="sign",
        storage="seed",
        gate=False,
        lively=True,
        **shape,
    )
    if wrong == "x" and kind == "class":
        model = with_backprop(rng, model, some_frozen=False)
    project = project_of(model, *samples_of(model, 1))
    write_project(project.files, tmp_path)
    values = ", ".join(["0.5f"] * model.n_inputs)
    count = model.n_inputs if wrong == "x" else 3
    (tmp_path / "main.c").write_text(
        f"#define COUNT {count}\n#define WRONG {wrong}\n"
        f"#define LABEL {'1' if kind == 'class' else 'label'}\n"
        f"static float x[] = {{{values}}};\n"
        + ("" if kind == "class" else "static float label[] = {1, -1, 0.5f};\n")
        + _ODD
    )
    sources = ("main.c", *project.sources)
    run(*compiler(), *FLAGS, *sources, "-I.", "-o", "program", cwd=tmp_path)
    run(tmp_path / "program")
