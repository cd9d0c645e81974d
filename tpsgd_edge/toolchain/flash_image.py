"""A program as boards take it: UF2, Intel HEX, or the bare bytes, made of the segments of an ELF.

UF2: blocks of 512 bytes, of which each stands alone (the format's specification, "UF2 File
Format"). Intel HEX: records of type 00, 04 and 01 (Intel, "Hexadecimal Object File Format
Specification", revision A).
"""

import struct
from collections.abc import Iterator, Mapping

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.board import Board
from tpsgd_edge.toolchain.platforms import Region

Segments = Mapping[int, bytes]

_UF2_START = (0x0A324655, 0x9E5D5157)
_UF2_END = 0x0AB16F30
_UF2_HAS_FAMILY = 0x2000
# What a block brings, a page of flash, and how much it has room for.
UF2_PAGE = 256
_UF2_ROOM = 476
# What erased flash holds, and what stands between segments.
_ERASED = b"\xff"
_HEX_ROW = 16
_HEX_DATA, _HEX_END, _HEX_UPPER = 0x00, 0x01, 0x04


def drive_image(segments: Segments, board: Board) -> bytes:
    """The file that the drive of a board takes."""
    drive = board.flashing.drive
    assert drive is not None
    if drive.format == "hex":
        return intel_hex(segments)
    if drive.format == "bin":
        return plain_image(segments)
    return uf2(segments, drive.family or 0, sector=board.erase.block if board.erase else UF2_PAGE)


def check_place(segments: Segments, flash: Region, board: str) -> None:
    """Refuse a program that was linked for another memory than the flash of a board.

    Raises:
        ToolError: some of its bytes lie outside, or it has none.
    """
    for start, content in sorted(segments.items()):
        if start < flash.origin or start + len(content) > flash.origin + flash.size:
            raise ToolError(
                f"the program is not linked for the board '{board}'",
                found=f"{len(content):,} bytes at 0x{start:08x}; its flash has "
                f"{flash.size:,} bytes from 0x{flash.origin:08x}",
                help="name the ELF of firmware for this board: --program FILE",
            )
    if not segments:
        raise ToolError("the program is empty", found="no bytes that are loaded")


def plain_image(segments: Segments) -> bytes:
    """All bytes from the first address to the last, what lies between erased."""
    first = min(segments)
    content = bytearray()
    for start, piece in sorted(segments.items()):
        content += _ERASED * (start - first - len(content)) + piece
    return bytes(content)


def uf2(segments: Segments, family: int, *, sector: int) -> bytes:
    """A UF2 file, with whole sectors: boot loaders erase one where its first page arrives.

    Args:
        family: which boards take the file.
        sector: bytes of flash that are erased at once.
    """
    pages = _pages(segments, sector)
    blocks = (
        struct.pack(
            f"<8I{_UF2_ROOM}sI",
            *_UF2_START,
            _UF2_HAS_FAMILY,
            base,
            UF2_PAGE,
            number,
            len(pages),
            family,
            page,
            _UF2_END,
        )
        for number, (base, page) in enumerate(pages)
    )
    return b"".join(blocks)


def _pages(segments: Segments, sector: int) -> list[tuple[int, bytes]]:
    """Address and bytes of each page of the sectors that hold something."""
    sectors: dict[int, bytearray] = {}
    for start, piece in segments.items():
        for base in range(start - start % sector, start + len(piece), sector):
            content = sectors.setdefault(base, bytearray(_ERASED * sector))
            first, end = max(start, base), min(start + len(piece), base + sector)
            content[first - base : end - base] = piece[first - start : end - start]
    return [
        (base + at, bytes(content[at : at + UF2_PAGE]))
        for base, content in sorted(sectors.items())
        for at in range(0, len(content), UF2_PAGE)
    ]


def intel_hex(segments: Segments) -> bytes:
    """An Intel HEX file: rows of 16 bytes, addresses of 32 bits."""
    return "".join(f"{line}\n" for line in _records(segments)).encode()


def _records(segments: Segments) -> Iterator[str]:
    upper = 0
    for start, piece in sorted(segments.items()):
        for address, row in _rows(start, piece):
            if address >> 16 != upper:
                upper = address >> 16
                yield _record(_HEX_UPPER, 0, upper.to_bytes(2, "big"))
            yield _record(_HEX_DATA, address & 0xFFFF, row)
    yield _record(_HEX_END, 0, b"")


def _rows(start: int, piece: bytes) -> Iterator[tuple[int, bytes]]:
    """Pieces of at most a row, none of which crosses a boundary of rows."""
    offset = 0
    while offset < len(piece):
        length = _HEX_ROW - (start + offset) % _HEX_ROW
        yield start + offset, piece[offset : offset + length]
        offset += length


def _record(kind: int, address: int, content: bytes) -> str:
    body = bytes((len(content), address >> 8, address & 0xFF, kind)) + content
    return f":{(body + bytes((-sum(body) & 0xFF,))).hex().upper()}"
