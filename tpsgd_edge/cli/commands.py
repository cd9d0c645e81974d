"""The verbs and their options. What a verb needs is imported when it runs."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import click

from tpsgd_edge import __version__
from tpsgd_edge.cli.adapt import adapt_command
from tpsgd_edge.cli.compare import compare_command
from tpsgd_edge.cli.example import example_command
from tpsgd_edge.cli.explain import explain_command, schema_command
from tpsgd_edge.cli.export import export_command, model_id_option, weights_in_option
from tpsgd_edge.cli.flash import flash_command
from tpsgd_edge.cli.fleet import fleet_command
from tpsgd_edge.cli.link import link_command
from tpsgd_edge.cli.migrate import migrate_command
from tpsgd_edge.cli.options import (
    debug_option,
    emulator_option,
    epochs_option,
    json_option,
    load,
    order_option,
    spec_options,
    steps_option,
)
from tpsgd_edge.cli.outcome import Outcome, outcome
from tpsgd_edge.cli.package import package_command
from tpsgd_edge.cli.platforms import platforms_command
from tpsgd_edge.cli.quantization import quantization_command
from tpsgd_edge.cli.replay import replay_command
from tpsgd_edge.cli.search import search_command
from tpsgd_edge.cli.watch import watch_command


class _InOrder(click.Group):
    """Lists its commands in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 good, 1 mismatch or, with --strict, a warning, 2 the spec or data are at "
    "fault, 3 a tool is missing or failed.",
)
@click.version_option(__version__, prog_name="tpsgd-edge", message="%(prog)s %(version)s")
@debug_option
def cli() -> None:
    """Firmware that trains itself: small networks learn on microcontrollers, proved bit for bit.

    Start with `tpsgd-edge new first`, then `tpsgd-edge report first/first.toml`.
    """


@cli.command("new")
@click.argument("name")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="The new folder.  [default: NAME]"
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a spec that fits this file (.csv, .tsv, .npz).",
)
@click.option(
    "--label", metavar="NAME", help="The column, or array, of the labels.  [default: the last one]"
)
@json_option
@debug_option
def new_command(
    *, name: str, out: Path | None, data: Path | None, label: str | None, as_json: bool
) -> Outcome:
    """Make a starter: spec, tiny data, README; or a spec for your data."""
    from tpsgd_edge.cli.tables import show_new
    from tpsgd_edge.starter import create_project

    files = create_project(name, out or Path(name), data=data, label=label)
    document = {"name": name, "files": [str(path) for path in files]}
    return outcome(document, lambda: show_new(files), as_json=as_json)


@cli.command("build")
@spec_options
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Where the C project goes."
)
@click.option("--no-compile", is_flag=True, help="Render the project only; no compiler is needed.")
@click.option(
    "--costs",
    is_flag=True,
    help="Measure stack and instructions at most, and write them as NAME_costs.h.",
)
def build_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    out: Path | None,
    no_compile: bool,
    costs: bool,
) -> Outcome:
    """Render the C project, compile it, print its sizes.

    The sizes stand beside the budget of [platform] in the spec, over which the build fails.
    """
    from tpsgd_edge.cli.tables import show_build
    from tpsgd_edge.pipeline import build

    spec = load(spec_path, platform, overrides)
    result = build(spec, out=out, compile=not no_compile, costs=costs)
    return outcome(result.to_json(), lambda: show_build(result), as_json=as_json, data=result.data)


@cli.command("verify")
@spec_options
@steps_option
@emulator_option
@weights_in_option
@model_id_option
def verify_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    steps: int | None,
    emulator: Literal["auto", "unicorn", "qemu", "node", "simavr"],
    weights_in: Path | None,
    model_id: int | None,
) -> Outcome:
    """Compare reference and device, bit for bit.

    Every tensor after every training step: the Python reference against the generated C, run on
    this computer or on an emulated core.
    """
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.cli.tables import show_verify
    from tpsgd_edge.pipeline import verify

    spec = load(spec_path, platform, overrides)
    with progress_bar() as progress:
        chosen = None if emulator == "auto" else emulator
        result = verify(
            spec,
            steps=steps,
            emulator=chosen,
            weights_in=weights_in,
            model_id=model_id,
            progress=progress,
        )
    return outcome(
        result.to_json(),
        lambda: show_verify(result),
        as_json=as_json,
        is_mismatch=not result.is_equal,
        data=result.data,
    )


@cli.command("simulate")
@spec_options
@epochs_option
@order_option
@click.option(
    "--weights-out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the trained state struct, for export.",
)
@weights_in_option
@model_id_option
def simulate_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    epochs: int | None,
    order: Literal["shuffled", "recorded", "sorted", "classes"],
    weights_out: Path | None,
    weights_in: Path | None,
    model_id: int | None,
) -> Outcome:
    """Train with the generated code; learning curve.

    All of the training data, epoch by epoch, at the full speed of this computer.
    """
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.cli.tables import show_simulate
    from tpsgd_edge.pipeline import simulate

    spec = load(spec_path, platform, overrides)
    with progress_bar() as progress:
        result = simulate(
            spec,
            epochs=epochs,
            order=order,
            weights_out=weights_out,
            weights_in=weights_in,
            model_id=model_id,
            progress=progress,
        )
    return outcome(
        result.to_json(), lambda: show_simulate(result), as_json=as_json, data=result.data
    )


@cli.command("report")
@spec_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The HTML file.  [default: NAME-PLATFORM.html]",
)
@click.option(
    "--markdown", is_flag=True, help="Print Markdown tables, for the summary of a CI run."
)
@click.option("--no-widget", is_flag=True, help="Leave the live model out of the page.")
@steps_option
@epochs_option
@emulator_option
def report_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    out: Path | None,
    markdown: bool,
    no_widget: bool,
    steps: int | None,
    epochs: int | None,
    emulator: Literal["auto", "unicorn", "qemu", "node", "simavr"],
) -> Outcome:
    """All three, one table and an HTML report.

    Builds, verifies and simulates, and writes one self-contained HTML file: learning curve,
    confusion matrix, memory map drawn to scale, cost per layer, and the model itself, in
    WebAssembly: it answers, and learns, in the page.
    """
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.cli.tables import show_report
    from tpsgd_edge.pipeline import report
    from tpsgd_edge.reports.markdown import render_markdown

    spec = load(spec_path, platform, overrides)
    with progress_bar() as progress:
        chosen = None if emulator == "auto" else emulator
        result = report(
            spec,
            out=out,
            steps=steps,
            epochs=epochs,
            emulator=chosen,
            widget=not no_widget,
            progress=progress,
        )
    return outcome(
        result.to_json(),
        lambda: render_markdown(result) if markdown else show_report(result),
        as_json=as_json,
        is_mismatch=not result.verify.is_equal,
        data=replace(result.data, labels="", chosen=()) if markdown else result.data,
    )


cli.add_command(example_command)
cli.add_command(package_command)
cli.add_command(flash_command)
cli.add_command(export_command)
cli.add_command(migrate_command)
link_command.add_command(watch_command)
cli.add_command(link_command)
cli.add_command(replay_command)
cli.add_command(quantization_command)
cli.add_command(adapt_command)
cli.add_command(compare_command)
cli.add_command(search_command)
cli.add_command(fleet_command)
cli.add_command(explain_command)
cli.add_command(schema_command)


cli.add_command(platforms_command)


@cli.command("doctor")
@json_option
@debug_option
def doctor_command(*, as_json: bool) -> Outcome:
    """The tools: installed, missing, how to get them."""
    from tpsgd_edge.cli.tables import show_doctor
    from tpsgd_edge.toolchain.doctor import survey

    tools = survey()
    keys = ("name", "version", "path", "purpose", "help")
    document = {
        "tools": [
            {key: None if (v := getattr(tool, key)) is None else str(v) for key in keys}
            for tool in tools
        ]
    }
    return outcome(document, lambda: show_doctor(tools), as_json=as_json)
