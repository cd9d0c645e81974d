"""Lifetimes of the buffers of one step, and their offsets in one arena.

A schedule is a list of stages, each of one layer: forward, recall, learn, and backward, of errors
that only pass through a layer. A buffer lives from
the stage that writes it to the last stage that reads it. Buffers that never live at the same time
may share bytes.

Layers that walk along a sequence keep their state outside of the arena, in the stream. A schedule
begins with their forward stages, one step of a sequence. Where they learn in the middle of a
sequence, the stages of that follow. The rest runs at steps that learn or are asked for an answer.
Outputs are recalled from the stream, so that other calls may come in between; where layers walk in
turns, outputs stay where they are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tpsgd_edge.memory.scratch import Role, scratch_of
from tpsgd_edge.memory.state import StateLayout, state_layout
from tpsgd_edge.memory.stream import StreamBuffer, stream_of
from tpsgd_edge.quantize.model import (
    DTYPES,
    QuantizedModel,
    ValueType,
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One stage of a schedule.

    After one that `gates`, the rest of its part runs only with the gate open.
    """

    kind: Literal["forward", "recall", "learn", "backward"]
    layer: int
    gates: bool = False


@dataclass(frozen=True, slots=True)
class Buffer:
    """An array in the arena.

    Attributes:
        role: y (outputs of a layer), e (their errors; of a dense layer then its steps), v (scores
            that it carries on), or that of a `Scratch`.
        lives: inclusive intervals of stages.
    """

    name: str
    layer: str
    role: Role
    type: ValueType | Literal["s32"]
    count: int
    lives: tuple[tuple[int, int], ...]
    offset: int = 0

    @property
    def n_bytes(self) -> int:
        """Size in bytes."""
        return self.count * DTYPES[self.type].itemsize

    @property
    def align(self) -> int:
        """Its offset is a multiple of this. Patches are read by words."""
        return 4 if self.role == "p" else DTYPES[self.type].itemsize

    @property
    def end(self) -> int:
        """First byte behind the buffer."""
        return self.offset + self.n_bytes


@dataclass(frozen=True, slots=True)
class ArenaPlan:
    """Buffers with offsets, in the order of the network, and the arena's size in bytes.

    The schedule has three parts: `n_step` stages of one step of a walk, `n_teach` of its
    learning in the middle of a sequence, and the rest.
    """

    schedule: tuple[Operation, ...]
    buffers: tuple[Buffer, ...]
    size: int
    n_step: int = 0
    n_teach: int = 0

    @property
    def parts(self) -> tuple[tuple[Operation, ...], ...]:
        """The three parts of the schedule."""
        end = self.n_step + self.n_teach
        return self.schedule[: self.n_step], self.schedule[self.n_step : end], self.schedule[end:]

    def find(self, layer: str, role: str) -> Buffer:
        """The buffer of a layer in a role."""
        return next(b for b in self.buffers if b.layer == layer and b.role == role)


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The state struct, and the arena of a project that trains and of one that only predicts.

    `stream` holds what lasts as long as a sequence.
    """

    state: StateLayout
    inference: ArenaPlan
    training: ArenaPlan
    stream: tuple[StreamBuffer, ...] = ()

    @property
    def n_bytes(self) -> int:
        """RAM of the model: state, training arena and streams, without the stack."""
        return self.state.size + self.training.size + sum(part.n_bytes for part in self.stream)


def plan_memory(model: QuantizedModel) -> MemoryPlan:
    """The memory plan of the model.

    With an error gate the network's answer must be known before the hidden layers learn. Their
    outputs are then kept if the arena grows by no more than 4 bytes for each unit of the widest
    layer, and computed a second time where that takes less.
    """
    inference = _plan(model, (), _answer(model))
    affordable = inference.size + 4 * max((layer.n_out for layer in model.weighted), default=0)
    training = min(
        (_plan(model, _teach(model), rest) for rest in _learning(model)),
        key=lambda plan: (max(0, plan.size - affordable), len(plan.schedule)),
    )
    return MemoryPlan(state_layout(model), inference, training, tuple(stream_of(model)))


def _one_step(model: QuantizedModel) -> tuple[Operation, ...]:
    return tuple(Operation("forward", i) for i in range(len(model.walk)))


def _answer(model: QuantizedModel) -> tuple[Operation, ...]:
    """Stages that compute the outputs, behind the walk along a sequence."""
    walk = len(model.walk)
    recall = [Operation("recall", walk - 1)] if walk else []
    return (*recall, *(Operation("forward", i) for i in range(walk, len(model.layers))))


def _teach(model: QuantizedModel) -> tuple[Operation, ...]:
    """Learning of the layers that walk alone."""
    if model.labels.each_step or len(model.learning_steps) == 1:
        return ()
    learning = tuple(_make_and_learn(model, len(model.walk)))
    return (*_gated_answer(model), *learning) if model.has_error_gate else learning


def _gated_answer(model: QuantizedModel) -> tuple[Operation, ...]:
    *before, last = _answer(model)
    return (*before, replace(last, gates=True))


def _learning(model: QuantizedModel) -> Iterator[tuple[Operation, ...]]:
    """Learning of all layers, in the ways that there are."""
    last = len(model.layers) - 1
    if not model.has_error_gate:
        yield tuple(_make_and_learn(model, last + 1))
        return
    answer = _gated_answer(model)
    if _learns(model, last):
        answer = (*_answer(model), Operation("learn", last, gates=True))
    walk = len(model.walk)
    kept = (Operation("learn", i) for i in range(walk, last) if _learns(model, i))
    yield (*answer, *_make_and_learn(model, walk), *kept)
    again = list(_make_and_learn(model, last))
    while again and again[-1].kind != "learn":
        again.pop()  # Nothing that learns comes after it.
    yield (*answer, *again)


def _make_and_learn(model: QuantizedModel, count: int) -> Iterator[Operation]:
    """The outputs of each of the first layers, and its learning at once, with all of its block.

    Each stage of a block makes the errors of the layer below.
    """
    for layer in range(count):
        if _is_made(model, layer, count):
            yield Operation("recall" if layer < len(model.walk) else "forward", layer)
        if _learns_in_turn(model, layer):
            for index in model.way_down(layer):
                yield Operation("learn" if _learns(model, index) else "backward", index)


def _is_made(model: QuantizedModel, layer: int, count: int) -> bool:
    """Tell whether a layer's outputs have to be made for the first `count` layers to learn."""
    last = len(model.walk) - 1
    if layer < last:
        return not model.walks_in_turns  # Else they are kept.
    # Nothing among these layers reads what the last memory of a walk hands on.
    is_memory = model.layers[layer].kind == "memory"
    return not (layer == last and count == last + 1 and is_memory)


def _learns(model: QuantizedModel, index: int) -> bool:
    return model.layers[index].trains


def _learns_in_turn(model: QuantizedModel, index: int) -> bool:
    """Tell whether a layer learns when its turn comes, not from what another passes to it."""
    own = model.layers[index].loss_layer
    return _learns(model, index) and (own is None or not own.loss.is_passed)


# Greedy placement is optimal in none of these orders, but seldom far from it in the best of them.
_ORDERS: tuple[Callable[[Buffer], int], ...] = (
    lambda buffer: -buffer.n_bytes,
    lambda buffer: -buffer.lives[-1][1],
    lambda buffer: -buffer.n_bytes * sum(end - start + 1 for start, end in buffer.lives),
)


def _plan(
    model: QuantizedModel, teach: tuple[Operation, ...], rest: tuple[Operation, ...]
) -> ArenaPlan:
    step = _one_step(model)
    schedule = (*step, *teach, *rest)
    buffers = list(_buffers(model, schedule))
    order = {buffer.name: position for position, buffer in enumerate(buffers)}
    # By size among equals: the sort is stable.
    largest_first = sorted(buffers, key=_ORDERS[0])
    placed = min(
        (_place(sorted(largest_first, key=key)) for key in _ORDERS),
        key=lambda placed: max(buffer.end for buffer in placed),
    )
    placed.sort(key=lambda buffer: order[buffer.name])
    size = max(buffer.end for buffer in placed)
    return ArenaPlan(schedule, tuple(placed), -(-size // 4) * 4, len(step), len(teach))


def _place(buffers: Sequence[Buffer]) -> list[Buffer]:
    """The buffers one after the other, each at the lowest offset that is free while it lives."""
    placed: list[Buffer] = []
    for buffer in buffers:
        placed.append(replace(buffer, offset=_lowest_offset(buffer, placed)))
    return placed


def _buffers(model: QuantizedModel, schedule: tuple[Operation, ...]) -> Iterator[Buffer]:
    passed = {index for way in model.ways_down for index in way[1:]}
    for index, layer in enumerate(model.layers):
        lives = tuple(_lives(model, schedule, index))
        yield Buffer(f"{layer.name}_y", layer.name, "y", layer.y_type, layer.y_count, lives)
        carries = layer.name in model.carrying
        if carries:
            yield _scores_buffer(model, schedule, index)
        for scratch in scratch_of(
            layer, model.labels.count, carries=carries, winner_type=model.winner_type
        ):
            works = tuple(t for use in scratch.uses for t in _times(schedule, index, use))
            if works:
                name = f"{layer.name}_{scratch.role}"
                yield Buffer(name, layer.name, scratch.role, scratch.type, scratch.count, works)
        if index in passed:
            yield from _error_buffers(model, schedule, index)


def _scores_buffer(model: QuantizedModel, schedule: tuple[Operation, ...], index: int) -> Buffer:
    """Scores of all layers so far, for the layer's own error and for the next one that adds."""
    layer, carrying = model.layers[index], model.carrying
    place = carrying.index(layer.name) + 1
    following = carrying[place] if place < len(carrying) else model.last.name
    readers = {("learn", layer.name), ("forward", following)}
    uses = [(stage.kind, model.layers[stage.layer].name) in readers for stage in schedule]
    written = [t for t, s in enumerate(schedule) if (s.kind, s.layer) == ("forward", index)]
    lives = tuple(
        (start, max((t for t in range(start, end) if uses[t]), default=start))
        for start, end in zip(written, [*written[1:], len(schedule)], strict=True)
    )
    name, count = f"{layer.name}_v", model.labels.count
    return Buffer(name, layer.name, "v", model.output_type, count, lives)


def _error_buffers(
    model: QuantizedModel, schedule: tuple[Operation, ...], index: int
) -> Iterator[Buffer]:
    """Errors from the layer above, from its stage to this layer's own."""
    layer, type_ = model.layers[index], model.last.error_type
    for t, stage in enumerate(schedule):
        if stage.layer == index and stage.kind in ("learn", "backward"):
            made = max(s for s in range(t) if _hands_to(model, schedule[s], index))
            lives = ((made, t),)
            own = layer.loss_layer
            count = layer.y_count if own is None else own.n_target
            yield Buffer(f"{layer.name}_e", layer.name, "e", type_, count, lives)


def _hands_to(model: QuantizedModel, stage: Operation, index: int) -> bool:
    """Tell whether a stage makes the errors of a layer's outputs."""
    return stage.kind in ("learn", "backward") and model.errors_go_to(stage.layer) == index


def _times(
    schedule: tuple[Operation, ...], layer: int, kind: Literal["forward", "learn"]
) -> tuple[tuple[int, int], ...]:
    return tuple((t, t) for t, s in enumerate(schedule) if (s.kind, s.layer) == (kind, layer))


def _lives(
    model: QuantizedModel, schedule: tuple[Operation, ...], layer: int
) -> Iterator[tuple[int, int]]:
    """Intervals from each stage that makes the layer's outputs to their last use."""
    makes = ("forward", "recall")
    written = [t for t, s in enumerate(schedule) if s.layer == layer and s.kind in makes]
    is_last = layer == len(model.layers) - 1
    if (is_last and model.walk) or (model.walks_in_turns and layer < len(model.walk) - 1):
        # Steps and learning on the way leave the latest outputs readable too.
        yield 0, len(schedule) - 1
        return
    for start, following in zip(written, [*written[1:], len(schedule)], strict=True):
        uses = [t for t in range(start, following) if _reads(model, schedule[t], layer)]
        # The last outputs stay readable after the step.
        yield start, len(schedule) - 1 if is_last else max(uses, default=start)


def _reads(model: QuantizedModel, stage: Operation, layer: int) -> bool:
    if stage.layer == layer:
        return stage.kind in ("learn", "backward")
    if layer not in model.edges.producers_of(model.layers[stage.layer].name):
        return False
    # A recurrent layer learns from its trace.
    walks = stage.layer < len(model.walk)
    return stage.kind == "forward" or not walks


def _lowest_offset(buffer: Buffer, placed: Sequence[Buffer]) -> int:
    conflicts = sorted((b for b in placed if _conflict(buffer, b)), key=lambda b: b.offset)
    offset = 0
    for other in conflicts:
        if offset + buffer.n_bytes <= other.offset:
            break
        offset = max(offset, -(-other.end // buffer.align) * buffer.align)
    return offset


def _conflict(a: Buffer, b: Buffer) -> bool:
    overlap = any(s <= end and start <= e for s, e in a.lives for start, end in b.lives)
    # Types of 2 and 4 bytes never share memory: an optimizer may assume that they do not alias.
    sizes = {DTYPES[a.type].itemsize, DTYPES[b.type].itemsize}
    return overlap or sizes == {2, 4}
