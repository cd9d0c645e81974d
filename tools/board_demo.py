"""Trains the digits over the UART of an emulated board, cuts its power on the way, and goes on.

    python tools/board_demo.py                          what `make board-demo` runs
    python tools/board_demo.py --board riscv-virt --cuts 10
    python tools/board_demo.py --baud 115200 --epochs 1 --cuts 0

builds the firmware, boots it in QEMU, and feeds the training samples one by one over a serial
port, with a checkpoint every so many steps in the board's simulated flash. At drawn moments, some
of them in the middle of a checkpoint, QEMU is killed and started again, and training goes on from
the newest checkpoint. At its end the weights are compared with those that the same steps make on
this computer: ends with 1 where a bit differs, or where a checkpoint was lost.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tpsgd_edge.errors import LinkError, TpsgdError
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.link import LinkedDevice
from tpsgd_edge.link.linked import digest_of
from tpsgd_edge.link.session import Limits
from tpsgd_edge.pipeline import build
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import Prepared, prepare, train_on_host
from tpsgd_edge.toolchain.board import booting_boards, load_booting_board
from tpsgd_edge.toolchain.board_run import EmulatedBoard, erased_storage

ROOT = Path(__file__).resolve().parent.parent
LIMITS = Limits(answer=1.0, slow=5.0, tries=2)
# A power cut comes within this time after the step, or the save, for which it was drawn.
SOON = {"step": 0.02, "save": 0.004}
TESTED = 100
# Of a byte on the line, with its start and stop bits.
BITS = 10


@dataclass
class Journey:
    """What was asked of the device, and what came of it."""

    saved: int = 0
    cuts: list[str] = field(default_factory=list)
    trained: int = 0
    seconds: float = 0.0
    bytes: int = 0


@dataclass(frozen=True)
class Course:
    """The number of the sample for each step, and the steps after which the power goes."""

    prepared: Prepared
    epochs: int
    every: int
    order: tuple[int, ...]
    cuts: dict[int, str]

    @property
    def steps(self) -> int:
        """All training steps."""
        return len(self.order)


@contextmanager
def power_cut_after(board: EmulatedBoard, seconds: float) -> Iterator[None]:
    """Take the power away so much later, and let what is asked meanwhile fail."""
    timer = threading.Timer(seconds, board.power_off)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def cut(board: EmulatedBoard, device: LinkedDevice, course: Course, step: int, way: str) -> None:
    """Go on training, or save, until the power is gone."""
    dataset, order = course.prepared.dataset, course.order
    with power_cut_after(board, random.uniform(0, SOON[way])):
        try:
            if way == "save":
                device.checkpoint()
            while True:
                number = order[step % len(order)]
                device.train(dataset.x_train[number], dataset.y_train[number])
                step += 1
        except LinkError:
            return


def train_until(
    board: EmulatedBoard, device: LinkedDevice, course: Course, journey: Journey
) -> int:
    """Train and save until the next power cut, or the end; the step that was reached."""
    dataset, order = course.prepared.dataset, course.order
    start, carried = time.perf_counter(), board.carried
    first = step = device.hello.step
    while step < course.steps and step not in course.cuts:
        number = order[step]
        step = device.train(dataset.x_train[number], dataset.y_train[number]).step
        if step % course.every == 0:
            journey.saved = device.checkpoint()
    journey.trained += step - first
    journey.seconds += time.perf_counter() - start
    journey.bytes += board.carried - carried
    return step


def travel(board: EmulatedBoard, course: Course, journey: Journey) -> LinkedDevice:
    """The whole course; the device at its end, the line to which is open."""
    model = course.prepared.model
    while True:
        board.power_on()
        device = LinkedDevice.open(board.port, model, limits=LIMITS)
        found = device.hello.step
        print(f"  power on: step {found:,}, digest 0x{device.hello.digest:08x}")
        if found < journey.saved:
            raise LinkError("a checkpoint is lost", found=f"{found:,} after {journey.saved:,}")
        step = train_until(board, device, course, journey)
        if step >= course.steps:
            return device
        way = course.cuts.pop(step)
        cut(board, device, course, step, way)
        journey.cuts.append(way)
        print(f"  power cut at step {step:,} or soon after, during a {way}")
        device.close()


def course_of(prepared: Prepared, epochs: int, every: int, cuts: int) -> Course:
    """Whole epochs in the order of `simulate`, with so many power cuts."""
    seed, count = prepared.model.seed, len(prepared.dataset.x_train)
    orders = (epoch_order(seed, epoch, count) for epoch in range(epochs))
    order = tuple(int(number) for epoch in orders for number in epoch)
    return Course(prepared, epochs, every, order, drawn_cuts(cuts, len(order)))


def drawn_cuts(count: int, steps: int) -> dict[int, str]:
    """Moments of power cuts, every other one during a save."""
    moments = sorted(random.sample(range(1, steps), count))
    return {step: ("step", "save")[i % 2] for i, step in enumerate(moments)}


def throughput(journey: Journey, baud: int | None) -> str:
    """Steps a second, checkpoints among them, and the line's part in that."""
    rate, size = journey.trained / journey.seconds, journey.bytes / journey.trained
    said = f"{journey.trained:,} steps, {rate:,.0f} a second, {size:,.0f} bytes each"
    if baud is None:
        return said
    limit = baud / BITS / size
    return f"{said}; {rate / limit:.0%} of the {limit:,.0f} that {baud:,} baud allow"


def accuracy(device: LinkedDevice, prepared: Prepared) -> float:
    """The share of test samples that the device names rightly."""
    x, y = prepared.dataset.x_test[:TESTED], prepared.dataset.y_test[:TESTED]
    right = [device.predict(sample).label == label for sample, label in zip(x, y, strict=True)]
    return float(np.mean(right))


def demonstrate(arguments: argparse.Namespace, folder: Path) -> int:
    """Build, train with power cuts, compare."""
    board = load_booting_board(arguments.board)
    own = [f"platform.board={board.name}", "firmware.store=true", "firmware.wire=true"]
    spec = load_spec(ROOT / "examples" / "digits.toml", own)
    program = build(spec, out=folder / "project").folder
    assert program is not None
    prepared = prepare(spec)
    course = course_of(prepared, arguments.epochs, arguments.every, arguments.cuts)
    storage, journey = erased_storage(board, folder / "flash.bin"), Journey()
    elf = program / "build" / f"{spec.name}.elf"
    print(f"{board.title}: {course.steps:,} steps, a checkpoint every {course.every}")
    with EmulatedBoard(board, elf, storage=storage, baud=arguments.baud) as emulated:
        device = travel(emulated, course, journey)
        state, right = device.pull(), accuracy(device, prepared)
        device.close()
    found = digest_of(prepared.model, state)
    host = train_on_host(prepared, course.epochs, lambda *_: None, "training", check=True)
    expected = digest_of(prepared.model, host.state)
    print(throughput(journey, arguments.baud))
    print(
        f"{len(journey.cuts)} power cuts, no checkpoint lost; {right:.0%} of {TESTED} test samples"
    )
    verdict = "equal" if found == expected else "DIFFERENT"
    print(f"digest 0x{found:08x} on the board, 0x{expected:08x} on this computer: {verdict}")
    return 0 if found == expected else 1


def main() -> int:
    """Read the command line."""
    keeping = [board.name for board in booting_boards() if board.emulator.keeps]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--board", choices=keeping, default="mps2-an386")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    parser.add_argument("--cuts", type=int, default=6, help="how often the power goes")
    parser.add_argument("--seed", type=int, default=1, help="of the power cuts")
    parser.add_argument("--baud", type=int, help="speed of the line; else as fast as it goes")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    try:
        with tempfile.TemporaryDirectory(prefix="board-demo-") as folder:
            return demonstrate(arguments, Path(folder))
    except TpsgdError as error:
        print(f"error: {error.message()}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
