"""A device at the other end of a line, with the model of a spec."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tpsgd_edge.errors import LinkError
from tpsgd_edge.link.frames import Frame
from tpsgd_edge.link.line import Line
from tpsgd_edge.link.messages import (
    BAD_BLOCK,
    OK,
    SELFTEST_FAILED,
    Answer,
    Command,
    Hello,
    Log,
    Statistics,
    number_of,
)
from tpsgd_edge.link.session import Limits, Session, good
from tpsgd_edge.memory import digest_order, model_id, state_layout
from tpsgd_edge.quantize import QuantizedModel, quantize_inputs, quantize_labels
from tpsgd_edge.quantize.model import DTYPES
from tpsgd_edge.spec import Spec, load_spec
from tpsgd_edge.stages import prepare
from tpsgd_edge.trace import digest

Progress = Callable[[str, int, int], None]
# How often a state is read again because the device learned meanwhile.
_READINGS = 3


class LinkedDevice:
    """A device that computes with the model of a spec; leaving its context closes the line.

    Samples and labels are taken as the data file has them. Each call ends within its time limit;
    where the line fails it raises LinkError.

    Attributes:
        model: what the firmware must have been built from.
        hello: what the device said last of itself.
    """

    def __init__(self, line: Line, model: QuantizedModel, limits: Limits | None = None) -> None:
        self.model = model
        self._line = line
        self._session = Session(line, limits)
        self._layout = state_layout(model)
        self.hello = self._begin()
        self._step = self.hello.step

    @classmethod
    def open(
        cls,
        port: str,
        spec: Spec | QuantizedModel | Path | str,
        *,
        baud: int = 115_200,
        limits: Limits | None = None,
    ) -> Self:
        """Open a line, and begin a session with the device there.

        Args:
            port: a serial port, a pseudo terminal, or an address such as socket://localhost:5555.
            spec: the spec, or its model, that the firmware was built from.

        Raises:
            LinkError: there is no device, or one with another model.
            ToolError: pyserial is not installed.
        """
        model = _model_of(spec)
        line = Line(port, baud)
        try:
            return cls(line, model, limits)
        except BaseException:
            line.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the line; a second time has no effect."""
        self._line.close()

    def greet(self) -> Hello:
        """Begin another session, and return what the device says of itself now."""
        self.hello = self._begin()
        self._step = self.hello.step
        return self.hello

    def selftest(self) -> bool:
        """Tell whether the device computes the right bits."""
        answer = self._ask(Command.SELFTEST)
        if answer.status == SELFTEST_FAILED:
            return False
        good(answer, "a self-test", self._line.port)
        return True

    def predict(self, x: ArrayLike) -> Answer:
        """The answer to a sample, shape (n_in,) or as the data has it."""
        return self._sample(Command.PREDICT, self._x(x), "to predict")

    def score(self, x: ArrayLike, y: ArrayLike) -> Answer:
        """The answer to a sample whose label is known, which the device notes in its log."""
        return self._sample(Command.SCORE, self._y(y) + self._x(x), "to score")

    def train(self, x: ArrayLike, y: ArrayLike) -> Answer:
        """Train once on a sample; the answer is that before it was learned.

        The sample is learned exactly once, whatever the line does, or LinkError says at which step
        the device stands.
        """
        payload, before = self._y(y) + self._x(x), self._step
        found = self._session.ask(Command.TRAIN, payload)
        if found is None:
            learned = (self.greet().step - before) % 2**32
            if 0 < learned <= _most_steps(self.model):
                # It was learned before the session was lost; only its answer is not known.
                return Answer(self._step, None, None, np.empty(0))
            if self._step != before:
                raise self._restarted(before)
            found = self._ask(Command.TRAIN, payload)
        answer = self._answer(found, "to train")
        self._step = answer.step
        return answer

    def pull(self, progress: Progress | None = None) -> bytes:
        """The state of the model, all of one moment, as a debugger dumps `struct NAME_model`.

        Raises:
            LinkError: the device learns all the while.
        """
        for _ in range(_READINGS):
            state = self._read_all(progress)
            if digest_of(self.model, state) == self.greet().digest:
                return state
        raise LinkError(
            "the weights that were read are not of one moment",
            where=self._line.port,
            found=f"{_READINGS} times; the device stands at step {self._step:,}",
            help="let the device pause its training while its weights are read",
        )

    def push(self, state: bytes, progress: Progress | None = None) -> Hello:
        """Replace the state of the model, all of it or nothing; the hello behind that.

        Args:
            state: as from `pull`. What came in before, of the same state, is not sent again.

        Raises:
            LinkError: the device has no scratch to take it in, or refuses it.
        """
        state = state[: self._layout.used_bytes]
        expected = digest_of(self.model, state)
        head = struct.pack("<3I", self.hello.model_id, len(state), zlib.crc32(state))
        what = "to take weights"
        came = number_of(good(self._ask(Command.BEGIN_WRITE, head), what, self._line.port))
        while came < len(state):
            came = self._write(state, came)
            if progress is not None:
                progress("push", came, len(state))
        answer = self._session.ask(Command.END_WRITE)
        # Where the answer got lost the digest tells.
        if answer is not None and answer.status != OK:
            good(answer, what, self._line.port)
        if self.greet().digest != expected:
            raise LinkError(
                "the device was reset while weights came in, and has kept those it had",
                where=self._line.port,
                found=f"digest 0x{self.hello.digest:08x}, expected 0x{expected:08x}",
                help="push them again",
            )
        return self.hello

    def checkpoint(self) -> int:
        """Let the device write a checkpoint; the step of its model."""
        return number_of(good(self._ask(Command.SAVE), "to save", self._line.port))

    def log(self, first: int = 0) -> Log:
        """The entries of the device's log from number `first` on, or the latest 16 of them."""
        answer = self._ask(Command.LOG, struct.pack("<I", first))
        return Log.read(good(answer, "its log", self._line.port))

    def statistics(self) -> Statistics:
        """The counters of the device."""
        return Statistics.read(good(self._ask(Command.STATISTICS), "counts", self._line.port))

    def _begin(self) -> Hello:
        hello = self._session.begin()
        if hello.model_id != model_id(self.model):
            raise LinkError(
                "the device has another model",
                where=self._line.port,
                found=f"'{hello.name}' with id 0x{hello.model_id:08X}, this spec makes "
                f"'{self.model.name}' with 0x{model_id(self.model):08X}",
                help="use the spec and the data that the firmware was built from",
            )
        return hello

    def _ask(self, command: Command, payload: bytes = b"") -> Frame:
        """The answer to a request that may be carried out twice."""
        for _ in range(self._session.limits.tries):
            answer = self._session.ask(command, payload)
            if answer is not None:
                return answer
            self.greet()
        raise LinkError(
            "the device is reset again and again, or another computer speaks to it",
            where=self._line.port,
            found=f"{self._session.limits.tries} lost sessions",
        )

    def _sample(self, command: Command, payload: bytes, what: str) -> Answer:
        return self._answer(self._ask(command, payload), what)

    def _answer(self, frame: Frame, what: str) -> Answer:
        payload = good(frame, what, self._line.port)
        return Answer.read(payload, DTYPES[self.model.output_type], self.hello.kind)

    def _x(self, x: ArrayLike) -> bytes:
        return quantize_inputs(self.model, np.asarray(x).reshape(1, -1)).tobytes()

    def _y(self, y: ArrayLike) -> bytes:
        labels = quantize_labels(self.model, np.asarray(y)[np.newaxis])
        raw = _on_the_wire(self.model, labels).tobytes()
        return raw.ljust(-(-len(raw) // 4) * 4, b"\0")

    def _read_all(self, progress: Progress | None) -> bytes:
        state = b""
        while len(state) < self._layout.used_bytes:
            count = min(self.hello.block, self._layout.used_bytes - len(state))
            request = struct.pack("<2I", len(state), count)
            payload = good(self._ask(Command.READ, request), "to read", self._line.port)
            state += payload[4:]
            if progress is not None:
                progress("pull", len(state), self._layout.used_bytes)
        return state.ljust(self._layout.size, b"\0")

    def _write(self, state: bytes, came: int) -> int:
        """Send the next block; how many bytes are there then."""
        block = state[came : came + self.hello.block]
        answer = self._ask(Command.WRITE, struct.pack("<I", came) + block)
        if answer.status != BAD_BLOCK:
            good(answer, "a block of weights", self._line.port)
        there = number_of(answer.payload)
        if there <= came and answer.status == BAD_BLOCK:
            raise self._restarted(self._step)
        return there

    def _restarted(self, before: int) -> LinkError:
        return LinkError(
            "the device was reset, or learns by itself",
            where=self._line.port,
            found=f"it stood at step {before:,}, and stands at step {self._step:,} now",
            help="go on from there: nothing was done twice",
        )


def digest_of(model: QuantizedModel, state: bytes) -> int:
    """The digest that NAME_digest() gives for a state."""
    layout = state_layout(model)
    tensors = layout.read(state.ljust(layout.size, b"\0"))
    return digest(tensors[name] for name in digest_order(model))


def _most_steps(model: QuantizedModel) -> int:
    """The most training steps that one sample is: of a sequence some, and those of kept samples."""
    again = 0 if model.replay is None else model.replay.again
    return len(model.learning_steps) * (1 + again)


def _on_the_wire(model: QuantizedModel, labels: NDArray[np.generic]) -> NDArray[np.generic]:
    return labels.astype("<u2") if model.labels.kind == "class" else labels


def _model_of(spec: Spec | QuantizedModel | Path | str) -> QuantizedModel:
    if isinstance(spec, QuantizedModel):
        return spec
    return prepare(spec if isinstance(spec, Spec) else load_spec(spec)).model
