"""The report for terminals without colours, and for the summary of a CI run."""

from tpsgd_edge.reports.results import ReportResult
from tpsgd_edge.reports.summary import summary
from tpsgd_edge.reports.text import bytes_text, count_text


def render_markdown(result: ReportResult) -> str:
    """Two Markdown tables, key numbers and cost per layer, and the mismatch if there is one."""
    build = result.build
    lines = [
        f"## {_cell(result.spec.name)} on {_cell(build.platform)}",
        "",
        "| | | |",
        "|---|---|---|",
        *(
            f"| {_cell(line.name)} | **{_cell(line.value)}** | {_cell(line.detail)} |"
            for line in summary(result)
        ),
        "",
        "| layer | shape | formats | weights | RAM | flash | inference | training step |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for cost in build.layers:
        texts = (
            cost.layer,
            cost.shape,
            build.formats.get(cost.layer, ""),
            count_text(cost.weights),
            bytes_text(cost.ram_bytes),
            bytes_text(cost.flash_bytes),
            count_text(cost.instructions_inference),
            count_text(cost.instructions_step),
        )
        lines.append(f"| {' | '.join(_cell(text) for text in texts)} |")
    for doubt in result.simulate.warnings:
        lines += ["", f"> **warning: {_cell(doubt.message)}.** {_cell(doubt.help)}"]
    if result.verify.mismatch is not None:
        lines += ["", "```", result.verify.mismatch, "```"]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    r"""Text that cannot end a cell or start markup.

    >>> _cell("a|b <i>")
    'a\\|b &lt;i>'
    """
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
