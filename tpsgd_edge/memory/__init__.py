"""Layout of RAM: the state struct, and an arena for what lives within a step."""

from tpsgd_edge.memory.identity import model_id, model_id_text
from tpsgd_edge.memory.plan import (
    ArenaPlan,
    Buffer,
    MemoryPlan,
    Operation,
    plan_memory,
)
from tpsgd_edge.memory.state import StateLayout, StateTensor, digest_order, state_layout
from tpsgd_edge.memory.stream import StreamBuffer

__all__ = [
    "ArenaPlan",
    "Buffer",
    "MemoryPlan",
    "Operation",
    "StateLayout",
    "StateTensor",
    "StreamBuffer",
    "digest_order",
    "model_id",
    "model_id_text",
    "plan_memory",
    "state_layout",
]
