"""Compiled firmware: what it takes and what it costs."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.assets import code_digest
from tpsgd_edge.cache import fetch, keep, key_of
from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.errors import ToolError
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.stages.preparation import (
    Prepared,
    compile_for_device,
    compile_for_host,
    forward_macs,
)
from tpsgd_edge.stages.running import check_selftest
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.counting import Counts, count_instructions
from tpsgd_edge.toolchain.executed import Count
from tpsgd_edge.toolchain.interface import ModelInterface, interface_of
from tpsgd_edge.toolchain.open_device import (
    can_emulate,
    emulator_title,
    find_emulator,
    open_device,
)
from tpsgd_edge.toolchain.sizes import Flash, Ram, Sizes, measure
from tpsgd_edge.toolchain.wasm_sizes import measure_module

# Training steps from the initial state over which stack and instructions are measured: as many as
# take an emulator a second or two, by the multiply-accumulates of a forward pass. Counting is slow.
_MOST_STEPS = 32
_AFFORDABLE = 30_000_000
_COUNTABLE = 1_000_000


@dataclass(frozen=True, slots=True)
class Firmware:
    """A binary and what was measured on it.

    Attributes:
        sizes: None on the host. The stack is 0 where no emulator could run it.
        counts: None where no emulator could count.
    """

    binary: Binary
    sizes: Sizes | None
    counts: Counts | None


def inspect_firmware(
    prepared: Prepared,
    project: CProject,
    folder: Path,
    check_sizes: Callable[[Sizes], None] | None = None,
) -> Firmware:
    """Compile the project in `folder` for its platform; measure sizes, stack and instructions.

    Args:
        check_sizes: called with the sizes as linked, without a stack yet, before anything runs.

    Raises:
        ToolError: there is no compiler, or it fails. Without an emulator less is measured.
    """
    if prepared.platform.is_host:
        return Firmware(compile_for_host(project, folder), None, None)
    binary = compile_for_device(prepared, project, folder)
    sizes = _sizes(prepared, binary)
    if check_sizes is not None:
        check_sizes(sizes)
    if not can_emulate(prepared.platform):
        return Firmware(binary, sizes, None)
    model, dataset = prepared.model, prepared.dataset
    interface = interface_of(model)
    steps, counted = (
        max(1, min(_MOST_STEPS, macs // forward_macs(model))) for macs in (_AFFORDABLE, _COUNTABLE)
    )
    x = quantize_inputs(model, dataset.x_train[:steps])
    labels = quantize_labels(model, dataset.y_train[:steps])
    stack, counts = _measured(binary, interface, x, labels, counted)
    return Firmware(binary, sizes.with_stack(stack), counts)


def _measured(
    binary: Binary, interface: ModelInterface, x: Array, labels: Array, counted: int
) -> tuple[int, Counts | None]:
    """The depth of the stack over some steps, and what the first of them cost.

    The same code does the same on the same samples: the user's cache remembers what an emulator
    found. A count that no emulator could make is looked for again.
    """
    key = key_of(("measured", x.tobytes(), labels.tobytes(), str(counted), *_run_by(binary)))
    kept = fetch(key)
    if kept is not None:
        known = json.loads(kept)
        step, inference = known["step"], Count(**known["inference"])
        return known["stack"], Counts(None if step is None else Count(**step), inference)
    with open_device(binary, interface) as device:
        device.train(x, labels)
        stack = device.stack_bytes()
    counts = _counts_if_any(binary, interface, x[:counted], labels[:counted])
    if counts is not None:
        keep(key, json.dumps({"stack": stack, **asdict(counts)}).encode())
    return stack, counts


def check_binary(prepared: Prepared, binary: Binary) -> None:
    """Have a binary test itself, where this computer or an emulator can run it.

    Raises:
        MismatchError: it fails its self-test.
    """
    platform, interface = prepared.platform, interface_of(prepared.model)
    if platform.is_host:
        with open_device(binary, interface) as device:
            check_selftest(device, prepared, platform.name)
    elif can_emulate(platform):
        # An emulator takes long, and what has passed will pass.
        key = key_of(("passed", repr(interface), *_run_by(binary)))
        if fetch(key) is None:
            with open_device(binary, interface) as device:
                check_selftest(device, prepared, platform.name)
            keep(key, b"")


def _run_by(binary: Binary) -> tuple[str | bytes, ...]:
    """Collect what a run of firmware follows from, but for what it is given."""
    platform = binary.platform
    emulator = find_emulator(platform)
    words = (platform.name, emulator, emulator_title(emulator))
    return (*words, binary.path.read_bytes(), code_digest())


def _sizes(prepared: Prepared, binary: Binary) -> Sizes:
    """Sizes as linked; of a module, whose memory has no sections, those of the plan."""
    if prepared.platform.is_core:
        return _measured_sizes(binary)
    weights = prepared.plan.state.size
    features = prepared.features
    heard = 0 if features is None else features.stream_bytes
    ram = Ram(weights, prepared.plan.n_bytes - weights, stack=0, signal=heard)
    return measure_module(binary.path, ram)


def _measured_sizes(binary: Binary) -> Sizes:
    """Sizes as linked, as the user's cache or the linked program has them."""
    key = key_of(("sizes", binary.kind, binary.path.read_bytes(), code_digest()))
    kept = fetch(key)
    if kept is not None:
        known = json.loads(kept)
        ram, flash = Ram(**known.pop("ram")), Flash(**known.pop("flash"))
        return Sizes(ram, flash, **known)
    sizes = measure(binary)
    keep(key, json.dumps(asdict(sizes)).encode())
    return sizes


def _counts_if_any(
    binary: Binary, interface: ModelInterface, x: Array, labels: Array
) -> Counts | None:
    try:
        return count_instructions(binary, interface, x, labels)
    except ToolError:
        return None  # A QEMU may have been built without plugins, or no compiler be there for one.
