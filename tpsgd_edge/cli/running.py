"""Running a command: what it prints, what it says when it fails, and its exit code.

Exit codes: 0 good, 1 mismatch or, with --strict, a warning, 2 the spec, the data or the command
line are at fault, 3 a tool is missing or failed, 70 a defect of tpsgd-edge itself, 130 interrupted,
141 nobody reads the output.
"""

import gc
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn, TextIO

import click

from tpsgd_edge.cli.commands import cli
from tpsgd_edge.cli.outcome import Outcome
from tpsgd_edge.errors import ToolError, TpsgdError, visible

EXIT_MISMATCH = 1
EXIT_USAGE = 2
EXIT_DEFECT = 70
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def main() -> NoReturn:
    """Run the command of `sys.argv` and leave with its exit code."""
    # Modules and classes stay until the end: to look through them for garbage again and again takes
    # a tenth of a short command's time.
    gc.set_threshold(100_000)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; results go to stdout, errors to stderr."""
    settings = {"debug": False, "strict": False}
    _never_fail_on_a_character(sys.stdout, sys.stderr)
    try:
        code = _invoke(arguments, settings)
        sys.stdout.flush()
    except BrokenPipeError:
        code = _stop_writing()
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        code = EXIT_INTERRUPTED
    except Exception as error:
        code = _explain(error, debug=settings["debug"])
    return code


def _invoke(arguments: Sequence[str], settings: dict[str, bool]) -> int:
    try:
        result = cli.main(
            list(arguments), prog_name="tpsgd-edge", standalone_mode=False, obj=settings
        )
    except click.ClickException as error:
        usage = io.StringIO()
        error.show(usage)
        click.echo(visible(usage.getvalue(), keep="\n"), nl=False, err=True)
        return EXIT_USAGE
    except SystemExit:
        # Click leaves by sys.exit only where its own output, help or version, met a closed pipe.
        raise BrokenPipeError from None
    if not isinstance(result, Outcome):
        # --help and --version have printed already, and leave their exit code.
        return int(result or 0)
    sys.stdout.write(result.text)
    if result.notes:
        sys.stdout.flush()
    for note in result.notes:
        click.echo(f"{click.style('note:', bold=True)} {visible(note)}", err=True)
    return _weigh(result, strict=settings["strict"])


def _weigh(result: Outcome, *, strict: bool) -> int:
    """Print the warnings, as errors where they count as such; the exit code."""
    if result.warnings:
        sys.stdout.flush()
    for warning in result.warnings:
        if strict:
            _complain(warning)
        else:
            said = visible(warning, keep="\n")
            click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {said}", err=True)
    return EXIT_MISMATCH if result.is_mismatch or (strict and result.warnings) else 0


def _explain(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if isinstance(error, ModuleNotFoundError) and not _is_ours(error.name):
        error = ToolError(
            f"the Python package '{error.name}' is missing",
            help="install tpsgd-edge again, with what it depends on",
        )
    if isinstance(error, TpsgdError):
        _complain(error.message())
        return error.exit_code
    if isinstance(error, OSError):
        where = f"\n  where: {error.filename}" if error.filename else ""
        _complain(f"{error.strerror or error}{where}")
        return EXIT_USAGE
    _complain(
        f"{type(error).__name__}: {error}\n"
        "  where: inside tpsgd-edge\n"
        "  help:  this is a defect; run again with --debug and report what it prints"
    )
    return EXIT_DEFECT


def _is_ours(module: str | None) -> bool:
    return module is None or module.partition(".")[0] == "tpsgd_edge"


def _complain(message: str) -> None:
    # Names in files of others may hold what a terminal obeys.
    said = visible(message, keep="\n")
    click.echo(f"{click.style('error:', fg='red', bold=True)} {said}", err=True)


def _stop_writing() -> int:
    # Without this the interpreter would try once more to flush, and complain, on its way out.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
    return EXIT_BROKEN_PIPE


def _never_fail_on_a_character(*streams: TextIO) -> None:
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
