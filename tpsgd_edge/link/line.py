"""A line that bytes go over: whatever pyserial opens."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tpsgd_edge.errors import LinkError, ToolError, how_to_install
from tpsgd_edge.link.frames import Frame, Reader, encoded

if TYPE_CHECKING:
    import serial

# A line that takes no byte for so long is stuck.
_WRITE_LIMIT = 5.0


class Line:
    """An open port. A context manager: leaving it closes the port.

    Args:
        port: a serial port, a pseudo terminal, or an address such as socket://localhost:5555.

    Raises:
        LinkError: it cannot be opened.
        ToolError: pyserial is not installed.
    """

    def __init__(self, port: str, baud: int = 115_200) -> None:
        self.port = port
        self.reader = Reader()
        self._waiting: list[Frame] = []
        self._serial = _open(port, baud)

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
        """Close the port; a second time has no effect."""
        self._serial.close()

    def send(self, frame: Frame) -> None:
        """Send a frame.

        Raises:
            LinkError: the line has gone, or takes nothing.
        """
        try:
            self._serial.write(encoded(frame))
        except OSError as error:
            raise self._gone(error) from None

    def receive(self, limit: float) -> Frame | None:
        """The next whole frame; None where there is none within `limit` seconds.

        Raises:
            LinkError: the line has gone.
        """
        end = time.monotonic() + limit
        while not self._waiting:
            rest = end - time.monotonic()
            if rest <= 0:
                return None
            self._waiting += self.reader.feed(self._some(rest))
        return self._waiting.pop(0)

    def _some(self, limit: float) -> bytes:
        try:
            self._serial.timeout = limit
            first: bytes = self._serial.read(1)
            more = self._serial.in_waiting if first else 0
            return first + self._serial.read(more) if more else first
        except OSError as error:
            raise self._gone(error) from None

    def _gone(self, error: OSError) -> LinkError:
        return LinkError(
            "the line to the device is gone",
            where=self.port,
            found=str(error),
            help="plug it in again; nothing is half-done on the device",
        )


def _open(port: str, baud: int) -> "serial.Serial":
    try:
        import serial
    except ModuleNotFoundError:
        raise ToolError(
            "pyserial, which opens the line, is not installed", help=how_to_install("link")
        ) from None
    try:
        return serial.serial_for_url(port, baud, timeout=0, write_timeout=_WRITE_LIMIT)
    except (OSError, ValueError) as error:
        raise LinkError(
            "the port cannot be opened",
            where=port,
            found=str(error),
            help="a serial port such as /dev/ttyACM0 or COM3, or socket://HOST:PORT; "
            "`python -m serial.tools.list_ports` lists those of this computer",
        ) from None
