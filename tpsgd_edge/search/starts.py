"""The first points of a search: the spec's own net, and nets that fill parts of the RAM."""

from collections.abc import Callable, Iterator
from typing import Any

from tpsgd_edge.search.space import Dimension, Params, Space

# Parts of the budget, or of what the spec's own net takes; the stack comes on top.
_PARTS = (0.9, 0.6, 0.4)
_PARTS_OF_OTHERS = (0.9, 0.4)
_HALVINGS = 8
# Dimensions that say how large a net is.
_SIZES = ("units", "filters", "width")


def starting_points(
    space: Space, ram: int | None, ram_of: Callable[[Params], int | None]
) -> Iterator[dict[str, Any]]:
    """The points that are tried first.

    Args:
        ram: budget in bytes, if there is one.
        ram_of: bytes that a point needs; None where it is no net.
    """
    start = space.start
    yield start
    most = ram if ram is not None else ram_of({**space.fixed, **start})
    if most is None:
        return
    small = {one.name: one.values[0] for one in space.dimensions if one.name == "weights"}
    for kind in _kinds(space):
        is_first = kind == {} or kind["kind"] == start["kind"]
        for part in _PARTS if is_first else _PARTS_OF_OTHERS:
            yield _largest(space, {**start, **kind, **small}, part * most, ram_of)


def _kinds(space: Space) -> list[dict[str, Any]]:
    """The kinds of nets, that of the start first."""
    found = [one for one in space.dimensions if one.name == "kind"]
    if not found:
        return [{}]
    kinds = sorted(found[0].values, key=lambda kind: kind != found[0].start)
    return [{"kind": kind} for kind in kinds]


def _largest(
    space: Space, point: Params, most: float, ram_of: Callable[[Params], int | None]
) -> dict[str, Any]:
    """The point with the largest sizes that needs no more than so many bytes."""
    sizes = [one for one in space.dimensions if one.name.rstrip("0123456789") in _SIZES]
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        ram = ram_of({**space.fixed, **point, **_sized(sizes, middle)})
        low, high = (middle, high) if ram is not None and ram <= most else (low, middle)
    return {**point, **_sized(sizes, low)}


def _sized(sizes: list[Dimension], share: float) -> dict[str, Any]:
    """Sizes at a share of the way from the smallest to the largest, in even ratios."""
    made = {one.name: one.low * (one.high / one.low) ** share for one in sizes}
    whole = {one.name for one in sizes if one.is_whole}
    return {name: round(size) if name in whole else size for name, size in made.items()}
