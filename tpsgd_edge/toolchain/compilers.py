"""Choice of a compiler for a platform, and the place where it is installed."""

import contextlib
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tpsgd_edge.errors import ToolError, how_to_install
from tpsgd_edge.toolchain.platform_file import Family
from tpsgd_edge.toolchain.platforms import Platform
from tpsgd_edge.toolchain.process import run_tool

PREFERENCE_VARIABLE = "TPSGD_EDGE_COMPILER"
INSTALL_ZIG = how_to_install("emulator")
INSTALL_AVR = "on Debian and Ubuntu: apt install gcc-avr avr-libc"

# What a family is called for each architecture, best first.
COMMANDS: dict[str, dict[Family, tuple[str, ...]]] = {
    "host": {"gcc": ("gcc", "cc"), "clang": ("clang",), "zig": ("zig",)},
    "arm": {"zig": ("zig",), "gcc": ("arm-none-eabi-gcc",), "clang": ("clang",)},
    "riscv": {
        "zig": ("zig",),
        "gcc": ("riscv64-unknown-elf-gcc", "riscv32-unknown-elf-gcc", "riscv-none-elf-gcc"),
        "clang": ("clang",),
    },
    "avr": {"gcc": ("avr-gcc",)},
    "wasm": {"zig": ("zig",), "clang": ("clang",)},
}


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler driver: `command` starts it, `family` says which flags it understands."""

    family: Family
    command: tuple[str, ...]
    version: str

    @property
    def title(self) -> str:
        """Family and version, as reports print it."""
        return f"{self.family} {self.version}"


def find_compiler(platform: Platform, preferred: str | None = None) -> Compiler:
    """The compiler to build with.

    The first that is found: for devices zig, gcc, clang, so that the same package on two machines
    makes the same binary; for the host gcc (or cc), clang, zig.

    Args:
        preferred: a family (zig, gcc, clang) or a command; TPSGD_EDGE_COMPILER where not given.

    Raises:
        ToolError: none is found, or not the preferred one.
    """
    wanted = preferred or os.environ.get(PREFERENCE_VARIABLE) or None
    for compiler in _candidates(platform, wanted):
        return compiler
    looked_for = wanted or ", ".join(n for names in COMMANDS[platform.arch].values() for n in names)
    raise ToolError(
        f"no C compiler for platform '{platform.name}'",
        where=PREFERENCE_VARIABLE if wanted and not preferred else "platform.name",
        found=f"none of: {looked_for}",
        help=_how_to_install(platform),
    )


def _how_to_install(platform: Platform) -> str:
    if "zig" in platform.flags:
        return f"{INSTALL_ZIG} brings zig, which builds for it"
    return INSTALL_AVR


def find_zig() -> tuple[str, ...] | None:
    """Command that starts zig, from PyPI or else from the PATH; None if there is neither."""
    spec = importlib.util.find_spec("ziglang")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for name in ("zig", "zig.exe"):
            if (program := Path(folder) / name).is_file():
                return (str(program),)
    if spec:
        return (sys.executable, "-m", "ziglang")
    found = shutil.which("zig")
    return (found,) if found else None


def zig_environment(scratch: Path) -> dict[str, str]:
    """Environment variables that zig needs in addition: a cache in `scratch` if there is no other.

    zig keeps its runtime libraries in the user's cache folder, and hangs where it cannot make that.
    """
    if os.name == "nt" or "ZIG_GLOBAL_CACHE_DIR" in os.environ:
        return {}
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    with contextlib.suppress(OSError):
        os.makedirs(cache, exist_ok=True)
    if os.environ.get("HOME") and os.access(cache, os.W_OK | os.X_OK):
        return {}
    return {"ZIG_GLOBAL_CACHE_DIR": str(scratch / "zig-cache")}


def _candidates(platform: Platform, wanted: str | None) -> Iterator[Compiler]:
    commands = COMMANDS[platform.arch]
    if wanted is not None and wanted not in commands:
        yield from (found for found in _by_command(wanted) if found.family in platform.flags)
        return
    for family, names in commands.items():
        if wanted in (None, family) and family in platform.flags:
            for name in names:
                yield from _by_name(family, name)


def _by_name(family: Family, name: str) -> Iterator[Compiler]:
    if family == "zig":
        command = find_zig()
    else:
        path = shutil.which(name)
        command = (path,) if path else None
    if command is None:
        return
    try:
        yield Compiler(family, command, _version(family, command))
    except ToolError:
        return  # A name that cannot even say its version is no compiler.


def _by_command(wanted: str) -> Iterator[Compiler]:
    name = Path(wanted).name
    family: Family = "zig" if "zig" in name else "clang" if "clang" in name else "gcc"
    if path := shutil.which(wanted):
        yield Compiler(family, (path,), _version(family, (path,)))


@cache
def _version(family: Family, command: tuple[str, ...]) -> str:
    questions: dict[Family, tuple[str, ...]] = {
        "zig": ("version",),
        "gcc": ("-dumpfullversion", "-dumpversion"),
        "clang": ("-dumpversion",),
    }
    said = run_tool([*command, *questions[family]], purpose="asking for the version", timeout=60)
    return said.strip().splitlines()[0] if said.strip() else "unknown"
