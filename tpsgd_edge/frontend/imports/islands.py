"""Operators of a file that together are one of ours: an island, for which one node stands."""

from collections.abc import Callable
from dataclasses import replace

from tpsgd_edge.frontend.imports.call import Node
from tpsgd_edge.frontend.imports.file import OnnxNet

# The nodes of an island, in order, and the node that stands for them.
Found = tuple[list[Node], Node]


class Ways:
    """The nodes of a net by the tensors that they make and read."""

    def __init__(self, net: OnnxNet) -> None:
        self.net = net
        self.maker = {name: node for node in net.nodes for name in node.outputs if name}
        self.place = {id(node): place for place, node in enumerate(net.nodes)}
        self.readers: dict[str, list[Node]] = {}
        for node in net.nodes:
            for name in set(node.inputs):
                self.readers.setdefault(name, []).append(node)


def with_islands(net: OnnxNet, find: Callable[[Node], Found | None]) -> OnnxNet:
    """The net with one node for each island that is found at a node where its ways meet.

    The node comes in the place of the island's last one. Islands share no node.
    """
    gone: set[int] = set()
    made: dict[int, Node] = {}
    for node in net.nodes:
        found = None if id(node) in gone else find(node)
        if found is not None and gone.isdisjoint(map(id, found[0])):
            island, whole = found
            gone |= {id(part) for part in island}
            made[id(island[-1])] = whole
    kept = (made.get(id(node), node) for node in net.nodes if id(node) not in gone - made.keys())
    return replace(net, nodes=tuple(kept)) if made else net
