"""Checkpoints: which bytes of the state struct they hold, and what a linker sees of their code."""

from dataclasses import dataclass

from tpsgd_edge.memory import MemoryPlan
from tpsgd_edge.memory.checkpoint import OVERHEAD

SLOT_FUNCTIONS = (
    "tps_slot_block",
    "tps_slot_is_erased",
    "tps_slot_is_whole",
    "tps_slot_offset",
    "tps_slot_read_header",
    "tps_slots_divide",
)
STORE_FUNCTIONS = ("tps_store_load", "tps_store_save", "tps_store_seal")


@dataclass(frozen=True, slots=True)
class StoreView:
    """The checkpoint of a model.

    Attributes:
        state_bytes: of the state struct, without the padding that some compilers add at its end.
        bytes: of a checkpoint.
    """

    state_bytes: int
    bytes: int


def store_view(plan: MemoryPlan) -> StoreView:
    """The checkpoint of a memory plan."""
    used = plan.state.used_bytes
    return StoreView(used, used + OVERHEAD)
