"""Exact instruction counts of a training step and of an inference, on an emulated core.

Every executed block of code is counted with the instructions it holds. An instruction that an IT
block skips counts too: the core takes it up, and spends a cycle on it. So does the end of a
low-overhead loop, each time.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import ToolError
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.elf import read_elf
from tpsgd_edge.toolchain.executed import Count, Executed, count_of
from tpsgd_edge.toolchain.interface import ModelInterface
from tpsgd_edge.toolchain.open_device import EmulatorChoice, find_emulator
from tpsgd_edge.toolchain.qemu_counter import run_in_qemu
from tpsgd_edge.toolchain.simavr_counter import run_in_simavr
from tpsgd_edge.toolchain.unicorn_counter import run_in_unicorn

_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of training steps and inferences; `step` is None for firmware that only predicts."""

    step: Count | None
    inference: Count


def count_instructions(
    binary: Binary,
    interface: ModelInterface,
    x: Array,
    labels: Array,
    *,
    state: bytes | None = None,
    emulator: EmulatorChoice = "auto",
) -> Counts:
    """Count the instructions of an inference, then of a training step, on each of some samples.

    Args:
        x, labels: samples (n, n_in) and their labels, in the model's formats.
            state: of the model before the first sample; the initial one where not given. A trained
            model updates fewer units than a fresh one.
        emulator: "auto" is the platform's first choice that is installed.

    Raises:
        ToolError: the emulator is not installed, has no model of the platform, or cannot count.
    """
    emulator = find_emulator(binary.platform) if emulator == "auto" else emulator

    def counted(function: str, run: Callable[[Device], object]) -> Count:
        def run_from_state(device: Device) -> None:
            if state is not None:
                device.load_state(state)
            run(device)

        return count_function(binary, interface, function, run_from_state, emulator=emulator)

    inference = counted("outputs", lambda device: device.outputs(x))
    if binary.inference_only:
        return Counts(None, inference)
    return Counts(counted("train_step", lambda device: device.train(x, labels)), inference)


def count_function(
    binary: Binary,
    interface: ModelInterface,
    function: str,
    run: Callable[[Device], object],
    *,
    emulator: EmulatorChoice = "auto",
    suffix: str = "_with",
) -> Count:
    """Count the instructions of one public function while `run` uses a new device.

    Args:
        function: its name without the model's, such as "train_step".
        suffix: of the function that the code behind it is in.

    Raises:
        ToolError: as `count_instructions` does.
    """
    emulator = find_emulator(binary.platform) if emulator == "auto" else emulator
    name = f"{binary.name}_{function}{suffix}"
    executed = _RUN[emulator](binary, interface, name, run, timeout=_TIMEOUT)
    return count_of(executed, read_elf(binary.path), binary.platform)


def _cannot_count(
    binary: Binary,
    interface: ModelInterface,
    function: str,
    run: Callable[[Device], object],
    *,
    timeout: float,
) -> Executed:
    """Refuse: what node executes are the instructions of this computer."""
    raise ToolError(
        "node does not count instructions",
        where=f"platform '{binary.platform.name}'",
        help="a core has instructions to count; `tpsgd-edge platforms` lists them",
    )


_RUN = {
    "unicorn": run_in_unicorn,
    "qemu": run_in_qemu,
    "node": _cannot_count,
    "simavr": run_in_simavr,
}
