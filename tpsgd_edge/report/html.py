"""The report as one self-contained HTML file: no script, nothing loaded, no date, no clock."""

import contextlib
import os
from pathlib import Path

from tpsgd_edge.errors import OutputError
from tpsgd_edge.report.results import ReportResult

# What the head of every report holds; a file without it is not ours to overwrite.
_MARK = b'<meta name="generator" content="tpsgd-edge'
_HEAD_BYTES = 512


def render_html(result: ReportResult) -> str:
    """The report; the same result gives the same bytes."""
    # Matplotlib and jinja2 take a third of a second, which only a report should wait for.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from tpsgd_edge.report.view import report_view

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("report.html.j2").render(r=report_view(result))


def write_html(result: ReportResult, path: Path) -> Path:
    """Write the report to `path` and return it; the old file stays until the new one is complete.

    Raises:
        OutputError: the file cannot be written.
    """
    text = render_html(result)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_ours(path)
        _replace(path, text)
    except OSError as error:
        raise OutputError(
            "the report cannot be written",
            where=str(path),
            found=error.strerror or str(error),
            help="choose another place with --out, or make room",
        ) from error
    return path


def _check_ours(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb") as file:
        if _MARK not in file.read(_HEAD_BYTES):
            raise OutputError(
                "the report would overwrite a file that is not a report",
                where=str(path),
                help="choose another place with --out, or move that file",
            )


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
