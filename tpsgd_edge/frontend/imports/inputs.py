"""What the samples of a net look like, before any layer."""

import math
from typing import NoReturn

import numpy as np

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.chain import Chain, canonical
from tpsgd_edge.frontend.imports.file import OnnxNet
from tpsgd_edge.frontend.samples import LARGEST_INPUT
from tpsgd_edge.graph import Shape


def first_chain(net: OnnxNet) -> Chain:
    """The samples before any layer.

    Samples come to us channels last. Inputs that a convolution or pooling reads are channels first,
    as all inputs with four axes are unless Transpose makes them so.
    """
    passing = ("Identity", "Cast", "Dropout", "Scaler")
    first = next((n for n in net.nodes if net.input_name in n.inputs and n.op not in passing), None)
    op = "" if first is None else first.op
    layout = 0 if first is None else first.attributes.get("layout", 0)
    batch = 1 if op == "RNN" and layout != 1 else 0
    lengths = [n for axis, n in enumerate(net.input_shape) if axis != batch]
    if len(lengths) not in (1, 2, 3) or len(net.input_shape) <= batch:
        _refuse_input(net, "1 to 3 lengths besides the number of samples are allowed")
    if not all(n is not None and n > 0 for n in lengths):
        _refuse_input(net, "only the number of samples may be open")
    known = tuple(n for n in lengths if n is not None)
    if math.prod(known) > LARGEST_INPUT:
        _refuse_input(net, f"{LARGEST_INPUT:,} values are allowed")
    is_map = op in ("Conv", "MaxPool", "AveragePool", "BatchNormalization") or "Global" in op
    if len(known) == 1:
        shape: Shape = (1, 1, known[0])
    elif len(known) == 2:
        shape = (1, known[1], known[0]) if is_map else (known[0], known[1], 1)
    else:
        shape = (known[1], known[2], known[0])
        shape = (known[0], known[1], known[2]) if op == "Transpose" else shape
    if (len(known) == 2 and is_map) or (len(known) == 3 and op != "Transpose"):
        order = canonical(shape).reshape(known)
    else:
        order = np.arange(math.prod(known)).reshape(known)
    if len(known) == 2 and op in ("RNN", "Transpose"):
        shape = (1, *known)
    return Chain(np.expand_dims(order, batch), shape)


def _refuse_input(net: OnnxNet, rule: str) -> NoReturn:
    shape = ["?" if n is None else n for n in net.input_shape]
    raise DataError(
        "the input of the net is of a shape that samples cannot have",
        where=f"{net.file}, input '{net.input_name[:60]}'",
        found=f"[{', '.join(str(n) for n in shape)}]; {rule}",
        help="export it with an example input of fixed size",
    )
