"""Checkpoints as docs/STORE.md lays them out: written, and found in what was read from flash."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from tpsgd_edge.errors import DataError

MAGIC = b"tpSt"
VERSION = 1
_FIELDS = struct.Struct("<4s6I")
_CRC = struct.Struct("<I")
HEADER_BYTES = _FIELDS.size + _CRC.size
OVERHEAD = HEADER_BYTES + _CRC.size
"""Bytes of a checkpoint beside its state."""


@dataclass(frozen=True, slots=True)
class Header:
    """A good header, and where it begins.

    Attributes:
        count: bytes of the state.
        state: the state; None where that is cut off or damaged.
    """

    offset: int
    version: int
    sequence: int
    model_id: int
    step: int
    count: int
    state: bytes | None

    def is_newer(self, other: "Header") -> bool:
        """Tell whether its number comes after the other's; numbers may pass 2^32."""
        return 0 < (self.sequence - other.sequence) % 2**32 < 2**31


def checkpoint(state: bytes, *, model_id: int, step: int, sequence: int = 1) -> bytes:
    """A checkpoint of a state that has no padding at its end."""
    fields = _FIELDS.pack(MAGIC, VERSION, sequence, model_id, step, len(state), 0)
    header = fields + _CRC.pack(zlib.crc32(fields))
    return header + state + _CRC.pack(zlib.crc32(fields + state))


def headers(raw: bytes) -> Iterator[Header]:
    """All good headers in some bytes, wherever they begin."""
    at = raw.find(MAGIC)
    while at >= 0:
        found = _header(raw, at)
        if found is not None:
            yield found
        at = raw.find(MAGIC, at + 1)


def _header(raw: bytes, at: int) -> Header | None:
    fields = raw[at : at + _FIELDS.size]
    crc = raw[at + _FIELDS.size : at + HEADER_BYTES]
    if len(crc) < _CRC.size or _CRC.unpack(crc)[0] != zlib.crc32(fields):
        return None
    _, version, sequence, model_id, step, count, _ = _FIELDS.unpack(fields)
    end = at + HEADER_BYTES + count
    state, trailer = raw[at + HEADER_BYTES : end], raw[end : end + _CRC.size]
    is_whole = (
        version == VERSION
        and len(trailer) == _CRC.size
        and _CRC.unpack(trailer)[0] == zlib.crc32(state, zlib.crc32(fields))
    )
    return Header(at, version, sequence, model_id, step, count, state if is_whole else None)


def newest(raw: bytes, model_id: int, count: int, *, where: str) -> Header:
    """The newest whole checkpoint of a model, in a checkpoint's file or a copy of a storage.

    Args:
        count: bytes of the model's state.
        where: what messages call the bytes.

    Raises:
        DataError: there is none: no checkpoints, of other models or formats only, or damaged ones.
    """
    found = list(headers(raw))
    own = [h for h in found if h.version == VERSION and (h.model_id, h.count) == (model_id, count)]
    best = _latest([h for h in own if h.state is not None])
    if best is not None:
        return best
    raise _nothing(raw, found, own, model_id, where)


def _latest(candidates: list[Header]) -> Header | None:
    """The newest one."""
    best = None
    for header in candidates:
        if best is None or header.is_newer(best):
            best = header
    return best


def _nothing(
    raw: bytes, found: list[Header], own: list[Header], model_id: int, where: str
) -> DataError:
    """Why there is no checkpoint of this model, newest first."""
    if own:
        broken = _latest(own)
        assert broken is not None
        return DataError(
            "no checkpoint in these bytes is whole",
            where=f"{where}, at byte {broken.offset:,}",
            found=f"checkpoint {broken.sequence:,}, step {broken.step:,}, whose CRC-32 is not that "
            f"of its {broken.count:,} bytes of state; {len(own)} such in all",
            help="read the whole storage, its blocks in order; what is damaged there is lost",
        )
    others = [h for h in found if h.version != VERSION]
    if found and len(others) == len(found):
        return DataError(
            "the checkpoints are of another format",
            where=f"{where}, at byte {found[0].offset:,}",
            found=f"version {found[0].version}; this tpsgd-edge reads version {VERSION}",
            help="use the tpsgd-edge that the firmware was built with",
        )
    if found:
        other = _latest([h for h in found if h.version == VERSION])
        assert other is not None
        return DataError(
            "the checkpoints are of another model",
            where=f"{where}, at byte {other.offset:,}",
            found=f"model id 0x{other.model_id:08X}, this spec makes 0x{model_id:08X}",
            help="use the spec and the data that the firmware was built from, or carry it over: "
            "tpsgd-edge migrate OLD.toml NEW.toml DUMP",
        )
    blank = "all of them erased" if len(set(raw)) <= 1 else "and no header of a checkpoint"
    return DataError(
        "there is no checkpoint in these bytes",
        where=where,
        found=f"{len(raw):,} bytes, {blank}",
        help="read the storage that NAME_save writes to, from the begin of its first block",
    )
