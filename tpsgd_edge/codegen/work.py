"""The struct that calls work in: the arena, and what recurrent layers keep from step to step."""

from dataclasses import dataclass

from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.memory import ArenaPlan, MemoryPlan


@dataclass(frozen=True, slots=True)
class BufferView:
    """A member of the arena, or of the stream: an array, `skip` bytes behind its start."""

    name: str
    c_type: str
    count: int
    skip: int = 0


@dataclass(frozen=True, slots=True)
class ArenaView:
    """Members of the arena union, and the bytes of the work that it is part of."""

    size: int
    buffers: tuple[BufferView, ...]
    work_bytes: int

    @property
    def words(self) -> int:
        """Its size in words of 32 bits, which align it."""
        return self.size // 4


@dataclass(frozen=True, slots=True)
class WorkView:
    """The arena of a project that trains, and of one that only predicts; bytes of the model."""

    training: ArenaView
    inference: ArenaView
    model_bytes: int


def work_view(plan: MemoryPlan) -> WorkView:
    """The work of a memory plan."""
    stream = sum(b.n_bytes for b in plan.stream)
    traces = sum(b.n_bytes for b in plan.stream if b.role == "trace")
    return WorkView(
        training=_arena_view(plan.training, stream),
        inference=_arena_view(plan.inference, stream - traces),
        model_bytes=plan.state.size,
    )


def _arena_view(plan: ArenaPlan, stream: int) -> ArenaView:
    buffers = tuple(BufferView(b.name, C_TYPES[b.type], b.count, b.offset) for b in plan.buffers)
    return ArenaView(plan.size, buffers, plan.size + -(-stream // 4) * 4)
