"""Samples as a net reads them, before any layer."""

import math
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.call import Call, Node
from tpsgd_edge.frontend.imports.chain import ZERO, Affine, Chain, Order
from tpsgd_edge.frontend.imports.file import HeldTensor, OnnxNet, tensor_array
from tpsgd_edge.frontend.samples import LARGEST_INPUT
from tpsgd_edge.graph import Shape

# Nodes that read samples without saying what their axes are.
_PASSING = (
    *("Identity", "Cast", "Dropout", "Scaler", "Add", "Sub", "Mul", "Div", "Pad"),
    *("QuantizeLinear", "DequantizeLinear", "Quant", "IntQuant", "Max", "Min", "Neg"),
)
# What reads maps channels first, and what reads the steps of a sequence as they lie.
_ON_MAPS = frozenset(("Conv", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"))
_ON_STEPS = frozenset(("RNN", "GRU", "LSTM"))


@dataclass(frozen=True, slots=True)
class NetInput:
    """The input of a net: its lengths without that of the samples, and which axis counts these.

    `batch` is None where a net takes one sample, without an axis for several.
    """

    lengths: tuple[int, ...]
    batch: int | None

    @property
    def order(self) -> Order:
        """Places of the values of one sample, shaped as the net's tensor."""
        places = np.arange(math.prod(self.lengths)).reshape(self.lengths)
        return places if self.batch is None else np.expand_dims(places, self.batch)


def net_input(net: OnnxNet) -> NetInput:
    """The input of a net, checked.

    Raises:
        DataError: a shape that samples cannot have.
    """
    if _has_no_batch(net):
        return NetInput(_known(net, net.input_shape), None)
    first = _first_node(net)
    reads_steps = first is not None and first.op in _ON_STEPS
    # RNN, GRU and LSTM have the samples on their second axis, unless `layout` says otherwise.
    batch = int(reads_steps and first is not None and first.attributes.get("layout", 0) != 1)
    lengths = [n for axis, n in enumerate(net.input_shape) if axis != batch]
    if len(lengths) not in (1, 2, 3) or len(net.input_shape) <= batch:
        _refuse_input(net, "1 to 3 lengths besides the number of samples are allowed")
    return NetInput(_known(net, tuple(lengths)), batch)


def first_chain(given: NetInput) -> Chain:
    """The samples before any layer, in the order of the net."""
    lengths = given.lengths
    if len(lengths) == 1:
        shape: Shape = (1, 1, lengths[0])
    else:
        shape = (lengths[0], lengths[1], 1 if len(lengths) == 2 else lengths[2])
    return Chain(given.order, shape)


def laid_for(chain: Chain, call: Call) -> Chain:
    """The chain with samples that lie as the operator reads them: maps channels last."""
    order = chain.order
    if call.node.op in _ON_STEPS:
        return laid(chain, order)
    if call.node.op not in _ON_MAPS or order.ndim not in (3, 4):
        return chain
    return laid(chain, np.moveaxis(order, 1, -1))


def laid(chain: Chain, wanted: Order) -> Chain:
    """The chain with samples in the order `wanted`, which holds the places that they have now.

    Only before the first layer can that be chosen: `Chain.samples` says what became of it.
    """
    wanted = wanted[wanted != ZERO].ravel()
    whole = np.arange(chain.size)
    if chain.layers or len(wanted) != chain.size or (np.sort(wanted) != whole).any():
        return chain
    places = np.empty_like(wanted)
    places[wanted] = whole
    pending = chain.pending
    if pending is not None:
        pending = Affine(pending.scale[wanted], pending.shift[wanted])
    samples = wanted if chain.samples is None else chain.samples[wanted]
    moved = np.where(chain.order == ZERO, ZERO, places[chain.order])
    return replace(chain, order=moved, pending=pending, samples=samples)


def _known(net: OnnxNet, lengths: tuple[int | None, ...]) -> tuple[int, ...]:
    known = tuple(n for n in lengths if n is not None and n > 0)
    if len(known) != len(lengths):
        open_ones = "only the number of samples may be open"
        _refuse_input(net, open_ones, help="export it with an example input of fixed size")
    if math.prod(known) > LARGEST_INPUT:
        _refuse_input(
            net,
            f"{LARGEST_INPUT:,} values are allowed",
            help="a microcontroller holds no larger sample: train the net on smaller ones",
        )
    return known


def _has_no_batch(net: OnnxNet) -> bool:
    """Tell whether the net takes one sample without an axis for several, which it adds itself."""
    lengths = net.input_shape
    if not 1 <= len(lengths) <= 3 or any(n is None or n < 1 for n in lengths):
        return False
    if len(lengths) == 1:
        return True
    first = _first_node(net)
    if first is None or lengths[0] == 1:
        return False
    whole = math.prod(n for n in lengths if n)
    if first.op == "Flatten":
        return bool(first.attributes.get("axis", 1) == 0)
    if first.op == "Reshape":
        asked = _whole_numbers(net, first, "shape")
        is_whole = math.prod(asked[1:]) == whole or asked == (1, -1)
        return asked[:1] in ((1,), (-1,)) and is_whole
    return first.op == "Unsqueeze" and 0 in _whole_numbers(net, first, "axes")


def _whole_numbers(net: OnnxNet, node: Node, name: str) -> tuple[int, ...]:
    """An attribute of a node, or its second input where that is a constant of the file."""
    given = node.attributes.get(name)
    if isinstance(given, tuple):
        return given
    wanted = node.inputs[1] if len(node.inputs) > 1 else ""
    held = net.tensors.get(wanted)
    for other in net.nodes:
        if held is None and other.op == "Constant" and wanted in other.outputs:
            value = other.attributes.get("value", other.attributes.get("value_ints"))
            if isinstance(value, tuple):
                return value
            held = value if isinstance(value, HeldTensor) else None
    if held is None:
        return ()
    array = tensor_array(net, held)
    is_list = array.dtype.kind in "iu" and array.ndim <= 1 and array.size <= 8
    return tuple(int(n) for n in array.ravel()) if is_list else ()


def _first_node(net: OnnxNet) -> Node | None:
    name = net.input_name
    for node in net.nodes:
        if name not in node.inputs or node.op == "Shape":
            continue
        if node.op not in _PASSING:
            return node
        name = node.outputs[0] if node.outputs else name
    return None


def _refuse_input(net: OnnxNet, rule: str, help: str | None = None) -> NoReturn:  # noqa: A002 - as in errors
    shape = ["?" if n is None else n for n in net.input_shape]
    raise DataError(
        "the input of the net is of a shape that samples cannot have",
        where=f"{net.file}, input '{net.input_name[:60]}'",
        found=f"[{', '.join(str(n) for n in shape)}]; {rule}",
        help=help or "export it with an example input of one sample: [1, values] or an image",
    )
