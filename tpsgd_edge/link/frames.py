"""Frames of requests and answers: COBS between zeros, a CRC-32 at the end."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.errors import ToolError, how_to_install

try:
    from cobs import cobs
except ModuleNotFoundError:
    raise ToolError(
        "cobs, which takes frames apart, is not installed", help=how_to_install("link")
    ) from None

VERSION = 1
_HEAD = struct.Struct("<BBHI")
_CRC = struct.Struct("<I")
AROUND = _HEAD.size + _CRC.size
"""Bytes of a body beside its payload."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The body of a request or an answer, without its CRC.

    Attributes:
        command: of an answer, 128 more than that of its request.
    """

    command: int
    number: int
    payload: bytes
    status: int = 0
    version: int = VERSION


def encoded(frame: Frame) -> bytes:
    """The bytes of a frame on the line.

    >>> encoded(Frame(1, 2, b"")).hex()
    '00030101010202010105c81cf6a500'
    """
    head = _HEAD.pack(frame.version, frame.command, frame.status, frame.number)
    body = head + frame.payload
    stuffed: bytes = cobs.encode(body + _CRC.pack(zlib.crc32(body)))
    return b"\0" + stuffed + b"\0"


def decoded(block: bytes) -> Frame | None:
    """The frame between two zeros; None where it is damaged."""
    try:
        raw = cobs.decode(block)
    except cobs.DecodeError:
        return None
    if len(raw) < AROUND:
        return None
    body, crc = raw[: -_CRC.size], raw[-_CRC.size :]
    if _CRC.unpack(crc)[0] != zlib.crc32(body):
        return None
    version, command, status, number = _HEAD.unpack(body[: _HEAD.size])
    return Frame(command, number, body[_HEAD.size :], status, version)


class Reader:
    """Puts frames together from bytes as they come.

    Attributes:
        damaged: how many frames were none.
    """

    def __init__(self, largest: int = 1 << 20) -> None:
        self.damaged = 0
        self._largest = largest
        self._bytes = bytearray()

    def feed(self, some: bytes) -> Iterator[Frame]:
        """The frames that end with these bytes."""
        self._bytes += some
        *blocks, rest = self._bytes.split(b"\0")
        # A line that never sends a zero costs no more memory than this.
        self._bytes = rest[-self._largest :]
        for block in filter(None, blocks):
            frame = decoded(bytes(block))
            if frame is None:
                self.damaged += 1
            else:
                yield frame
