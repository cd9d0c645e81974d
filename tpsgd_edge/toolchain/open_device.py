"""Opens a binary where it runs: in this process, as a process, or on an emulated core."""

from collections.abc import Callable, Mapping
from typing import Literal, get_args

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.host_device import HostDevice
from tpsgd_edge.toolchain.interface import ModelInterface
from tpsgd_edge.toolchain.node_link import NodeLink, node_command
from tpsgd_edge.toolchain.platforms import Platform
from tpsgd_edge.toolchain.process_link import ProcessLink
from tpsgd_edge.toolchain.protocol import Link, StreamDevice
from tpsgd_edge.toolchain.qemu_link import QemuLink, qemu_command
from tpsgd_edge.toolchain.simavr_link import SimavrLink, check_simavr
from tpsgd_edge.toolchain.unicorn_link import UnicornLink, import_unicorn

Emulator = Literal["unicorn", "qemu", "node", "simavr"]
_EMULATORS: tuple[Emulator, ...] = get_args(Emulator)
EmulatorChoice = Literal["auto", "unicorn", "qemu", "node", "simavr"]
# Multiply-accumulates from which on QEMU makes up for its start.
_LONG_WORK = 2_000_000


def open_device(
    binary: Binary,
    interface: ModelInterface,
    *,
    emulator: EmulatorChoice = "auto",
    timeout: float = 600.0,
) -> Device:
    """The model of a binary, initialised.

    Args:
        emulator: for firmware; "auto" is the platform's first choice that is installed.
        timeout: seconds that one call may take before it counts as hung.

    Raises:
        ToolError: no emulator, or the binary does not start or belongs to another model.
    """
    if binary.kind == "library":
        return HostDevice(binary.path, interface)
    if binary.kind == "program":
        return StreamDevice(ProcessLink(str(binary.path.resolve()), timeout=timeout), interface)
    if emulator == "auto":
        emulator = find_emulator(binary.platform)
    return StreamDevice(_LINKS[emulator](binary, timeout), interface)


def find_emulator(platform: Platform) -> Emulator:
    """The first choice for a platform that is installed.

    Raises:
        ToolError: none is; it says how to get one.
    """
    missing: ToolError | None = None
    for name in (name for name in _EMULATORS if name in platform.emulators):
        try:
            _LOOKS[name](platform)
            return name
        except ToolError as error:
            missing = missing or error
    raise missing or ToolError(f"no emulator runs {platform.title}")


def quickest_emulator(platform: Platform, work: int) -> Emulator:
    """The emulator that is soonest done with some work; `find_emulator` where there is no choice.

    QEMU runs long stretches of code two and a half times as fast as unicorn, and starts later.

    Args:
        work: multiply-accumulates of all that it is to run.

    Raises:
        ToolError: none is installed.
    """
    first = find_emulator(platform)
    if first != "unicorn" or "qemu" not in platform.emulators or work < _LONG_WORK:
        return first
    try:
        _LOOKS["qemu"](platform)
    except ToolError:
        return first
    return "qemu"


def can_emulate(platform: Platform) -> bool:
    """Tell whether an emulator for a platform is installed."""
    try:
        find_emulator(platform)
    except ToolError:
        return False
    return True


def emulator_title(emulator: Emulator) -> str:
    """Name of an emulator, with its version where the package says one."""
    if emulator == "unicorn":
        return f"unicorn {import_unicorn().__version__}"
    return "QEMU" if emulator == "qemu" else emulator


_LINKS: Mapping[Emulator, Callable[[Binary, float], Link]] = {
    "unicorn": lambda binary, timeout: UnicornLink(binary, timeout=timeout),
    "qemu": lambda binary, timeout: QemuLink(binary, timeout=timeout),
    "node": lambda binary, timeout: NodeLink(binary, timeout=timeout),
    "simavr": lambda binary, timeout: SimavrLink(binary, timeout=timeout),
}
# Each of them raises ToolError where its emulator is missing.
_LOOKS: Mapping[Emulator, Callable[[Platform], object]] = {
    "unicorn": lambda _: import_unicorn(),
    "qemu": qemu_command,
    "node": lambda _: node_command(),
    "simavr": lambda _: check_simavr(),
}
