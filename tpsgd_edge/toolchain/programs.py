"""Programs and plugins of this computer that emulators need, each from one C file."""

from collections.abc import Sequence
from pathlib import Path

from tpsgd_edge.toolchain.build import (
    LANGUAGE,
    LIBRARY,
    ZIG,
    cache_key,
    digest_of,
    run_compiler,
    unless_built,
    warning_flags,
)
from tpsgd_edge.toolchain.compilers import Compiler


def compile_plugin(source: Path, compiler: Compiler, *, build_dir: Path) -> Path:
    """Build a plugin for a program of this computer, from one C file that needs nothing else.

    Raises:
        ToolError: the compiler fails; its message is in the error.
        OutputError: `build_dir` cannot be written.
    """
    zig = ZIG if compiler.family == "zig" else ()
    flags = [*LANGUAGE, *LIBRARY, *zig, "-O2", *warning_flags(as_errors=False)]
    digest = digest_of([source.parent], [compiler.title, *compiler.command, *flags, source.name])

    def make(scratch: Path) -> tuple[Path, str]:
        built = scratch / "built"
        arguments = [*flags, str(source), "-o", str(built)]
        purpose = f"compiling {source.name}"
        return built, run_compiler(compiler, arguments, scratch, scratch, purpose=purpose)

    path = build_dir / f"{source.stem}-{digest[:12]}.so"
    unless_built(path, make)
    return path


def compile_program(
    source: Path, compiler: Compiler, *, build_dir: Path, libraries: Sequence[str]
) -> Path:
    """Build a program of this computer from one C file.

    Args:
        libraries: of the system, as the linker takes them.

    Raises:
        ToolError: the compiler fails, or has no such library.
    """
    flags = ["-std=c11", "-O2", *warning_flags(as_errors=False)]
    words = [compiler.title, *compiler.command, *flags, *libraries]
    digest = digest_of([source.parent], [*words, source.name])

    def make(scratch: Path) -> tuple[Path, str]:
        built = scratch / "built"
        arguments = [*flags, str(source), "-o", str(built), *libraries]
        purpose = f"compiling {source.name}"
        return built, run_compiler(compiler, arguments, scratch, scratch, purpose=purpose)

    path = build_dir / f"{source.stem}-{digest[:12]}"
    unless_built(path, make, cache_key((digest,), compiler))
    return path
