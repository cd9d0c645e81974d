"""The harness as a program of this computer (firmware/host/stdio.c), or inside of one."""

import contextlib
import subprocess
import tempfile
import threading
from pathlib import Path

from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.process import failure, shown, tool_environment

_SECONDS_TO_END = 10.0


class ProcessLink:
    """A child process with pipes. Its stderr, such as a sanitizer's report, goes to the error."""

    # The child may write while this process still writes: all of it must fit into the pipe.
    max_reply = 32768

    def __init__(
        self,
        *command: str,
        timeout: float,
        folder: Path | None = None,
        title: str = "the harness",
    ) -> None:
        """`folder`: where the child runs. `title`: what errors call it."""
        self._title = title
        self._command = command
        self._timeout = timeout
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - close() closes it
        try:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                cwd=folder,
                env=tool_environment(),
            )
        except OSError as error:
            self._stderr.close()
            raise ToolError(
                f"{title} could not start", where=self._command[0], found=str(error)
            ) from error

    def exchange(self, request: bytes, reply_size: int) -> bytes:
        """See Link."""
        commands, replies = self._child.stdin, self._child.stdout
        assert commands is not None
        assert replies is not None
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            self._child.kill()

        watchdog = threading.Timer(self._timeout, end)
        watchdog.start()
        try:
            commands.write(request)
            commands.flush()
            reply = replies.read(reply_size)
        except BrokenPipeError:
            reply = b""
        finally:
            watchdog.cancel()
        if len(reply) != reply_size or self._child.poll() is not None:
            raise self._failure(is_late=is_late.is_set())
        return reply

    def end(self) -> None:
        """End the command stream, and give the child some seconds to end by itself."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._child.stdin.close()
            self._child.wait(_SECONDS_TO_END)

    def close(self) -> None:
        """See Link."""
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue  # What was still to be written has no reader any more.
        self._stderr.close()

    def _failure(self, *, is_late: bool) -> ToolError:
        code = self._child.wait()
        if is_late:
            found = f"no answer within {self._timeout:g} s"
            return ToolError(f"{self._title} hangs", where=shown(self._command), found=found)
        self._stderr.seek(0)
        said = self._stderr.read().decode("utf-8", "replace")
        return failure(self._title, self._command, code, said)
