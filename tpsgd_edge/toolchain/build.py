"""Builds of a project folder: firmware, or a library or program for the host.

What was built from the same bytes with the same command is not built again: it lies in the build
folder, or without its paths in the user's cache.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.cache import fetch, keep, key_of, processor
from tpsgd_edge.errors import OutputError, ToolError
from tpsgd_edge.toolchain.compilers import Compiler, find_compiler, zig_environment
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
# Without it the files of port/ are empty: other build systems compile whatever lies in a folder.
PORT = ("-DTPS_PORT",)
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
LIBRARY = ("-shared", "-fPIC", "-fvisibility=hidden")
SANITIZE = ("-g1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# zig instruments by default, and its runtime for that is not there on a device.
ZIG = ("-fno-sanitize=all",)
LINK = {
    "zig": ("-Wl,--gc-sections",),
    "gcc": ("-nostdlib", "-Wl,--gc-sections"),
    "clang": ("-nostdlib", "-fuse-ld=lld", "-Wl,--gc-sections"),
}
# A module has no entry: it exports functions, and asks for none.
LINK_MODULE = ("-nostdlib", "-Wl,--no-entry")
TIMEOUT = 300.0
# GNU's linker, then LLVM's.
OVERFLOW = re.compile(r"region [`'](?P<region>\w+)'[^\n]*overflowed(?: by|:) (?P<bytes>\d+) bytes")


@dataclass(frozen=True, slots=True)
class Binary:
    """A build: an ELF or a WebAssembly module, a shared library or a program for the host."""

    path: Path
    kind: Kind
    name: str
    platform: Platform
    compiler: Compiler
    inference_only: bool = False
    warnings: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """Code around the model's, and the way both are linked.

    Attributes:
        folder: of the project, where its code and its link.ld are.
        title: what the program is called after.
        sources: C files relative to the project.
        flags: for the compiler, beside those of every firmware.
    """

    folder: str
    title: str
    sources: tuple[str, ...]
    entry: str
    flags: tuple[str, ...] = ()


def harness(platform: Platform) -> Image:
    """The code of port/, which feeds an emulated core."""
    return Image("port", platform.name, port_sources(platform), "tps_port_reset")


def compile_firmware(
    folder: Path,
    name: str,
    sources: Sequence[str],
    platform: Platform,
    compiler: Compiler,
    *,
    build_dir: Path,
    image: Image | None = None,
    inference_only: bool = False,
    optimize: str = "-O2",
    warnings_as_errors: bool = False,
) -> Binary:
    """Build the project and its port/ for a device.

    Args:
        folder: the project, with port/ as in `port_files`.
        name: the project's name.
        sources: C files relative to `folder`; those in port/ are taken from the platform.
        build_dir: objects and ELF, or module, go here.
        image: what is around the model; the harness of port/ where not given.
        inference_only: with NAME_INFERENCE_ONLY.
        optimize: such as -O2 or -Os.

    Raises:
        ToolError: the compiler fails; its message is in the error.
        OutputError: `build_dir` cannot be written.
    """
    image = harness(platform) if image is None else image
    flags = [
        *device_flags(platform, compiler),
        *image.flags,
        optimize,
        *warning_flags(as_errors=warnings_as_errors),
        *([f"-D{name.upper()}_INFERENCE_ONLY"] if inference_only else []),
        "-I.",
        "-Iport",
    ]
    own = _without_port(sources)
    label = f"{name}-{image.title}{'-inference' if inference_only else ''}"
    folders = [folder, folder / "port", folder / image.folder]
    digest = digest_of(folders, [compiler.title, *compiler.command, *flags, *own, *image.sources])

    def make(scratch: Path) -> tuple[Path, str]:
        objects, said = _compile_objects(folder, [*own, *image.sources], compiler, flags, scratch)
        return _link(folder, objects, platform, compiler, scratch, image), said

    linked = build_dir / f"{label}-{digest[:12]}{'.elf' if platform.is_core else '.wasm'}"
    # clang borrows a library of whatever gcc there is.
    is_kept = compiler.family != "clang"
    words = (digest, *_link_flags(platform, compiler, image))
    warnings = unless_built(linked, make, cache_key(words, compiler) if is_kept else None)
    return Binary(linked, "firmware", name, platform, compiler, inference_only, warnings)


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
    inference_only: bool = False,
) -> Binary:
    """Build the project for this computer, in one compilation.

    Without `sanitize`, a shared library to be driven in-process. With it, a program that talks over
    stdin and stdout, under the address and undefined behaviour sanitizers (gcc and clang only).

    Args:
        sources: C files relative to `folder`; those in port/ are left out.
        optimize: -O3 for the library, -O1 under sanitizers, where not given.
        inference_only: with NAME_INFERENCE_ONLY.

    Raises:
        ToolError: the compiler fails; its message is in the error.
        OutputError: `build_dir` cannot be written.
    """
    platform = load_platform("host")
    host, port = firmware_dir() / "host", firmware_dir() / "port"
    harness = (port / "harness.c", host / "stdio.c") if sanitize else (host / "sim.c",)
    harness = (port / "answers.c", *harness)
    flags = [
        *_host_flags(platform, compiler, optimize, sanitize=sanitize),
        *warning_flags(as_errors=warnings_as_errors),
        *([f"-D{name.upper()}_INFERENCE_ONLY"] if inference_only else []),
    ]
    own = _without_port(sources)
    folders = [folder, folder / "port", host, port]
    searched = (folder.resolve(), folder.resolve() / "port", port)
    digest = digest_of(folders, [compiler.title, *compiler.command, *flags, *own])

    def make(scratch: Path) -> tuple[Path, str]:
        unit, built = scratch / "unit.c", scratch / "built"
        included = (*own, *(path.as_posix() for path in harness))
        unit.write_text("".join(f'#include "{path}"\n' for path in included), encoding="utf-8")
        include = (f"-I{place.as_posix()}" for place in searched)
        arguments = [*flags, *include, str(unit), "-o", str(built)]
        purpose = f"compiling '{name}' for the host"
        return built, run_compiler(compiler, arguments, folder, scratch, purpose=purpose)

    path = build_dir / f"{name}-host-{digest[:12]}{'-sanitized' if sanitize else '.so'}"
    # What sanitizers report names the files, which lie elsewhere the next time.
    key = None if sanitize else cache_key((digest, *processor()), compiler)
    warnings = unless_built(path, make, key)
    kind: Kind = "program" if sanitize else "library"
    return Binary(path, kind, name, platform, compiler, inference_only, warnings)


def device_flags(platform: Platform, compiler: Compiler) -> list[str]:
    """Flags without which the code would be another: core, language, freestanding."""
    zig = ZIG if compiler.family == "zig" else ()
    return [*LANGUAGE, *PORT, *FREESTANDING, *zig, *platform.flags[compiler.family]]


def _host_flags(
    platform: Platform, compiler: Compiler, optimize: str | None, *, sanitize: bool
) -> list[str]:
    common = [*LANGUAGE, *PORT, *(ZIG if compiler.family == "zig" else ())]
    if sanitize:
        return [*common, *SANITIZE, optimize or "-O1"]
    return [*common, *LIBRARY, optimize or "-O3", *platform.flags[compiler.family]]


def warning_flags(*, as_errors: bool) -> list[str]:
    """The warnings that all code here is compiled with."""
    return [*WARNINGS, *(["-Werror"] if as_errors else [])]


def _without_port(sources: Iterable[str]) -> list[str]:
    return [source for source in sources if not source.startswith("port/")]


def run_compiler(
    compiler: Compiler, arguments: Sequence[str], cwd: Path, scratch: Path, *, purpose: str
) -> str:
    """Run the compiler; what it said.

    Raises:
        ToolError: it fails.
    """
    if compiler.family != "zig":
        return run_tool([*compiler.command, *arguments], purpose=purpose, timeout=TIMEOUT, cwd=cwd)
    return run_tool(
        [*compiler.command, "cc", *arguments],
        purpose=purpose,
        timeout=TIMEOUT,
        cwd=cwd,
        environment=zig_environment(scratch),
    )


def _compile_objects(
    folder: Path, sources: Iterable[str], compiler: Compiler, flags: Sequence[str], scratch: Path
) -> tuple[list[Path], str]:
    """Compile each source, some at a time. Returns the objects and what the compiler said."""

    def compile_one(source: str) -> tuple[Path, str]:
        target = (scratch / source).with_suffix(".o")
        target.parent.mkdir(parents=True, exist_ok=True)
        arguments = [*flags, "-c", source, "-o", str(target)]
        return target, run_compiler(
            compiler, arguments, folder, scratch, purpose=f"compiling {source}"
        )

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        results = list(pool.map(compile_one, sources))
    return [target for target, _ in results], "".join(said for _, said in results)


def _link(
    folder: Path,
    objects: Sequence[Path],
    platform: Platform,
    compiler: Compiler,
    scratch: Path,
    image: Image,
) -> Path:
    built = scratch / "linked"
    arguments = [
        *_link_flags(platform, compiler, image),
        *(str(path) for path in objects),
        *_runtime_library(platform, compiler),
        "-o",
        str(built),
    ]
    try:
        run_compiler(compiler, arguments, folder, scratch, purpose=f"linking for {image.title}")
    except ToolError as error:
        over = OVERFLOW.search(error.found or "")
        # A board says in words of its own what it lacks.
        if over is None or image.folder != "port":
            raise
        raise ToolError(
            f"the firmware does not fit into the memory of {platform.title}",
            where=f"platform '{platform.name}'",
            found=f"{over['region']} is {int(over['bytes']):,} bytes too small",
            help='fewer units, numbers.weights = "s8", or another platform',
        ) from error
    return built


def _link_flags(platform: Platform, compiler: Compiler, image: Image) -> list[str]:
    if not platform.is_core:
        return [*device_flags(platform, compiler), *LINK_MODULE]
    return [
        *device_flags(platform, compiler),
        *LINK[compiler.family],
        f"-Wl,-T,{image.folder}/link.ld",
        f"-Wl,--entry={image.entry}",
    ]


def _runtime_library(platform: Platform, compiler: Compiler) -> list[str]:
    """Soft float, division and the like: zig brings its own, clang for bare metal borrows gcc's."""
    if compiler.family == "zig" or not platform.is_core:
        return []
    if compiler.family == "gcc":
        # avr-libc's own soft float, of which gcc has none there.
        return ["-lm", "-lgcc"] if platform.arch == "avr" else ["-lgcc"]
    gcc = find_compiler(platform, "gcc")
    question = [*gcc.command, *platform.flags["gcc"], "-print-libgcc-file-name"]
    return [run_tool(question, purpose="asking gcc for its runtime library", timeout=60).strip()]


def unless_built(
    path: Path, make: Callable[[Path], tuple[Path, str]], key: str | None = None
) -> str:
    """Have `make` build in a scratch folder, move the result to `path`; what the compiler said.

    With a key, what the user's cache has is taken from there, and kept there if the compiler was
    silent: what it warns of is to be read each time.

    Raises:
        OutputError: the folder cannot be written.
    """
    if path.is_file():
        return ""
    kept = None if key is None else fetch(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="build-", dir=path.parent.resolve()) as scratch:
            built, said = make(Path(scratch)) if kept is None else (Path(scratch) / "kept", "")
            if kept is not None:
                built.write_bytes(kept)
                built.chmod(0o755)
            elif key is not None and not said:
                keep(key, built.read_bytes())
            os.replace(built, path)
            return said
    except OSError as error:
        raise OutputError(
            "the build folder cannot be written",
            where=str(path.parent),
            found=error.strerror or str(error),
            help="free some space, or give another folder with --out",
        ) from error


def cache_key(words: Iterable[str], compiler: Compiler) -> str:
    """The name in the cache: what is compiled, and by which very program."""
    return key_of((*words, *_program(compiler)))


def _program(compiler: Compiler) -> tuple[str, ...]:
    """A compiler that was replaced is another one, whatever version it says it has."""
    path = Path(compiler.command[0])
    if not path.is_file():
        return ()
    found = path.stat()
    return (str(found.st_mtime_ns), str(found.st_size))


def digest_of(folders: Iterable[Path], words: Iterable[str]) -> str:
    """Names the result by everything that goes into it: C files, linker script, command."""
    digest = hashlib.sha256("\0".join(words).encode())
    for folder in folders:
        for path in sorted(folder.glob("*")):
            if path.suffix in (".c", ".h", ".ld") and path.is_file():
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
