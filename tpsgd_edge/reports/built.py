"""Result of `build`: sizes against the budget."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tpsgd_edge.codegen.project import CProject
from tpsgd_edge.reports.costs import (
    budget_of,
    check_budget,
    formats_of,
    kept_bytes,
    layer_costs,
    with_instructions,
)
from tpsgd_edge.reports.results import BuildResult
from tpsgd_edge.stages import Firmware, Prepared
from tpsgd_edge.stages.facts import data_doubts
from tpsgd_edge.toolchain.board import board_of
from tpsgd_edge.toolchain.sizes import Sizes

if TYPE_CHECKING:
    from tpsgd_edge.stages.costs import Costs


def build_result(
    prepared: Prepared,
    project: CProject,
    folder: Path | None,
    firmware: Firmware | None,
    costs: "Costs | None" = None,
) -> BuildResult:
    """Collect the result of `build`, which may have written no folder and compiled no firmware."""
    model, spec = prepared.model, prepared.spec
    layers = layer_costs(model, prepared.plan)
    return BuildResult(
        spec=spec,
        platform=prepared.platform.name,
        folder=folder,
        files=tuple(project.files),
        compiled=firmware is not None,
        sizes=firmware.sizes if firmware else None,
        budget=budget_of(spec),
        compiler=firmware.binary.compiler.title if firmware else None,
        formats=formats_of(model),
        layers=with_instructions(layers, firmware.counts if firmware else None),
        arena=prepared.plan.training.buffers,
        kept_bytes=kept_bytes(prepared.plan),
        digests={"spec": spec.digest, "project": project.digest},
        data=prepared.dataset.said,
        warnings=data_doubts(prepared),
        board=board_of(spec),
        costs=costs,
    )


def budget_check(prepared: Prepared) -> Callable[[Sizes], None]:
    """A check before anything runs: an emulator takes its time over what does not fit anyway."""
    layers = layer_costs(prepared.model, prepared.plan)
    kept = kept_bytes(prepared.plan)
    return lambda sizes: check_budget(prepared.spec, sizes, layers, kept)


def check_built(result: BuildResult) -> None:
    """Compare what was built with the budget of its spec.

    Raises:
        BudgetError: it exceeds the budget.
    """
    if result.sizes is not None:
        check_budget(result.spec, result.sizes, result.layers, result.kept_bytes)
