"""Errors that are passed on: what a spec may ask for, its numbers, its memory, its calls."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.memory import plan_memory
from tpsgd_edge.quantize import QuantizedModel
from tpsgd_edge.reports.costs import layer_costs
from tpsgd_edge.spec import Spec, error_gate, spec_from_dict
from tpsgd_edge.stages import prepare, render_project

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(40, 64)), RNG.integers(0, 3, 40)
PASSED = {"error": "passed"}
FC1, FC2 = {"name": "fc1", "units": 7}, {"name": "fc2", "units": 5}
OUT = {"name": "out", "units": 3}
CONV1 = {"name": "conv1", "kind": "conv2d", "filters": 4}
CONV2 = {"name": "conv2", "kind": "conv2d", "filters": 6, "kernel": 2}
POOL = {"kind": "max_pool", "size": 2}


def make_spec(*layers: dict[str, Any], **more: Any) -> Spec:
    content = {
        "name": "toy",
        "model": {"layers": list(layers)},
        "data": {"file": "toy.npz", "input_shape": [8, 8, 1]},
    }
    return spec_from_dict(content | more, folder=Path())


def model_of(*layers: dict[str, Any], **more: Any) -> QuantizedModel:
    spec = make_spec(*layers, **more)
    return prepare(spec, dataset_from_arrays(spec, X, Y)).model


# ------------------------------------------------------------------ the spec

HERE = "  where: spec, [model], layer 'fc1', error\n"


@pytest.mark.parametrize(
    ("layers", "more", "message"),
    [
        (
            [FC1, OUT | PASSED],
            {},
            "no layer above layer 'out' has an error to pass to it\n"
            "  where: spec, [model], layer 'out', error\n"
            "  found: the net ends with layer 'out'\n"
            '  help:  let one layer above it learn from its own loss, or set error = "own"',
        ),
        (
            [FC1 | PASSED, FC2 | {"train": False}, OUT | {"train": False}],
            {},
            "no layer above layer 'fc1' has an error to pass to it\n"
            + HERE
            + "  found: the net ends with layer 'out'\n"
            '  help:  let one layer above it learn from its own loss, or set error = "own"',
        ),
        (
            [FC1 | PASSED, FC2, {"name": "both", "kind": "concat", "from": ["fc1", "fc2"]}, OUT],
            {},
            "no layer above layer 'fc1' has an error to pass to it\n"
            + HERE
            + "  found: 2 layers that read layer 'fc1'\n"
            '  help:  let one layer above it learn from its own loss, or set error = "own"',
        ),
        (
            [FC1 | PASSED, FC2 | {"train": False, "activation": "gelu"}, OUT],
            {},
            "no error passes through layer 'fc2' to layer 'fc1'\n"
            + HERE
            + '  found: activation = "gelu", whose slope does not follow from its outputs\n'
            '  help:  dense layers, convolutions and pools pass errors; else set error = "own"',
        ),
        (
            [CONV1 | PASSED, CONV2 | {"dilation": 2}, OUT],
            {},
            "no error passes through layer 'conv2' to layer 'conv1'\n"
            "  where: spec, [model], layer 'conv1', error\n"
            "  found: dilation = (2, 2)\n"
            '  help:  dense layers, convolutions and pools pass errors; else set error = "own"',
        ),
        (
            [FC1 | PASSED, {"name": "more", "kind": "adaptor"}, OUT],
            {"model": {"weights_file": "none.npz"}},
            "no error passes through layer 'more' to layer 'fc1'\n"
            + HERE
            + '  found: kind = "adaptor"\n'
            '  help:  dense layers, convolutions and pools pass errors; else set error = "own"',
        ),
        (
            [{"name": "r", "kind": "rnn", "units": 4} | PASSED, OUT],
            {},
            "layer 'r' walks along a sequence: no error is passed to it\n"
            "  where: spec, [model], layer 'r', error\n"
            '  found: kind = "rnn", error = "passed"\n'
            '  help:  set error = "own", so that it learns from a loss of its own',
        ),
        (
            [FC1 | PASSED | {"loss": "l2"}, OUT],
            {},
            "the loss of layer 'fc1' belongs to a loss of its own\n"
            + HERE
            + '  found: error = "passed", and loss\n'
            '  help:  remove loss, or set error = "own"',
        ),
        (
            [CONV1 | PASSED | {"target_pool": 2}, OUT],
            {},
            "the target_pool of layer 'conv1' belongs to a loss of its own\n"
            "  where: spec, [model], layer 'conv1', error\n"
            '  found: error = "passed", and target_pool\n'
            '  help:  remove target_pool, or set error = "own"',
        ),
        (
            [FC1 | PASSED, OUT],
            {"rule": {"error_gate": 0.5}},
            "an error gate does not go with errors that are passed on\n"
            "  where: spec, [rule], error_gate\n"
            "  found: error_gate = 0.5, and error = \"passed\" in layer 'fc1'\n"
            '  help:  remove error_gate, or set error = "own"',
        ),
        (
            [FC1 | PASSED, OUT],
            {"rule": {"scores": "carried"}},
            "layer 'fc1' has no read-out that could add to scores\n"
            '  where: spec, [rule], scores = "carried"\n'
            '  found: error = "passed"\n'
            '  help:  remove scores, or set error = "own": blocks gain nothing by carried scores',
        ),
    ],
)
def test_what_no_error_comes_to_is_refused(layers, more, message):
    more = dict(more)
    if "model" in more:
        more["model"] = more["model"] | {"layers": layers}
    with pytest.raises(SpecError) as error:
        make_spec(*layers, **more)
    assert str(error.value) == message


def test_a_pool_that_is_cut_passes_no_error():
    layers = [CONV1 | PASSED, {"kind": "avg_pool", "size": 4, "padding": 1}, CONV2, OUT]
    with pytest.raises(SpecError) as error:
        model_of(*layers)
    assert str(error.value) == (
        "no error passes through the pool 'pool1'\n"
        "  where: [model], layer 'pool1'\n"
        "  found: windows that reach over the edges of the map\n"
        '  help:  leave padding and ceil_mode out, or set error = "own" in the layers before it'
    )


def test_what_is_open_fits_errors_that_are_passed():
    assert error_gate(make_spec(FC1, FC2, OUT), "class") == 0.9
    assert error_gate(make_spec(FC1 | PASSED, FC2, OUT), "class") is None
    convs = [{"name": f"c{i}", "kind": "conv2d", "filters": 3, "kernel": 2} for i in range(3)]
    assert model_of(*convs, OUT).scores == "carried"
    assert model_of(convs[0] | PASSED, *convs[1:], OUT).scores == "own"


# ------------------------------------------------------------------ numbers and memory


def test_a_layer_whose_error_is_passed_has_no_loss_and_no_projection():
    model = model_of(CONV1 | PASSED, POOL, CONV2, FC1 | PASSED, OUT)
    conv1, conv2, fc1, _ = model.weighted
    assert [la.loss.is_local for la in model.weighted] == [False, True, False, True]
    assert (conv1.projection, fc1.projection) == (None, None)
    assert conv2.projection is not None
    assert model.ways_down == ((2, 0), (4, 3))
    # The lowest layer takes its errors from behind its max pool, where each position has one.
    assert conv1.shape.is_pooled
    assert conv1.shape.windows == (3, 3)
    gradients = [la.learning.input_gradient is not None for la in model.weighted]
    assert gradients == [False, True, False, True]


def test_layers_that_do_not_train_pass_errors_on_and_take_no_ram():
    frozen = FC2 | {"train": False, "activation": "softplus"}
    model = model_of(FC1 | PASSED, frozen, OUT)
    assert model.ways_down == ((2, 1, 0),)
    assert [la.passes_only for la in model.weighted] == [False, True, False]
    assert not any(tensor.name.startswith("fc2") for tensor in plan_memory(model).state.tensors)
    # Without anything below that wants it, no error comes.
    assert model_of(FC1 | {"train": False}, frozen, OUT).ways_down == ()


def test_a_report_says_where_the_error_comes_from():
    model = model_of(FC1 | PASSED, FC2 | {"train": False}, OUT)
    costs = layer_costs(model, plan_memory(model))
    assert [cost.about.partition(", ")[2] for cost in costs] == [
        "error from above",
        "does not train",
        "softmax cross entropy",
    ]


@pytest.mark.parametrize("weights", ["s16", "f32"])
def test_averages_of_the_head_count_below_it_too(weights):
    numbers, rate = {"weights": weights}, {"learning_rate": 0.25}
    layers = CONV1 | PASSED, CONV2 | {"target_pool": 1}, OUT
    near = model_of(*layers, numbers=numbers, rule=rate).weighted
    layers = CONV1 | PASSED, CONV2 | {"target_pool": "position"}, OUT
    far = model_of(*layers, numbers=numbers, rule=rate).weighted
    # One window of 5 x 5 instead of 25 positions; the scale of the error holds no area.
    for one, each in zip(near[:2], far[:2], strict=True):
        wide, own = one.learning.steps, each.learning.steps
        if weights == "f32":
            assert own.rate / wide.rate == pytest.approx(25)
        else:
            factor = own.rate.mult / 2.0**own.rate.shift / (wide.rate.mult / 2.0**wide.rate.shift)
            factor *= wide.error_scale / own.error_scale
            assert factor == pytest.approx(25, rel=1e-3)


def test_a_head_on_a_map_has_room_for_the_errors_of_its_units():
    plan = plan_memory(model_of(CONV1 | PASSED, CONV2, OUT)).training
    assert plan.find("conv2", "u").count == 5 * 5 * 6
    assert plan.find("conv1", "e").count == 6 * 6 * 4
    roles = {b.role for b in plan_memory(model_of(CONV1, CONV2, OUT)).training.buffers}
    assert "u" not in roles
    stages = [(stage.kind, stage.layer) for stage in plan.schedule]
    learning = [("learn", 1), ("learn", 0), ("forward", 2), ("learn", 2)]
    assert stages == [("forward", 0), ("forward", 1), *learning]


def test_the_code_passes_errors_before_weights_change():
    spec = make_spec(CONV1 | PASSED, CONV2, FC2 | {"train": False}, FC1 | PASSED, OUT)
    prepared = prepare(spec, dataset_from_arrays(spec, X, Y))
    code = render_project(prepared).files["toy.c"]
    order = [
        "tps_error_projected_cross_entropy_s8(&conv2_layer",
        "tps_map_spread_s8(&conv2_layer",
        "tps_map_grad_tanh_s8(&conv2_layer",
        "tps_conv2d_backward_s16_s64(&conv2_layer",
        "tps_conv2d_learn_s16_s8_tanh_s8(&conv2_layer",
        "tps_conv2d_learn_s16_s8_tanh_s8(&conv1_layer",
        "tps_dense_forward_s16_s8_s8(&fc2_layer",
        "tps_dense_backward_s16_s64(&out_layer",
        "tps_dense_update_s16_s8(&out_layer",
        "tps_dense_update_s16_s8(&fc1_layer",
    ]
    places = [code.rindex(call) for call in order]
    assert places == sorted(places)
    assert "fc2_e" not in code
    readme = render_project(prepared).files["README.md"]
    assert "every layer learns during the forward pass, some from the error of a layer" in readme
