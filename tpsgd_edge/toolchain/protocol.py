"""The harness's commands (firmware/port/harness.c), over any link that carries bytes both ways."""

import struct
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError, ToolError
from tpsgd_edge.quantize.model import DTYPES
from tpsgd_edge.toolchain.interface import ModelInterface
from tpsgd_edge.trace import ANSWERS, Answers, Trace, neighbours

VERSION = 5
INFO, INIT, TRAIN, TRACE, OUTPUTS, DUMP, LOAD, SELFTEST, STACK, CONFIDENT = range(10)
ASK, RATE, RESTART, PREPARE, LABEL, VALUES, HEAR = range(10, 17)


class Link(Protocol):
    """A way to a harness. `max_reply`: a longer reply to one request could block it."""

    max_reply: int

    def exchange(self, request: bytes, reply_size: int) -> bytes:
        """Send one command and wait for its whole reply."""

    def close(self) -> None:
        """End what runs at the other end."""


class StreamDevice:
    """A device behind a link."""

    def __init__(self, link: Link, interface: ModelInterface) -> None:
        self.interface = interface
        self._link = link
        try:
            self._shake_hands()
            self.init()
        except BaseException:
            link.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._link.close()

    def init(self) -> None:
        """See Device."""
        self._command(INIT)

    def train(self, x: Array, labels: Array, *, order: NDArray[np.integer] | None = None) -> int:
        """See Device."""
        samples = _samples(self.interface, x, labels)
        if order is not None:
            samples = samples[order]
        reply = self._command(TRAIN, len(samples), samples.tobytes(), 4)
        return int.from_bytes(reply, "little")

    def _traced(self, x: Array, labels: Array) -> Iterator[tuple[bytes, int]]:
        """Yield the requests of `trace`, with the sizes of their replies."""
        each = self.interface.layout.size + self.interface.answer_bytes
        for part in _split(_samples(self.interface, x, labels), self._link.max_reply // each):
            yield _request(TRACE, len(part), part.tobytes()), len(part) * each

    def _asked(self, x: Array, labels: Array) -> Iterator[tuple[bytes, int]]:
        """Yield the requests of `answers`, with the sizes of their replies."""
        pairs, each = _pairs(self.interface, x, labels), 4 * len(ANSWERS)
        for part in _split(pairs, (self._link.max_reply - 8) // each) or [pairs]:
            yield _request(ASK, len(part), part.tobytes()), len(part) * each + 8

    def trace(self, x: Array, labels: Array) -> Trace:
        """See Device."""
        interface = self.interface
        state_size = interface.layout.size
        pieces, digests, final = _pieces(interface), [], {}
        for request, size in self._traced(x, labels):
            reply = self._link.exchange(request, size)
            steps = np.frombuffer(reply, np.uint8)
            steps = steps.reshape(-1, state_size + interface.answer_bytes)
            digests += [[crc32(step[piece].data) for piece in pieces] for step in steps]
            final = {"output": interface.last_output(steps[-1, state_size:].tobytes())}
        table = np.array(digests, np.uint32).reshape(len(x), len(pieces))
        return Trace(interface.trace_names, table, interface.layout.read(self.state()) | final)

    def outputs(self, x: Array) -> Array:
        """See Device."""
        interface = self.interface
        inputs = _padded(interface.inputs(x))
        replies = [
            self._command(OUTPUTS, len(part), part.tobytes(), len(part) * interface.output_bytes)
            for part in _split(inputs, self._link.max_reply // interface.output_bytes)
        ]
        return interface.outputs(b"".join(replies))

    def confidences(self, x: Array) -> Array:
        """See Device."""
        dtype = self.interface.confidence_dtype
        inputs = _padded(self.interface.inputs(x))
        replies = [
            self._command(CONFIDENT, len(part), part.tobytes(), len(part) * dtype.itemsize)
            for part in _split(inputs, self._link.max_reply // dtype.itemsize)
        ]
        return np.frombuffer(b"".join(replies), dtype)

    def answers(self, x: Array, labels: Array) -> Answers:
        """See Device."""
        words, bad_labels, digest = [], 0, 0
        for request, size in self._asked(x, labels):
            reply = self._link.exchange(request, size)
            words.append(reply[:-8])
            taken, digest = struct.unpack("<II", reply[-8:])
            bad_labels += taken
        table = np.frombuffer(b"".join(words), "<u4").reshape(-1, len(ANSWERS))
        return Answers(table, bad_labels, digest)

    def prepare(self, raw: Array) -> tuple[NDArray[np.uint32], Array]:
        """See Device."""
        interface = self.interface
        return self._converted(PREPARE, interface.raws(raw), interface.x_type, interface.n_in)

    def prepare_labels(self, values: Array) -> tuple[NDArray[np.uint32], Array]:
        """See Device."""
        interface = self.interface
        return self._converted(
            LABEL, interface.values(values), interface.label_type, interface.label_count
        )

    def hear(self, blocks: Array) -> tuple[NDArray[np.uint32], Array]:
        """See Device."""
        interface = self.interface
        self._command(HEAR)
        return self._converted(HEAR, interface.blocks(blocks), "s16", interface.window_features)

    def values(self, outputs: Array) -> Array:
        """See Device."""
        count = outputs.shape[1]
        rows = _padded(np.ascontiguousarray(outputs))
        replies = [
            self._command(VALUES, len(part), part.tobytes(), len(part) * 4 * count)
            for part in _split(rows, self._link.max_reply // (4 * count))
        ]
        return np.frombuffer(b"".join(replies), "<f4").reshape(-1, count)

    def _converted(
        self, opcode: int, given: Array, type_: str, count: int
    ) -> tuple[NDArray[np.uint32], Array]:
        """Statuses, and what `given` rows became: `count` entries of a type each."""
        used = count * DTYPES[type_].itemsize
        size = 4 + _round_up(used)
        replies = [
            self._command(opcode, len(part), part.tobytes(), len(part) * size)
            for part in _split(_padded(given), self._link.max_reply // size)
        ]
        rows = np.frombuffer(b"".join(replies), np.uint8).reshape(-1, size)
        made = np.ascontiguousarray(rows[:, 4 : 4 + used]).view(DTYPES[type_])
        return np.ascontiguousarray(rows[:, :4]).view("<u4").ravel(), made

    def state(self) -> bytes:
        """See Device."""
        return self._command(DUMP, reply_size=self.interface.layout.size)

    def load_state(self, state: bytes) -> None:
        """See Device."""
        check_state(self.interface, state)
        self._command(LOAD, payload=state)

    def set_rate(self, rate: float) -> bool:
        """See Device."""
        return self._command(RATE, payload=self.interface.rate(rate), reply_size=4) == bytes(4)

    def restart_schedule(self) -> None:
        """See Device."""
        self._command(RESTART)

    def selftest(self) -> bool:
        """See Device."""
        return self._command(SELFTEST, reply_size=4) == bytes(4)

    def stack_bytes(self) -> int:
        """See Device."""
        return int.from_bytes(self._command(STACK, reply_size=4), "little")

    def _command(
        self, opcode: int, count: int = 0, payload: bytes = b"", reply_size: int = 0
    ) -> bytes:
        return self._link.exchange(_request(opcode, count, payload), reply_size)

    def _shake_hands(self) -> None:
        interface = self.interface
        found = struct.unpack("<6I", self._command(INFO, reply_size=24))
        x_bytes = _round_up(interface.x_bytes)
        sample_bytes = x_bytes + _round_up(interface.label_bytes)
        trained = (VERSION, interface.layout.size, sample_bytes, x_bytes, interface.output_bytes)
        expected = (*trained, len(interface.tensors))
        # Firmware for inference only has neither samples nor a table of tensors.
        if found not in (expected, (*trained[:2], 0, *trained[3:], 0)):
            raise ToolError(
                "the binary was built from another model",
                where=interface.name,
                found=f"{found}, expected {expected}",
                help="build it again from this spec",
            )


def _request(opcode: int, count: int, payload: bytes) -> bytes:
    return struct.pack("<II", opcode, count) + payload


def check_state(interface: ModelInterface, state: bytes) -> None:
    """Check that `state` has the struct's size.

    Raises:
        DataError: it has another size.
    """
    if len(state) != interface.layout.size:
        raise DataError(
            "the state is not one of this model",
            where=interface.name,
            found=f"{len(state)} bytes, expected {interface.layout.size}",
        )


def _samples(interface: ModelInterface, x: Array, labels: Array) -> NDArray[np.uint8]:
    """Samples as the harness reads them, one row of bytes each."""
    inputs, targets = checked_samples(interface, x, labels)
    return np.hstack([_padded(inputs), _padded(targets)])


def _pairs(interface: ModelInterface, x: Array, labels: Array) -> NDArray[np.uint8]:
    """Samples and the ones before them, as the harness reads them, one row of bytes a pair."""
    inputs, targets = checked_samples(interface, x, labels)
    pairs = neighbours(len(inputs))
    return np.hstack([_padded(inputs[pairs]), _padded(targets[pairs])])


def checked_samples(interface: ModelInterface, x: Array, labels: Array) -> tuple[Array, Array]:
    """Samples x (n, n_in) and labels (n, ...) as contiguous arrays in C's types.

    Raises:
        DataError: they do not fit the model, or differ in number.
    """
    inputs, targets = interface.inputs(x), interface.labels(labels)
    if len(inputs) != len(targets):
        raise DataError(
            "samples and labels differ in number", found=f"{len(inputs)} and {len(targets)}"
        )
    return inputs, targets


def _padded(rows: Array) -> NDArray[np.uint8]:
    """Each row's bytes, with zeros up to a multiple of 4."""
    count = len(rows)
    width = rows.itemsize * int(np.prod(rows.shape[1:], dtype=np.int64))
    padded = np.zeros((count, _round_up(width)), np.uint8)
    if count:
        padded[:, :width] = rows.reshape(count, -1).view(np.uint8).reshape(count, width)
    return padded


def _pieces(interface: ModelInterface) -> list[slice]:
    """The bytes of each tensor in a state, and of the outputs that follow it."""
    layout = interface.layout
    places = {t.name: slice(t.offset, t.offset + t.n_bytes) for t in layout.tensors}
    return [*(places[name] for name in interface.tensors), slice(layout.size, None)]


def _split(rows: NDArray[np.uint8], size: int) -> list[NDArray[np.uint8]]:
    size = max(size, 1)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _round_up(size: int) -> int:
    return -(-size // 4) * 4
