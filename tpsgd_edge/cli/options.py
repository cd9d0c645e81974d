"""Options that several verbs share, and how the spec is read with them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from tpsgd_edge.spec import Spec

P = ParamSpec("P")
R = TypeVar("R")
Decorator = Callable[[Callable[P, R]], Callable[P, R]]


def _set_debug(ctx: click.Context, _: click.Parameter, value: object) -> None:
    if value:
        # Where `run` finds it, even if what fails is the next option.
        ctx.find_root().obj["debug"] = True


debug_option = click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_set_debug,
    help="Show tracebacks.",
)


def _set_strict(ctx: click.Context, _: click.Parameter, value: object) -> None:
    if value:
        ctx.find_root().obj["strict"] = True


strict_option = click.option(
    "--strict",
    is_flag=True,
    expose_value=False,
    callback=_set_strict,
    help="A warning is an error: exit code 1.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)
platform_option = click.option(
    "--platform", metavar="P", help="Build for this platform instead of the spec's."
)
emulator_option = click.option(
    "--emulator",
    type=click.Choice(["auto", "unicorn", "qemu", "node", "simavr"]),
    default="auto",
    show_default=True,
    help="What runs the code of a device; auto: the quicker one that is installed.",
)
steps_option = click.option(
    "--steps", type=click.IntRange(1, 10_000_000), metavar="N", help="Training steps to compare."
)
epochs_option = click.option(
    "--epochs", type=click.IntRange(1, 100_000), metavar="N", help="Passes over the training data."
)

order_option = click.option(
    "--order",
    type=click.Choice(["shuffled", "recorded", "sorted", "classes"]),
    default="shuffled",
    show_default=True,
    help="In which the samples come: as recorded in their file, sorted by class, or the classes "
    "one after the other, once.",
)


def spec_options(function: Callable[P, R]) -> Callable[P, R]:
    """SPEC and the options of every verb that reads one."""
    options = (
        click.argument("spec_path", metavar="SPEC", type=click.Path(path_type=Path)),
        platform_option,
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Override a key of the spec, such as rule.epochs=3. Repeatable.",
        ),
        strict_option,
        json_option,
        debug_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


def load(path: Path, platform: str | None, overrides: tuple[str, ...]) -> "Spec":
    """The spec with what the options change in it."""
    import json

    from tpsgd_edge.spec import load_spec

    # JSON's strings are TOML's too, so that a name is never read as a number.
    chosen = () if platform is None else (f"platform.name={json.dumps(platform)}",)
    return load_spec(path, (*overrides, *chosen))
