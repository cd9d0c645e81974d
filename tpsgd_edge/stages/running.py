"""Compiled code that runs here, and the look whether it does what it should."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tpsgd_edge.errors import MismatchError
from tpsgd_edge.frontend.order import Order, stretches_of
from tpsgd_edge.memory.dump import State
from tpsgd_edge.stages.preparation import (
    Prepared,
    compile_for_host,
    render_project,
    scratch_project,
    selftest_samples,
)
from tpsgd_edge.stages.training import Progress, Training, quantize_samples, train
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device

if TYPE_CHECKING:
    from tpsgd_edge.verdict import Verdict


@contextmanager
def on_host(prepared: Prepared, *, check: bool = True) -> Iterator[Device]:
    """The model with generated code on this computer.

    Args:
        check: have it test itself first.

    Raises:
        MismatchError: it fails its self-test.
    """
    project = render_project(prepared)
    with scratch_project(project) as folder:
        binary = compile_for_host(project, folder)
        with open_device(binary, interface_of(prepared.model)) as device:
            if check:
                check_selftest(device, prepared, "host")
            yield device


def train_on_host(
    prepared: Prepared,
    epochs: int,
    progress: Progress,
    stage: str,
    begin: State | None = None,
    *,
    check: bool,
    order: Order = "shuffled",
) -> Training:
    """Train on this computer with generated code, as `train` does.

    Args:
        begin: the state to begin with; the first one where not given.
        check: have the code test itself first.
        order: in which the samples come; class by class it is one pass, whatever `epochs` says.

    Raises:
        MismatchError: it fails its self-test.
        DataError: samples without classes cannot come class by class.
    """
    stretches = stretches_of(order, prepared.dataset, prepared.model.seed, epochs)
    model, samples = prepared.model, quantize_samples(prepared.model, prepared.dataset)
    raw = None if begin is None else prepared.plan.state.write(begin)
    with on_host(prepared, check=check) as device:
        return train(
            device,
            model,
            samples,
            epochs=epochs,
            progress=progress,
            stage=stage,
            begin=raw,
            stretches=stretches,
        )


def check_selftest(device: Device, prepared: Prepared, platform: str) -> None:
    """Have the device test itself; it is in its initial state afterwards.

    Raises:
        MismatchError: the test fails.
    """
    if not device.selftest():
        raise MismatchError(
            "mismatch: the self-test fails: the compiled code does not do what the reference does",
            where=f"{prepared.model.name} on {platform}",
            found=_first_difference(device, prepared).describe(),
            help="`tpsgd-edge verify` compares every step; another compiler may do better",
        )


def _first_difference(device: Device, prepared: Prepared) -> "Verdict":
    """Find the first difference on the samples of the self-test, or else blame the self-test."""
    # Only code that fails has one.
    from tpsgd_edge.reference import Reference, answers, trace
    from tpsgd_edge.stages.proof import with_value
    from tpsgd_edge.verdict import compare, compare_answers, selftest_mismatch

    model = prepared.model
    x, labels = selftest_samples(model, prepared.dataset)
    reference = Reference(model)
    device.init()
    for steps in (0, len(x)):
        samples = x[:steps], labels[:steps]
        verdict = compare(trace(model, *samples, reference=reference), device.trace(*samples))
        if verdict.verdict == "mismatch":
            return with_value(verdict, device, model, x, labels)
        said = answers(reference, x, labels), device.answers(x, labels)
        verdict = compare_answers(*said, steps)
        if verdict.verdict == "mismatch":
            return verdict
    return selftest_mismatch(len(x))
