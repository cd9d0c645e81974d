"""`tpsgd-edge link`: a device at the other end of a line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpsgd_edge.cli.options import debug_option, json_option, load
from tpsgd_edge.cli.outcome import Outcome, outcome

if TYPE_CHECKING:
    from tpsgd_edge.link import LinkedDevice
    from tpsgd_edge.stages import Prepared


@click.group("link")
@click.argument("port", metavar="PORT")
@click.argument("spec_path", metavar="SPEC", type=click.Path(path_type=Path))
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the spec."
)
@click.option("--baud", type=click.IntRange(50, 10_000_000), default=115_200, show_default=True)
@click.option(
    "--limit",
    type=click.FloatRange(0.01, 3600),
    default=2.0,
    show_default=True,
    help="Seconds to wait for an answer before it is asked for again.",
)
@debug_option
@click.pass_context
def link_command(
    ctx: click.Context,
    *,
    port: str,
    spec_path: Path,
    overrides: tuple[str, ...],
    baud: int,
    limit: float,
) -> None:
    """Talk to a device that was built with firmware.wire = true.

    PORT is a serial port (/dev/ttyACM0, COM3), a pseudo terminal, or socket://HOST:PORT.
    """
    ctx.obj["link"] = (port, spec_path, overrides, baud, limit)


def reopen(ctx: click.Context) -> tuple[Callable[[], "LinkedDevice"], "Prepared"]:
    """A function that opens the device of the command line, and what is known of its model."""
    from tpsgd_edge.link import Limits, LinkedDevice
    from tpsgd_edge.stages import prepare

    port, spec_path, overrides, baud, limit = ctx.obj["link"]
    prepared = prepare(load(spec_path, None, overrides))
    limits = Limits(answer=limit)
    return partial(LinkedDevice.open, port, prepared.model, baud=baud, limits=limits), prepared


@contextmanager
def linked(ctx: click.Context) -> Iterator[tuple["LinkedDevice", "Prepared"]]:
    """The device that the command line names, and what is known of its model."""
    opener, prepared = reopen(ctx)
    with opener() as device:
        yield device, prepared


@link_command.command("info")
@json_option
@debug_option
@click.pass_context
def info_command(ctx: click.Context, *, as_json: bool) -> Outcome:
    """The model on the device: steps, digest, RAM, counters."""
    from tpsgd_edge.cli.linked_text import show_info

    with linked(ctx) as (device, _):
        hello, counts = device.hello, device.statistics()
    document = asdict(hello) | {"kind": [str(kind.name).lower() for kind in hello.kind]}
    del document["next"]
    document["statistics"] = asdict(counts)
    return outcome(document, lambda: show_info(hello, counts), as_json=as_json)


@link_command.command("selftest")
@json_option
@debug_option
@click.pass_context
def selftest_command(ctx: click.Context, *, as_json: bool) -> Outcome:
    """Let the device prove itself; what it learned stays."""
    with linked(ctx) as (device, _):
        is_good = device.selftest()
        name = device.hello.name
    words = "computes the right bits" if is_good else "computes other bits than the reference"
    return outcome(
        {"selftest": is_good},
        lambda: f"{name} {words}\n",
        as_json=as_json,
        is_mismatch=not is_good,
    )


@link_command.command("feed")
@click.argument("data", metavar="[DATA]", required=False)
@click.option("--train", is_flag=True, help="Train on the samples; else they are only answered.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="No more than N samples.")
@json_option
@debug_option
@click.pass_context
def feed_command(
    ctx: click.Context, *, data: str | None, train: bool, count: int | None, as_json: bool
) -> Outcome:
    """Give samples to the device, one after the other.

    DATA is a file like that of the spec; without it, these are the spec's training samples with
    --train, else those of its test.
    """
    from tpsgd_edge.cli.linked_text import show_fed
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.link.feeding import feed, samples_in, samples_of

    with linked(ctx) as (device, prepared), progress_bar() as progress:
        dataset = prepared.dataset
        x, y = samples_of(dataset, train=train) if data is None else samples_in(prepared.spec, data)
        x, y = x[:count], y[:count]

        def tell(done: int, right: int) -> None:
            if progress is not None:
                progress(f"{'train' if train else 'score'}, {right / done:.1%} right", done, len(x))

        fed = feed(device, zip(x, y, strict=True), train=train, tell=tell)
    has_classes = dataset.labels.kind == "class"
    document = asdict(fed) | {
        "accuracy": fed.right / fed.count if has_classes and fed.count else None
    }
    return outcome(document, lambda: show_fed(fed, is_classifier=has_classes), as_json=as_json)


@link_command.command("pull")
@click.argument("out", metavar="FILE", type=click.Path(path_type=Path))
@json_option
@debug_option
@click.pass_context
def pull_command(ctx: click.Context, *, out: Path, as_json: bool) -> Outcome:
    """Read what was learned into FILE, as simulate --weights-out writes it.

    For export, simulate --weights-in, and verify --weights-in.
    """
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.stages.export import write_state

    with linked(ctx) as (device, prepared), progress_bar() as progress:
        state = device.pull(progress)
        hello = device.hello
    write_state(prepared, state, out)
    document = {"file": str(out), "bytes": len(state), "step": hello.step, "digest": hello.digest}
    words = f"step {hello.step:,}, digest 0x{hello.digest:08x}: {len(state):,} bytes in {out}\n"
    return outcome(document, lambda: words, as_json=as_json)


@link_command.command("push")
@click.argument("weights", metavar="FILE", type=click.Path(path_type=Path))
@json_option
@debug_option
@click.pass_context
def push_command(ctx: click.Context, *, weights: Path, as_json: bool) -> Outcome:
    """Replace what the device has learned by FILE, all of it or nothing.

    FILE is a dump, a checkpoint, or a copy of a storage.
    """
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.memory import state_layout
    from tpsgd_edge.stages.export import read_state

    with linked(ctx) as (device, prepared), progress_bar() as progress:
        state, _ = read_state(prepared, weights)
        hello = device.push(state_layout(prepared.model).write(state), progress)
    document = {"file": str(weights), "step": hello.step, "digest": hello.digest}
    words = f"the device is at step {hello.step:,} now, digest 0x{hello.digest:08x}\n"
    return outcome(document, lambda: words, as_json=as_json)


@link_command.command("save")
@json_option
@debug_option
@click.pass_context
def save_command(ctx: click.Context, *, as_json: bool) -> Outcome:
    """Let the device write a checkpoint of what it has learned."""
    with linked(ctx) as (device, _):
        step = device.checkpoint()
    return outcome({"step": step}, lambda: f"saved at step {step:,}\n", as_json=as_json)
