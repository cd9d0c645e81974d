"""A Raspberry Pi Pico in rp2040js learns over its UART, and its cycles are counted.

    python tools/pico_steps.py                         needs node, and npm install rp2040js
    python tools/pico_steps.py examples/digits.toml --passes 5

builds the firmware of a spec for the Pico, writes the UF2 file that its boot loader takes, and
starts that in rp2040js. Over the line the board tests itself and learns the samples of
`tpsgd-edge example`, twenty times all of them. In the end its weights are compared with the
reference's: ends with 1 where a bit differs. Time is cycles of instructions, as rp2040js counts
them, at the clock that the firmware sets; waiting for flash is in none of them.
"""

import argparse
import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

from tpsgd_edge.codegen.example import EPOCHS
from tpsgd_edge.errors import LinkError, TpsgdError
from tpsgd_edge.link import LinkedDevice
from tpsgd_edge.link.linked import digest_of
from tpsgd_edge.memory import digest_order
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import Spec, load_spec
from tpsgd_edge.stages import Prepared, prepare, render_project
from tpsgd_edge.stages.boards import compile_board
from tpsgd_edge.stages.example import some_of_each
from tpsgd_edge.toolchain.board import load_booting_board
from tpsgd_edge.toolchain.elf import read_elf
from tpsgd_edge.toolchain.flash_image import drive_image
from tpsgd_edge.toolchain.folder import write_project
from tpsgd_edge.trace import digest

BOARD = load_booting_board("pico")
SPECS = ("examples/digits_uno.toml", "examples/digits.toml")
SETTINGS = ("platform.board=pico", "firmware.wire=true")


@contextmanager
def running(prepared: Prepared, folder: Path) -> Iterator[tuple[str, Path]]:
    """The board, on: where its UART is, and the file of what each training step took."""
    project = render_project(prepared)
    write_project(project.files, folder / "project")
    built = compile_board(prepared.spec, project, folder / "project")
    assert built is not None
    elf = read_elf(built.path)
    program, counts = folder / "net.uf2", folder / "cycles.txt"
    program.write_bytes(drive_image(elf.segments, BOARD))
    step = elf.find(f"{project.name}_train_step_with").address
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    words = BOARD.emulator.words(program, has_wire=False)
    with (
        counts.open("w") as said,
        subprocess.Popen(
            [*words, port, "--cycles", hex(step)],
            stderr=said,
            env={**os.environ, **BOARD.emulator.environment()},
        ) as child,
    ):
        try:
            wait_for(int(port))
            yield f"socket://127.0.0.1:{port}", counts
        finally:
            child.kill()


def wait_for(port: int) -> None:
    """Wait until the emulator listens.

    Raises:
        LinkError: it does not.
    """
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            return
        time.sleep(0.1)
    raise LinkError("rp2040js does not start", where=f"port {port}")


def learn(spec: Spec, passes: int) -> bool:
    """Train on the board and in the reference, and say what came of it: whether they are equal."""
    prepared = prepare(spec)
    model, dataset = prepared.model, prepared.dataset
    order = [int(i) for _ in range(passes) for i in some_of_each(dataset)]
    with tempfile.TemporaryDirectory() as name, running(prepared, Path(name)) as (port, counts):
        with LinkedDevice.open(port, model) as device:
            tested = device.selftest()
            for i in order:
                device.train(dataset.x_train[i], dataset.y_train[i])
            found = digest_of(model, device.pull())
        took = [int(n) for n in re.findall(r"^cycles (\d+)$", counts.read_text(), re.MULTILINE)]
    expected = reference_digest(prepared, order)
    # Those before are the self-test's.
    took = took[-len(order) :]
    microseconds = [1e6 * cycles / BOARD.uart.clock for cycles in took]
    print(
        f"{spec.source}: self-test {'passed' if tested else 'failed'}, {len(order)} steps, "
        f"digest {found:08X}, of the reference {expected:08X}\n"
        f"  {fmean(took):,.0f} cycles a step, {fmean(microseconds):.0f} us "
        f"({min(microseconds):.0f} to {max(microseconds):.0f}) at {BOARD.uart.clock / 1e6:g} MHz"
    )
    return tested and found == expected


def reference_digest(prepared: Prepared, order: list[int]) -> int:
    """The digest after the same steps in the reference."""
    model, dataset = prepared.model, prepared.dataset
    reference = Reference(model)
    x = quantize_inputs(model, dataset.x_train[order])
    labels = quantize_labels(model, dataset.y_train[order])
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
    return digest(reference.state()[name] for name in digest_order(model))


def main() -> int:
    """Run the board with each spec; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("specs", nargs="*", default=SPECS, metavar="SPEC")
    parser.add_argument("--passes", type=int, default=EPOCHS, help="how often all samples come")
    chosen = parser.parse_args()
    try:
        equal = [learn(load_spec(Path(path), SETTINGS), chosen.passes) for path in chosen.specs]
    except TpsgdError as error:
        print(error.message(), file=sys.stderr)
        return error.exit_code
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
