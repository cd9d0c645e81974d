"""Flash of a model, from the linked WebAssembly module."""

from collections.abc import Iterator
from pathlib import Path

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.sizes import Flash, Ram, Sizes

_CUSTOM, _IMPORT, _CODE, _DATA = 0, 2, 10, 11
_FUNCTION_NAMES = 1
_FIRST = "tps_port_read"
_MAGIC = b"\0asm\1\0\0\0"


def measure_module(path: Path, ram: Ram) -> Sizes:
    """Sizes of a module of which the memory plan says what the RAM holds.

    A linker lays functions out as it was given their files: the model's first, then memory.c,
    then the others of port/, of which `tps_port_read` is the first. What comes before it is the
    model's code. Constants are all that memory starts with, the few of port/ among them.

    Raises:
        ToolError: the file is no module, or has no function of port/.
    """
    sections = dict(_sections(path))
    bodies = _sizes(sections.get(_CODE, b""))
    names = _names(sections.get(_CUSTOM, b""))
    first = next((index for index, name in names.items() if name == _FIRST), len(bodies))
    if first >= len(bodies) or sections.get(_IMPORT):
        raise ToolError(
            "the module was not linked with port/",
            where=path.name,
            found=f"{len(bodies)} functions, no '{_FIRST}', or imports",
            help="build the project again",
        )
    code, constants = sum(bodies[:first]), len(sections.get(_DATA, b""))
    return Sizes(ram, Flash(code, constants), port_ram=0, port_flash=sum(bodies[first:]))


def _sections(path: Path) -> Iterator[tuple[int, bytes]]:
    """The sections of a module, the custom one that holds names as number 0."""
    content = path.read_bytes()
    if not content.startswith(_MAGIC):
        raise ToolError("the file is no WebAssembly module", where=path.name)
    place = len(_MAGIC)
    while place < len(content):
        kind = content[place]
        size, place = _number(content, place + 1)
        body, place = content[place : place + size], place + size
        if kind != _CUSTOM:
            yield kind, body
        elif body.startswith(b"\4name"):
            yield kind, body[5:]


def _sizes(code: bytes) -> list[int]:
    """Bytes of each function's body."""
    if not code:
        return []
    count, place = _number(code, 0)
    sizes = []
    for _ in range(count):
        size, place = _number(code, place)
        sizes.append(size)
        place += size
    return sizes


def _names(section: bytes) -> dict[int, str]:
    """Names of functions by their number."""
    place = 0
    while place < len(section):
        kind = section[place]
        size, place = _number(section, place + 1)
        if kind == _FUNCTION_NAMES:
            return dict(_pairs(section[place : place + size]))
        place += size
    return {}


def _pairs(content: bytes) -> Iterator[tuple[int, str]]:
    count, place = _number(content, 0)
    for _ in range(count):
        index, place = _number(content, place)
        size, place = _number(content, place)
        yield index, content[place : place + size].decode()
        place += size


def _number(content: bytes, place: int) -> tuple[int, int]:
    """An unsigned number in LEB128, and the place behind it.

    >>> _number(bytes([0xE5, 0x8E, 0x26]), 0)
    (624485, 3)
    """
    value = shift = 0
    while True:
        byte = content[place]
        value |= (byte & 0x7F) << shift
        shift, place = shift + 7, place + 1
        if byte < 0x80:
            return value, place
