"""Keys of a platform file, checked on reading as the keys of a spec are."""

import tomllib
from pathlib import Path
from typing import Literal, TypeVar, get_args

from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec.base import Keys
from tpsgd_edge.spec.problems import validated
from tpsgd_edge.toolchain.cycles import Timing

K = TypeVar("K", bound=Keys)
Family = Literal["zig", "gcc", "clang"]
Arch = Literal["host", "arm", "riscv", "avr", "wasm"]
FAMILIES: tuple[Family, ...] = get_args(Family)
# The host starts by itself, a module gets its memory from whoever runs it.
_NEEDED: dict[Arch, tuple[str, ...]] = {
    "host": (),
    "arm": ("port", "memory"),
    "riscv": ("port", "memory"),
    "avr": ("port", "memory"),
    "wasm": ("port",),
}


class RegionKeys(Keys):
    """A range of addresses."""

    origin: int
    size: int


class CompilerKeys(Keys):
    """[compilers]: flags that choose the core, for each family of compilers that knows it."""

    zig: list[str] | None = None
    gcc: list[str] | None = None
    clang: list[str] | None = None


class MemoryKeys(Keys):
    """[memory]: flash and RAM of the emulated core, and how much of the RAM is stack."""

    flash: RegionKeys
    ram: RegionKeys
    stack: int


class QemuKeys(Keys):
    """QEMU's program, and the arguments that choose a machine."""

    command: str
    arguments: list[str]


class EmulatorKeys(Keys):
    """[emulators]: its names in unicorn and simavr, QEMU, and whether node runs it."""

    unicorn: str | None = None
    qemu: QemuKeys | None = None
    node: bool = False
    simavr: str | None = None


class PlatformKeys(Keys):
    """A platform file: what the core is called, compiles with and runs on."""

    title: str
    notes: str
    arch: Arch
    port: str | None = None
    timing: Timing | None = None
    compilers: CompilerKeys
    memory: MemoryKeys | None = None
    emulators: EmulatorKeys = EmulatorKeys()


def read_keys(path: Path, kind: type[K], *, what: str, where: str) -> K:
    """Read a TOML file of the package's own kind, and check its keys.

    Args:
        what, where: what messages call the file and its place.

    Raises:
        SpecError: it is not TOML, or everything that is wrong with its keys.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SpecError(
            f"the {what} '{path.name}' is not valid TOML", where=where, found=str(error)
        ) from None
    return validated(kind, content, source=where)


def read_platform_file(path: Path) -> PlatformKeys:
    """Read and check a platform file.

    Raises:
        SpecError: everything that is wrong with it.
    """
    where = f"platforms/{path.name}"
    keys = read_keys(path, PlatformKeys, what="platform file", where=where)
    missing = [name for name in _NEEDED[keys.arch] if getattr(keys, name) is None]
    if missing:
        raise SpecError(
            f"the platform file '{path.name}' does not say how its core starts",
            where=where,
            found=f'arch = "{keys.arch}" without {" and ".join(missing)}',
            help="a core needs a port (firmware/port/startup_PORT.c) and [memory]",
        )
    return keys
