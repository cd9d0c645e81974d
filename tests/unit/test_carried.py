"""Scores that are carried: by scalar loops, in the memory plan, in a spec, in flash and in ids."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.carried import with_carried_scores
from tests.support.models import random_model, random_samples
from tests.support.parts import altered
from tests.support.scalar import (
    PHI,
    clip,
    draw,
    forward,
    mix,
    rshift_round,
    sat_s16,
    softmax,
    step_size,
    update,
)
from tests.support.scalar_maps import averaged, conv_forward, patch, spread, units
from tpsgd_edge.codegen.arrays import model_arrays
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.memory import model_id, plan_memory
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import carries_scores, load_spec
from tpsgd_edge.stages import prepare

EXAMPLES = Path(__file__).parents[2] / "examples"
CARRIED = "rule.scores=carried"


def carrying_model(value_type, seed, **wanted):
    rng = np.random.default_rng(seed)
    losses = ["projected_cross_entropy", "projected_cross_entropy", "softmax_cross_entropy"]
    given = {"losses": losses, "hidden": (7, 5), "gate": False, "lively": True} | wanted
    model = random_model(rng, value_type=value_type, label_kind="class", label_count=5, **given)
    return with_carried_scores(rng, model)


def scores(layer, y):
    """Section 6.4: ro of what the loss sees."""
    seen = averaged(layer, y) if layer.kind == "conv2d" else y
    y8 = seen if layer.y_type == "s8" else [value >> 8 for value in seen]
    p, g = layer.projection.values, layer.loss.readout.gain
    sums = [sum(int(p[j][k]) * y8[j] for j in range(len(y8))) for k in range(p.shape[1])]
    return [sat_s16(rshift_round(value * g.mult, g.shift)) for value in sums]


def errors(layer, total, label):
    """Section 22: q of a total, and e."""
    prob = softmax(total, layer.loss.logit_shift)
    q = [((32768 if k == label else 0) - p) >> 1 for k, p in enumerate(prob)]
    if layer.is_last:
        return q
    p = layer.projection.values
    sums = [sum(int(p[j][k]) * q[k] for k in range(len(q))) for j in range(len(p))]
    return [clip(rshift_round(s, layer.loss.readout.error_shift), -32767, 32767) for s in sums]


def learn(layer, w, b, x, y, e, rng, decay):
    """Sections 7, 8 and 14, in place."""
    base = rng + PHI * layer.learning.unit_offset
    if layer.kind == "conv2d":
        e = spread(layer, y, e)
        places = enumerate(units(layer))
        lessons = [
            (j, o, e.get((oy, ox, o), 0), patch(layer, x, oy, ox, o, 0))
            for j, (oy, ox, o) in places
        ]
    else:
        lessons = [(j, j, e[j], x) for j in range(layer.n_out)]
    for j, row, error, read in lessons:
        d = step_size(layer, error, y[j], draw(base, j), decay)
        if d != 0:
            update(layer, w, b, row, read, d, mix(draw(base, j)))


def step(model, state, x, label):
    """One training step, in place; the answer before it."""
    x, total = [int(v) for v in x], None
    for layer in model.layers:
        w, b = state[f"{layer.name}.w"], state[f"{layer.name}.b"]
        y = (conv_forward if layer.kind == "conv2d" else forward)(layer, w, b, x)
        if not layer.is_last:
            ro = scores(layer, y)
            total = (
                ro if total is None else [sat_s16(t + r) for t, r in zip(total, ro, strict=True)]
            )
        else:
            y = total = [sat_s16(t + z) for t, z in zip(total, y, strict=True)]
        e = errors(layer, total, label)
        learn(layer, w, b, x, y, e, state["rng"], model.schedule.decay[0])
        x = y
    state["rng"] = (state["rng"] + PHI * model.total_units) % 2**32
    return x


@pytest.mark.parametrize("maps", [False, True])
@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_a_step_is_that_of_scalar_loops(value_type, maps):
    moved = 0
    for seed in range(4):
        wanted = {"maps": True, "x_shape": (4, 3, 2), "losses": None} if maps else {}
        model = carrying_model(value_type, seed, **wanted)
        if maps and (model.last.loss.kind != "softmax_cross_entropy" or model.recurrent):
            continue
        if any("pool" in layer.kind for layer in model.layers):
            continue
        model = replace(model, schedule=replace(model.schedule, decay=(2**15,)))
        x, labels = random_samples(np.random.default_rng(seed), model, 3)
        reference = Reference(model)
        state = {name: t.tolist() for name, t in reference.state().items()}
        for sample, label in zip(x, labels, strict=True):
            answer = step(model, state, sample, int(label))
            assert reference.train_step(sample, int(label)).tolist() == answer
            after = reference.state()
            for layer in model.layers:
                for tensor in (f"{layer.name}.w", f"{layer.name}.b"):
                    assert after[tensor].tolist() == state[tensor], tensor
            moved += 1
    assert moved >= 3


def test_a_total_lives_until_the_next_layer_that_adds_has_read_it():
    model = carrying_model("s8", 5)
    plan = plan_memory(model)
    for arena in (plan.inference, plan.training):
        totals = [buffer for buffer in arena.buffers if buffer.role == "v"]
        assert [(b.layer, b.type, b.count) for b in totals] == [
            ("fc1", "s16", 5),
            ("fc2", "s16", 5),
        ]
    names = [(stage.kind, stage.layer) for stage in plan.training.schedule]
    ((start, end),) = plan.training.find("fc1", "v").lives
    assert (names[start], names[end]) == (("forward", 0), ("forward", 1))


def test_they_cost_two_bytes_a_class_and_no_more():
    spec = load_spec(EXAMPLES / "digits.toml", ["rule.error_gate=none"])
    own = prepare(spec, load_dataset(spec))
    carried = prepare(load_spec(EXAMPLES / "digits.toml", [CARRIED, "rule.error_gate=none"]))
    assert 0 <= carried.plan.n_bytes - own.plan.n_bytes <= 2 * 2 * 10


def test_read_outs_are_part_of_what_firmware_that_predicts_checks():
    own, carried = (
        prepare(
            load_spec(EXAMPLES / "digits.toml", [f"rule.scores={how}", "projection.storage=s8"])
        )
        for how in ("own", "carried")
    )
    kept = [
        {array.name: array.is_for_training for array in model_arrays(prepared.model)}
        for prepared in (own, carried)
    ]
    assert [arrays["tps_fc1_projection"] for arrays in kept] == [True, False]


def test_an_id_knows_what_the_answer_is_made_of():
    model = carrying_model("s8", 7)
    first, *others = model.layers
    gain = first.loss.readout.gain
    louder = replace(first.loss.readout, gain=replace(gain, shift=gain.shift - 1))
    other = replace(
        model, layers=(altered(first, loss=replace(first.loss, readout=louder)), *others)
    )
    assert len({model_id(model), model_id(other), model_id(replace(model, scores="own"))}) == 3
    quiet = replace(model, scores="own")
    same = replace(other, scores="own")
    assert model_id(quiet) == model_id(same)


def spec_of(*settings, name="digits"):
    return load_spec(EXAMPLES / f"{name}.toml", settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["rule.kind=backprop"], "backpropagation has no read-outs whose scores could be carried"),
        (["model.pretrain.method=backprop"], "a net that has learned before carries no scores"),
        (["model.layers.fc1.train=false"], "there are no hidden layers that learn"),
        (["rule.loss=l2"], "need the loss 'projected_cross_entropy' in layer 'fc1'"),
        (["rule.output_loss=l2"], "need the loss 'softmax_cross_entropy' in layer 'fc2'"),
        (["data.task=regression"], "need the loss 'softmax_cross_entropy' in layer 'fc2'"),
    ],
)
def test_what_cannot_carry_scores_says_why(settings, words):
    with pytest.raises(SpecError, match=words.replace("(", "\\(")) as caught:
        spec_of(CARRIED, *settings)
    assert 'scores = "carried"' in str(caught.value)


def test_recurrent_layers_carry_none():
    with pytest.raises(SpecError, match="the recurrent layer 'rows' carries no scores"):
        spec_of(CARRIED, name="fashion_rows_rnn")


@pytest.mark.parametrize(
    ("name", "settings", "carries"),
    [
        ("vgg_small", [], True),
        ("vgg_small", ["rule.scores=own"], False),
        ("vgg_small", ["rule.loss=l2"], False),
        ("vgg_small", [f"model.layers.conv{i}.train=false" for i in range(3, 7)], False),
        ("vgg_small", [f"model.layers.conv{i}.train=false" for i in range(4, 7)], True),
        ("fashion_cnn", [], False),
        ("har_conv1d", [], False),
        ("digits", [], False),
        ("digits", [CARRIED], True),
        ("diabetes", [], False),
        ("fashion_rows_rnn", [], False),
        ("fashion_rotated", [], False),
        ("digits_onnx", [], False),
    ],
)
def test_who_carries_scores_where_nothing_is_said(name, settings, carries):
    kind = "vector" if name == "diabetes" else "class"
    assert carries_scores(spec_of(*settings, name=name), kind) is carries
