"""RAM and flash drawn to scale: what lies in them, where on the bar, and how wide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tpsgd_edge.memory.plan import Buffer
from tpsgd_edge.reports.layer_cost import LayerCost
from tpsgd_edge.reports.results import BuildResult
from tpsgd_edge.reports.text import bytes_text, percent_text, short_bytes
from tpsgd_edge.toolchain.sizes import Sizes

# Below this share of the bar a name would not fit into its segment.
_LABEL_SHARE = 0.1
# A used part wider than this needs no second, magnified bar.
_MAGNIFY_BELOW = 0.6
_MOST_INTERVALS = 5
LAYER_COLOURS = 6


@dataclass(frozen=True, slots=True)
class Part:
    """One inhabitant of a memory. `kind` names its colour."""

    name: str
    kind: str
    size: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A part on a bar; `left` and `width` are percentages of the bar."""

    name: str
    kind: str
    left: str
    width: str
    size: str
    has_label: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on the ruler under a bar. `place` is first, inner or last."""

    left: str
    text: str
    place: str


@dataclass(frozen=True, slots=True)
class Bar:
    """Segments from address 0 up, over a ruler."""

    segments: tuple[Segment, ...]
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class LegendRow:
    """One part in words."""

    name: str
    kind: str
    size: str
    share: str


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """One memory. `magnified` shows the used part alone, where it is small against the budget."""

    title: str
    used: str
    budget: str
    free: str
    whole: Bar
    magnified: Bar | None
    used_width: str
    factor: str
    legend: tuple[LegendRow, ...]


@dataclass(frozen=True, slots=True)
class ArenaMap:
    """The training arena: buffers that share bytes lie in different rows."""

    size: str
    rows: tuple[tuple[Segment, ...], ...]
    ticks: tuple[Tick, ...]


def layer_colour(index: int) -> str:
    """The colour of a layer, the same wherever it is drawn."""
    return f"layer{index % LAYER_COLOURS}"


def ram_parts(
    sizes: Sizes, layers: Sequence[LayerCost], buffers: Sequence[Buffer] = (), kept: int = 0
) -> tuple[Part, ...]:
    """List the parts of RAM; their sizes add up to `ram_total`.

    Args:
        kept: bytes of samples that are kept.
    """
    arena = arena_bytes(sizes, layers, buffers)
    parts = [
        Part(f"{layer.layer} weights", layer_colour(i), layer.ram_bytes)
        for i, layer in enumerate(layers)
    ]
    parts.append(Part("kept samples", "tables", kept))
    parts.append(Part("counters, rate", "state", sizes.ram.weights - _sum(parts)))
    parts.append(Part("arena", "arena", arena))
    # States of a sequence lie outside of the arena: other calls may come in between.
    parts.append(Part("states", "tables", sizes.ram.arena - arena))
    parts.append(Part("signal", "tables", sizes.ram.signal))
    parts.append(Part("stack", "stack", sizes.ram.stack))
    return tuple(part for part in parts if part.size > 0)


def flash_parts(sizes: Sizes, layers: Sequence[LayerCost]) -> tuple[Part, ...]:
    """List the parts of flash; their sizes add up to `flash_total`."""
    parts = [Part("code", "code", sizes.flash.code)]
    constants = [
        Part(f"{layer.layer} constants", layer_colour(i), layer.flash_bytes)
        for i, layer in enumerate(layers)
    ]
    parts += constants
    parts.append(Part("tables, self-test", "tables", sizes.flash.constants - _sum(constants)))
    return tuple(part for part in parts if part.size > 0)


def memory_maps(build: BuildResult) -> tuple[MemoryMap, ...]:
    """RAM and flash of a compiled project; empty where nothing was compiled."""
    if build.sizes is None:
        return ()
    return (
        memory_map(
            "RAM",
            ram_parts(build.sizes, build.layers, build.arena, build.kept_bytes),
            build.budget.ram,
        ),
        memory_map("Flash", flash_parts(build.sizes, build.layers), build.budget.flash),
    )


def memory_map(title: str, parts: Sequence[Part], budget: int | None) -> MemoryMap:
    """The parts against the budget, to scale; against themselves where there is no budget."""
    used = _sum(parts)
    whole = max(budget or 0, used)
    free = whole - used
    magnify = used < _MAGNIFY_BELOW * whole
    return MemoryMap(
        title=title,
        used=bytes_text(used),
        budget=f"of {short_bytes(whole)}, {percent_text(used, whole)}" if budget else "",
        free=bytes_text(free) if free else "",
        whole=_bar([*parts, Part("free", "free", free)] if free else parts, whole),
        magnified=_bar(parts, used) if magnify else None,
        used_width=_percent(used, whole),
        factor=f"{whole / used:.0f}" if used else "",
        legend=tuple(
            LegendRow(part.name, part.kind, bytes_text(part.size), percent_text(part.size, used))
            for part in parts
        ),
    )


def arena_map(
    buffers: Sequence[Buffer], layers: Sequence[LayerCost], sizes: Sizes | None = None
) -> ArenaMap | None:
    """Lay out the arena's buffers in the colours of their layers; None if there are no buffers."""
    if not buffers:
        return None
    size = arena_bytes(sizes, layers, buffers)
    colours = {cost.layer: layer_colour(index) for index, cost in enumerate(layers)}
    rows = tuple(
        tuple(_segment_of(buffer, colours.get(buffer.layer, "arena"), size) for buffer in row)
        for row in _rows(buffers)
    )
    return ArenaMap(size=bytes_text(size), rows=rows, ticks=_ticks(size))


def arena_bytes(sizes: Sizes | None, layers: Sequence[LayerCost], buffers: Sequence[Buffer]) -> int:
    """Bytes of the arena: those that are linked, without the states of recurrent layers."""
    planned = max((buffer.end for buffer in buffers), default=0)
    has_states = any(layer.kind in ("rnn", "gru", "lstm") for layer in layers)
    return planned if sizes is None or (planned and has_states) else sizes.ram.arena


def _segment_of(buffer: Buffer, kind: str, size: int) -> Segment:
    left, width = _percent(buffer.offset, size), _percent(buffer.n_bytes, size)
    has_label = buffer.n_bytes >= _LABEL_SHARE * size
    return Segment(buffer.name, kind, left, width, bytes_text(buffer.n_bytes), has_label)


def _rows(buffers: Iterable[Buffer]) -> list[list[Buffer]]:
    rows: list[list[Buffer]] = []
    for buffer in sorted(buffers, key=lambda b: (b.offset, -b.n_bytes, b.name)):
        for row in rows:
            if row[-1].end <= buffer.offset:
                row.append(buffer)
                break
        else:
            rows.append([buffer])
    return rows


def _bar(parts: Sequence[Part], whole: int) -> Bar:
    segments, left = [], 0
    for part in parts:
        place = _percent(left, whole), _percent(part.size, whole)
        has_label = part.size >= _LABEL_SHARE * whole
        segments.append(Segment(part.name, part.kind, *place, bytes_text(part.size), has_label))
        left += part.size
    return Bar(tuple(segments), _ticks(whole))


def _ticks(whole: int) -> tuple[Tick, ...]:
    step = 1
    while whole > _MOST_INTERVALS * step:
        step *= 2
    return tuple(
        Tick(_percent(at, whole), short_bytes(at) if at else "0", _place(at, whole))
        for at in range(0, whole + 1, step)
    )


def _place(at: int, whole: int) -> str:
    if at == 0:
        return "first"
    return "last" if at > 0.95 * whole else "inner"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.4f}%" if whole else "0%"


def _sum(parts: Iterable[Part]) -> int:
    return sum(part.size for part in parts)
