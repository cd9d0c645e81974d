"""An AVR core in simavr, run by a program of this project (firmware/host/simavr.c)."""

import shutil
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.compilers import Compiler, find_compiler
from tpsgd_edge.toolchain.elf import Elf, read_elf
from tpsgd_edge.toolchain.platforms import load_platform
from tpsgd_edge.toolchain.process import run_tool
from tpsgd_edge.toolchain.process_link import ProcessLink
from tpsgd_edge.toolchain.programs import compile_program
from tpsgd_edge.toolchain.scratch import scratch_folder

INSTALL_SIMAVR = "on Debian and Ubuntu: apt install libsimavr-dev"
_HEADERS = ("simavr/sim_avr.h", "simavr/sim_io.h")
_LIBRARY = "-lsimavr"


class SimavrLink:
    """One simavr for all requests, with pipes. A core that faults ends it."""

    max_reply = ProcessLink.max_reply

    def __init__(self, binary: Binary, *, timeout: float, plan: Iterable[Path] = ()) -> None:
        """`plan`: what to count and the file for the counts, as simavr.c has them."""
        core = binary.platform.simavr
        if core is None:
            raise ToolError(
                f"simavr has no model of {binary.platform.title}",
                where=f"platform '{binary.platform.name}'",
            )
        program = _program(binary.path.parent)
        image = program.with_name(f"{binary.path.stem}.bin")
        image.write_bytes(flash_image(read_elf(binary.path)))
        words = (str(path.resolve()) for path in (image, *plan))
        self._process = ProcessLink(str(program), core, *words, timeout=timeout)

    def exchange(self, request: bytes, reply_size: int) -> bytes:
        """See Link."""
        return self._process.exchange(request, reply_size)

    def close(self) -> None:
        """See Link."""
        # What was counted is written when the command stream ends.
        self._process.end()
        self._process.close()


def flash_image(elf: Elf) -> bytes:
    """The content of the flash from address 0 on; gaps are erased flash."""
    size = max(start + len(content) for start, content in elf.segments.items())
    image = bytearray(b"\xff" * size)
    for start, content in elf.segments.items():
        image[start : start + len(content)] = content
    return bytes(image)


def check_simavr() -> None:
    """Check that simavr's library is there, and a compiler of this computer to use it.

    Raises:
        ToolError: one is missing.
    """
    compiler = _compiler()
    if not _has_headers(compiler.command):
        raise ToolError(
            "the emulator simavr is not installed", found=f"no {_HEADERS[0]}", help=INSTALL_SIMAVR
        )


@cache
def _has_headers(command: Sequence[str]) -> bool:
    with scratch_folder() as folder:
        probe = folder / "probe.c"
        probe.write_text("".join(f"#include <{name}>\n" for name in _HEADERS), encoding="utf-8")
        try:
            run_tool(
                [*command, "-E", str(probe), "-o", str(folder / "out")],
                purpose="looking for simavr",
                timeout=60,
            )
        except ToolError:
            return False
    return True


def _compiler() -> Compiler:
    # zig does not look where the headers of the system are.
    host = load_platform("host")
    return find_compiler(host, "gcc" if shutil.which("gcc") else None)


def _program(build_dir: Path) -> Path:
    check_simavr()
    source = firmware_dir() / "host" / "simavr.c"
    return compile_program(source, _compiler(), build_dir=build_dir, libraries=(_LIBRARY,))
