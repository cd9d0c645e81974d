"""Exact instruction counts of a training step and of an inference, on an emulated core.

Every executed block of code is counted with the instructions it holds. An instruction that an IT
block skips counts too: the core takes it up, and spends a cycle on it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.interface import Array, ModelInterface
from tpsgd_edge.toolchain.protocol import StreamDevice
from tpsgd_edge.toolchain.unicorn_link import UnicornLink, import_unicorn

# What the breakdown calls everything that no layer's kernel does.
MODEL = "model"
_TIMEOUT = 600.0


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
) -> Counts:
    """Count the instructions of an inference, then of a training step, on each of some samples.

    Args:
        state: of the model before the first sample; the initial one where not given. A trained
            model updates fewer units than a fresh one.

    Raises:
        ToolError: unicorn is not installed, or has no model of the platform.
    """
    link = UnicornLink(binary, timeout=_TIMEOUT, pausing=False)
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


def _counted(
    link: UnicornLink, interface: ModelInterface, function: str, run: Callable[[], object]
) -> Count:
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


# Executions of each block, by address and size.
_Blocks = defaultdict[tuple[int, int], int]


class _Counter:
    """Counts blocks between entry and return of one function, apart for each layer."""

    def __init__(self, link: UnicornLink, entry: int, layers: Mapping[int, str]) -> None:
        self._link = link
        self._entry = entry
        self._layers = layers
        self._functions = {s.address for s in link.elf.symbols if s.is_function}
        self._runs = 0
        # Kernels at work, as (layer, return address); at the bottom the counted function itself.
        self._calls: list[tuple[str, int]] = []
        # Where the layer may change: entries of functions, and addresses that calls return to.
        self._turns = set(self._functions)
        self._blocks: dict[str, _Blocks] = {}
        self._outside: _Blocks = defaultdict(int)
        self._current = self._outside

    def on_block(self, uc: object, address: int, size: int, data: object) -> None:
        """A block of `size` bytes at `address` is about to run."""
        # Called millions of times.
        if address in self._turns:
            self._turn(address)
        self._current[address, size] += 1

    def count(self) -> Count:
        """What has been counted."""
        if self._calls:
            raise ToolError("a counted function did not return")
        by_layer: Counter[str] = Counter()
        by_function: Counter[str] = Counter()
        for layer, blocks in self._blocks.items():
            for (address, size), executions in blocks.items():
                instructions = executions * self._link.instructions(address, size)
                by_layer[layer] += instructions
                by_function[self._link.elf.function_at(address)] += instructions
        return Count(self._runs, by_layer.total(), dict(by_layer), dict(by_function.most_common()))

    def _turn(self, address: int) -> None:
        """Follow calls and returns, as far as they change what is counted."""
        while self._calls and self._calls[-1][1] == address:
            self._calls.pop()
        if address == self._entry and not self._calls:
            self._runs += 1
            self._call(MODEL)
        elif self._calls and address in self._functions:
            layer = self._layers.get(self._link.argument())
            if layer is not None:
                self._call(layer)
        if self._calls:
            self._current = self._blocks.setdefault(self._calls[-1][0], defaultdict(int))
        else:
            self._current = self._outside

    def _call(self, layer: str) -> None:
        end = self._link.return_address()
        self._calls.append((layer, end))
        self._turns.add(end)
