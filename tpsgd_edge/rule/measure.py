"""Cost of one training step in torch: multiply-accumulates, and bytes of tensors alive.

Both are counted while the step runs, by watching every operation that torch carries out.
"""

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from tpsgd_edge.rule.network import FloatNetwork

AfterEpoch = Callable[[int, FloatNetwork], None]


@dataclass(frozen=True, slots=True)
class StepCost:
    """Cost of one step of a whole batch.

    Attributes:
        macs: multiply-accumulates of matrix products and convolutions; products of single values,
            such as those with f'(z), are not counted.
        peak_bytes: the most bytes of tensors alive at once: weights, fixed matrices, the batch and
            all that the step makes of it. What a library uses inside one operation, and may use
            otherwise on another machine, is not in it.
    """

    macs: int
    peak_bytes: int


def step_cost(train: Callable[[AfterEpoch], object], *, data_bytes: int = 0) -> StepCost:
    """Measure the second of two steps.

    Args:
        train: trains two epochs of one batch, and calls what it is given after each.
        data_bytes: of the data set that it holds besides, which is not of the step.
    """
    watch = _TensorsAlive()
    with FlopCounterMode(display=False) as counter, watch:
        train(lambda epoch, net: watch.begin())
    return StepCost(counter.get_total_flops() // 4, watch.peaks[1] - data_bytes)


def one_thread() -> None:
    """Sums have one order then, and processes do not take each other's cores."""
    torch.set_num_threads(1)


class _TensorsAlive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes of the memory behind all tensors that operations have made and that still exist.

    Attributes:
        peaks: the most bytes between one call of `begin` and the next.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peaks: list[int] = []
        self._sizes: dict[int, int] = {}
        self._watchers: dict[int, weakref.ref[Any]] = {}
        self._alive = self._peak = 0

    def begin(self) -> None:
        """Keep the peak until now, and begin a new one."""
        self.peaks.append(self._peak)
        self._peak = self._alive

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, Tensor):
                self._watch(leaf.untyped_storage())
        self._peak = max(self._peak, self._alive)
        return made

    def _watch(self, storage: torch.UntypedStorage) -> None:
        place = storage._cdata
        if place in self._sizes or storage.nbytes() == 0:
            return
        self._sizes[place] = storage.nbytes()
        self._alive += storage.nbytes()
        self._watchers[place] = weakref.ref(storage, lambda _: self._forget(place))

    def _forget(self, place: int) -> None:
        self._alive -= self._sizes.pop(place)
        del self._watchers[place]
