"""Normalizations that exporters write as several operators, found by the ways that lead to them.

torch.nn.RMSNorm comes as x * Reciprocal(Sqrt(ReduceMean(Pow(x, 2)) + epsilon)), LayerNorm of old
opsets as differences over a root, TensorFlow Lite's as a factor and a shift that hold both scales.
What they share: operators on single values, means and a root lead from one tensor to the operator
where its ways meet again. One node stands for such an island; `norms.island` computes it once the
shape of its values is known, and says whether it is a norm of ours.
"""

from dataclasses import replace

from tpsgd_edge.frontend.imports.call import Attributes, Node
from tpsgd_edge.frontend.imports.file import OnnxNet
from tpsgd_edge.frontend.imports.islands import Found, Ways, with_islands
from tpsgd_edge.frontend.imports.norm_values import COMPUTES, REDUCING
from tpsgd_edge.frontend.imports.norms import ISLAND

# Of the nodes that make up a norm; TensorFlow Lite's have 9.
_MOST_NODES = 24
_MEETINGS = ("Div", "Mul", "Add", "Sub")
_ROOTS = ("Sqrt", "ReduceL2")


class _Ways(Ways):
    """The nodes of a net, and which tensors the samples change."""

    def __init__(self, net: OnnxNet) -> None:
        super().__init__(net)
        self.changing = {net.input_name}
        for node in net.nodes:
            if node.op != "Shape" and not self.changing.isdisjoint(node.inputs):
                self.changing.update(node.outputs)

    def values_of(self, node: Node) -> set[str]:
        """The inputs of a node that are not constant."""
        return self.changing.intersection(node.inputs)

    def is_part(self, node: Node) -> bool:
        """Tell whether a node may be on the way to a norm."""
        return node.op in COMPUTES and node.domain in ("", "ai.onnx") and len(node.outputs) == 1


def with_norms(net: OnnxNet) -> OnnxNet:
    """The net with one node for each normalization that is written as several."""
    ways = _Ways(net)
    return with_islands(net, lambda node: _norm(ways, node))


def _norm(ways: _Ways, meeting: Node) -> Found | None:
    """The nodes that make up a norm, in order, and the one that stands for them."""
    if meeting.op not in _MEETINGS or not ways.is_part(meeting):
        return None
    found = _island(ways, meeting)
    if found is None or not _is_norm(found[1]) or not _is_closed(ways, found[1]):
        return None
    x, island = found
    before = _mean_taken_off(ways, x)
    if before is not None and _is_closed(ways, [*before[1], *island]):
        x, island = before[0], [*before[1], *island]
    constants = [n for part in island for n in part.inputs if n and n not in ways.changing]
    inputs = (x, *dict.fromkeys(constants))
    whole = replace(
        meeting,
        op=ISLAND,
        domain="",
        inputs=inputs,
        attributes=Attributes({"nodes": tuple(island)}),
        said=meeting.said or meeting.op,
    )
    return island, whole


def _island(ways: _Ways, meeting: Node) -> tuple[str, list[Node]] | None:
    """The tensor from which ways lead to a node where they meet, and the nodes on them."""
    island, ends = [meeting], ways.values_of(meeting)
    if len(ends) < 2:
        return None
    while len(ends) > 1:
        makers = [(ways.place[id(ways.maker[n])], n) for n in ends if n in ways.maker]
        if not makers or len(island) == _MOST_NODES:
            return None
        name = max(makers)[1]
        maker = ways.maker[name]
        if not ways.is_part(maker):
            return None
        island.append(maker)
        ends = (ends - {name}) | ways.values_of(maker)
    return ends.pop(), sorted(island, key=lambda node: ways.place[id(node)])


def _mean_taken_off(ways: _Ways, name: str) -> tuple[str, list[Node]] | None:
    """The nodes that make a tensor by taking its mean off another one, and that one."""
    maker = ways.maker.get(name)
    if maker is None or maker.op != "Sub" or not ways.is_part(maker):
        return None
    found = _island(ways, maker)
    return found if found is not None and any(n.op in REDUCING for n in found[1]) else None


def _is_norm(island: list[Node]) -> bool:
    """Tell whether a mean and a root are on the way."""
    ops = {node.op for node in island}
    return not ops.isdisjoint(REDUCING) and not ops.isdisjoint(_ROOTS)


def _is_closed(ways: _Ways, island: list[Node]) -> bool:
    """Tell whether nobody else reads what is made on the way."""
    inside = {id(node) for node in island}
    inner = {name for node in island for name in node.outputs} - set(island[-1].outputs)
    readers = (reader for name in inner for reader in ways.readers.get(name, ()))
    return inner.isdisjoint(ways.net.outputs) and all(id(reader) in inside for reader in readers)
