"""HTML of results for notebooks: parts of the report, in styles that touch nothing around them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from tpsgd_edge.reports.confusion import HeatTable, heat_table
from tpsgd_edge.reports.html import environment
from tpsgd_edge.reports.memory_map import ArenaMap, MemoryMap, arena_map, memory_maps
from tpsgd_edge.reports.plots import learning_curve_svg
from tpsgd_edge.reports.results import BuildResult, ReportResult, SimulateResult, VerifyResult
from tpsgd_edge.reports.summary import (
    Line,
    accuracy_line,
    detection_lines,
    instruction_lines,
    memory_lines,
    planned_ram_line,
    summary,
    verdict_line,
)
from tpsgd_edge.reports.view import curve_note
from tpsgd_edge.stages.doubts import Doubt


@dataclass(frozen=True, slots=True)
class NotebookView:
    """The context of notebook.html.j2; what a result does not know is empty.

    `badge` is "equal" or "mismatch" where there is a verdict.
    """

    title: str
    numbers: tuple[Line, ...]
    badge: str = ""
    mismatch: str = ""
    warnings: tuple[Doubt, ...] = ()
    curve_note: str = ""
    curve: Markup | None = None
    confusion: HeatTable | None = None
    maps: tuple[MemoryMap, ...] = ()
    arena: ArenaMap | None = None
    written: str = ""


def notebook_html(result: object) -> str:
    """The result as HTML; the same result gives the same text.

    Every style stands inside of one rule, so a notebook keeps its own.
    """
    view = _VIEWS[type(result)](result)
    templates = environment()
    # Colours of the report's root are those of the rule around all styles.
    styles = Markup(templates.get_template("report.css").render().replace(":root", "&"))
    return templates.get_template("notebook.html.j2").render(r=view, styles=styles)


def _of_build(result: BuildResult) -> NotebookView:
    folder = "" if result.folder is None else f"project: {result.folder}"
    return NotebookView(
        title=f"{result.spec.name} for {result.platform}",
        numbers=memory_lines(result),
        warnings=result.warnings,
        maps=memory_maps(result),
        arena=arena_map(result.arena, result.layers, result.sizes),
        written=folder,
    )


def _of_verify(result: VerifyResult) -> NotebookView:
    return NotebookView(
        title=f"{result.spec.name} on {result.platform}, against the reference",
        numbers=(verdict_line(result), *instruction_lines(result)),
        badge=result.verdict.verdict,
        mismatch=result.mismatch or "",
        warnings=result.warnings,
    )


def _of_simulate(result: SimulateResult) -> NotebookView:
    matrix = result.confusion
    lines = (accuracy_line(result), *detection_lines(result), *planned_ram_line(result))
    return NotebookView(
        title=f"{result.spec.name}, trained",
        numbers=lines,
        warnings=result.warnings,
        curve_note=curve_note(result),
        curve=Markup(learning_curve_svg(result)),
        confusion=None if matrix is None else heat_table(matrix, result.class_names),
        written="" if result.weights is None else f"weights: {result.weights}",
    )


def _of_report(result: ReportResult) -> NotebookView:
    build, verify = _of_build(result.build), _of_verify(result.verify)
    return replace(
        _of_simulate(result.simulate),
        title=f"{result.spec.name} on {result.build.platform}",
        numbers=summary(result),
        badge=verify.badge,
        mismatch=verify.mismatch,
        maps=build.maps,
        arena=build.arena,
        written="" if result.html is None else f"report: {result.html}",
    )


_VIEWS: dict[type, Callable[[Any], NotebookView]] = {
    BuildResult: _of_build,
    VerifyResult: _of_verify,
    SimulateResult: _of_simulate,
    ReportResult: _of_report,
}
