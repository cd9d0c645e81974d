"""Let a line to a device fail in every frame, and look what became of it: docs/PROTOCOL.md's table.

    python tools/line_faults.py                 # minutes; --places 1 for a look

A device (generated C, a process) is greeted, trained, asked, read, written and asked again over a
line that does something to one frame: flips a bit, loses one end, doubles it, delays it, puts noise
before it; or the device is reset then, or the line unplugged. Each call must end within its time
limit. Afterwards, over a good line, the device must stand at a step that some number of the
samples gave, with the digest of just these. Exits with 1 where one does not.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from line_devices import (
    ROOT,
    Fault,
    FaultyLine,
    Process,
    behead,
    build,
    cut,
    delay,
    double,
    flip,
    noise,
    shares,
)

from tpsgd_edge.errors import LinkError
from tpsgd_edge.link import Limits, LinkedDevice
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import Prepared, prepare, render_project

LIMITS = Limits(answer=0.15, slow=1.0, tries=4)
# A call may take all tries of its request, and of a session that is begun again in between; what is
# more than that hangs.
HANG = 2.5 * LIMITS.tries * LIMITS.answer * 2
SAMPLES = 4
_SMALL = 'model.layers=[{ name = "fc1", units = 3 }, { name = "fc2", units = 10 }]'


@dataclass(frozen=True)
class Kind:
    """A kind of fault: in which ways a frame suffers it, or what happens when it comes."""

    name: str
    faults: Callable[[int], list[Fault]]
    event: Callable[[Process, FaultyLine], None] | None = None


@dataclass
class Tally:
    """What came of the runs with one kind of fault.

    Attributes:
        done: all went as if there had been no fault; told: LinkError said that it did not.
    """

    runs: int = 0
    done: int = 0
    told: int = 0
    hangs: int = 0
    wrong: int = 0
    longest: float = 0.0


def _reset(process: Process, line: FaultyLine) -> None:
    process.reset()
    line.reconnect()


def _unplug(_: Process, line: FaultyLine) -> None:
    line.unplug()


KINDS = (
    Kind("one bit flipped", lambda n: [flip(at) for at in shares(n)]),
    Kind("its end lost", lambda n: [cut(at) for at in shares(n)]),
    Kind("its begin lost", lambda n: [behead(at) for at in shares(n)]),
    Kind("all of it lost", lambda _: [lambda _frame: []]),
    Kind("doubled at once", lambda _: [double(1e-9)]),
    Kind("doubled later", lambda n: [double(0.02 * (i + 1)) for i in range(n)]),
    Kind("delayed, within the limit", lambda _: [delay(0.05)]),
    Kind("delayed beyond it", lambda n: [delay(0.2 + 0.1 * i) for i in range(n)]),
    Kind("noise before it", lambda n: [noise(7 * (i + 1)) for i in range(n)]),
    Kind("the device is reset", lambda _: [], _reset),
    Kind("unplugged, the host gone", lambda _: [], _unplug),
)


class Bench:
    """A device, its samples, and which digest each number of them gives it."""

    def __init__(self, prepared: Prepared, program: Path, folder: Path) -> None:
        self.model = prepared.model
        self.x, self.y = prepared.dataset.x_train, prepared.dataset.y_train
        self.program, self.folder = program, folder
        self.digests: dict[int, int] = {}
        self.states: dict[int, bytes] = {}
        with Process(program, folder) as process, self.open(process.port) as device:
            self.states[0], self.digests[0] = device.pull(), device.hello.digest
            for i in range(3 * SAMPLES):
                device.train(self.x[i], self.y[i])
                self.states[i + 1] = device.pull()
                self.digests[i + 1] = device.hello.digest
        self.state = self.states[SAMPLES]

    def open(self, port: str) -> LinkedDevice:
        """The device at the end of a line."""
        return LinkedDevice.open(port, self.model, limits=LIMITS)

    def calls(self, port: str) -> Iterator[Callable[[], object]]:
        """What is asked of a device, one call after the other."""
        device = self.open(port)
        try:
            for i in range(SAMPLES):
                yield lambda i=i: device.train(self.x[i], self.y[i])  # type: ignore[misc]
            yield lambda: device.predict(self.x[0])
            yield device.pull
            yield lambda: device.push(self.state)
            for i in range(SAMPLES, 2 * SAMPLES):
                yield lambda i=i: device.train(self.x[i], self.y[i])  # type: ignore[misc]
            yield device.log
            yield device.statistics
        finally:
            device.close()

    def frames(self) -> int:
        """The frames of a run without a fault."""
        with Process(self.program, self.folder) as process, FaultyLine(process.port) as line:
            assert self.run(line.port, Tally())
            return line.frames

    def run(self, port: str, tally: Tally) -> bool:
        """Make all calls; whether all were done."""
        calls, began = self.calls(port), time.monotonic()
        try:
            for call in calls:
                self._note(tally, began)
                began = time.monotonic()
                call()
        except LinkError:
            return False
        finally:
            self._note(tally, began)
            calls.close()  # type: ignore[attr-defined]
        return True

    def _note(self, tally: Tally, began: float) -> None:
        seconds = time.monotonic() - began
        tally.hangs += seconds > HANG
        tally.longest = max(tally.longest, seconds)

    def is_right(self, port: str, *, done: bool) -> bool:
        """Whether the device stands where whole steps lead; where all went, at the end."""
        with self.open(port) as device:
            step, digest = device.hello.step, device.hello.digest
            state = device.pull()
        known = self.digests.get(step) == digest and (not done or step == 2 * SAMPLES)
        return known and len(state) == len(self.state)


def trial(bench: Bench, kind: Kind, number: int, fault: Fault | None, tally: Tally) -> None:
    """One run, in which the frame of a number suffers."""
    with Process(bench.program, bench.folder) as process:
        event = None if kind.event is None else (lambda line: kind.event(process, line))  # type: ignore[misc]
        with FaultyLine(process.port, number, fault, event) as line:
            done = bench.run(line.port, tally)
        tally.runs += 1
        tally.done += done
        tally.told += not done
        # A reset behind the last training step is no news to calls that only ask.
        tally.wrong += not bench.is_right(process.port, done=done and kind.event is None)


def tried(bench: Bench, kind: Kind, numbers: Iterator[int], places: int) -> Tally:
    """All runs with one kind of fault."""
    tally = Tally()
    for number in numbers:
        faults: list[Fault | None] = [*kind.faults(places)]
        for fault in faults or [None]:
            trial(bench, kind, number, fault, tally)
    return tally


def bench_in(folder: Path, *command: str) -> Bench:
    """A bench of a small model, whose device is built in a folder."""
    spec = load_spec(ROOT / "examples" / "digits.toml", ("firmware.wire=true", _SMALL))
    prepared = prepare(spec)
    return Bench(prepared, build(render_project(prepared), folder, *command), folder)


HEAD = """\
| what happens to a frame | frames tried | all done as without it | said that it was not | calls \
beyond their limit | wrong weights | longest call, s |
|---|---|---|---|---|---|---|"""


def main() -> int:
    """Print the table; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--places", type=int, default=3, help="ways in which each frame suffers")
    parser.add_argument("--every", type=int, default=1, help="of the frames, each of this many")
    arguments = parser.parse_args()
    failures = 0
    print(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        bench = bench_in(Path(folder))
        numbers = np.arange(0, bench.frames(), arguments.every)
        for kind in KINDS:
            tally = tried(bench, kind, iter(numbers.tolist()), arguments.places)
            failures += tally.hangs + tally.wrong
            cells = (kind.name, tally.runs, tally.done, tally.told, tally.hangs, tally.wrong)
            print(f"| {' | '.join(map(str, cells))} | {tally.longest:.2f} |", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
