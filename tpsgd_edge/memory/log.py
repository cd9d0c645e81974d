"""Logs of training as docs/LOG.md lays them out: what a device learned from, in order."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.memory.identity import model_id
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel

MAGIC = b"tpSl"
VERSION = 1
HEAD = struct.Struct("<4s7I")
_CRC = struct.Struct("<I")
_DIGEST = struct.Struct("<2I")
BEGIN_BYTES = HEAD.size + _CRC.size
DIGEST_BYTES = 1 + _DIGEST.size + _CRC.size
_RATE_BYTES = 4


@dataclass(frozen=True, slots=True)
class LogFormat:
    """The samples in the logs of a model.

    Attributes:
        x, label, rate: types of an input's entries, of a label's, and of a learning rate.
        n_in, n_labels: entries of an input, and of the labels of a sample.
    """

    model_id: int
    x: np.dtype[np.generic]
    n_in: int
    label: np.dtype[np.generic]
    n_labels: int
    rate: np.dtype[np.generic]

    @property
    def x_bytes(self) -> int:
        """Bytes of an input."""
        return self.x.itemsize * self.n_in

    @property
    def label_bytes(self) -> int:
        """Bytes of the labels of a sample."""
        return self.label.itemsize * self.n_labels


def log_format(model: QuantizedModel) -> LogFormat:
    """The samples in the logs of a model."""
    labels, real = model.labels, model.value_type == "f32"
    is_class = labels.kind == "class"
    return LogFormat(
        model_id=model_id(model),
        x=DTYPES[model.value_type],
        n_in=model.n_inputs,
        label=DTYPES["u16" if is_class else "f32" if real else "s16"],
        n_labels=(1 if is_class else labels.count) * model.answers,
        rate=DTYPES["f32" if real else "u32"],
    )


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that changed a model, or told of it.

    Attributes:
        at: where it begins in the log, in bytes.
        x, label: of a step: input (n_in,) and labels (n_labels,).
        step, digest: of a digest: the model's count of steps and NAME_digest() then.
        rate: of a new learning rate.
    """

    kind: Literal["step", "digest", "rate", "restart"]
    at: int
    x: Array | None = None
    label: Array | None = None
    step: int = 0
    digest: int = 0
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Session:
    """Records from one beginning to the next, or to the end.

    Attributes:
        step, digest: of the model at the beginning.
        damage: what follows that is no record, in words; empty where nothing does.
        checked: how many records a CRC covers that is right; those behind may be damaged.
    """

    at: int
    step: int
    digest: int
    records: tuple[Record, ...] = ()
    damage: str = ""
    checked: int = 0


class _Reading:
    """A session that is being read.

    Attributes:
        at: where the next record begins.
        checked: how many records a CRC covers.
    """

    def __init__(self, raw: bytes, form: LogFormat, at: int) -> None:
        self.raw, self.format, self.at = raw, form, at
        self.records: list[Record] = []
        self.checked = 0

    def take(self, count: int) -> bytes | None:
        """The next bytes; None at the end of the log."""
        if self.at + count > len(self.raw):
            return None
        taken = self.raw[self.at : self.at + count]
        self.at += count
        return taken


def read_log(raw: bytes, expected: LogFormat, *, where: str) -> tuple[Session, ...]:
    """All sessions in the bytes of a log, at least one.

    A record that is cut off or damaged ends its session, which says so; the next one begins where
    the next beginning is.

    Raises:
        DataError: there is no beginning, or one of another model or format.
    """
    begins = list(_beginnings(raw))
    if not begins:
        raise DataError(
            "there is no log in these bytes",
            where=where,
            found=f"{len(raw):,} bytes without a whole beginning of one",
            help="give what the function that you passed to NAME_log_begin was told to append",
        )
    return tuple(
        _session(raw[:end], at, expected, where) for at, end in pairwise([*begins, len(raw)])
    )


def _beginnings(raw: bytes) -> Iterator[int]:
    at = raw.find(MAGIC)
    while at >= 0:
        head, crc = raw[at : at + HEAD.size], raw[at + HEAD.size : at + BEGIN_BYTES]
        if len(crc) == _CRC.size and _CRC.unpack(crc)[0] == zlib.crc32(head):
            yield at
        at = raw.find(MAGIC, at + 1)


def _session(raw: bytes, at: int, expected: LogFormat, where: str) -> Session:
    _, version, model_id, x_bytes, label_bytes, _, step, digest = HEAD.unpack_from(raw, at)
    place = f"{where}, at byte {at:,}"
    if version != VERSION:
        raise DataError(
            "the log is of another format",
            where=place,
            found=f"version {version}; this tpsgd-edge reads version {VERSION}",
        )
    if model_id != expected.model_id:
        raise DataError(
            "the log is of another model",
            where=place,
            found=f"model id 0x{model_id:08X}, this spec makes 0x{expected.model_id:08X}",
            help="use the spec and the data that the firmware was built from",
        )
    if (x_bytes, label_bytes) != (expected.x_bytes, expected.label_bytes):
        raise DataError(
            "the samples in the log have another size",
            where=place,
            found=f"{x_bytes:,} bytes of input and {label_bytes:,} of labels, expected "
            f"{expected.x_bytes:,} and {expected.label_bytes:,}",
        )
    reading = _Reading(raw, expected, at + BEGIN_BYTES)
    damage = _read_records(reading, at)
    return Session(at, step, digest, tuple(reading.records), damage, reading.checked)


def _read_records(reading: _Reading, begin: int) -> str:
    """Read record by record, and say what is wrong with the first that is none."""
    raw = reading.raw
    while reading.at < len(raw):
        start, reading.at = reading.at, reading.at + 1
        reader = _READERS.get(raw[start : start + 1])
        if reader is None:
            # Something before it must be damaged, too.
            del reading.records[reading.checked :]
            return f"byte {start:,} begins no record"
        record = reader(reading, start)
        if record is None:
            return f"the record at byte {start:,} is cut off"
        reading.records.append(record)
        if record.kind == "digest" and not _is_checked(reading, begin):
            del reading.records[reading.checked :]
            return f"damaged bytes before byte {reading.at:,}: their CRC differs"
    return ""


def _is_checked(reading: _Reading, begin: int) -> bool:
    """Compare the CRC behind a digest."""
    if _CRC.unpack_from(reading.raw, reading.at)[0] != zlib.crc32(reading.raw[begin : reading.at]):
        return False
    reading.at += _CRC.size
    reading.checked = len(reading.records)
    return True


def _step(reading: _Reading, at: int) -> Record | None:
    kind = reading.format
    raw = reading.take(kind.x_bytes + kind.label_bytes)
    if raw is None:
        return None
    x = np.frombuffer(raw, kind.x, kind.n_in)
    return Record("step", at, x=x, label=np.frombuffer(raw, kind.label, offset=kind.x_bytes))


def _digest(reading: _Reading, at: int) -> Record | None:
    # The CRC behind it is not taken yet: it has to be there.
    raw = reading.take(_DIGEST.size)
    if raw is None or reading.at + _CRC.size > len(reading.raw):
        return None
    step, digest = _DIGEST.unpack(raw)
    return Record("digest", at, step=step, digest=digest)


def _rate(reading: _Reading, at: int) -> Record | None:
    raw = reading.take(_RATE_BYTES)
    if raw is None:
        return None
    return Record("rate", at, rate=float(np.frombuffer(raw, reading.format.rate)[0]))


def _restart(_reading: _Reading, at: int) -> Record | None:
    return Record("restart", at)


_READERS = {b"S": _step, b"D": _digest, b"R": _rate, b"B": _restart}
