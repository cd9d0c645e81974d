"""The layers that take one step of a sequence after the other (docs/ARITHMETIC.md, section 23)."""

from collections.abc import Sequence

from tpsgd_edge.graph.layers import Layer
from tpsgd_edge.graph.memory import every_of
from tpsgd_edge.spec.memory import KEEPING


def walk_of(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The first layers, up to the last that keeps something from step to step."""
    if layers[0].kind not in KEEPING:
        return ()
    keeping = [place for place, layer in enumerate(layers) if layer.kind in KEEPING]
    return tuple(layers[: keeping[-1] + 1])


def periods_of(walk: Sequence[Layer]) -> tuple[int, ...]:
    """Steps of a sequence from one that a layer of a walk sees to the next, for each layer."""
    periods, period = [], 1
    for layer in walk:
        periods.append(period)
        period *= every_of(layer)
    return tuple(periods)
