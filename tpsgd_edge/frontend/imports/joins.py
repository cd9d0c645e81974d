"""Sums and concatenations of values that the net computes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import Chain, ImportedLayer, Order
from tpsgd_edge.frontend.imports.help import what_to_do
from tpsgd_edge.frontend.imports.inputs import laid
from tpsgd_edge.frontend.imports.names import layer_name
from tpsgd_edge.spec import SAMPLE


def joined(chains: Sequence[Chain], call: Call, numbers: Mapping[str, int]) -> Chain:
    """The net up to a node that reads several values which it computes.

    Args:
        chains: up to each of these values.
        numbers: of all layers so far, in the order in which they were made.

    Raises:
        DataError: the node is no sum and no concatenation, or reads values that do not fit.
    """
    handler = _HANDLERS.get(call.node.op)
    if handler is None or any(array is not None for array in call.arrays):
        raise call.error(
            f"{call.node.op[:40]} joins values in a way that no layer of ours does",
            found="inputs " + ", ".join(f"'{name[:40]}'" for name in call.node.inputs[:3]),
            help=what_to_do(call.node.op),
        )
    merged = _merged(_on_the_same_samples(chains, call), call, numbers)
    return handler(merged, call)


def _on_the_same_samples(chains: Sequence[Chain], call: Call) -> list[Chain]:
    """The chains; one without a layer reads the samples as the others do."""
    first = next((chain for chain in chains if chain.layers), None)
    if first is None:
        raise call.error(
            f"{call.node.op} joins the samples with themselves",
            help="a layer must come first: give samples that are made so",
        )
    made = []
    for chain in chains:
        if not chain.layers and first.samples is not None and chain.samples is None:
            chain = laid(chain, first.samples)
        if not chain.layers:
            chain = replace(chain, input_shape=first.input_shape)
        made.append(chain)
    return made


def _merged(
    chains: Sequence[Chain], call: Call, numbers: Mapping[str, int]
) -> tuple[list[Chain], tuple[ImportedLayer, ...]]:
    """The chains, checked, and all layers that they depend on, in the order of making."""
    layers: dict[str, ImportedLayer] = {}
    for chain in chains:
        _check_whole(chain, call)
        _check_samples(chains[0], chain, call)
        for layer in chain.layers:
            if layers.setdefault(layer.name, layer) is not layer:
                raise call.error(
                    f"{call.node.op} joins two forms of layer '{layer.name}'",
                    found="a scaling or an activation that only one of them has",
                    help="put it behind the place where the ways part, or before it",
                )
    return list(chains), tuple(sorted(layers.values(), key=lambda layer: numbers[layer.name]))


def _check_whole(chain: Chain, call: Call) -> None:
    if chain.pending is not None:
        raise call.error(
            f"a scaling before {call.node.op} cannot be folded",
            found="numbers for the values of one way",
            help="put BatchNormalization directly behind a layer with weights",
        )
    if chain.steps > 1:
        raise call.error(
            f"{call.node.op} joins sequences",
            found=f"{chain.steps} steps",
            help="recurrent layers follow each other; what reads the last step may branch",
        )


def _check_samples(first: Chain, other: Chain, call: Call) -> None:
    """Refuse ways on which the samples lie or are scaled in unlike forms."""
    places = [np.arange(0) if c.samples is None else c.samples for c in (first, other)]
    scalings = [c.scaling for c in (first, other)]
    same_scaling = scalings[0] is scalings[1] or (
        scalings[0] is not None
        and scalings[1] is not None
        and np.array_equal(scalings[0].scale, scalings[1].scale)
        and np.array_equal(scalings[0].shift, scalings[1].shift)
    )
    same_places = np.array_equal(places[0], places[1])
    if first.input_shape != other.input_shape or not same_places or not same_scaling:
        raise call.error(
            f"{call.node.op} joins ways that read the samples in unlike forms",
            found=f"maps of {first.input_shape} and of {other.input_shape}"
            if first.input_shape != other.input_shape
            else "another order, or a scaling on one of them",
            help="let all ways read the samples as they are",
        )


def _add(merged: tuple[list[Chain], tuple[ImportedLayer, ...]], call: Call) -> Chain:
    chains, layers = merged
    orders = [chain.order for chain in chains]
    if any(not np.array_equal(order, orders[0]) for order in orders):
        raise call.error(
            f"{call.node.op} adds values that do not lie alike",
            found=" and ".join(f"shape {order.shape}" for order in orders),
            help="both ways must make maps of one shape, channels on the same axis",
        )
    table = {"kind": "add", "activation": "linear"}
    return _extended(chains, layers, call, table, orders[0], _channels(chains[0]))


def _concat(merged: tuple[list[Chain], tuple[ImportedLayer, ...]], call: Call) -> Chain:
    chains, layers = merged
    axis = call.integer("axis", 1)
    places = {chain.size // _channels(chain) for chain in chains}
    if len(places) > 1:
        raise call.error(
            "Concat joins maps of unlike height or width",
            found=" and ".join(f"shape {chain.order.shape}" for chain in chains),
            help="channels are joined, place by place",
        )
    channels, first, moved = sum(map(_channels, chains)), 0, list[Order]()
    for chain in chains:
        own = _channels(chain)
        moved.append(chain.order // own * channels + first + chain.order % own)
        first += own
    try:
        order = np.concatenate(moved, axis=axis)
    except ValueError:
        raise call.error(
            "Concat joins values that do not fit", found=f"axis {axis} of {moved[0].shape}"
        ) from None
    if order.shape[0] != chains[0].order.shape[0]:
        raise call.error("Concat joins samples", found=f"axis {axis}", help="join their channels")
    return _extended(chains, layers, call, {"kind": "concat"}, order, channels)


def _channels(chain: Chain) -> int:
    return chain.layers[-1].channels if chain.layers else chain.input_shape[2]


def _extended(
    chains: Sequence[Chain],
    layers: tuple[ImportedLayer, ...],
    call: Call,
    table: Mapping[str, str],
    order: Order,
    channels: int,
) -> Chain:
    """The net with one more layer, which reads the end of each chain."""
    taken = {name for chain in chains for name in chain.names}
    name = layer_name(call.node.name, table["kind"], taken)
    reads = tuple(chain.layers[-1].name if chain.layers else SAMPLE for chain in chains)
    maps = (chain.layers[-1].y_shape for chain in chains if chain.layers)
    made = next((shape for shape in maps if shape is not None), None)
    y_shape = None if made is None else (made[0], made[1], channels)
    own = ImportedLayer({**table, "name": name}, None, order.size, channels, reads, y_shape)
    return replace(chains[0], layers=(*layers, own), order=order, second=None, before_steps=None)


_HANDLERS: Mapping[str, Callable[[tuple[list[Chain], tuple[ImportedLayer, ...]], Call], Chain]] = {
    "Add": _add,
    "Sum": _add,
    "Concat": _concat,
}
