"""Counts what a core in unicorn executes, by a hook on every block of code."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.executed import MODEL, Block, Executed, instructions_in
from tpsgd_edge.toolchain.interface import ModelInterface
from tpsgd_edge.toolchain.protocol import StreamDevice
from tpsgd_edge.toolchain.unicorn_link import UnicornLink, import_unicorn


def run_in_unicorn(
    binary: Binary,
    interface: ModelInterface,
    function: str,
    run: Callable[[Device], object],
    *,
    timeout: float,
) -> Executed:
    """Blocks that `function` executed while `run` used a new device.

    Raises:
        ToolError: unicorn is not installed, or has no model of the platform.
    """
    link = UnicornLink(binary, timeout=timeout, pausing=False)
    names = {f"{layer}_layer": layer for layer in interface.layers}
    # Kernels of a layer that is made of several get the address of a part of its struct.
    layers = {
        place: names[s.name]
        for s in link.elf.symbols
        if s.name in names
        for place in range(s.address, s.address + s.size)
    }
    counter = _Counter(link, link.elf.find(function).address, layers)
    with StreamDevice(link, interface) as device:
        link.uc.hook_add(import_unicorn().UC_HOOK_BLOCK, counter.on_block)
        run(device)
        return counter.executed()


class _Counter:
    """Counts blocks between entry and return of one function, apart for each layer.

    A kernel whose first argument is a layer's struct, or a part of it, works for this layer.
    """

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
        self._blocks: dict[str, defaultdict[Block, int]] = {}
        self._outside: defaultdict[Block, int] = defaultdict(int)
        self._fell_through: defaultdict[Block, int] = defaultdict(int)
        self._current = self._outside
        self._latest = (0, 0)

    def on_block(self, uc: object, address: int, size: int, data: object) -> None:
        """A block of `size` bytes at `address` is about to run."""
        # Called millions of times.
        if address in self._turns:
            self._turn(address)
        latest = self._latest
        if latest[0] + latest[1] == address:
            self._fell_through[latest] += 1
        self._latest = block = (address, size)
        self._current[block] += 1

    def executed(self) -> Executed:
        """Return what has been counted.

        Raises:
            ToolError: a counted function did not return.
        """
        if self._calls:
            raise ToolError("a counted function did not return")
        total: Counter[Block] = Counter()
        by_layer = {}
        for layer, blocks in self._blocks.items():
            total.update(blocks)
            by_layer[layer] = sum(n * self._instructions(block) for block, n in blocks.items())
        fell_through = {block: self._fell_through[block] for block in total}
        return Executed(self._runs, dict(total), fell_through, by_layer)

    def _instructions(self, block: Block) -> int:
        return instructions_in(self._link.elf.code(*block), self._link.arch)

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
