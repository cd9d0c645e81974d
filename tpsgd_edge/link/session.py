"""One request after the other, each with a number: repeated where no answer comes, done once."""

import random
import time
from dataclasses import dataclass

from tpsgd_edge.errors import LinkError
from tpsgd_edge.link.frames import VERSION, Frame
from tpsgd_edge.link.line import Line
from tpsgd_edge.link.messages import BAD_NUMBER, OK, OTHER_VERSION, STATUS, Command, Hello

_ANSWER = 128
_SLOW = frozenset((Command.SELFTEST, Command.SAVE))


@dataclass(frozen=True, slots=True)
class Limits:
    """Time limits: seconds to wait for an answer, for one that takes long, and how often to ask.

    No call waits longer than `tries` times its limit, and that of a session that is begun again.
    """

    answer: float = 2.0
    slow: float = 60.0
    tries: int = 4

    def of(self, command: Command) -> float:
        """The seconds to wait for the answer to a command."""
        return self.slow if command in _SLOW else self.answer


class Session:
    """Requests over a line, from a hello on."""

    def __init__(self, line: Line, limits: Limits | None = None) -> None:
        self.line = line
        self.limits = Limits() if limits is None else limits
        self._next = 0

    def begin(self) -> Hello:
        """Begin a session, and return what the device says of itself.

        Raises:
            LinkError: no device answers, or it speaks another version of the protocol.
        """
        answer = self._exchange(Frame(Command.HELLO, random.getrandbits(32), b""))
        hello = Hello.read(answer.payload)
        self._next = hello.next
        return hello

    def ask(self, command: Command, payload: bytes = b"") -> Frame | None:
        """The answer to a request, whatever its status.

        None where the device knows nothing of this session: it was reset, or another computer spoke
        to it. The request may or may not have been carried out before.

        Raises:
            LinkError: the device does not answer.
        """
        answer = self._exchange(Frame(command, self._next, payload))
        if answer.status == BAD_NUMBER:
            return None
        self._next = (self._next + 1) % 2**32
        return answer

    def _exchange(self, request: Frame) -> Frame:
        limit = self.limits.of(Command(request.command))
        for _ in range(self.limits.tries):
            self.line.send(request)
            answer = self._answer_to(request, limit)
            if answer is not None:
                return _of_this_version(answer, self.line.port)
        raise LinkError(
            "the device does not answer",
            where=self.line.port,
            found=f"nothing within {limit:g} s, {self.limits.tries} times"
            f"; {self.line.reader.damaged:,} damaged frames since the line was opened",
            help="is it the right port and speed, and does the firmware call NAME_wire_poll?",
        )

    def _answer_to(self, request: Frame, limit: float) -> Frame | None:
        """The answer within a time limit; those to other requests are late, and left out."""
        end = time.monotonic() + limit
        while (rest := end - time.monotonic()) > 0:
            frame = self.line.receive(rest)
            if frame is None:
                return None
            if (frame.command, frame.number) == (request.command | _ANSWER, request.number):
                return frame
        return None


def _of_this_version(answer: Frame, port: str) -> Frame:
    if answer.status == OTHER_VERSION or answer.version != VERSION:
        raise LinkError(
            "the device speaks another version of the protocol",
            where=port,
            found=f"version {answer.version}, this tpsgd-edge speaks version {VERSION}",
            help="use the tpsgd-edge that the firmware was built with",
        )
    return answer


def good(answer: Frame, what: str, port: str) -> bytes:
    """The payload of an answer whose status is good.

    Raises:
        LinkError: the device refuses what was asked for.
    """
    if answer.status != OK:
        raise LinkError(
            f"the device refuses {what}",
            where=port,
            found=f"status {answer.status}: {STATUS.get(answer.status, 'not known here')}",
        )
    return answer.payload
