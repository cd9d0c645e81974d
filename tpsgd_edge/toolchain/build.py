"""From a project folder to something that runs: firmware, or a library or program of the host.

What was built from the same bytes with the same command is not built again.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.errors import OutputError
from tpsgd_edge.toolchain.compilers import Compiler, find_compiler
from tpsgd_edge.toolchain.platforms import Platform, load_platform, port_sources
from tpsgd_edge.toolchain.process import run_tool

Kind = Literal["firmware", "library", "program"]

WARNINGS = (
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wconversion",
    "-Wshadow",
    "-Wmissing-prototypes",
)
# Contraction off: a fused multiply-add rounds once where docs/ARITHMETIC.md rounds twice.
LANGUAGE = ("-std=c11", "-ffp-contract=off")
FREESTANDING = (
    "-ffreestanding",
    "-fno-builtin",
    "-fno-stack-protector",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-common",
    "-fomit-frame-pointer",
)
SANITIZE = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# zig instruments by default, and its runtime for that is not there on a device.
ZIG = ("-fno-sanitize=all",)
LINK = {
    "zig": ("-Wl,--gc-sections",),
    "gcc": ("-nostdlib", "-Wl,--gc-sections"),
    "clang": ("-nostdlib", "-fuse-ld=lld", "-Wl,--gc-sections"),
}
TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class Binary:
    """What was built: an ELF for a device, a shared library or a harness program for the host."""

    path: Path
    kind: Kind
    name: str
    platform: Platform
    compiler: Compiler
    inference_only: bool = False
    warnings: str = ""


def compile_firmware(
    folder: Path,
    name: str,
    sources: Sequence[str],
    platform: Platform,
    compiler: Compiler,
    *,
    build_dir: Path,
    inference_only: bool = False,
    optimize: str = "-O2",
    warnings_as_errors: bool = False,
) -> Binary:
    """Build the project and its port/ for a device.

    Args:
        folder: the project, with port/ as in `port_files`.
        name: the project's name.
        sources: C files relative to `folder`; those in port/ are taken from the platform.
        build_dir: objects and ELF go here.
        inference_only: with NAME_INFERENCE_ONLY.
        optimize: such as -O2 or -Os.

    Raises:
        ToolError: the compiler fails; its message is in the error.
        OutputError: `build_dir` cannot be written.
    """
    own = [source for source in sources if not source.startswith("port/")]
    flags = [
        *device_flags(platform, compiler),
        optimize,
        *WARNINGS,
        *(["-Werror"] if warnings_as_errors else []),
        *_inference_flags(name, inference_only=inference_only),
        "-I.",
        "-Iport",
    ]
    label = f"{platform.name}-inference" if inference_only else platform.name
    digest = _digest([folder, folder / "port"], [compiler.title, *compiler.command, *flags, *own])
    elf = build_dir / f"{name}-{label}-{digest}.elf"
    warnings = ""
    if not elf.is_file():
        with _scratch(build_dir) as scratch:
            objects, warnings = _compile_objects(
                folder, [*own, *port_sources(platform)], compiler, flags, Path(scratch)
            )
            _link(folder, objects, platform, compiler, elf, Path(scratch))
    return Binary(elf, "firmware", name, platform, compiler, inference_only, warnings)


def compile_simulation(
    folder: Path,
    name: str,
    sources: Sequence[str],
    compiler: Compiler,
    *,
    build_dir: Path,
    sanitize: bool = False,
    warnings_as_errors: bool = False,
    optimize: str | None = None,
) -> Binary:
    """Build the project for this computer, in one compilation.

    Without `sanitize`, a shared library to be driven in-process. With it, a program that talks over
    stdin and stdout, under the address and undefined behaviour sanitizers (gcc and clang only).

    Args:
        sources: C files relative to `folder`; those in port/ are left out.
        optimize: -O3 for the library, -O1 under sanitizers, where not given.

    Raises:
        ToolError: the compiler fails; its message is in the error.
        OutputError: `build_dir` cannot be written.
    """
    platform = load_platform("host")
    host = firmware_dir() / "host"
    port = firmware_dir() / "port"
    if sanitize:
        kind: Kind = "program"
        harness = [port / "harness.c", host / "stdio.c"]
        special = [*SANITIZE, optimize or "-O1"]
    else:
        kind, harness = "library", [host / "sim.c"]
        special = ["-shared", "-fPIC", "-fvisibility=hidden", optimize or "-O3"]
        special += platform.flags[compiler.family]
    flags = [
        *LANGUAGE,
        *WARNINGS,
        *(["-Werror"] if warnings_as_errors else []),
        *(ZIG if compiler.family == "zig" else ()),
        *special,
    ]
    own = [source for source in sources if not source.startswith("port/")]
    digest = _digest(
        [folder, folder / "port", host, port], [compiler.title, *compiler.command, *flags, *own]
    )
    suffix = "" if kind == "program" else ".so"
    path = build_dir / f"{name}-host{'-sanitized' if sanitize else ''}-{digest}{suffix}"
    warnings = ""
    if not path.is_file():
        with _scratch(build_dir) as scratch:
            unit = Path(scratch) / "unit.c"
            lines = [f'#include "{p}"' for p in (*own, *(h.as_posix() for h in harness))]
            unit.write_text("\n".join(lines) + "\n", encoding="utf-8")
            built = Path(scratch) / "built"
            warnings = run_tool(
                [*compiler.command, *_driver(compiler), *flags]
                + [f"-I{f.as_posix()}" for f in (folder.resolve(), folder.resolve() / "port", port)]
                + [str(unit), "-o", str(built)],
                purpose=f"compiling '{name}' for the host",
                timeout=TIMEOUT,
                cwd=folder,
            )
            os.replace(built, path)
    return Binary(path, kind, name, platform, compiler, warnings=warnings)


def device_flags(platform: Platform, compiler: Compiler) -> list[str]:
    """Flags without which the code would be another: core, language, freestanding."""
    zig = ZIG if compiler.family == "zig" else ()
    return [*platform.flags[compiler.family], *LANGUAGE, *FREESTANDING, *zig]


def _driver(compiler: Compiler) -> tuple[str, ...]:
    return ("cc",) if compiler.family == "zig" else ()


def _inference_flags(name: str, *, inference_only: bool) -> list[str]:
    return [f"-D{name.upper()}_INFERENCE_ONLY"] if inference_only else []


def _compile_objects(
    folder: Path, sources: Iterable[str], compiler: Compiler, flags: Sequence[str], scratch: Path
) -> tuple[list[Path], str]:
    """Compile each source, some at a time. Returns the objects and what the compiler said."""

    def compile_one(source: str) -> tuple[Path, str]:
        target = (scratch / source).with_suffix(".o")
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [*compiler.command, *_driver(compiler), *flags, "-c", source, "-o", str(target)]
        said = run_tool(command, purpose=f"compiling {source}", timeout=TIMEOUT, cwd=folder)
        return target, said

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(compile_one, sources))
    return [target for target, _ in results], "".join(said for _, said in results)


def _link(
    folder: Path,
    objects: Sequence[Path],
    platform: Platform,
    compiler: Compiler,
    elf: Path,
    scratch: Path,
) -> None:
    built = scratch / "built.elf"
    command = [
        *compiler.command,
        *_driver(compiler),
        *device_flags(platform, compiler),
        *LINK[compiler.family],
        "-Wl,-T,port/link.ld",
        "-Wl,--entry=tps_port_reset",
        *(str(path) for path in objects),
        *_runtime_library(platform, compiler),
        "-o",
        str(built),
    ]
    run_tool(command, purpose=f"linking for {platform.name}", timeout=TIMEOUT, cwd=folder)
    os.replace(built, elf)


def _runtime_library(platform: Platform, compiler: Compiler) -> list[str]:
    """Soft float, division and the like: zig brings its own, clang for bare metal borrows gcc's."""
    if compiler.family != "clang":
        return [] if compiler.family == "zig" else ["-lgcc"]
    gcc = find_compiler(platform, "gcc")
    question = [*gcc.command, *platform.flags["gcc"], "-print-libgcc-file-name"]
    return [run_tool(question, purpose="asking gcc for its runtime library", timeout=60).strip()]


def _scratch(build_dir: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        build_dir.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix="build-", dir=build_dir.resolve())
    except OSError as error:
        raise OutputError(
            "the build folder cannot be written", where=str(build_dir), found=str(error)
        ) from error


def _digest(folders: Iterable[Path], words: Iterable[str]) -> str:
    """Names the result by everything that goes into it: C files, linker script, command."""
    digest = hashlib.sha256("\0".join(words).encode())
    for folder in folders:
        for path in sorted(folder.glob("*")):
            if path.suffix in (".c", ".h", ".ld") and path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
