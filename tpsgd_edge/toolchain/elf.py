"""Segments, sections and symbols of an ELF file."""

import bisect
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from tpsgd_edge.errors import ToolError


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function or an object with its address (without Arm's Thumb bit) and size in bytes."""

    name: str
    address: int
    size: int
    is_function: bool


@dataclass(frozen=True, slots=True)
class Elf:
    """A linked program.

    Attributes:
        segments: load address -> bytes.
        sections: name -> size in bytes, of those that occupy memory.
        places: name -> address, of the same sections.
        symbols: by address.
    """

    segments: Mapping[int, bytes]
    sections: Mapping[str, int]
    places: Mapping[str, int]
    symbols: tuple[Symbol, ...]

    def find(self, name: str) -> Symbol:
        """The symbol of this name.

        Raises:
            ToolError: there is none.
        """
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol
        raise ToolError(f"the binary has no symbol '{name}'", help="build the project again")

    def code(self, address: int, size: int) -> bytes:
        """`size` bytes of the program at an address.

        Raises:
            ToolError: they are not in one of its segments.
        """
        for start, content in self.segments.items():
            if start <= address and address + size <= start + len(content):
                return content[address - start : address - start + size]
        raise ToolError(f"the binary has no code at 0x{address:08x}")

    def function_at(self, address: int) -> str:
        """Name of the function that holds an address, "?" where there is none."""
        functions = _functions(self.symbols)
        index = bisect.bisect_right(functions, address, key=lambda s: s.address) - 1
        if index < 0:
            return "?"
        # Functions in assembly may have no size: they last until the next one.
        function = functions[index]
        inside = function.size == 0 or address < function.address + function.size
        return function.name if inside else "?"


def read_elf(path: Path) -> Elf:
    """Read a program.

    Raises:
        ToolError: the file is missing or no ELF.
    """
    from elftools.common.exceptions import ELFError

    try:
        return _parse(path.read_bytes())
    except (OSError, ELFError) as error:
        raise ToolError("cannot read the binary", where=path.name, found=str(error)) from error


_ALLOC = 0x2  # SHF_ALLOC


# Sizes, counters and emulators look at the same program one after the other.
@lru_cache(maxsize=4)
def _parse(content: bytes) -> Elf:
    from elftools.elf.elffile import ELFFile

    elf = ELFFile(io.BytesIO(content))
    sections = [s for s in elf.iter_sections() if s["sh_flags"] & _ALLOC]
    return Elf(
        {s["p_paddr"]: s.data() for s in elf.iter_segments("PT_LOAD") if s["p_filesz"] > 0},
        {s.name: s["sh_size"] for s in sections},
        {s.name: s["sh_addr"] for s in sections},
        tuple(sorted(_symbols(elf), key=lambda s: s.address)),
    )


def _symbols(elf: object) -> Iterator[Symbol]:
    table = elf.get_section_by_name(".symtab")  # type: ignore[attr-defined]
    for symbol in table.iter_symbols() if table else ():
        kind = symbol["st_info"]["type"]
        if kind in ("STT_FUNC", "STT_OBJECT"):
            is_function = kind == "STT_FUNC"
            address = symbol["st_value"] & (~1 if is_function else ~0)
            yield Symbol(symbol.name, address, symbol["st_size"], is_function)


@cache
def _functions(symbols: tuple[Symbol, ...]) -> tuple[Symbol, ...]:
    return tuple(symbol for symbol in symbols if symbol.is_function)
