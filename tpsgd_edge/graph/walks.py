"""The layers that take one step of a sequence after the other (docs/ARITHMETIC.md, section 22)."""

from collections.abc import Sequence

from tpsgd_edge.graph.layers import Keeping, Layer
from tpsgd_edge.graph.memory import Memory


def walk_of(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The first layers, up to the last that keeps something from step to step."""
    if not isinstance(layers[0], Keeping):
        return ()
    keeping = [place for place, layer in enumerate(layers) if isinstance(layer, Keeping)]
    return tuple(layers[: keeping[-1] + 1])


def periods_of(walk: Sequence[Layer]) -> tuple[int, ...]:
    """Steps of a sequence from one that a layer of a walk sees to the next, for each layer."""
    periods, period = [], 1
    for layer in walk:
        periods.append(period)
        period *= layer.every if isinstance(layer, Memory) else 1
    return tuple(periods)
