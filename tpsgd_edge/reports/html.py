"""The report as one self-contained HTML file: nothing loaded, no date, no clock.

Its one script is that of the live model, and is left out with it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tpsgd_edge.files import check_output, write_whole
from tpsgd_edge.reports.results import ReportResult

if TYPE_CHECKING:
    from jinja2 import Environment

# What the head of every report holds; a file without it is not ours to overwrite.
REPORT_MARK = b'<meta name="generator" content="tpsgd-edge'


def render_html(result: ReportResult) -> str:
    """The report; the same result gives the same bytes."""
    # Matplotlib and jinja2 take a third of a second, which only a report should wait for.
    from tpsgd_edge.reports.view import report_view

    return environment().get_template("report.html.j2").render(r=report_view(result))


def environment() -> "Environment":
    """The templates of this folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def write_html(result: ReportResult, path: Path) -> Path:
    """Write the report to `path` and return it; the old file stays until the new one is complete.

    Raises:
        OutputError: the file cannot be written, or is not a report.
    """
    check_output(path, "the report", mark=REPORT_MARK)
    write_whole(render_html(result).encode("utf-8"), path, what="the report")
    return path
