"""`tpsgd-edge example`."""

from pathlib import Path

import click

from tpsgd_edge.cli.options import load, spec_options
from tpsgd_edge.cli.outcome import Outcome, outcome


@click.command("example")
@spec_options
def example_command(
    *, spec_path: Path, platform: str | None, overrides: tuple[str, ...], as_json: bool
) -> Outcome:
    """A main.c of your own to start from.

    Prints a C program around the generated code: raw values are scaled as in training, the net
    learns some samples of the data file and answers by name.
    """
    from tpsgd_edge.stages.example import example_program

    text = example_program(load(spec_path, platform, overrides))
    return outcome({"main.c": text}, lambda: text, as_json=as_json)
