"""`tpsgd-edge package`."""

from pathlib import Path

import click

from tpsgd_edge.cli.options import load, spec_options
from tpsgd_edge.cli.outcome import Outcome, outcome


@click.command("package")
@spec_options
@click.option(
    "--for",
    "target",
    required=True,
    metavar="ECOSYSTEM",
    help="arduino, platformio, zephyr, esp-idf, cmsis-pack, micropython, or c.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: build/NAME-ECOSYSTEM]"
)
@click.option("--release", metavar="X.Y.Z", help="The package's version.  [default: 1.0.0]")
@click.option("--author", metavar="NAME", help='Such as "A. Maker <maker@example.org>".')
@click.option("--url", metavar="URL", help="Of the package's page.")
def package_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    target: str,
    out: Path | None,
    release: str | None,
    author: str | None,
    url: str | None,
) -> Outcome:
    """A library for Arduino, PlatformIO, Zephyr, ...

    Writes the generated code in the form that an ecosystem's own tool takes, with an example that
    answers, asks for labels, learns and saves what it has learned. Packages of several models go
    together in one firmware.
    """
    from tpsgd_edge.cli.tables import show_package
    from tpsgd_edge.codegen.packages import Maker
    from tpsgd_edge.packaging import package

    said = {"version": release, "author": author, "url": url}
    maker = Maker(**{key: value for key, value in said.items() if value is not None})
    spec = load(spec_path, platform, overrides)
    result = package(spec, target, out=out, maker=maker)
    return outcome(
        result.to_json(), lambda: show_package(result), as_json=as_json, data=result.data
    )
