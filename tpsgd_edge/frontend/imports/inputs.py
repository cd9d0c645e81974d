"""What the samples of a net look like, before any layer."""

import math
from typing import NoReturn

import numpy as np

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.call import Node
from tpsgd_edge.frontend.imports.chain import Chain, canonical
from tpsgd_edge.frontend.imports.file import OnnxNet
from tpsgd_edge.frontend.samples import LARGEST_INPUT
from tpsgd_edge.graph import Shape

# Nodes that read samples without saying what their axes are.
_PASSING = ("Identity", "Cast", "Dropout", "Scaler", "Add", "Sub", "Mul", "Div", "Pad")


def batch_axis(net: OnnxNet) -> int:
    """Which axis of the input counts samples: the second one where RNN or GRU reads steps first."""
    first = _first_node(net)
    return int(
        first is not None and first.op in ("RNN", "GRU") and first.attributes.get("layout", 0) != 1
    )


def first_chain(net: OnnxNet) -> Chain:
    """The samples before any layer.

    Samples come to us channels last. Inputs that a convolution or pooling reads are channels first,
    as all inputs with four axes are unless Transpose makes them so.
    """
    first, batch = _first_node(net), batch_axis(net)
    op = "" if first is None else first.op
    lengths = [n for axis, n in enumerate(net.input_shape) if axis != batch]
    if len(lengths) not in (1, 2, 3) or len(net.input_shape) <= batch:
        _refuse_input(net, "1 to 3 lengths besides the number of samples are allowed")
    known = tuple(n for n in lengths if n is not None and n > 0)
    if len(known) != len(lengths):
        _refuse_input(net, "only the number of samples may be open")
    if math.prod(known) > LARGEST_INPUT:
        _refuse_input(net, f"{LARGEST_INPUT:,} values are allowed")
    shape, is_channels_first = _layout(known, op)
    places = canonical(shape) if is_channels_first else np.arange(math.prod(known))
    return Chain(np.expand_dims(places.reshape(known), batch), shape)


def _layout(lengths: tuple[int, ...], op: str) -> tuple[Shape, bool]:
    """A sample's shape for us, and whether the net has it channels first; `op` reads it first."""
    if len(lengths) == 1:
        return (1, 1, lengths[0]), False
    if len(lengths) == 3:
        if op == "Transpose":
            return (lengths[0], lengths[1], lengths[2]), False
        return (lengths[1], lengths[2], lengths[0]), True
    if op in ("Conv", "MaxPool", "AveragePool", "BatchNormalization") or op.startswith("Global"):
        return (1, lengths[1], lengths[0]), True
    is_sequence = op in ("RNN", "GRU", "Transpose")
    return ((1, lengths[0], lengths[1]) if is_sequence else (lengths[0], lengths[1], 1)), False


def _first_node(net: OnnxNet) -> Node | None:
    name = net.input_name
    for node in net.nodes:
        if name not in node.inputs or node.op == "Shape":
            continue
        if node.op not in _PASSING:
            return node
        name = node.outputs[0] if node.outputs else name
    return None


def _refuse_input(net: OnnxNet, rule: str) -> NoReturn:
    shape = ["?" if n is None else n for n in net.input_shape]
    raise DataError(
        "the input of the net is of a shape that samples cannot have",
        where=f"{net.file}, input '{net.input_name[:60]}'",
        found=f"[{', '.join(str(n) for n in shape)}]; {rule}",
        help="export it with an example input of fixed size",
    )
