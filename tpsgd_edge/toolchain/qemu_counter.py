"""Counts what a core in QEMU executes, by a plugin of this project (firmware/host/count.c).

QEMU's other ways to count do not do: its cycle counter reads 0, and its timers run coarsely.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.elf import Elf, read_elf
from tpsgd_edge.toolchain.executed import MODEL, Block, Executed
from tpsgd_edge.toolchain.interface import ModelInterface
from tpsgd_edge.toolchain.platforms import Platform, load_platform
from tpsgd_edge.toolchain.process import run_tool
from tpsgd_edge.toolchain.programs import compile_plugin
from tpsgd_edge.toolchain.protocol import StreamDevice
from tpsgd_edge.toolchain.qemu_link import QemuLink, qemu_command
from tpsgd_edge.toolchain.scratch import scratch_folder

# Where the harness lies (firmware/port/link.ld.in). Nothing that is counted runs there.
_HARNESS = ".port_text"


def run_in_qemu(
    binary: Binary,
    interface: ModelInterface,
    function: str,
    run: Callable[[Device], object],
    *,
    timeout: float,
) -> Executed:
    """Blocks that `function` executed while `run` used a new device.

    Raises:
        ToolError: QEMU does not run the platform, is missing or takes no plugins, or there is no
            compiler of this computer to build the plugin with.
    """
    check_plugins(binary.platform)
    compiler = find_compiler(load_platform("host"))
    source = firmware_dir() / "host" / "count.c"
    plugin = compile_plugin(source, compiler, build_dir=binary.path.parent)
    with scratch_folder() as folder:
        plan, out = folder / "plan.txt", folder / "counts.txt"
        write_plan(plan, read_elf(binary.path), function, interface.layers)
        arguments = ("-plugin", f"{plugin.resolve()},plan={plan},out={out}")
        link = QemuLink(binary, timeout=timeout, arguments=arguments)
        with StreamDevice(link, interface) as device:
            run(device)
        return counted_in(out.read_text(encoding="utf-8"), interface.layers)


def check_plugins(platform: Platform) -> None:
    """Check that QEMU is there and was built to take plugins.

    Raises:
        ToolError: it is not, or was not.
    """
    program, *_ = qemu_command(platform)
    said = run_tool([program, "--help"], purpose="asking QEMU for its options", timeout=60)
    if "-plugin " not in said:
        raise ToolError(
            "this QEMU takes no plugins, and without one it cannot count",
            where=program,
            help="install one that was configured with --enable-plugins, such as Debian's",
        )


def write_plan(path: Path, elf: Elf, function: str, layers: Sequence[str]) -> None:
    """Write what count.c and simavr.c count: a function, told apart by the layers it works for.

    Raises:
        ToolError: the binary has no such function.
    """
    text = "".join(f"{line}\n" for line in _plan(elf, function, layers))
    path.write_text(text, encoding="utf-8")


def _plan(elf: Elf, function: str, layers: Sequence[str]) -> Iterator[str]:
    entry = elf.find(function)
    yield _range("entry", entry.address, entry.size)
    yield _range("outside", elf.places[_HARNESS], elf.sections[_HARNESS])
    functions = sorted({s.address for s in elf.symbols if s.is_function})
    # Functions in assembly may have no size: each lasts until the next one.
    for address, end in zip(functions, [*functions[1:], functions[-1] + 1], strict=True):
        yield _range("function", address, end - address)
    for layer in layers:
        # A pool has no constants.
        found = [s for s in elf.symbols if s.name == f"{layer}_layer"]
        yield _range("layer", *((found[0].address, found[0].size) if found else (0, 0)))


def _range(kind: str, start: int, size: int) -> str:
    return f"{kind} {start:x} {start + size:x}"


def counted_in(text: str, layers: Sequence[str]) -> Executed:
    """Read what an emulator counted."""
    runs = cycles = 0
    blocks: Counter[Block] = Counter()
    fell_through: Counter[Block] = Counter()
    by_layer: Counter[str] = Counter()
    for line in text.splitlines():
        kind, *words = line.split()
        if kind == "runs":
            runs += int(words[0])
        elif kind == "cycles":
            cycles += int(words[0])
        elif kind == "layer":
            index, count = int(words[0]), int(words[1])
            by_layer[MODEL if index < 0 else layers[index]] += count
        else:
            block = (int(words[0], 16), int(words[1]))
            blocks[block] += int(words[2])
            fell_through[block] += int(words[3])
    named = {name: count for name, count in by_layer.items() if count}
    return Executed(runs, blocks, fell_through, named, cycles or None)
