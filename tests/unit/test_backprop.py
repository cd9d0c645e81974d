"""Backpropagation: what a spec may ask for, its memory, its place in the generated code."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.backprop import with_backprop
from tests.support.models import random_model
from tests.unit.test_memory_plan import Memory
from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.memory import ArenaPlan, plan_memory
from tpsgd_edge.quantize import QuantizedModel
from tpsgd_edge.quantize.model import InputGradient, QuantizedWeighted
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import prepare, render_project

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(40, 64)), RNG.integers(0, 3, 40)
DENSE = [{"name": "fc1", "units": 7}, {"name": "fc2", "units": 5}, {"name": "fc3", "units": 3}]
MAPS = [
    {"name": "conv1", "kind": "conv2d", "filters": 4},
    {"kind": "max_pool", "size": 2},
    {"name": "conv2", "kind": "conv2d", "filters": 6, "kernel": 2},
    {"kind": "avg_pool", "size": 2},
    {"name": "fc", "units": 3},
]


def make_spec(layers: list[dict[str, Any]] = DENSE, **more: Any) -> Spec:
    content = {
        "name": "toy",
        "model": {"layers": layers},
        "rule": "backprop",
        "data": {"file": "toy.npz", "input_shape": [8, 8, 1]},
    }
    return spec_from_dict(content | more, folder=Path())


def model_of(layers: list[dict[str, Any]] = DENSE, **more: Any) -> QuantizedModel:
    spec = make_spec(layers, **more)
    return prepare(spec, dataset_from_arrays(spec, X, Y)).model


# ------------------------------------------------------------------ the spec


def test_the_rule_has_a_short_form():
    assert make_spec().rule == make_spec(rule={"kind": "backprop"}).rule
    assert make_spec(rule="tpsgd").rule.kind == "tpsgd"
    with pytest.raises(SpecError, match="allowed: tpsgd, backprop"):
        make_spec(rule="backdrop")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"rule": {"kind": "backprop", "loss": "l2"}},
            "under backpropagation hidden layers have no loss\n"
            "  where: spec, [rule], loss\n"
            '  found: loss = "l2"\n'
            "  help:  set output_loss, the loss of the last layer, instead",
        ),
        (
            {"rule": {"kind": "backprop", "error_gate": 0.5}},
            "backpropagation has no error gate\n"
            "  where: spec, [rule], error_gate\n"
            "  found: error_gate = 0.5\n"
            '  help:  remove error_gate, or kind = "backprop"',
        ),
        (
            {"projection": {"kind": "sign"}},
            "backpropagation has no projections\n"
            "  where: spec, [projection]\n"
            '  found: [rule], kind = "backprop"\n'
            '  help:  remove the section, or kind = "backprop"',
        ),
        (
            {"layers": [DENSE[0] | {"loss": "l1"}, *DENSE[1:]]},
            "under backpropagation the hidden layer 'fc1' has no loss\n"
            "  where: spec, [model], layer 'fc1'\n"
            '  found: loss = "l1"\n'
            "  help:  remove it: the last layer's loss counts for all layers",
        ),
        (
            {"layers": [{"name": "r", "kind": "rnn", "units": 4}, *DENSE]},
            "backpropagation does not reach the recurrent layer 'r'\n"
            '  where: spec, [rule], kind = "backprop"\n'
            '  found: kind = "rnn"\n'
            "  help:  train by tpSGD, or use dense layers, convolutions and pools only",
        ),
        (
            {"layers": [MAPS[0] | {"target_pool": 2}, *MAPS[1:]]},
            "the target_pool of layer 'conv1' belongs to a local loss\n"
            '  where: spec, [rule], kind = "backprop"\n'
            "  found: target_pool = 2\n"
            '  help:  remove target_pool, or kind = "backprop"',
        ),
        (
            {"layers": [DENSE[0] | {"projection": "random"}, *DENSE[1:]]},
            "the projection of layer 'fc1' belongs to a local loss\n"
            '  where: spec, [rule], kind = "backprop"\n'
            '  found: projection = "random"\n'
            '  help:  remove projection, or kind = "backprop"',
        ),
        (
            {"layers": [DENSE[0], DENSE[1] | {"train": False}, DENSE[2]]},
            "layer 'fc2' does not train, but layer 'fc1' below it does\n"
            '  where: spec, [rule], kind = "backprop"\n'
            "  found: train = false\n"
            "  help:  under backpropagation layers that do not train come first",
        ),
    ],
)
def test_what_belongs_to_local_losses_is_refused(changes, message):
    with pytest.raises(SpecError) as error:
        make_spec(**changes)
    assert str(error.value) == message


def test_sums_of_errors_that_s64_cannot_be_proved_for_are_refused():
    big = {"name": "big", "kind": "conv2d", "filters": 256, "kernel": 128}
    layers = [{"name": "c", "kind": "conv2d", "filters": 1, "kernel": 1}, big, MAPS[-1]]
    message = (
        "layer 'big' can overflow the sums of the errors below it\n"
        "  where: [model], layer 'big'\n"
        "  found: 4,194,304 weights for each input reach 4,503,599,627,370,496; "
        "4,503,599,627,370,495 is proved\n"
        "  help:  split the layer, or give it a smaller kernel"
    )
    data = {"file": "toy.npz", "input_shape": [128, 128, 1]}
    spec = make_spec(layers, numbers={"activations": "s16"}, data=data)
    x = RNG.normal(size=(6, 128 * 128)).astype(np.float32)
    with pytest.raises(SpecError) as error:
        prepare(spec, dataset_from_arrays(spec, x, np.array([0, 1, 2, 0, 1, 2])))
    assert str(error.value) == message


# ------------------------------------------------------------------ numbers and memory


def test_hidden_layers_have_errors_from_above_and_no_projection():
    model = model_of(MAPS)
    conv1, conv2, last = model.trainable
    # The first layer takes its errors from behind its max pool.
    assert model.way_down(len(model.layers) - 1) == (4, 3, 2, 0)
    assert (model.errors_go_to(2), model.errors_go_to(0)) == (0, None)
    assert (conv1.loss.kind, last.loss.kind) == ("backward", "softmax_cross_entropy")
    assert (conv1.projection, conv1.learning.input_gradient) == (None, None)
    assert conv2.learning.input_gradient is not None
    assert last.learning.input_gradient is not None
    # 4 of 2 x 2 windows share an error above; the scale says so, and no kernel divides.
    first, second, third = (la.learning.steps.error_scale for la in (conv1, conv2, last))
    assert second == third * _growth(last) / 4
    assert first == second * _growth(conv2)


def _growth(layer: QuantizedWeighted) -> float:
    """Factor of the error scale from the outputs of a linear layer to its inputs."""
    return layer.numbers.weight_scale * 2.0**layer.learning.input_gradient.shift


def test_layers_that_do_not_train_are_not_reached():
    model = model_of([MAPS[0] | {"train": False}, *MAPS[1:]])
    assert model.way_down(len(model.layers) - 1) == (4, 3, 2)
    conv2 = model.trainable[0]
    assert conv2.name == "conv2"
    assert conv2.learning.input_gradient is None
    roles = [(b.layer, b.role) for b in plan_memory(model).training.buffers if b.role == "e"]
    assert roles == [("conv2", "e"), ("pool2", "e"), ("fc", "e")]


def test_narrow_sums_take_32_bits():
    narrow, wide = (model_of(numbers={"weights": weights}) for weights in ("s8", "s16"))
    shapes = [layer.learning.input_gradient for layer in (narrow.last, wide.last)]
    assert all(isinstance(input_gradient, InputGradient) for input_gradient in shapes)
    assert [input_gradient.is_wide for input_gradient in shapes if input_gradient] == [False, True]


def test_no_value_is_overwritten_before_its_last_use():
    for model in backprop_models(150):
        plan, path = plan_memory(model).training, model.way_down(len(model.layers) - 1)
        memory = Memory(plan.size)
        for stage in plan.schedule:
            own = model.layers[stage.layer].name
            mine = {b.role: b for b in plan.buffers if b.layer == own}
            inputs = [plan.find(model.layers[stage.layer - 1].name, "y")] if stage.layer else []
            if stage.kind == "forward":
                for buffer in (mine[role] for role in "yp" if role in mine):
                    memory.write(buffer)
                read = inputs
            else:
                made_here = "spdw" + "me" * (stage.layer == path[0])
                for buffer in (mine[role] for role in made_here if role in mine):
                    memory.write(buffer)
                if stage.layer != path[-1]:
                    below = plan.find(model.layers[path[path.index(stage.layer) + 1]].name, "e")
                    memory.write(below)
                read = [*inputs, *mine.values()]
            for buffer in read:
                memory.read(buffer)
        memory.read(plan.find(model.layers[-1].name, "y"))


def backprop_models(count: int) -> Iterator[QuantizedModel]:
    for seed in range(count):
        rng = np.random.default_rng(seed)
        yield with_backprop(rng, random_model(rng, maps=seed % 2 == 0, plain_maps=True))


# ------------------------------------------------------------------ the code


def project_of(layers: list[dict[str, Any]]) -> CProject:
    spec = make_spec(layers)
    return render_project(prepare(spec, dataset_from_arrays(spec, X, Y)))


def test_errors_are_handed_down_before_a_layer_learns():
    first = {"name": "conv0", "kind": "conv2d", "filters": 2, "kernel": 1}
    code = project_of([first, *MAPS]).files["toy.c"]
    step = code[code.index("toy_train_step_with(") :]
    calls = [
        "tps_error_softmax_cross_entropy(&fc_layer",
        "tps_dense_backward_s16_s64(&fc_layer",
        "tps_dense_update_s16_s8(&fc_layer",
        "tps_average_pool_backward(&pool2_layer",
        "tps_map_grad_tanh_s8(&conv2_layer",
        "tps_conv2d_backward_s16_s64(&conv2_layer",
        "tps_conv2d_learn_s16_s8_open_s8(&conv2_layer",
        "tps_max_pool_backward_s8(&pool1_layer",
        "tps_map_grad_tanh_s8(&conv1_layer",
        "tps_conv2d_backward_s16_s64(&conv1_layer",
        "tps_conv2d_learn_s16_s8_open_s8(&conv1_layer",
        "tps_conv2d_learn_s16_s8_tanh_s8(&conv0_layer",
    ]
    places = [step.index(call) for call in calls]
    assert places == sorted(places)
    assert "backward_s16_s64(&conv0_layer" not in step


def test_a_pool_behind_the_first_layer_needs_no_map_of_errors():
    step = project_of(MAPS).files["toy.c"]
    assert "tps_max_pool_backward" not in step
    conv1 = next(b for b in plan_of(MAPS).buffers if (b.layer, b.role) == ("conv1", "e"))
    assert conv1.count == 3 * 3 * 4


def plan_of(layers: list[dict[str, Any]]) -> ArenaPlan:
    return plan_memory(model_of(layers)).training


def test_code_that_trains_by_local_losses_has_none_of_it():
    spec = make_spec(rule="tpsgd")
    files = render_project(prepare(spec, dataset_from_arrays(spec, X, Y))).files
    assert not any("below" in name for name in files)
    assert "backpropagation" in project_of(DENSE).files["toy.c"]
