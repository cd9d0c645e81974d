"""Exact instruction counts of a training step and of an inference, on an emulated core.

Every executed block of code is counted with the instructions it holds. An instruction that an IT
block skips counts too: the core takes it up, and spends a cycle on it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.interface import Array, ModelInterface
from tpsgd_edge.toolchain.protocol import StreamDevice
from tpsgd_edge.toolchain.unicorn_link import UnicornLink, import_unicorn

# What the breakdown calls everything that no layer's kernel does.
MODEL = "model"


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions of some runs of one function of the model, everything it calls included.

    Attributes:
        by_layer: layer name -> instructions in kernels that were called for this layer; the rest is
            under "model". Sums to `total`.
        by_function: symbol -> instructions in the function itself. Sums to `total`.
    """

    runs: int
    total: int
    by_layer: Mapping[str, int]
    by_function: Mapping[str, int]

    @property
    def per_run(self) -> int:
        """Instructions of one run: the mean, rounded."""
        return round(self.total / self.runs) if self.runs else 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What training steps and inferences took; `step` is None for firmware that only predicts."""

    step: Count | None
    inference: Count


def count_instructions(
    binary: Binary,
    interface: ModelInterface,
    x: Array,
    labels: Array,
    *,
    state: bytes | None = None,
    timeout: float = 600.0,
) -> Counts:
    """Count the instructions of an inference, then of a training step, on each of some samples.

    Args:
        state: of the model before the first sample; the initial one where not given. A trained
            model updates fewer units than a fresh one.

    Raises:
        ToolError: unicorn is not installed, or has no model of the platform.
    """
    link = UnicornLink(binary, timeout=timeout)
    with StreamDevice(link, interface) as device:
        if state is not None:
            device.load_state(state)
        inference = _counted(link, interface, f"{binary.name}_outputs", lambda: device.outputs(x))
        if binary.inference_only:
            return Counts(None, inference)
        step = _counted(
            link, interface, f"{binary.name}_train_step", lambda: device.train(x, labels)
        )
    return Counts(step, inference)


def _counted(link: UnicornLink, interface: ModelInterface, function: str, run: Any) -> Count:
    entry = link.elf.find(function).address
    counter = _Counter(link, entry, _layer_addresses(link, interface.layers))
    hook = link.uc.hook_add(import_unicorn().UC_HOOK_BLOCK, counter.on_block)
    try:
        run()
    finally:
        link.uc.hook_del(hook)
    return counter.count()


def _layer_addresses(link: UnicornLink, layers: Sequence[str]) -> dict[int, str]:
    """Address of each layer's constant struct -> layer name."""
    names = {f"{layer}_layer": layer for layer in layers}
    return {s.address: names[s.name] for s in link.elf.symbols if s.name in names}


@dataclass(slots=True)
class _Call:
    """A kernel at work for a layer, until the core comes to `end`."""

    layer: str
    end: int


class _Counter:
    """Adds up blocks between entry and return of one function."""

    def __init__(self, link: UnicornLink, entry: int, layers: Mapping[int, str]) -> None:
        self._link = link
        self._entry = entry
        self._layers = layers
        self._functions = {s.address for s in link.elf.symbols if s.is_function} - {entry}
        self._lengths: dict[tuple[int, int], int] = {}
        self._end: int | None = None  # where the function returns to, while it runs
        self._calls: list[_Call] = []
        self._runs = 0
        self._by_block: Counter[int] = Counter()
        self._by_layer: Counter[str] = Counter()

    def on_block(self, uc: object, address: int, size: int, data: object) -> None:
        """A block of `size` bytes at `address` is about to run."""
        if self._end is None:
            if address != self._entry:
                return
            self._end = self._link.return_address()
            self._runs += 1
        elif address == self._end:
            self._end = None
            self._calls.clear()
            return
        length = self._lengths.get((address, size))
        if length is None:
            length = self._lengths[address, size] = self._link.instructions(address, size)
        while self._calls and self._calls[-1].end == address:
            self._calls.pop()
        if address in self._functions:
            self._enter()
        self._by_block[address] += length
        self._by_layer[self._calls[-1].layer if self._calls else MODEL] += length

    def count(self) -> Count:
        """What has been counted."""
        if self._end is not None:
            raise ToolError("a counted function did not return")
        by_function: Counter[str] = Counter()
        for address, length in self._by_block.items():
            by_function[self._link.elf.function_at(address)] += length
        total = self._by_block.total()
        return Count(self._runs, total, dict(self._by_layer), dict(by_function.most_common()))

    def _enter(self) -> None:
        """A function is entered: a kernel where its first argument is a layer."""
        layer = self._layers.get(self._link.argument())
        if layer is not None:
            self._calls.append(_Call(layer, self._link.return_address()))
