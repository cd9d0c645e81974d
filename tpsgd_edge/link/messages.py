"""The payloads of requests and answers, and the words for what a device refuses."""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import LinkError


class Command(IntEnum):
    """The requests that a device knows."""

    HELLO = 1
    SELFTEST = 2
    PREDICT = 3
    SCORE = 4
    TRAIN = 5
    READ = 6
    BEGIN_WRITE = 7
    WRITE = 8
    END_WRITE = 9
    SAVE = 10
    LOG = 11
    STATISTICS = 12


class Kind(IntFlag):
    """Properties of a device and of its model, as a hello tells them."""

    CLASSES = 1
    REAL = 2
    TRAINS = 4
    SCRATCH = 8
    SAVES = 16
    CONFIDENCE = 32


OK = 0
SELFTEST_FAILED = 2
OTHER_VERSION, BAD_NUMBER, NOT_HERE, BAD_BLOCK, BAD_STATE = 64, 67, 68, 69, 70
STATUS = {
    1: "a class that the model does not have",
    SELFTEST_FAILED: "the self-test failed: this device computes other bits",
    3: "a learning rate beyond that of the spec",
    4: "NaN, infinity, or numbers beyond 2^20",
    37: "the storage has sizes that contradict each other",
    38: "the storage was never loaded from",
    39: "the storage did not take the checkpoint",
    OTHER_VERSION: "another version of the protocol",
    65: "a command that this firmware does not know",
    66: "a request of another length",
    BAD_NUMBER: "a request out of turn",
    NOT_HERE: "nothing to do that with: see NAME_wire.h",
    BAD_BLOCK: "not the next bytes of the state",
    BAD_STATE: "a state of another model, or a damaged one",
}
NO_CLASS = 0xFFFF
_OF_HELLO = (
    *("next", "model_id", "step", "digest", "x_count", "label_count", "output_count"),
    *("state_bytes", "block", "model_bytes", "work_bytes", "wire_bytes"),
)
_FULL = 1 << 15


@dataclass(frozen=True, slots=True)
class Hello:
    """The words of a device about itself.

    Attributes:
        next: number of the next request.
        x_count, label_count, output_count: values of a sample, of its label, and of its answer.
        state_bytes: of the state struct without the padding at its end; `block` in one frame.
        model_bytes, work_bytes, wire_bytes: RAM.
    """

    next: int
    model_id: int
    step: int
    digest: int
    x_count: int
    label_count: int
    output_count: int
    state_bytes: int
    block: int
    model_bytes: int
    work_bytes: int
    wire_bytes: int
    kind: Kind
    name: str

    @classmethod
    def read(cls, payload: bytes) -> "Hello":
        """Read a payload.

        Raises:
            LinkError: it has another form.
        """
        numbers = _numbers(payload, 13, more=True)
        named = dict(zip(_OF_HELLO, numbers, strict=False))
        name = payload[52:].decode("ascii", "replace")
        return cls(**named, kind=Kind(numbers[-1] & 63), name=name)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a sample.

    Attributes:
        step: training steps of the model, this one included.
        label: the class that was answered; None where labels are no classes, or the answer got lost
            on the line and only the step tells that the sample was learned.
        confidence: the probability of this class; None of models that know none.
        outputs: in the numbers of the last layer; of a training step before it learned.
    """

    step: int
    label: int | None
    confidence: float | None
    outputs: NDArray[np.generic]

    @classmethod
    def read(cls, payload: bytes, dtype: np.dtype[np.generic], kind: Kind) -> "Answer":
        """Read a payload, whose outputs are of a type.

        Raises:
            LinkError: it has another form.
        """
        if len(payload) < 8 or (len(payload) - 8) % dtype.itemsize:
            raise _malformed(payload)
        step, confidence, label = struct.unpack_from("<IHH", payload)
        return cls(
            step,
            label if Kind.CLASSES in kind else None,
            confidence / _FULL if Kind.CONFIDENCE in kind else None,
            np.frombuffer(payload, dtype, offset=8),
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample that a device learned from, or whose label it was told.

    Attributes:
        label: None where nobody knows it.
        answer: the class that the device answered; None of models without classes.
    """

    label: int | None
    answer: int | None
    confidence: float
    is_trained: bool


@dataclass(frozen=True, slots=True)
class Log:
    """Entries from number `first` on, and the number of the next one to come."""

    first: int
    next: int
    entries: tuple[Entry, ...]

    @classmethod
    def read(cls, payload: bytes) -> "Log":
        """Read a payload.

        Raises:
            LinkError: it has another form.
        """
        first, following = _numbers(payload, 2, more=True)
        if (len(payload) - 8) % 8:
            raise _malformed(payload)
        rows = struct.iter_unpack("<HHHH", payload[8:])
        entries = (
            Entry(_known(label), _known(answer), confidence / _FULL, trained != 0)
            for label, answer, confidence, trained in rows
        )
        return cls(first, following, tuple(entries))


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counters of a device.

    Attributes:
        step: training steps of its model.
        logged: number of the next entry of the log.
        carried_out: requests; `trained` of these were training steps that a computer asked for.
        repeated: requests that were answered from memory.
        dropped: frames; `lost`: bytes that came while a request waited.
        came: bytes of a state that comes in.
    """

    step: int
    logged: int
    carried_out: int
    trained: int
    repeated: int
    dropped: int
    lost: int
    came: int

    @classmethod
    def read(cls, payload: bytes) -> "Statistics":
        """Read a payload.

        Raises:
            LinkError: it has another form.
        """
        return cls(*_numbers(payload, 8))


def number_of(payload: bytes) -> int:
    """Read the one number of a payload.

    Raises:
        LinkError: it has another form.
    """
    return _numbers(payload, 1)[0]


def _numbers(payload: bytes, count: int, *, more: bool = False) -> tuple[int, ...]:
    if len(payload) < 4 * count or (len(payload) > 4 * count and not more):
        raise _malformed(payload)
    return struct.unpack_from(f"<{count}I", payload)


def _known(number: int) -> int | None:
    return None if number == NO_CLASS else number


def _malformed(payload: bytes) -> LinkError:
    return LinkError(
        "the device answers in another form than the protocol has",
        found=f"a payload of {len(payload)} bytes",
        help="use the tpsgd-edge that the firmware was built with",
    )
