"""Messages of a fleet: differences of the rows that moved, or all values (section 27)."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import Int64
from tpsgd_edge.errors import DataError
from tpsgd_edge.fleet.shared import Shared, SharedTensor
from tpsgd_edge.quantize.model import DTYPES

_HEAD = struct.Struct("<2sBBIII")
_MARK = b"tF"
_VERSION = 1
WHOLE, DIFFERENCE = 0, 1
# Widths of a row's differences by its code of two bits; a row of code 0 has not moved.
_WIDTHS = ("<i1", "<i1", "<i2", "<i4")


@dataclass(frozen=True, slots=True)
class Message:
    """Values, or differences, as they travel.

    Attributes:
        kind: WHOLE or DIFFERENCE.
        turn: the round; of a difference, the one after which its base held.
        samples: that were learned; 0 from a server.
        values: shape (count,).
    """

    kind: int
    turn: int
    samples: int
    values: Int64


def written(shared: Shared, message: Message) -> bytes:
    """The bytes of a message."""
    pieces = _differences if message.kind == DIFFERENCE else _whole
    head = _HEAD.pack(
        _MARK, _VERSION, message.kind, shared.model, message.turn, min(message.samples, 2**32 - 1)
    )
    body = head + b"".join(pieces(shared, message.values))
    return body + struct.pack("<I", zlib.crc32(body))


def read(shared: Shared, raw: bytes) -> Message:
    """The message in some bytes, read without trust.

    Raises:
        DataError: they are damaged, of another model or of another length.
    """
    body, check = raw[:-4], raw[-4:]
    if len(body) < _HEAD.size or struct.pack("<I", zlib.crc32(body)) != check:
        raise _refused(f"{len(raw):,} bytes, damaged")
    mark, version, kind, model, turn, samples = _HEAD.unpack_from(body)
    if (mark, version) != (_MARK, _VERSION) or kind not in (WHOLE, DIFFERENCE):
        raise _refused(f"version {version}, kind {kind}")
    if model != shared.model:
        raise _refused(f"model id 0x{model:08X}, expected 0x{shared.model:08X}")
    take = _read_differences if kind == DIFFERENCE else _read_whole
    try:
        values = take(shared, memoryview(body)[_HEAD.size :])
    except ValueError as error:
        raise _refused(str(error)) from None
    return Message(kind, turn, samples, values)


def followed(shared: Shared, message: Message, heard: int | None, known: Int64) -> Int64:
    """The values (count,) that a message of a server leads to.

    Args:
        heard: the round whose message came last; None before any.
        known: the server's values after that one, shape (count,).

    Raises:
        DataError: it says what has changed since one that did not come, or leads out of a range.
    """
    if message.kind == WHOLE:
        return message.values
    if heard is None or heard != message.turn - 1:
        raise DataError(
            "a message says what has changed since one that did not come",
            found=f"round {message.turn}; the last one that came is {heard}",
            help="ask the server for all values",
        )
    values = known + message.values
    if ((values < shared.low) | (values > shared.high)).any():
        raise _refused("changes that lead to values that no device can hold")
    return values


def _refused(found: str) -> DataError:
    return DataError(
        "a message of the fleet cannot be read",
        found=found,
        help="server and devices need one spec, one list of personal layers and one version",
    )


def _whole(shared: Shared, values: Int64) -> Iterator[bytes]:
    for tensor in shared.tensors:
        yield values[tensor.place].astype(DTYPES[tensor.type]).tobytes()


def _read_whole(shared: Shared, body: memoryview) -> Int64:
    values, start = np.zeros(shared.count, np.int64), 0
    for tensor in shared.tensors:
        dtype = DTYPES[tensor.type]
        values[tensor.place] = np.frombuffer(body, dtype, tensor.count, start)
        start += tensor.count * dtype.itemsize
    _check_end(start, body)
    if ((values < shared.low) | (values > shared.high)).any():
        raise ValueError("values that no device can hold")
    return values


def _differences(shared: Shared, values: Int64) -> Iterator[bytes]:
    for tensor in shared.tensors:
        rows = values[tensor.place].reshape(tensor.rows, tensor.columns)
        codes = _codes(rows)
        yield _packed(codes)
        for code in (1, 2, 3):
            yield rows[codes == code].astype(_WIDTHS[code]).tobytes()


def _codes(rows: Int64) -> NDArray[np.uint8]:
    """The code of the narrowest type that holds a row, for each of them."""
    low, high = rows.min(axis=1), rows.max(axis=1)
    codes = np.zeros(len(rows), np.uint8)
    for limit in (0, 1 << 7, 1 << 15):
        codes += (low < -limit) | (high >= max(limit, 1))
    return codes


def _packed(codes: NDArray[np.uint8]) -> bytes:
    """Four codes a byte, the first in its lowest bits."""
    four = np.zeros(-(-len(codes) // 4) * 4, np.uint8)
    four[: len(codes)] = codes
    places = four.reshape(-1, 4) << np.array([0, 2, 4, 6], np.uint8)
    return bytes(np.bitwise_or.reduce(places, axis=1).astype(np.uint8))


def _read_differences(shared: Shared, body: memoryview) -> Int64:
    values, start = np.zeros(shared.count, np.int64), 0
    for tensor in shared.tensors:
        codes, start = _read_codes(tensor, body, start)
        rows = np.zeros((tensor.rows, tensor.columns), np.int64)
        for code in (1, 2, 3):
            many = int((codes == code).sum())
            dtype = np.dtype(_WIDTHS[code])
            there = np.frombuffer(body, dtype, many * tensor.columns, start)
            rows[codes == code] = there.reshape(many, tensor.columns)
            start += there.nbytes
        values[tensor.place] = rows.ravel()
    _check_end(start, body)
    return values


def _read_codes(
    tensor: SharedTensor, body: memoryview, start: int
) -> tuple[NDArray[np.uint8], int]:
    count = -(-tensor.rows // 4)
    four = np.frombuffer(body, np.uint8, count, start)
    codes = (four[:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
    return codes.ravel()[: tensor.rows].astype(np.uint8), start + count


def _check_end(end: int, body: memoryview) -> None:
    if end != len(body):
        raise ValueError(f"{len(body):,} bytes of values, expected {end:,}")
