"""Compiled firmware: what it takes and what it costs."""

from dataclasses import dataclass
from pathlib import Path

from tpsgd_edge.codegen import CProject
from tpsgd_edge.errors import ToolError
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.stages.prepare import Prepared, compile_for_device, compile_for_host
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.counting import Counts, count_instructions
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import Emulator, find_emulator, open_device
from tpsgd_edge.toolchain.sizes import Sizes, measure

# Training steps from the first state over which stack and instructions are measured.
MEASURED_STEPS = 32


@dataclass(frozen=True, slots=True)
class Firmware:
    """A binary and what was measured on it.

    Attributes:
        sizes: None on the host. The stack is 0 where no emulator could run it.
        counts: None where no unicorn model of the core could count.
    """

    binary: Binary
    sizes: Sizes | None
    counts: Counts | None


def inspect_firmware(prepared: Prepared, project: CProject, folder: Path) -> Firmware:
    """Compile the project in `folder` for its platform; measure sizes, stack and instructions.

    Raises:
        ToolError: there is no compiler, or it fails. Without an emulator less is measured.
    """
    if prepared.platform.is_host:
        return Firmware(compile_for_host(project, folder), None, None)
    binary = compile_for_device(prepared, project, folder)
    sizes = measure(binary)
    emulator = _emulator_if_any(prepared)
    if emulator is None:
        return Firmware(binary, sizes, None)
    model, dataset = prepared.model, prepared.dataset
    interface = interface_of(model)
    x = quantize_inputs(model, dataset.x_train[:MEASURED_STEPS])
    labels = quantize_labels(model, dataset.y_train[:MEASURED_STEPS])
    with open_device(binary, interface, emulator=emulator) as device:
        device.train(x, labels)
        sizes = sizes.with_stack(device.stack_bytes())
    counts = count_instructions(binary, interface, x, labels) if emulator == "unicorn" else None
    return Firmware(binary, sizes, counts)


def _emulator_if_any(prepared: Prepared) -> Emulator | None:
    try:
        return find_emulator(prepared.platform)
    except ToolError:
        return None
