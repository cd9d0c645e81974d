"""Platforms: flags, memory and emulators of each core, one TOML file each in platforms/."""

import difflib
import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.errors import SpecError
from tpsgd_edge.toolchain.cycles import Timing
from tpsgd_edge.toolchain.platform_file import (
    FAMILIES,
    Arch,
    CompilerKeys,
    Family,
    MemoryKeys,
    QemuKeys,
    RegionKeys,
    read_platform_file,
)

_FOLDER = Path(__file__).resolve().parent / "platforms"
_CORE_FILES = (
    "tps_port.h",
    "tps_boot.h",
    "harness.c",
    "answers.h",
    "answers.c",
    "hearing.h",
    "boot.c",
    "memory.c",
)
_SEMIHOSTING_FILES = ("semihosting.h", "semihosting.c")
# A module has no reset and no semihosting. The order is that of its functions (wasm_sizes.py).
_MODULE_FILES = (
    "tps_port.h",
    "answers.h",
    "hearing.h",
    "memory.c",
    "startup_wasm.c",
    "harness.c",
    "answers.c",
)


@dataclass(frozen=True, slots=True)
class Region:
    """A range of addresses."""

    origin: int
    size: int


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """Memory of an emulated core, `stack` bytes set apart. A board's budget is the spec's."""

    flash: Region
    ram: Region
    stack: int


@dataclass(frozen=True, slots=True)
class Qemu:
    """A QEMU program, and the arguments that choose a machine."""

    command: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Platform:
    """A kind of core.

    Attributes:
        port: which start-up file it takes: cortex_m, riscv, avr or wasm; None for the host.
        flags: compiler flags that choose the core, by family of compilers.
        memory: None for the host, and for WebAssembly, whose memory grows.
        unicorn: name of a CPU model of unicorn, None where it has none.
        qemu: None where QEMU does not run it.
        node: whether node runs it.
        simavr: name of a core of simavr, None where it has none.
        timing: whose cycles `cycles.py` estimates, None where it knows none.
    """

    name: str
    title: str
    notes: str
    arch: Arch
    port: str | None
    flags: Mapping[Family, tuple[str, ...]]
    memory: MemoryMap | None
    unicorn: str | None
    qemu: Qemu | None
    node: bool
    simavr: str | None
    timing: Timing | None

    @property
    def is_host(self) -> bool:
        """Tell whether this is the computer that the builder runs on."""
        return self.arch == "host"

    @property
    def is_core(self) -> bool:
        """Tell whether it has an address map and instructions that an emulator can count."""
        return self.memory is not None

    @property
    def emulators(self) -> tuple[str, ...]:
        """Names of the emulators that run it, first choice first."""
        runs = {
            "unicorn": self.unicorn,
            "qemu": self.qemu,
            "node": self.node,
            "simavr": self.simavr,
        }
        return tuple(name for name, how in runs.items() if how)


def load_platform(name: str) -> Platform:
    """The platform of this name.

    Raises:
        SpecError: there is none.
    """
    known = _names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=2, cutoff=0.4)
        raise SpecError(
            f"unknown platform '{name}'",
            where="platform.name",
            help=f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known)}",
        )
    return _read(name)


def all_platforms() -> tuple[Platform, ...]:
    """Every platform: the host first, then by name."""
    return tuple(_read(name) for name in _names())


def port_files(platform: Platform) -> dict[str, str]:
    """Harness, start-up code and linker script, path -> text. Nothing for the host."""
    if platform.port is None:
        return {}
    folder = firmware_dir() / "port"
    files = {
        f"port/{name}": (folder / name).read_text(encoding="utf-8")
        for name in _port_names(platform)
    }
    return files | ({"port/link.ld": _linker_script(platform, folder)} if platform.is_core else {})


def port_sources(platform: Platform) -> tuple[str, ...]:
    """List those of `port_files` that are compiled."""
    return tuple(path for path in port_files(platform) if path.endswith(".c"))


def _port_names(platform: Platform) -> tuple[str, ...]:
    if not platform.is_core:
        return _MODULE_FILES
    own = f"startup_{platform.port}.c"
    return (*_CORE_FILES, *(() if platform.arch == "avr" else _SEMIHOSTING_FILES), own)


def _linker_script(platform: Platform, folder: Path) -> str:
    memory = platform.memory
    assert memory is not None
    name = "link_avr.ld.in" if platform.arch == "avr" else "link.ld.in"
    template = string.Template((folder / name).read_text(encoding="utf-8"))
    return template.substitute(
        title=platform.title,
        port=platform.port,
        flash_origin=f"0x{memory.flash.origin:08x}",
        flash_size=f"0x{memory.flash.size:08x}",
        ram_origin=f"0x{memory.ram.origin:08x}",
        ram_size=f"0x{memory.ram.size:08x}",
        stack_size=f"0x{memory.stack:x}",
    )


@cache
def _names() -> tuple[str, ...]:
    names = sorted(path.stem for path in _FOLDER.glob("*.toml"))
    return tuple(sorted(names, key=lambda name: name != "host"))


@cache
def _read(name: str) -> Platform:
    keys = read_platform_file(_FOLDER / f"{name}.toml")
    return Platform(
        name=name,
        title=keys.title,
        notes=keys.notes,
        arch=keys.arch,
        port=keys.port,
        flags=_flags(keys.compilers),
        memory=None if keys.memory is None else memory_map(keys.memory),
        unicorn=keys.emulators.unicorn,
        qemu=None if keys.emulators.qemu is None else _qemu(keys.emulators.qemu),
        node=keys.emulators.node,
        simavr=keys.emulators.simavr,
        timing=keys.timing,
    )


def _flags(keys: CompilerKeys) -> dict[Family, tuple[str, ...]]:
    given = ((family, getattr(keys, family)) for family in FAMILIES)
    return {family: tuple(flags) for family, flags in given if flags is not None}


def memory_map(keys: MemoryKeys) -> MemoryMap:
    """Read a memory map of a platform or board file."""
    return MemoryMap(_region(keys.flash), _region(keys.ram), keys.stack)


def _region(keys: RegionKeys) -> Region:
    return Region(keys.origin, keys.size)


def _qemu(keys: QemuKeys) -> Qemu:
    return Qemu(keys.command, tuple(keys.arguments))
