"""All that the HTML report says, every string and number ready: the template only prints."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from tpsgd_edge import __version__
from tpsgd_edge.frontend.data import DataNotes
from tpsgd_edge.reports.confusion import HeatTable, heat_table
from tpsgd_edge.reports.detection_plots import roc_svg, scores_svg
from tpsgd_edge.reports.layer_cost import LayerCost
from tpsgd_edge.reports.memory_map import (
    ArenaMap,
    MemoryMap,
    arena_map,
    layer_colour,
    memory_maps,
)
from tpsgd_edge.reports.plots import best_point, learning_curve_svg
from tpsgd_edge.reports.results import ReportResult, SimulateResult, command_arguments
from tpsgd_edge.reports.summary import Line, detection_lines, summary, verdict_line
from tpsgd_edge.reports.text import (
    UNKNOWN,
    bytes_text,
    count_text,
    metric_name,
    metric_text,
    plural,
)
from tpsgd_edge.reports.widget import WidgetView, widget_view
from tpsgd_edge.spec import (
    LabelsKind,
    Spec,
    error_gate,
    layer_index,
    layer_learning_rate,
    layer_projection,
)
from tpsgd_edge.stages.doubts import Doubt
from tpsgd_edge.stages.widget import Widget


@dataclass(frozen=True, slots=True)
class CostCell:
    """One number over a bar; `width` is its percentage of the largest in the column `head`."""

    head: str
    text: str
    width: str


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer in words and in numbers."""

    name: str
    colour: str
    shape: str
    about: str
    formats: str
    costs: tuple[CostCell, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and what it stands for."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class DetectionView:
    """The scores of a detector: a note, and plots; no ROC where no anomalies are given."""

    note: str
    scores: Markup
    roc: Markup | None


@dataclass(frozen=True, slots=True)
class ReportView:
    """The context of report.html.j2."""

    version: str
    title: str
    platform: str
    is_equal: bool
    badge: str
    mismatch: str
    warnings: tuple[Doubt, ...]
    chips: tuple[str, ...]
    lede: str
    numbers: tuple[Line, ...]
    curve_note: str
    curve: Markup
    confusion: HeatTable | None
    widget: WidgetView | None
    no_widget: str
    detection: DetectionView | None
    maps: tuple[MemoryMap, ...]
    arena: ArenaMap | None
    cost_heads: tuple[str, ...]
    cost_rest: tuple[CostCell, ...]
    cost_totals: tuple[CostCell, ...]
    layers: tuple[LayerRow, ...]
    settings: tuple[Fact, ...]
    commands: tuple[str, ...]
    versions: tuple[Fact, ...]
    digests: tuple[Fact, ...]


_COSTS = (
    ("weights", "weights"),
    ("RAM", "ram_bytes"),
    ("flash", "flash_bytes"),
    ("instructions, inference", "instructions_inference"),
    ("instructions, training step", "instructions_step"),
)


def report_view(result: ReportResult) -> ReportView:
    """The view of a result."""
    build, verify, simulate, spec = result.build, result.verify, result.simulate, result.spec
    costs = [cost for cost in _COSTS if _is_known(build.layers, cost[1])]
    return ReportView(
        version=__version__,
        title=spec.name,
        platform=build.platform,
        is_equal=verify.is_equal,
        badge=_badge(result),
        mismatch=verify.mismatch or "",
        warnings=simulate.warnings,
        chips=_chips(result),
        lede=_lede(result),
        numbers=tuple(_unbroken(line) for line in summary(result)[:-1]),
        curve_note=curve_note(result.simulate),
        curve=Markup(learning_curve_svg(simulate)),
        confusion=None
        if simulate.confusion is None
        else heat_table(simulate.confusion, simulate.class_names),
        widget=widget_view(result.widget, build.platform)
        if isinstance(result.widget, Widget)
        else None,
        no_widget=result.widget if isinstance(result.widget, str) else "",
        detection=_detection(simulate),
        maps=memory_maps(build),
        arena=arena_map(build.arena, build.layers, build.sizes),
        cost_heads=tuple(head for head, _ in costs),
        cost_rest=_cost_rest(result, costs),
        cost_totals=tuple(
            CostCell(head, _cost_text(key, _in_all(result, key)), "") for head, key in costs
        ),
        layers=_layer_rows(result, costs),
        settings=_settings(spec, simulate.epochs, result.data, is_class=simulate.metric != "r2"),
        commands=_commands(result),
        versions=_versions(result),
        digests=tuple(
            Fact(name, value) for name, value in {"spec": spec.digest, **build.digests}.items()
        ),
    )


def _detection(simulate: SimulateResult) -> DetectionView | None:
    found = simulate.detection
    if found is None:
        return None
    (alarms,) = detection_lines(simulate)
    note = f"Scores of the test samples; false alarms: {alarms.value} {alarms.detail}."
    roc = Markup(roc_svg(found)) if found.roc else None
    return DetectionView(note, Markup(scores_svg(found)), roc)


def _badge(result: ReportResult) -> str:
    steps = f"{result.verify.steps:,} steps"
    return f"bit for bit equal, {steps}" if result.verify.is_equal else "mismatch"


def _chips(result: ReportResult) -> tuple[str, ...]:
    layers = result.build.layers
    # "64 -> 32" and "32 -> 10" read better as one chain; the result's shapes are its links.
    shapes = [_arrows(cost.shape).split(" → ") for cost in layers]
    sizes = [shapes[0][0], *(shape[-1] for shape in shapes)]
    formats = result.build.formats.get(layers[0].layer)
    return (" → ".join(sizes), *([_arrows(formats)] if formats else ()), result.build.platform)


def _lede(result: ReportResult) -> str:
    text = (
        "This detector learns on the device, without labels, what normal samples are like, and a "
        "threshold that follows their scores."
        if result.simulate.detection is not None
        else "This network learns on the device: tpSGD updates each layer during the forward pass, "
        "with no gradient stored and nothing sent back."
    )
    if not result.verify.is_equal:
        return f"{text} The generated C and the Python reference do not agree; see below."
    agree = verdict_line(result.verify).detail
    return f"{text} The generated C and the Python reference agree {agree}."


def _unbroken(line: Line) -> Line:
    """The line with no break between a number and its unit."""
    return replace(
        line, detail=re.sub(r"(?<=\d) (?=%|B|KiB|MiB)", "\N{NO-BREAK SPACE}", line.detail)
    )


def curve_note(result: SimulateResult) -> str:
    """Say what the learning curve shows, and where it was best."""
    curve = result.curve
    seen = f", {curve[-1].samples_seen:,} samples" if curve else ""
    name = metric_name(result.metric)
    text = f"{name} on the test set while the generated code trains, one sample at a time{seen}."
    best = best_point(result)
    if best is None:
        return text
    value = metric_text(result.metric, best.accuracy)
    return f"{text} It was best after epoch {best.epoch:g}: {value}."


def _layer_rows(result: ReportResult, columns: Sequence[tuple[str, str]]) -> tuple[LayerRow, ...]:
    layers = result.build.layers
    return tuple(
        LayerRow(
            name=cost.layer,
            colour=layer_colour(index),
            shape=_arrows(cost.shape),
            about=cost.about,
            formats=_arrows(result.build.formats.get(cost.layer, "")),
            costs=tuple(_cost_cell(cost, layers, head, key) for head, key in columns),
        )
        for index, cost in enumerate(layers)
    )


def _arrows(text: str) -> str:
    """Words of a result with the signs of a page: 28x28x1 -> 10 as 28×28×1 → 10."""
    return re.sub(r"(?<=\d)x(?=\d)", "×", text.replace("->", "→"))


def _cost_cell(cost: LayerCost, layers: Sequence[LayerCost], head: str, key: str) -> CostCell:
    value: int | None = getattr(cost, key)
    largest = max(getattr(other, key) or 0 for other in layers)
    width = f"{100 * (value or 0) / largest:.2f}%" if largest else "0%"
    return CostCell(head, _cost_text(key, value), width)


def _is_known(layers: Sequence[LayerCost], key: str) -> bool:
    return any(getattr(cost, key) is not None for cost in layers)


def _total(layers: Sequence[LayerCost], key: str) -> int:
    return sum(getattr(cost, key) or 0 for cost in layers)


def _in_all(result: ReportResult, key: str) -> int:
    """The number of the whole model: of instructions what the headline says."""
    counted = {
        "instructions_inference": result.verify.instructions_per_inference,
        "instructions_step": result.verify.instructions_per_step,
    }.get(key)
    return _total(result.build.layers, key) if counted is None else counted


def _cost_rest(result: ReportResult, columns: Sequence[tuple[str, str]]) -> tuple[CostCell, ...]:
    """Cost of everything around the layers: calls, the schedule, softmax; empty if it is 0."""
    rest = {key: _in_all(result, key) - _total(result.build.layers, key) for _, key in columns}
    if not any(rest.values()):
        return ()
    return tuple(
        CostCell(head, count_text(rest[key]) if rest[key] else "", "") for head, key in columns
    )


def _cost_text(key: str, value: int | None) -> str:
    return bytes_text(value) if key.endswith("_bytes") else count_text(value)


def _settings(spec: Spec, epochs: int, said: DataNotes, *, is_class: bool) -> tuple[Fact, ...]:
    rule, data = spec.rule, spec.data
    gate = error_gate(spec, "class" if is_class else "vector")
    places = [layer_index(spec, layer.name) for layer in spec.model.weighted if layer.train]
    rates = dict.fromkeys(f"{layer_learning_rate(spec, place):g}" for place in places)
    rate = f"{' / '.join(rates)}, {rule.schedule}"
    if rule.schedule != "constant":
        rate += f" to {100 * rule.final_rate:g} %"
    return (
        Fact("learning rate", rate),
        Fact("epochs", f"{epochs:,}"),
        Fact("initial weights", _first_weights(spec)),
        Fact("projection", _projections(spec, is_class=is_class)),
        Fact("error gate", "none" if gate is None else f"below {gate:g}"),
        Fact("dead zone", f"{rule.dead_zone:g}" if rule.dead_zone else "none"),
        Fact("data", f"{data.file}, scaling {data.scaling}"),
        Fact("labels", said.labels or UNKNOWN),
        *(Fact(choice.key, f"{choice.value}: {choice.reason}") for choice in said.chosen),
        *(Fact("note", note) for note in said.notes),
        Fact("seed", str(spec.seed)),
    )


def _projections(spec: Spec, *, is_class: bool) -> str:
    labels: LabelsKind = "class" if is_class else "vector"
    hidden = [layer for layer in spec.model.weighted[:-1] if layer.train]
    places = [layer_index(spec, layer.name) for layer in hidden]
    kinds = sorted({layer_projection(spec, place, labels) for place in places})
    storage: str = "s8" if {"prototype", "fitted"} & set(kinds) else spec.projection.storage
    storage = "ram" if "learned" in kinds else storage
    return f"{' and '.join(kinds or [spec.projection.random_kind])}, {_STORAGE[storage]}"


def _first_weights(spec: Spec) -> str:
    pretrain, file = spec.model.pretrain, spec.model.source or spec.model.weights_file
    if pretrain is not None:
        return f"pre-trained, {pretrain.method}, {plural(pretrain.epochs, 'epoch')}"
    return "drawn from the seed" if file is None else file


_STORAGE = {
    "seed": "drawn again on the device",
    "packed": "stored in 2 bits an entry",
    "s8": "stored in a byte an entry",
    "ram": "in RAM",
}


def _commands(result: ReportResult) -> tuple[str, ...]:
    spec = command_arguments(result.spec, result.build.platform)
    steps, epochs = f"--steps {result.verify.steps}", f"--epochs {result.simulate.epochs}"
    return (
        f"tpsgd-edge build {spec}",
        f"tpsgd-edge verify {spec} {steps}",
        f"tpsgd-edge simulate {spec} {epochs}",
        f"tpsgd-edge report {spec} {steps} {epochs}",
    )


def _versions(result: ReportResult) -> tuple[Fact, ...]:
    facts = [Fact("tpsgd-edge", __version__)]
    if result.build.compiler is not None:
        facts.append(Fact("compiler", result.build.compiler))
    if result.verify.emulator is not None:
        facts.append(Fact("emulator", result.verify.emulator))
    return tuple(facts)
