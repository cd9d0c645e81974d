"""Devices that are processes of this computer, and lines to them that fail: for line_faults.py.

The generated C runs behind examples/firmware/wire/main_posix.c. A `FaultyLine` is a TCP port in
front of it, which knows where frames begin and end, and does something to one of them.
"""

import contextlib
import random
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tpsgd_edge.codegen import CProject
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.platforms import load_platform

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples" / "firmware"


def build(project: CProject, folder: Path, *command: str) -> Path:
    """Compile the project of a model with a wire to a device, with any compiler."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in project.files.items():
        if path.endswith((".c", ".h")) and "/" not in path:
            (folder / path).write_text(text, encoding="utf-8")
    if not command:
        found = find_compiler(load_platform("host"))
        zig = found.family == "zig"
        command = (*found.command, *(("cc",) if zig else ()), "-O1", "-fno-sanitize=all")
    flags = [f"-DMODEL={project.name}", f'-DMODEL_H="{project.name}_wire.h"']
    if f"{project.name}_store.h" in project.files:
        flags.append("-DSTORE")
    if f"{project.name}_log.h" in project.files:
        flags.append("-DLOGGED")
    folders = [f"-I{place}" for place in (folder, ROOT / "firmware" / "store", EXAMPLES / "wire")]
    sources = [str(EXAMPLES / "wire" / "main_posix.c"), *(str(folder / s) for s in project.sources)]
    words = [*command, "-std=c11", *flags, *folders, *sources, "-o", str(folder / "device")]
    subprocess.run(words, check=True, timeout=300)
    return folder / "device"


class Process:
    """A device, which can be reset: then it begins with its latest checkpoint, or with nothing."""

    def __init__(self, program: Path, folder: Path, where: str = "0") -> None:
        self._program, self._folder = program, folder
        self._process = self._start(where)
        self.port = self._first_line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Cut its power."""
        self._process.kill()
        self._process.communicate()

    def reset(self) -> None:
        """Cut its power, and start it again on the same port."""
        self.kill()
        self._process = self._start(self.port.rpartition(":")[2])
        assert self._first_line() == self.port

    def _start(self, where: str) -> "subprocess.Popen[str]":
        files = (str(self._folder / name) for name in ("checkpoints.bin", "device.log"))
        command = [str(self._program), where, *files]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def _first_line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


Fault = Callable[[bytes], list[tuple[float, bytes]]]
"""A frame with its zeros becomes pieces of bytes, each after some seconds."""


def flip(at: float) -> Fault:
    """Turn one bit around, at a share of the frame's bits."""

    def fault(frame: bytes) -> list[tuple[float, bytes]]:
        bit = min(int(at * 8 * len(frame)), 8 * len(frame) - 1)
        changed = bytearray(frame)
        changed[bit // 8] ^= 1 << bit % 8
        return [(0, bytes(changed))]

    return fault


def cut(at: float) -> Fault:
    """Lose the end of the frame, from a share of its bytes on."""
    return lambda frame: [(0, frame[: int(at * len(frame))])]


def behead(at: float) -> Fault:
    """Lose its begin."""
    return lambda frame: [(0, frame[int(at * len(frame)) :])]


def double(after: float) -> Fault:
    """Send it once more, after some seconds, when others have passed."""
    return lambda frame: [(0, frame), (after, frame)]


def delay(seconds: float) -> Fault:
    """Send it late; others may overtake it."""
    return lambda frame: [(seconds, frame)]


def noise(count: int) -> Fault:
    """Put some bytes of noise before it."""
    rng = random.Random(count)
    return lambda frame: [(0, bytes(rng.randrange(256) for _ in range(count)) + frame)]


@dataclass
class FaultyLine:
    """A line on which the frame of a number and direction suffers; numbers count both directions.

    Attributes:
        fault: what it suffers; None where `event` is called instead, and the frame goes through.
        event: called when the frame comes, such as a reset of the device. It gets the line.
        frames: how many frames have passed.
    """

    device: str
    number: int = -1
    fault: Fault | None = None
    event: Callable[["FaultyLine"], None] | None = None
    frames: int = 0
    each: Callable[[random.Random], Fault | None] | None = None
    _sockets: list[socket.socket] = field(default_factory=list)
    _rest: list[bytes] = field(default_factory=list)
    _late: list[tuple[float, int, bytes]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _rng: random.Random = field(default_factory=lambda: random.Random(1))

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("localhost", 0))
        self.port = f"socket://localhost:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)
        self._listener.close()
        self.unplug()

    def unplug(self) -> None:
        """Close both ends."""
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets.clear()

    def _run(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([self._listener], [], [], 0.02)
            if ready:
                host = self._listener.accept()[0]
                with contextlib.suppress(OSError, ValueError, IndexError):
                    self._pass_on(host)

    def reconnect(self) -> None:
        """Connect to the device again, which was reset; to the host nothing shows of that."""
        self._sockets[1].close()
        self._sockets[1] = _connect(self.device)
        self._rest[1] = b""

    def _pass_on(self, host: socket.socket) -> None:
        """Pass frames on between a host and the device until one of them is gone."""
        self._sockets = [host, _connect(self.device)]
        self._rest = [b"", b""]
        while not self._stop.is_set() and self._sockets:
            self._send_late()
            for source in select.select(self._sockets, [], [], 0.002)[0]:
                end = self._sockets.index(source)
                some = source.recv(4096)
                if not some:
                    self.unplug()
                    return
                *blocks, self._rest[end] = (self._rest[end] + some).split(b"\0")
                for block in filter(None, blocks):
                    self._meet(b"\0" + block + b"\0", 1 - end)

    def _meet(self, frame: bytes, end: int) -> None:
        fault = self.fault if self.frames == self.number else None
        if self.each is not None:
            fault = self.each(self._rng)
        if self.frames == self.number and self.event is not None:
            self.event(self)
        self.frames += 1
        for seconds, piece in [(0.0, frame)] if fault is None else fault(frame):
            if seconds > 0:
                self._late.append((time.monotonic() + seconds, end, piece))
            else:
                self._sockets[end].sendall(piece)

    def _send_late(self) -> None:
        now = time.monotonic()
        for piece in [piece for piece in self._late if piece[0] <= now]:
            self._late.remove(piece)
            with contextlib.suppress(OSError):
                self._sockets[piece[1]].sendall(piece[2])


def _connect(port: str) -> socket.socket:
    host, _, number = port.removeprefix("socket://").partition(":")
    for _ in range(100):
        with contextlib.suppress(OSError):
            return socket.create_connection((host, int(number)), timeout=5)
        time.sleep(0.02)
    raise OSError(f"no device at {port}")


def shares(count: int) -> Iterator[float]:
    """Places in a frame, evenly spread.

    >>> list(shares(2))
    [0.25, 0.75]
    """
    return ((2 * i + 1) / (2 * count) for i in range(count))
