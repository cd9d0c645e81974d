"""`tpsgd-edge quantization`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tpsgd_edge.cli.export import model_id_option
from tpsgd_edge.cli.options import load, spec_options
from tpsgd_edge.cli.outcome import Outcome, outcome

if TYPE_CHECKING:
    from tpsgd_edge.reports.results import QuantizationResult


@click.command("quantization")
@spec_options
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="DUMP",
    help="A trained state, as for export.  [default: initial weights]",
)
@model_id_option
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    metavar="N",
    help="Test samples that layers are compared on.",
)
def quantization_command(
    *,
    spec_path: Path,
    platform: str | None,
    overrides: tuple[str, ...],
    as_json: bool,
    weights: Path | None,
    model_id: int | None,
    samples: int,
) -> Outcome:
    """Compare the integer net with the same net in real numbers.

    The error of each layer's outputs, and both nets on the test set: the initial weights of a net
    made elsewhere, or what a device has learned (--weights).
    """
    from tpsgd_edge.cli.progress import progress_bar
    from tpsgd_edge.pipeline import quantization

    spec = load(spec_path, platform, overrides)
    with progress_bar() as progress:
        result = quantization(
            spec, weights=weights, model_id=model_id, samples=samples, progress=progress
        )
    return outcome(
        result.to_json(), lambda: show_quantization(result), as_json=as_json, data=result.data
    )


def show_quantization(result: "QuantizationResult") -> str:
    """A row for each layer, and both scores."""
    from tpsgd_edge.cli.tables import make_table, render
    from tpsgd_edge.reports.text import metric_text, number_text, percent_text

    table = make_table("layer", "kind", "formats", "largest", "range", "clipped", "error")
    for column in table.columns[3:]:
        column.justify = "right"
    for layer in result.layers:
        table.add_row(
            layer.layer,
            layer.kind.replace("_", " "),
            result.formats.get(layer.layer, ""),
            number_text(layer.reach),
            number_text(layer.full_scale) if layer.full_scale else "",
            percent_text(layer.clipped, 1),
            percent_text(layer.error, 1),
        )
    lines = [
        f"{result.spec.name}, {result.metric} on the test set: "
        f"real numbers {metric_text(result.metric, result.real)}, "
        f"integers {metric_text(result.metric, result.integers)}",
    ]
    if result.agreement is not None:
        lines.append(f"both give the same class to {100 * result.agreement:.2f} % of the samples")
    if not result.is_trained:
        lines.append(
            "nothing was trained: these are initial weights, drawn from the seed. A trained net:\n"
            f"  tpsgd-edge simulate {result.spec.source} --weights-out weights.bin\n"
            f"  tpsgd-edge quantization {result.spec.source} --weights weights.bin"
        )
    return render(table, *lines)
