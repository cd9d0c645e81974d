"""Counts what a core in simavr executes, instructions and cycles (firmware/host/simavr.c)."""

from collections.abc import Callable

from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.elf import read_elf
from tpsgd_edge.toolchain.executed import Executed
from tpsgd_edge.toolchain.interface import ModelInterface
from tpsgd_edge.toolchain.protocol import StreamDevice
from tpsgd_edge.toolchain.qemu_counter import counted_in, write_plan
from tpsgd_edge.toolchain.scratch import scratch_folder
from tpsgd_edge.toolchain.simavr_link import SimavrLink


def run_in_simavr(
    binary: Binary,
    interface: ModelInterface,
    function: str,
    run: Callable[[Device], object],
    *,
    timeout: float,
) -> Executed:
    """Instructions that `function` executed while `run` used a new device, each one a block.

    Raises:
        ToolError: simavr is not installed, or has no model of the platform.
    """
    with scratch_folder() as folder:
        plan, out = folder / "plan.txt", folder / "counts.txt"
        write_plan(plan, read_elf(binary.path), function, interface.layers)
        link = SimavrLink(binary, timeout=timeout, plan=(plan, out))
        with StreamDevice(link, interface) as device:
            run(device)
        return counted_in(out.read_text(encoding="utf-8"), interface.layers)
