"""Blocks of layers under one loss (docs/ARITHMETIC.md, sections 18 and 26)."""

from collections.abc import Sequence

from tpsgd_edge.graph.layers import Layer
from tpsgd_edge.spec.edges import SAMPLE, Edges

_PASSING = ("max_pool", "average_pool", "attention")

Block = tuple[str, ...]


def blocks_of(layers: Sequence[Layer], edges: Edges) -> tuple[Block, ...]:
    """Names of the layers of each block, from its head down to the lowest one that learns.

    A layer that learns from its own loss and hands no error down is no block.
    """
    heads = (
        layer.name
        for layer in layers
        if layer.weighted is not None
        and layer.weighted.learning.trainable
        and not layer.weighted.learning.is_passed
    )
    by_name = {layer.name: layer for layer in layers}
    blocks = (_block(by_name, edges, head) for head in heads)
    return tuple(block for block in blocks if len(block) > 1)


def _block(layers: dict[str, Layer], edges: Edges, head: str) -> Block:
    names, waiting = [head], list(edges.inputs_of(head))
    while waiting:
        value = waiting.pop()
        if value != SAMPLE and _passes_on(layers[value]):
            names.append(value)
            waiting.extend(edges.inputs_of(value))
    names.sort(key=edges.names.index, reverse=True)
    while len(names) > 1 and not _learns(layers[names[-1]]):
        names.pop()
    return tuple(names)


def _passes_on(layer: Layer) -> bool:
    """Tell whether errors of a layer's outputs may go on to its inputs."""
    own = layer.weighted
    return layer.kind in _PASSING if own is None else own.learning.is_passed


def _learns(layer: Layer) -> bool:
    return layer.weighted is not None and layer.weighted.learning.trainable
