"""Read-outs that learn: by scalar loops, in a spec, in the state, on a device."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.models import VALUE_TYPES, random_model, random_samples
from tests.support.parts import altered
from tests.support.readouts import with_learning_readouts
from tests.support.scalar import PHI, clip, draw, label_errors, mix, random_round, sat_s16
from tpsgd_edge.arithmetic.projection import draw_projection
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.memory import state_layout
from tpsgd_edge.memory.dump import read_dump
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.reference import Reference
from tpsgd_edge.reports.costs import layer_costs
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import prepare

EXAMPLES = Path(__file__).parents[2] / "examples"
LEARNED = "projection.kind=learned"


def learning_model(value_type: str, seed: int, **wanted) -> QuantizedModel:
    rng = np.random.default_rng(seed)
    given = {"label_kind": "class", "label_count": 5, "hidden": (7,), "gate": False} | wanted
    model = random_model(rng, value_type=value_type, lively=True, **given)
    return with_learning_readouts(rng, model)


def after(
    model: QuantizedModel, p: list[list[int]], y: list[int], label: int, rng: int, decay: int
):
    """Section 6.5, one layer, as on the page."""
    layer = model.layers[0]
    base = rng + PHI * layer.learning.unit_offset
    rate = layer.projection.rate
    now = replace(layer.projection, values=np.array(p, np.int8))
    a = (rate.mult * decay) >> 15
    for k, q in enumerate(label_errors(altered(layer, projection=now), y, label)):
        word = draw(draw(base, 0), k)
        c = sat_s16(random_round(q * a, rate.shift, word))
        if c == 0:
            continue
        r = mix(word) >> 19
        for j, value in enumerate(y):
            t = (value if layer.y_type == "s8" else value >> 8) * c + r
            p[j][k] = clip(p[j][k] + (t >> 13), -127, 127)
            r = t % 2**13
    return p


@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_they_learn_as_scalar_loops_do(value_type):
    moved = 0
    for seed in range(12):
        model = learning_model(value_type, seed)
        x, labels = random_samples(np.random.default_rng(seed), model, 5)
        reference = Reference(model)
        p = reference.state()["fc1.p"].tolist()
        for step, (sample, label) in enumerate(zip(x, labels, strict=True)):
            y = [int(v) for v in reference.layer_outputs(sample)[0]]
            rng, s = int(reference.state()["rng"]), model.schedule
            decay = s.decay[min(step // s.segment_steps, len(s.decay) - 1)]
            before = [[*row] for row in p]
            p = after(model, p, y, int(label), rng, decay)
            reference.train_step(sample, int(label))
            assert reference.state()["fc1.p"].tolist() == p
            moved += p != before
    assert moved > 20


def test_in_f32_they_add_rate_times_q_times_y():
    model = learning_model("f32", 3, label_kind="vector", activations=("tanh", "linear"))
    x, label = np.linspace(-1, 1, model.n_inputs, dtype="f4"), np.linspace(-1, 2, 5, dtype="f4")
    reference, f, layer = Reference(model), np.float32, model.layers[0]
    y, p = reference.layer_outputs(x)[0], reference.state()["fc1.p"]
    reference.train_step(x, label)
    v = [f(0)] * 5
    for j in range(7):
        v = [f(v[k] + f(p[j, k] * y[j])) for k in range(5)]
    q = [f(label[k] - f(v[k] * f(layer.loss.readout.gain))) for k in range(5)]
    a = f(f(layer.projection.rate) * f(model.schedule.decay_f32[0]))
    wanted = [
        [clip(f(p[j, k] + f(f(a * q[k]) * y[j])), f(-127), f(127)) for k in range(5)]
        for j in range(7)
    ]
    np.testing.assert_array_equal(reference.state()["fc1.p"], np.array(wanted, f))
    assert not np.array_equal(reference.state()["fc1.p"], p)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_a_gate_that_is_shut_keeps_them(value_type):
    model = learning_model(value_type, 4)
    shut, opened = Reference(replace(model, gate=0)), Reference(model)
    before = shut.state()["fc1.p"]
    for x, label in zip(*random_samples(np.random.default_rng(4), model, 4), strict=True):
        shut.train_step(x, int(label))
        opened.train_step(x, int(label))
    np.testing.assert_array_equal(shut.state()["fc1.p"], before)
    assert not np.array_equal(opened.state()["fc1.p"], before)


def test_they_start_as_hadamard_codes_or_fitted_and_take_a_byte_an_entry():
    spec = load_spec(EXAMPLES / "digits.toml", [LEARNED])
    prepared = prepare(spec, load_dataset(spec))
    projection = prepared.model.layers[0].projection
    codes = draw_projection("hadamard", 1, (32, 10))
    assert projection.learns
    assert set(np.unique(projection.values)) == {-37, 37}
    # Orthogonal but for the signs of rows: so are the codes, whatever the seed.
    np.testing.assert_array_equal(
        np.abs(projection.values.astype(int).T @ projection.values) // 37**2,
        np.abs(codes.astype(int).T @ codes),
    )
    plain = load_spec(EXAMPLES / "digits.toml")
    fixed = prepare(plain, load_dataset(plain))
    assert prepared.plan.state.size - fixed.plan.state.size == 320
    more = layer_costs(prepared.model, prepared.plan)[0]
    assert more.ram_bytes - layer_costs(fixed.model, fixed.plan)[0].ram_bytes == 320
    assert more.flash_bytes == 320


def test_a_dump_with_an_entry_that_cannot_be_is_refused():
    spec = load_spec(EXAMPLES / "digits.toml", [LEARNED])
    model = prepare(spec, load_dataset(spec)).model
    reference, layout = Reference(model), state_layout(model)
    raw = bytearray(layout.write(reference.state()))
    assert read_dump(model, bytes(raw), where="dump")["fc1.p"].shape == (32, 10)
    place = next(t.offset for t in layout.tensors if t.name == "fc1.p")
    raw[place] = 0x80
    with pytest.raises(DataError, match=r"holds what 'fc1.p' can never be"):
        read_dump(model, bytes(raw), where="dump")


GRU = 'model.layers=[{kind="gru",name="g",units=3},{name="out",units=10}]'
OWN = 'model.layers=[{name="fc1",units=4,projection="random"},{name="out",units=10}]'


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["projection.storage=seed"], "projections that learn lie in RAM; leave storage out"),
        (["rule.loss=l2"], "the loss 'l2' of layer 'fc1' has no read-out that could learn"),
        (["rule.kind=backprop"], "backpropagation has no projections"),
        ([GRU], "the read-out of the gru layer 'g' cannot learn"),
        ([OWN], "all projections of a model learn, or none: layer 'fc1' has its own"),
    ],
)
def test_what_they_do_not_go_with(settings, words):
    with pytest.raises(SpecError, match=re.escape(words)):
        load_spec(EXAMPLES / "digits.toml", [LEARNED, *settings])
