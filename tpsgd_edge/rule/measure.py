"""What one training step costs in torch: multiply-accumulates and bytes, both counted by torch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function
from torch.utils.flop_counter import FlopCounterMode

from tpsgd_edge.rule.network import FloatNetwork

AfterEpoch = Callable[[int, FloatNetwork], None]

# What torch calls an allocation.
_MEMORY = "[memory]"
_MARK = "the second step begins"


@dataclass(frozen=True, slots=True)
class StepCost:
    """Of one step of a whole batch.

    Attributes:
        macs: multiply-accumulates of matrix products and convolutions; products of single values,
            such as those with f'(z), are not counted.
        peak_bytes: the most that torch had allocated at once: weights, fixed matrices, the batch
            and all that the step makes of it.
    """

    macs: int
    peak_bytes: int


def step_cost(train: Callable[[AfterEpoch], object], *, data_bytes: int = 0) -> StepCost:
    """What the second of two steps costs.

    Args:
        train: trains two epochs of one batch, and calls what it is given after each.
        data_bytes: of the data set that it holds besides, which is not of the step.
    """
    with FlopCounterMode(display=False) as counter:
        train(lambda epoch, net: None)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        train(_mark)
    return StepCost(counter.get_total_flops() // 4, _peak(profiled) - data_bytes)


def one_thread() -> None:
    """Sums have one order then, and processes do not take each other's cores."""
    torch.set_num_threads(1)


def _mark(epoch: int, net: FloatNetwork) -> None:
    if epoch == 1:
        with record_function(_MARK):
            pass


def _peak(profiled: profile) -> int:
    alive = peak = 0
    is_marked = False
    for name, allocated in _events(profiled):
        if name == _MARK:
            is_marked, peak = True, alive
        alive += allocated
        peak = max(peak, alive)
    if not is_marked:
        raise RuntimeError("torch's profiler has lost the beginning of the step")
    return peak


def _events(profiled: profile) -> Iterator[tuple[str, int]]:
    """The mark and all allocations, freed memory as negative bytes, in the order of time."""
    inner: Any = profiled.profiler
    chosen = [e for e in inner.kineto_results.events() if e.name() in (_MEMORY, _MARK)]
    for event in sorted(chosen, key=lambda event: event.start_ns()):
        yield event.name(), event.nbytes() if event.name() == _MEMORY else 0
