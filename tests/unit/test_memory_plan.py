"""The arena: what is still to be read is not overwritten, and training needs little more of it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from tests.random.networks import network
from tests.support.draws import choose
from tests.support.frozen import freeze
from tests.support.models import PROJECTIONS, random_model
from tests.support.readouts import with_learning_readouts
from tests.support.sequences import rnn_plans
from tpsgd_edge.memory import (
    ArenaPlan,
    Buffer,
    MemoryPlan,
    Operation,
    digest_order,
    plan_memory,
    state_layout,
)
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel


def models(count: int, **wanted: Any) -> Iterator[QuantizedModel]:
    """Random models, some of them wide."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        hidden = rng.integers(1, choose(rng, (5, 30, 200)), rng.integers(0, 5)).tolist()
        projection = choose(rng, PROJECTIONS)
        yield random_model(rng, **({"hidden": hidden, "projection": projection} | wanted))


class Memory:
    """The arena with an owner for each byte: the buffer that was written there last."""

    def __init__(self, size: int) -> None:
        self._owners: list[str | None] = [None] * size

    def write(self, buffer: Buffer) -> None:
        self._owners[buffer.offset : buffer.end] = [buffer.name] * buffer.n_bytes

    def read(self, buffer: Buffer) -> None:
        owners = set(self._owners[buffer.offset : buffer.end])
        assert owners == {buffer.name}, f"{buffer.name} is overwritten by {owners}"


# Besides y and p (one patch of the input; of a recurrent layer with traces all that it reads)
# everything is made and used up in learning.
_WRITTEN = {"forward": "yp", "recall": "y", "learn": "esmdp"}


def run(model: QuantizedModel, plan: ArenaPlan, *, gate_open: bool) -> None:
    """Walk through the stages as the C does, writing and reading buffers.

    Each part of the schedule is a function of its own, and relies on nothing in the arena. But the
    latest answer is there to be asked for behind each of them.
    """
    answer = plan.find(model.layers[-1].name, "y")
    for part in plan.parts:
        memory = Memory(plan.size)
        memory.write(answer)
        _run_part(model, plan, part, memory, gate_open=gate_open)
        memory.read(answer)


def _run_part(
    model: QuantizedModel,
    plan: ArenaPlan,
    stages: tuple[Operation, ...],
    memory: Memory,
    *,
    gate_open: bool,
) -> None:
    for stage in stages:
        own = model.layers[stage.layer].name
        written = [b for b in plan.buffers if b.layer == own and b.role in _WRITTEN[stage.kind]]
        for buffer in written:
            memory.write(buffer)
        # Outputs are written while inputs are still read, so all must be there together.
        producers = model.edges.producers_of(own) if _reads_inputs(model, stage) else ()
        inputs = [plan.find(model.layers[producer].name, "y") for producer in producers]
        for buffer in (*inputs, *written, plan.find(own, "y")):
            memory.read(buffer)
        if stage.gates and not gate_open:
            break


def _reads_inputs(model: QuantizedModel, stage: Operation) -> bool:
    """Recurrent layers recall their outputs from the stream, and learn from what it keeps."""
    return stage.kind == "forward" or stage.layer >= len(model.recurrent)


# Of the models that all are looked at, so many are quick.
some_and_all = pytest.mark.parametrize("share", [0.1, pytest.param(1, marks=pytest.mark.slow)])


def of_all_kinds(share: float) -> Iterator[QuantizedModel]:
    """Dense nets, nets on maps, recurrent ones, and nets that branch."""
    yield from models(int(300 * share))
    yield from models(int(150 * share), maps=True)
    yield from models(int(200 * share), recurrent=True, maps=None, hidden=None)
    for seed in range(int(150 * share)):
        yield network(seed, graph=True, recurrent=seed % 5 == 0)


@some_and_all
def test_no_value_is_overwritten_before_its_last_use(share):
    for model in of_all_kinds(share):
        plan = plan_memory(model)
        run(model, plan.inference, gate_open=True)
        run(model, plan.training, gate_open=True)
        run(model, plan.training, gate_open=False)


def test_an_overlap_would_be_found():
    model = random_model(np.random.default_rng(1), hidden=[8, 8], value_type="s16")
    plan = plan_memory(model).inference
    moved = tuple(replace(buffer, offset=0) for buffer in plan.buffers)
    with pytest.raises(AssertionError, match="fc1_y is overwritten by"):
        run(model, replace(plan, buffers=moved), gate_open=True)


def both_arenas(plan: MemoryPlan) -> tuple[ArenaPlan, ArenaPlan]:
    return plan.inference, plan.training


@some_and_all
def test_buffers_are_aligned_inside_the_arena_and_the_arena_is_words(share):
    for model in of_all_kinds(share):
        for arena in both_arenas(plan_memory(model)):
            assert arena.size % 4 == 0
            assert arena.size - 4 < max(buffer.end for buffer in arena.buffers) <= arena.size
            for buffer in arena.buffers:
                assert buffer.offset % DTYPES[buffer.type].itemsize == 0
                assert buffer.role != "p" or buffer.offset % 4 == 0


@some_and_all
def test_types_that_an_optimizer_tells_apart_never_share_bytes(share):
    """s16 and s32 in the same bytes would break C's rules of aliasing; bytes alias anything."""
    for model in of_all_kinds(share):
        for arena in both_arenas(plan_memory(model)):
            for a, b in combinations(arena.buffers, 2):
                if {DTYPES[a.type].itemsize, DTYPES[b.type].itemsize} == {2, 4}:
                    assert a.end <= b.offset or b.end <= a.offset


@some_and_all
def test_training_costs_four_bytes_a_unit_of_the_widest_layer_and_four_a_label(share):
    """Labels count where a read-out needs them, and where f32 outputs outlive a second pass."""
    for model in models(int(600 * share)):
        plan = plan_memory(model)
        widest = max(layer.n_out for layer in model.trainable)
        reads_out = any(layer.loss.in_label_space for layer in model.trainable)
        gated = model.gate is not None and len(model.layers) > 1 and model.value_type == "f32"
        allowed = plan.inference.size + 4 * widest + 4 * model.labels.count * (reads_out + gated)
        assert plan.training.size <= allowed


@pytest.mark.slow
def test_inference_needs_little_more_than_two_neighbours():
    shares = []
    for model in models(300):
        arena = plan_memory(model).inference
        sizes = [arena.find(layer.name, "y").n_bytes for layer in model.layers]
        least = max(a + b for a, b in zip([0, *sizes], sizes, strict=False))
        assert arena.size >= least
        shares.append((arena.size - 3) / least)
    assert max(shares) < 1.5
    assert np.mean(shares) < 1.05


def gated(hidden: list[int]) -> QuantizedModel:
    return random_model(
        np.random.default_rng(1),
        value_type="s8",
        label_kind="class",
        label_count=4,
        hidden=hidden,
        losses=["l2"] * len(hidden) + ["softmax_cross_entropy"],
        gate=True,
    )


def stages(model: QuantizedModel) -> list[str]:
    schedule = plan_memory(model).training.schedule
    return [f"{s.kind} {s.layer}{' gates' if s.gates else ''}" for s in schedule]


def test_a_gate_keeps_the_outputs_of_a_small_net():
    assert stages(gated([8, 8])) == [
        "forward 0",
        "forward 1",
        "forward 2",
        "learn 2 gates",
        "learn 0",
        "learn 1",
    ]


def test_a_gate_computes_a_deep_net_a_second_time():
    model = gated([30] * 8)
    first = [f"forward {i}" for i in range(9)] + ["learn 8 gates"]
    again = [f"{kind} {i}" for i in range(8) for kind in ("forward", "learn")]
    assert stages(model) == first + again


def test_behind_a_gate_nothing_is_computed_that_nobody_learns_from():
    flags = [True] * 4 + [False] * 4 + [True]
    model = freeze(gated([30] * 8), flags)
    first = [f"forward {i}" for i in range(9)] + ["learn 8 gates"]
    again = [f"{kind} {i}" for i in range(4) for kind in ("forward", "learn")]
    assert stages(model) == first + again


def test_without_a_gate_a_layer_learns_before_the_next_one_runs():
    model = replace(gated([8, 8]), gate=None)
    assert stages(model) == [f"{kind} {i}" for i in range(3) for kind in ("forward", "learn")]


def test_a_gate_without_hidden_layers_is_none():
    assert stages(gated([])) == ["forward 0", "learn 0"]


def test_a_gate_above_pools_alone_is_none():
    wanted = {"maps": True, "gate": True, "label_kind": "class", "projection": "sign"}
    found = [m for m in models(200, **wanted) if len(m.trainable) == 1 and m.gate is not None]
    assert found
    for model in found:
        schedule = plan_memory(model).training.schedule
        assert not any(stage.gates for stage in schedule)
        assert [stage.kind for stage in schedule].count("forward") == len(model.layers)


def recurrent(value_type: str, **wanted: Any) -> QuantizedModel:
    """Two recurrent layers, the first one with traces."""
    return random_model(
        np.random.default_rng(1),
        value_type=value_type,
        label_kind="class",
        label_count=4,
        rnn_plans=rnn_plans(value_type, [3, 5, 6], [(1, 3), (0, 2)], [True, False]),
        hidden=[7],
        losses=["l2", "l2", "l2", "softmax_cross_entropy"],
        **{"steps": 4, "each_step": False, "learn_every": 0, "gate": False} | wanted,
    )


STEP = ["forward 0", "forward 1"]
TEACH = ["recall 0", "learn 0", "recall 1", "learn 1"]


def parts(model: QuantizedModel) -> list[list[str]]:
    names = stages(model)
    step, teach, _ = plan_memory(model).training.parts
    first, second = len(step), len(step) + len(teach)
    return [names[:first], names[first:second], names[second:]]


@pytest.mark.parametrize("wanted", [{}, {"learn_every": 4}, {"each_step": True}, {"steps": 1}])
def test_one_step_of_a_sequence_comes_first_and_may_stand_alone(wanted):
    behind = ["forward 2", "learn 2", "forward 3", "learn 3"]
    model = recurrent("s8", **wanted)
    assert parts(model) == [STEP, [], TEACH + behind]
    inference = plan_memory(model).inference
    assert [(stage.kind, stage.layer) for stage in inference.schedule] == [
        ("forward", 0),
        ("forward", 1),
        ("recall", 1),
        ("forward", 2),
        ("forward", 3),
    ]
    assert [len(part) for part in inference.parts] == [2, 0, 3]


def test_recurrent_layers_may_learn_alone():
    _, teach, rest = parts(recurrent("s8", learn_every=3))
    assert teach == TEACH
    assert rest[:4] == TEACH


def test_a_gate_asks_for_the_answer_before_recurrent_layers_learn_alone():
    _, teach, rest = parts(recurrent("s8", learn_every=1, gate=True))
    answer = ["recall 1", "forward 2", "forward 3"]
    assert teach == [*answer[:2], "forward 3 gates", *TEACH]
    assert rest[:4] == [*answer, "learn 3 gates"]


@pytest.mark.parametrize(("value_type", "x", "size"), [("s8", 1, 2), ("s16", 2, 2), ("f32", 4, 4)])
def test_a_stream_holds_states_and_what_layers_learn_from(value_type, x, size):
    stream = plan_memory(recurrent(value_type)).stream
    assert [(buffer.name, buffer.n_bytes) for buffer in stream] == [
        ("rnn1_h", 5 * size),
        ("rnn1_trace", 2 * 8 * size),
        ("rnn2_h", 6 * size),
        ("rnn2_v", 11 * x),
        ("rnn2_c", 6 * x),
    ]


def test_without_recurrent_layers_nothing_is_kept_between_steps():
    assert all(plan_memory(model).stream == () for model in models(20, maps=None))


def test_the_state_has_no_gaps_and_is_read_back():
    for model in (*models(100), *models(50, maps=True), *models(50, recurrent=True)):
        layout = state_layout(model)
        assert sorted(t.name for t in layout.tensors) == sorted(digest_order(model))
        end = 0
        for tensor in layout.tensors:
            assert tensor.offset == end
            assert tensor.offset % DTYPES[tensor.type].itemsize == 0
            end += tensor.n_bytes
        assert end <= layout.size < end + 4
        assert layout.size % 4 == 0
        raw = np.random.default_rng(1).integers(0, 256, layout.size, np.uint8).tobytes()
        tensors = layout.read(raw)
        parts = [tensors[t.name].tobytes() for t in layout.tensors]
        assert b"".join(parts) == raw[:end]
        assert all(tensors[t.name].shape == t.shape for t in layout.tensors)


def test_digests_go_layer_by_layer_and_end_with_the_counters():
    model = random_model(np.random.default_rng(1), hidden=[3], projection="sign")
    counters = ("rng", "step", "start", "rate")
    assert digest_order(model) == ("fc1.w", "fc1.b", "fc2.w", "fc2.b", *counters)
    model = random_model(
        np.random.default_rng(1),
        hidden=[3],
        label_kind="class",
        losses=["projected_cross_entropy", "softmax_cross_entropy"],
        projection="sign",
    )
    model = with_learning_readouts(np.random.default_rng(1), model)
    assert digest_order(model) == ("fc1.w", "fc1.b", "fc1.p", "fc2.w", "fc2.b", *counters)
