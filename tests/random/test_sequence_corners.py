"""Corners of recurrent networks that random ones seldom meet: all kernels, full accumulators."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.random.counts import NIGHT, NOW
from tests.random.networks import project_of, samples_of
from tests.random.running import PLAIN, SANITIZED, host_binary, run_model, written
from tests.random.test_corners import STORAGES
from tests.random.test_proof_can_fail import changed
from tests.support.models import ACTIVATIONS, VALUE_TYPES, loss_choices, random_model
from tests.support.parts import altered
from tests.support.sequences import rnn_plans
from tpsgd_edge.codegen import CProject
from tpsgd_edge.quantize.model import (
    DTYPES,
    QuantizedModel,
    QuantizedWeighted,
    RecurrentBounds,
    Requantize,
    Schedule,
    SeededInit,
    StoredInit,
)
from tpsgd_edge.reference import Reference, trace
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.verdict import Verdict, compare

SHIFTS = ((0,), (1, 3, 5), (15,), (1, 0))
SEED = 5


# Each pair of two choices; every combination at night.
DEEP = [
    (value_type, label_kind, each_step, has_traces)
    for place, value_type in enumerate(VALUE_TYPES)
    for label_kind in ("class", "vector")
    for each_step in (False, True)
    for has_traces in (False, True)
    if NOW is NIGHT or (place + (label_kind == "class") + each_step + has_traces) % 2
]


@pytest.mark.slow
@pytest.mark.parametrize(("value_type", "label_kind", "each_step", "has_traces"), DEEP)
def test_every_activation_with_every_loss_in_one_deep_network(
    value_type, label_kind, each_step, has_traces
):
    pairs = [(a, k) for a in ACTIVATIONS for k in loss_choices(label_kind, a, is_last=False)]
    last = ("linear", "softmax_cross_entropy" if label_kind == "class" else "l2")
    activations, losses = zip(*pairs, last, strict=True)
    shifts = (SHIFTS * len(pairs))[: len(pairs)]
    model = random_model(
        np.random.default_rng(len(pairs)),
        value_type=value_type,
        label_kind=label_kind,
        label_count=3,
        rnn_plans=rnn_plans(value_type, [3] * (len(pairs) + 1), shifts, [has_traces] * len(pairs)),
        steps=3,
        each_step=each_step,
        hidden=[],
        activations=activations,
        losses=losses,
        weight_types=["s8", "s16"] * len(pairs),
        projection="ternary",
        storage="seed",
        lively=True,
    )
    run_model(model, SEED, SANITIZED)


@pytest.mark.parametrize("value_type", ["s16", "f32"])
@pytest.mark.parametrize(("projection", "storage"), STORAGES)
def test_every_projection_with_label_vectors_at_each_step(projection, storage, value_type):
    model = random_model(
        np.random.default_rng(7),
        value_type=value_type,
        label_kind="vector",
        label_count=37,
        rnn_plans=rnn_plans(value_type, [2, 5, 4], [(1, 3), (0,)], [True, False]),
        steps=4,
        each_step=True,
        hidden=[3],
        losses=["l2", "projected_l2", "l2", "l2"],
        projection=projection,
        storage=storage,
        lively=True,
    )
    run_model(model, SEED, SANITIZED)


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(
    ("value_type", "weight_type", "n_x", "n_out"),
    [
        ("s8", "s16", 470, 10),
        ("s8", "s16", 5, 475),
        ("s8", "s8", 700, 20),
        ("s16", "s16", 900, 20),
    ],
)
def test_an_accumulator_at_its_proved_bound(value_type, weight_type, n_x, n_out, sign):
    """Inputs, own outputs, weights and biases at an end of their range from the second step on."""
    model = random_model(
        np.random.default_rng(11),
        value_type=value_type,
        rnn_plans=rnn_plans(value_type, [n_x, n_out], [(0,)], [sign > 0]),
        steps=3,
        activations=["linear", "linear"],
        hidden=[],
        label_count=2,
        weight_types=[weight_type, "s8"],
    )
    layer = model.layers[0]
    high = 2**layer.numbers.weight_bits - 1
    # Inputs of the low end: rows of low weights lift the outputs to the high end, where high
    # weights keep them; rows of high weights press them to the low end.
    w = np.full((n_out, layer.n_in), high, DTYPES[weight_type])
    w[:, :n_x] = -high - 1 if sign > 0 else high
    init = StoredInit(w, np.full(n_out, sign * 2**27, DTYPES["s32"]))
    lowest = -128 if value_type == "s8" else -32768
    own = -1 - lowest if sign > 0 else lowest
    reach = (
        n_x * int(w[0, 0]) * lowest
        + n_out * high * own
        + sign * 2 ** (27 + layer.numbers.bias_shift)
    )
    assert abs(reach) >= 0.98 * layer.numbers.accumulator.high
    layer = altered(layer, init=init, z=Requantize(2**15, 16))
    run_model(replace(model, layers=(layer, *model.layers[1:])), SEED, SANITIZED)


@pytest.mark.parametrize("gate", [False, True])
@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("learn_every", [1, 2, 5, 6])
def test_recurrent_layers_learn_in_the_middle_of_a_sequence(value_type, learn_every, gate):
    model = random_model(
        np.random.default_rng(learn_every),
        value_type=value_type,
        label_kind="class",
        rnn_plans=rnn_plans(value_type, [2, 5, 4], [(1, 3), (0, 2)], [gate, not gate]),
        steps=6,
        each_step=False,
        learn_every=learn_every,
        hidden=[3],
        losses=["l2", "projected_l2", "l2", "softmax_cross_entropy"],
        projection="ternary",
        storage="packed",
        stored_weights=False,
        gate=gate,
        lively=True,
    )
    run_model(model, SEED, SANITIZED)


# ------------------------------------------------------------------ one changed constant

WAYS: dict[str, dict[str, Any]] = {
    "traces": {"traces": [True, True], "each_step": False, "learn_every": 0},
    "present": {"traces": [False, False], "each_step": False, "learn_every": 0},
    "middle": {"traces": [False, True], "each_step": False, "learn_every": 2},
    "each step": {"traces": [True, False], "each_step": True, "learn_every": 0},
}


def lively_model(way: str) -> QuantizedModel:
    """Two recurrent layers in which everything moves."""
    wanted = dict(WAYS[way])
    model = random_model(
        np.random.default_rng(SEED),
        value_type="s8",
        label_kind="class",
        label_count=5,
        rnn_plans=rnn_plans("s8", [4, 6, 7], [(2, 1), (0,)], wanted.pop("traces")),
        steps=5,
        hidden=[],
        activations=["tanh", "tanh", "linear"],
        losses=["projected_cross_entropy", "projected_l2", "softmax_cross_entropy"],
        weight_types=["s16", "s8", "s16"],
        projection="sign",
        storage="seed",
        gate=False,
        dead_zone=False,
        lively=True,
        **wanted,
    )
    layers = tuple(_calmed(layer) for layer in model.layers)
    return replace(model, layers=layers, schedule=Schedule((2**15, 2**14), 4))


def _calmed(layer: QuantizedWeighted) -> QuantizedWeighted:
    """The layer with weights of middling size, no biases, and a rate at which all units learn."""
    w = np.random.default_rng(SEED).normal(
        0, 2**layer.numbers.weight_bits / 4, (layer.n_out, layer.n_in)
    )
    init = StoredInit(w.astype(DTYPES[layer.weight_type]), np.zeros(layer.n_out, DTYPES["s32"]))
    return altered(layer, bias_one=2**14, rate=Requantize(20001, 16), init=init)


def verdict_of(model: QuantizedModel, project: CProject) -> Verdict:
    x, labels = samples_of(model, SEED)
    with written(project) as folder:
        binary = host_binary(project, folder, PLAIN)
        with open_device(binary, interface_of(model)) as device:
            return compare(trace(model, x, labels), device.trace(x, labels))


@pytest.mark.parametrize("way", WAYS)
def test_the_unchanged_code_is_equal_and_all_its_tensors_move(way):
    model = lively_model(way)
    x, labels = samples_of(model, SEED)
    assert verdict_of(model, project_of(model, x[:4], labels[:4])).verdict == "equal"
    reference = Reference(model)
    before = reference.state()
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
    after = reference.state()
    # Training leaves the schedule's start and the rate as they are (tests/unit/test_rates.py).
    still = {name for name in before if (before[name] == after[name]).all()}
    assert still == {"start", "rate"}


# What is changed, in which way of learning, in which file, how, and the first tensor that must
# differ.
_TEACH = r"(net_teach_with\(model, work, label\);)"
MUTATIONS = {
    "leak": ("present", "net.c", r"(group_shift = .*?\{)2", r"\g<1>3", "output"),
    "leak of a trace": (
        "traces",
        "net_tps_rnn.c",
        r"(in, layer->group_shift\[)g",
        r"\1 0",
        "rnn1.w",
    ),
    "unit of own outputs": ("present", "net.c", r"(own_shift = )8", r"\g<1>7", "rnn1.w"),
    "start of a sequence": (
        "each step",
        "net.c",
        r"work->stream = \(.*?\)\{0\};",
        "(void)work;",
        "output",
    ),
    "own last output": ("traces", "net_tps_rnn.c", r"(v \+ n_x\));", r"\1; v[n_x] = 0;", "rnn1.w"),
    "rounding": (
        "each step",
        "net_tps_rnn.c",
        r"tps_rshift_round\((state.i.), s",
        r"(\1 >> s",
        "output",
    ),
    "trace of a group": (
        "traces",
        "net_tps_rnn.c",
        r"(g\+\+, trace \+= )unit.n_in",
        r"\g<1>1",
        "rnn1.w",
    ),
    "words of a group": ("traces", "net_tps_rnn.c", r"draw \+ TPS_PHI \* first", "draw", "rnn1.w"),
    "derivative of the state": (
        "present",
        "net.c",
        r"(grad_tanh_s8\(&rnn1_layer.unit, work->)stream.rnn1_c",
        r"\1arena.rnn1_y.at",
        "rnn1.w",
    ),
    "error of the activation": (
        "present",
        "net.c",
        r"(entropy_s8\(&rnn1_layer.unit, work->)arena.rnn1_y.at",
        r"\1stream.rnn1_c",
        "rnn1.w",
    ),
    "label of a step": ("each step", "net.c", r"labels\[t\]\);", "labels[0]);", "output"),
    "one update for each": (
        "each step",
        "net.c",
        r"net_learn_with\(model, work, l",
        r"if (t) \g<0>",
        "output",
    ),
    "nothing in the middle": ("middle", "net.c", _TEACH, "", "output"),
    "middle of another step": ("middle", "net.c", "1 - t", "2 - t", "output"),
    "all layers in the middle": (
        "middle",
        "net.c",
        _TEACH,
        "net_learn_with(model, work, label);",
        "output",
    ),
    "step of the middle": ("middle", "net.c", r"model->step \+=", "if (0) \\g<0>", "step"),
    "words of the middle": ("middle", "net.c", r"model->rng \+=", "if (0) \\g<0>", "rnn1.w"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_one_changed_place_is_a_mismatch_in_its_tensor(name):
    way, file, pattern, replacement, tensor = MUTATIONS[name]
    model = lively_model(way)
    x, labels = samples_of(model, SEED)
    project = changed(project_of(model, x[:4], labels[:4]), file, pattern, replacement)
    verdict = verdict_of(model, project)
    assert verdict.verdict == "mismatch"
    assert verdict.tensor == tensor, verdict.describe()


@pytest.mark.parametrize(
    ("pattern", "replacement", "tensor"),
    [
        (r"seed, count \+ j", "seed, j", "rnn1.b"),
        (r"\+ \(1 << 14\)", "", "rnn1.b"),
        (r"(i % n_in < n_x \? layer->)input_bound", r"\1unit.init_bound", "output"),
    ],
    ids=["place of biases", "rounding of biases", "bound of inputs"],
)
def test_a_change_of_first_values_is_found(pattern, replacement, tensor):
    model = lively_model("present")
    seeded = [
        replace(layer, init=SeededInit(SEED + i, 90, RecurrentBounds(40, 999) if i < 2 else None))
        for i, layer in enumerate(model.layers)
    ]
    # A rate at which nothing moves: only first values count.
    model = replace(model, layers=tuple(altered(layer, dead_zone=32767) for layer in seeded))
    x, labels = samples_of(model, SEED)
    project = project_of(model, x[:4], labels[:4])
    assert verdict_of(model, project).verdict == "equal"
    verdict = verdict_of(model, changed(project, "net_tps_rnn.c", pattern, replacement))
    assert (verdict.verdict, verdict.tensor) == ("mismatch", tensor), verdict.describe()
