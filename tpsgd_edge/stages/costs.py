"""Largest costs of a model's calls: stack, and instructions of a training step."""

from dataclasses import dataclass, replace
from pathlib import Path

from tpsgd_edge.codegen.costs import CostsView, Stacks, with_costs
from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.errors import ToolError
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.stages.preparation import (
    Prepared,
    compile_for_device,
    compile_predicting,
    render_project,
    scratch_project,
)
from tpsgd_edge.stages.worst_step import (
    RATES,
    Provocation,
    provocation_of,
    run_provoked,
    step_bound,
)
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import can_emulate, open_device

# Samples of the data that are learned from and answered while the stack is measured.
_SAMPLES = 4
# Bytes of frames around the calls that are measured: of NAME_evaluate, and of those in NAME_raw.h.
AROUND = 64


@dataclass(frozen=True, slots=True)
class Costs:
    """Largest costs of calls, on one platform.

    Attributes:
        training: stacks of firmware that trains.
        predicting: stacks of firmware that only predicts.
        step: instructions that no training step exceeds; None where no bound is known.
    """

    training: Stacks
    predicting: Stacks
    step: int | None

    def to_json(self) -> dict[str, object]:
        """Bytes and instructions by name."""
        return {
            "stack_bytes": self.training.calls,
            "stack_bytes_predicting": self.predicting.calls,
            "selftest_stack_bytes": self.training.selftest,
            "step_instructions_max": self.step,
        }


def measure_costs(prepared: Prepared, project: CProject, folder: Path, binary: Binary) -> Costs:
    """Run every kind of call, and steps in which every unit learns, on the emulated core.

    Args:
        folder: where the project lies.
        binary: the project's firmware.

    Raises:
        ToolError: there is no emulated core to measure on.
    """
    if prepared.platform.is_host or not can_emulate(prepared.platform):
        raise ToolError(
            "what calls take at most is measured on an emulated core",
            where=f"platform '{prepared.platform.name}'",
            found="no emulator for it",
            help="leave out --costs, or see `tpsgd-edge platforms` and `tpsgd-edge doctor`",
        )
    predicting = compile_predicting(prepared, project, folder)
    stacks = (_stacks_of(prepared, binary), _stacks_of(prepared, predicting))
    provocation = provocation_of(prepared.model)
    if provocation is None:
        return Costs(*stacks, None)
    deepest, step = _provoked(prepared, provocation)
    training = replace(stacks[0], calls=max(stacks[0].calls, deepest + AROUND))
    return Costs(training, stacks[1], step)


def project_with_costs(project: CProject, binary: Binary, costs: Costs) -> CProject:
    """The project with NAME_costs.h, which holds what was measured."""
    platform, compiler = binary.platform.title, binary.compiler.title
    stacks = (costs.training, costs.predicting)
    return with_costs(project, CostsView(project.name, platform, compiler, *stacks, costs.step))


def _stacks_of(prepared: Prepared, binary: Binary) -> Stacks:
    """The deepest stacks of training and answers, and of the self-test."""
    model, dataset = prepared.model, prepared.dataset
    x = quantize_inputs(model, dataset.x_train[:_SAMPLES])
    labels = quantize_labels(model, dataset.y_train[:_SAMPLES])
    with open_device(binary, interface_of(model)) as device:
        device.stack_bytes()  # paints over what start-up left
        device.outputs(x)
        calls = device.stack_bytes()
        if not binary.inference_only:
            device.train(x, labels)
            calls = max(calls, device.stack_bytes())
        device.selftest()
        return Stacks(calls + AROUND, device.stack_bytes())


def _provoked(prepared: Prepared, provocation: Provocation) -> tuple[int, int]:
    """The deepest stack of provoked steps, and the bound on instructions."""
    prepared = replace(prepared, model=provocation.model)
    project, interface = render_project(prepared), interface_of(prepared.model)
    with scratch_project(project) as folder:
        binary = compile_for_device(prepared, project, folder)
        with open_device(binary, interface) as device:
            device.stack_bytes()
            for rate in RATES:
                run_provoked(device, interface, provocation, rate)
            deepest = device.stack_bytes()
        return deepest, step_bound(binary, interface, provocation)
