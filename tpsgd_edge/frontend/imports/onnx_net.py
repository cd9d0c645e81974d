"""From an ONNX graph to a chain of our layers: one node after the other."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports import elementwise, two_classes
from tpsgd_edge.frontend.imports.arrays import computed, moved, shape_of
from tpsgd_edge.frontend.imports.call import Call, Node
from tpsgd_edge.frontend.imports.chain import Chain
from tpsgd_edge.frontend.imports.file import HeldTensor, OnnxNet, read_onnx_file, tensor_array
from tpsgd_edge.frontend.imports.help import what_to_do
from tpsgd_edge.frontend.imports.inputs import first_chain, laid_for, net_input
from tpsgd_edge.frontend.imports.net import ImportedNet
from tpsgd_edge.frontend.imports.operators import HANDLERS, check_heeded, check_readable
from tpsgd_edge.frontend.imports.recognized import with_activations
from tpsgd_edge.frontend.imports.tail import ENDS, TAIL, are_places, class_names
from tpsgd_edge.frontend.metadata import class_names as named_classes

_STANDARD = ("", "ai.onnx")
_REAL_TYPES = (1, 10, 11)
_MOST_LAYERS = 64
# Values of all constants that are computed from others.
_LARGEST_COMPUTED = 1 << 26


def read_onnx(path: Path) -> ImportedNet:
    """The net in an ONNX file.

    Raises:
        DataError: what is wrong with the file, or which node has no layer of ours.
        ToolError: the package onnx is not installed.
    """
    return imported(read_onnx_file(path))


def imported(net: OnnxNet) -> ImportedNet:
    """The layers and weights of an ONNX graph.

    Raises:
        DataError: a node that has no layer of ours, or does not fit.
    """
    net = with_activations(net)
    reading = _Reading(net)
    for node in net.nodes:
        reading.take(node)
    chain = reading.end()
    return ImportedNet(
        layers=tuple(dict(layer.table) for layer in chain.layers),
        weights={la.name: la.weights for la in chain.layers if la.weights is not None},
        input_shape=chain.input_shape,
        input_lengths=reading.input.lengths,
        input_places=_places(chain),
        input_scaling=chain.scaling,
        class_names=reading.class_names or named_classes(net.metadata),
    )


def _places(chain: Chain) -> tuple[int, ...] | None:
    """Places of a sample's values in the net's own input, where these are others than ours."""
    samples = chain.samples
    if samples is None or (samples == np.arange(len(samples))).all():
        return None
    return tuple(samples.tolist())


class _Reading:
    """A graph while it is read: the chain so far, and what each name stands for."""

    def __init__(self, net: OnnxNet) -> None:
        self.net = net
        self.input = net_input(net)
        self.chain = first_chain(self.input)
        if net.input_type not in _REAL_TYPES:
            self.chain = replace(self.chain, are_whole=True)
        batch = self.input.batch
        self.batch = 1 if batch is None else max(net.input_shape[batch] or 1, 1)
        # Names of the tensor that the chain ends with; of a recurrent layer also its last state.
        self.heads: tuple[str, ...] = (net.input_name,)
        self.shapes: dict[str, tuple[int, ...]] = {net.input_name: self.chain.order.shape}
        self.constants: dict[str, Array] = {}
        self.computed = 0
        self.tail: set[str] = set()
        # The value of the other class, made of the one unit that a net ends with.
        self.mirrors: set[str] = set()
        self.readers = Counter(name for node in net.nodes for name in node.inputs)
        self.class_names: tuple[str, ...] = ()

    def take(self, node: Node) -> None:
        """Read one more node."""
        node = self._resolved(node)
        call = Call(node, (), self.net.file, self.batch, self.net.opset)
        self._check_names(call)
        values = [name for name in node.inputs if name in self.shapes]
        if any(name in self.tail for name in node.inputs):
            self._end(call)
        elif any(name in self.mirrors for name in node.inputs):
            self._join(call)
        elif node.op == "Shape" and values and node.outputs:
            self.constants[node.outputs[0]] = shape_of(self.shapes[values[0]], call)
        elif values:
            self._extend(call, values)
        else:
            self._compute(self._with_arrays(call))
        check_heeded(call)

    def end(self) -> Chain:
        """The chain, when all nodes are read."""
        self._settle(Call(self.net.nodes[-1], (), self.net.file))
        chain, net = self.chain, self.net
        if not {*self.heads, *self.tail} & set(net.outputs):
            raise DataError(
                "the net does not come to its output",
                where=f"{net.file}, output '{net.outputs[0][:60]}'",
                found=f"its layers end with '{self.heads[0][:60]}'",
            )
        if chain.is_quantized:
            raise DataError(
                "the outputs of the net are whole numbers",
                where=net.file,
                found="QuantizeLinear at its end",
                help="end with DequantizeLinear, or without both",
            )
        last = chain.layers[-1].kind if chain.layers else "no layer"
        if last != "dense" or chain.pending is not None:
            raise DataError(
                "the last layer of the net must be dense: one output for each class or value",
                where=net.file,
                found=last if chain.pending is None else f"{last}, and a scaling behind it",
                help="end with Gemm, or with MatMul and Add; Softmax may follow",
            )
        if (chain.order.ravel() != np.arange(chain.size)).any():
            raise DataError(
                "the outputs of the net are reordered behind its last layer",
                where=net.file,
                found=f"shape {chain.order.shape} of {chain.size} outputs",
                help="leave the outputs of the last layer as they are",
            )
        return chain

    def _extend(self, call: Call, values: list[str]) -> None:
        """A node that reads what the chain ends with."""
        node = call.node
        if values[0] not in self.heads or len(values) > 1:
            raise call.error(
                f"{node.op[:40]} joins or leaves the chain of layers",
                found="inputs " + ", ".join(f"'{name[:40]}'" for name in values[:3]),
                help=what_to_do(node.op) if len(values) > 1 else "each layer is read by one other",
            )
        if (self.tail or node.op in ENDS) and node.op in TAIL:
            self._end(call)
            return
        if self.tail:
            raise call.error(
                f"{node.op[:40]} reads what is read as answers already",
                found=f"'{values[0][:60]}', the end of the net",
                help=what_to_do(node.op, node.domain),
            )
        call = self._with_arrays(call)
        if two_classes.is_one_unit(self.chain) and self._is_second(call, values[0]):
            return
        domain = "" if node.domain in _STANDARD else node.domain
        chain = self.chain
        if values[0] != self.heads[0] and chain.second is not None:
            chain = replace(chain, order=chain.second)
        chain = replace(chain, second=None)
        order = None if domain else moved(chain.order, call)
        if order is None and chain.bounds is not None and node.op not in ("Max", "Min"):
            chain = elementwise.bounded(replace(chain, bounds=None), call, *chain.bounds)
        handler = HANDLERS.get((domain, node.op))
        check_readable(chain, call, is_move=order is not None)
        if order is not None:
            chain = replace(chain, order=order)
        elif handler is not None:
            chain = laid_for(chain, call)
        if handler is not None:
            chain = handler(chain, call)
        elif order is None:
            raise call.error(
                f"the operator {node.op[:40]} has no layer of ours",
                found=f"domain {node.domain[:40]}" if domain else None,
                help=what_to_do(node.op, node.domain),
            )
        self._continue(chain, call)

    def _is_second(self, call: Call, name: str) -> bool:
        """Tell whether a node makes the second of two classes from the last layer's single unit."""
        if self.readers[name] > 1 and two_classes.mirrors(self.chain, call):
            self.mirrors.update(call.node.outputs)
            return True
        if not two_classes.halves_at(self.chain, call):
            return False
        self.chain = two_classes.with_two_units(self.chain)
        self.tail.update(call.node.outputs)
        return True

    def _join(self, call: Call) -> None:
        """Concat of the values of two classes, one of them made from the other."""
        names = call.node.inputs
        is_pair = call.node.op == "Concat" and len(names) == 2 and self.heads[0] in names
        if not is_pair or call.integer("axis", 1) not in (1, -1):
            raise call.error(
                f"{call.node.op[:40]} joins or leaves the chain of layers",
                found="inputs " + ", ".join(f"'{name[:40]}'" for name in names[:3]),
                help=what_to_do(call.node.op),
            )
        is_probability = self.chain.layers[-1].table["activation"] == "sigmoid"
        is_second = names[1] == self.heads[0]
        self.chain = two_classes.with_two_units(self.chain, is_second=is_second)
        self._continue(self.chain, call)
        if is_probability:
            self.tail.update(call.node.outputs)

    def _settle(self, call: Call) -> None:
        """Give the last layer the activation that Max and Min stand for.

        Where its integers begin at 0 because no sample gave it a lower value, it has none.
        """
        if self.chain.ends_by_steps:
            self.chain = elementwise.without_relu(self.chain) or self.chain
        bounds = self.chain.bounds
        if bounds is not None:
            self.chain = elementwise.bounded(replace(self.chain, bounds=None), call, *bounds)

    def _continue(self, chain: Chain, call: Call) -> None:
        if len(chain.layers) > _MOST_LAYERS:
            raise call.error("the net has too many layers", found=f"{_MOST_LAYERS} are allowed")
        outputs = call.node.outputs
        self.chain = chain
        if call.node.op == "LinearClassifier":
            self._name_classes(call)
            self.tail.update(outputs)
        self.heads = outputs[:2] if chain.second is not None else outputs[:1]
        for name, order in zip(self.heads, (chain.order, chain.second), strict=False):
            # An output that nobody asks for has no name.
            if name and order is not None:
                self.shapes[name] = order.shape
        if not outputs:
            raise call.error(f"{call.node.op[:40]} makes nothing")

    def _end(self, call: Call) -> None:
        """Softmax or ArgMax, and what makes answers of them."""
        node = call.node
        look = TAIL.get(node.op)
        if look is None:
            raise call.error(
                f"{node.op[:40]} follows the end of the net",
                found="Softmax, LogSoftmax or ArgMax before it",
                help="the loss has softmax itself: it can only come last",
            )
        self._settle(call)
        shape = self.chain.order.shape
        is_first = not self.tail
        if is_first and (not self.chain.layers or max(shape, default=1) != math.prod(shape)):
            raise call.error(f"{node.op} reads no vector", found=f"shape {shape}")
        if is_first or node.op not in ("ArgMax", "TopK"):
            look(call, shape)
        else:
            TAIL["Cast"](call, shape)
        self._name_classes(call)
        self.tail.update(node.outputs)

    def _name_classes(self, call: Call) -> None:
        names = class_names(call)
        if names and not are_places(names):
            self.class_names = names

    def _compute(self, call: Call) -> None:
        """A node that reads constants only."""
        array = computed(call)
        if array is None:
            raise call.error(
                f"{call.node.op[:40]} of constants is not computed here",
                found=f"domain {call.node.domain[:40]}" if call.node.domain else None,
                help=what_to_do(call.node.op, call.node.domain, constants=True),
            )
        self.computed += array.size
        if self.computed > _LARGEST_COMPUTED or not call.node.outputs:
            raise call.error(f"{call.node.op[:40]} makes too many constants")
        self.constants[call.node.outputs[0]] = array

    def _check_names(self, call: Call) -> None:
        for name in call.node.inputs:
            if name and not self._is_known(name):
                raise call.error(
                    f"{call.node.op[:40]} reads what no node before it makes",
                    found=f"'{name[:60]}'",
                    help="nodes come in the order of computing, without cycles",
                )
        for name in call.node.outputs:
            if name and self._is_known(name):
                raise call.error("two nodes make the same tensor", found=f"'{name[:60]}'")

    def _is_known(self, name: str) -> bool:
        places = (self.shapes, self.constants, self.tail, self.mirrors, self.net.tensors)
        return any(name in place for place in places)

    def _resolved(self, node: Node) -> Node:
        """The node with the numbers of tensors that its attributes hold."""

        def read(name: str, value: Any) -> Any:
            return tensor_array(self.net, value) if isinstance(value, HeldTensor) else value

        # ONNX Runtime has operators for 16 bits of its own, which ONNX took over later.
        is_own = node.domain == "com.microsoft" and node.op.endswith("quantizeLinear")
        is_own |= node.domain == "com.microsoft" and node.op == "QuantizeLinear"
        domain = "" if is_own else node.domain
        return replace(node, domain=domain, attributes=node.attributes.changed(read))

    def _with_arrays(self, call: Call) -> Call:
        return replace(call, arrays=tuple(self._constant(name) for name in call.node.inputs))

    def _constant(self, name: str) -> Array | None:
        if name in self.constants:
            return self.constants[name]
        tensor = self.net.tensors.get(name)
        return None if tensor is None else tensor_array(self.net, tensor)
