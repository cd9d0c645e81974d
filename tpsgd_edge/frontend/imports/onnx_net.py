"""From an ONNX graph to a chain of our layers: one node after the other."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports import elementwise, pooling, quantized, recurrent, weighted
from tpsgd_edge.frontend.imports.arrays import computed, moved, shape_of
from tpsgd_edge.frontend.imports.call import Array, Call, Node
from tpsgd_edge.frontend.imports.chain import Chain
from tpsgd_edge.frontend.imports.file import HeldTensor, OnnxNet, read_onnx_file, tensor_array
from tpsgd_edge.frontend.imports.help import what_to_do
from tpsgd_edge.frontend.imports.inputs import batch_axis, first_chain
from tpsgd_edge.frontend.imports.net import ImportedNet
from tpsgd_edge.frontend.metadata import class_names

_STANDARD = ("", "ai.onnx")
_MOST_LAYERS = 64
# Values of all constants that are computed from others.
_LARGEST_COMPUTED = 1 << 26
_HANDLERS: dict[tuple[str, str], Callable[[Chain, Call], Chain]] = {
    ("", "Gemm"): weighted.gemm,
    ("", "MatMul"): weighted.matmul,
    ("", "Conv"): weighted.conv,
    ("", "Pad"): weighted.pad,
    ("", "RNN"): recurrent.rnn,
    ("", "GRU"): recurrent.gru,
    **dict.fromkeys((("", "MaxPool"), ("", "AveragePool")), pooling.pooled),
    **dict.fromkeys((("", "GlobalAveragePool"), ("", "GlobalMaxPool")), pooling.pooled_globally),
    ("", "ReduceMean"): pooling.mean,
    **dict.fromkeys((("", "Relu"), ("", "Tanh"), ("", "Sigmoid")), elementwise.activation),
    **dict.fromkeys((("", "LeakyRelu"), ("", "PRelu")), elementwise.leaky_relu),
    ("", "Clip"): elementwise.clip,
    ("", "BatchNormalization"): elementwise.batch_normalization,
    ("ai.onnx.ml", "Scaler"): elementwise.scaler,
    **{("", op): elementwise.arithmetic for op in ("Add", "Sub", "Mul", "Div")},
    **dict.fromkeys((("", "Dropout"), ("", "Cast")), elementwise.same),
    ("", "QuantizeLinear"): quantized.quantize,
    ("", "DequantizeLinear"): quantized.dequantize,
}
# What may read zeros that Pad put around values, beside what only moves them.
_ON_ZEROS = ("Conv", "Pad", "Cast")
# What may read whole numbers, beside what only moves them.
_ON_INTEGERS = ("DequantizeLinear", "MaxPool", "GlobalMaxPool")
# What begins the end of a net, and what may still follow: the loss has softmax, the device argmax.
_ENDS = ("Softmax", "LogSoftmax", "ArgMax")
_TAIL = (
    *_ENDS,
    *("ArrayFeatureExtractor", "Cast", "Identity", "Log", "Normalizer", "Reshape", "Squeeze"),
    *("TopK", "ZipMap"),
)


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
    reading = _Reading(net)
    for node in net.nodes:
        reading.take(node)
    chain = reading.end()
    return ImportedNet(
        layers=tuple(dict(layer.table) for layer in chain.layers),
        weights={la.name: la.weights for la in chain.layers if la.weights is not None},
        input_shape=chain.input_shape,
        class_names=class_names(net.metadata),
    )


class _Reading:
    """A graph while it is read: the chain so far, and what each name stands for."""

    def __init__(self, net: OnnxNet) -> None:
        self.net = net
        self.chain = first_chain(net)
        self.batch = max(net.input_shape[batch_axis(net)] or 1, 1)
        # Names of the tensor that the chain ends with; of a recurrent layer also its last state.
        self.heads: tuple[str, ...] = (net.input_name,)
        self.shapes: dict[str, tuple[int, ...]] = {net.input_name: self.chain.order.shape}
        self.constants: dict[str, Array] = {}
        self.computed = 0
        self.tail: set[str] = set()

    def take(self, node: Node) -> None:
        """Read one more node."""
        call = Call(node, (), self.net.file)
        self._check_names(call)
        values = [name for name in node.inputs if name in self.shapes]
        if any(name in self.tail for name in node.inputs):
            self._end(call)
        elif node.op == "Shape" and values and node.outputs:
            self.constants[node.outputs[0]] = shape_of(self.shapes[values[0]], call)
        elif values:
            self._extend(call, values)
        else:
            self._compute(self._with_arrays(node))

    def end(self) -> Chain:
        """The chain, when all nodes are read."""
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
        if self.tail:
            raise call.error(f"{node.op[:40]} reads what Softmax or ArgMax has read already")
        if node.op in _ENDS and node.domain in _STANDARD:
            self._end(call)
            return
        domain = "" if node.domain in _STANDARD else node.domain
        chain = self.chain
        if values[0] != self.heads[0] and chain.second is not None:
            chain = replace(chain, order=chain.second)
        chain = replace(chain, second=None)
        call = self._with_arrays(node)
        order = None if domain else moved(chain.order, call)
        handler = _HANDLERS.get((domain, node.op))
        if chain.is_quantized and order is None and node.op not in _ON_INTEGERS:
            raise call.error(
                f"{node.op[:40]} computes with whole numbers",
                found="values behind QuantizeLinear",
                help="put DequantizeLinear before it: quantized nets are read in the QDQ form",
            )
        if chain.has_zeros and order is None and node.op not in _ON_ZEROS:
            raise call.error(
                f"{node.op[:40]} reads zeros around a map",
                found="values behind Pad",
                help=what_to_do("Pad"),
            )
        if order is not None:
            chain = replace(chain, order=order)
        if handler is not None:
            chain = handler(chain, call)
        elif order is None:
            raise call.error(
                f"the operator {node.op[:40]} has no layer of ours",
                found=f"domain {node.domain[:40]}" if domain else None,
                help=what_to_do(node.op),
            )
        self._continue(chain, call)

    def _continue(self, chain: Chain, call: Call) -> None:
        if len(chain.layers) > _MOST_LAYERS:
            raise call.error("the net has too many layers", found=f"{_MOST_LAYERS} are allowed")
        outputs = call.node.outputs
        self.chain = chain
        self.heads = outputs[:2] if chain.second is not None else outputs[:1]
        for name, order in zip(self.heads, (chain.order, chain.second), strict=False):
            # An output that nobody asks for has no name.
            if name and order is not None:
                self.shapes[name] = order.shape
        if not outputs:
            raise call.error(f"{call.node.op[:40]} makes nothing")

    def _end(self, call: Call) -> None:
        """Softmax or ArgMax, and what makes answers of them."""
        if call.node.op not in _TAIL:
            raise call.error(
                f"{call.node.op[:40]} follows the end of the net",
                found="Softmax, LogSoftmax or ArgMax before it",
                help="the loss has softmax itself: it can only come last",
            )
        shape, axis = (
            self.chain.order.shape,
            call.integer("axis", 0 if call.node.op == "ArgMax" else -1),
        )
        is_over_samples = len(shape) > 1 and axis % len(shape) == 0
        if not self.tail and (max(shape) != math.prod(shape) or is_over_samples):
            raise call.error(
                f"{call.node.op} reads no vector", found=f"shape {shape}, axis = {axis}"
            )
        self.tail.update(call.node.outputs)

    def _compute(self, call: Call) -> None:
        """A node that reads constants only."""
        array = computed(call)
        if array is None:
            raise call.error(
                f"{call.node.op[:40]} of constants is not computed here",
                help="simplify the file first, for example with onnxruntime's optimizer",
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
        places = (self.shapes, self.constants, self.tail, self.net.tensors)
        return any(name in place for place in places)

    def _with_arrays(self, node: Node) -> Call:
        arrays = tuple(self._constant(name) for name in node.inputs)
        attributes = {
            name: tensor_array(self.net, value) if isinstance(value, HeldTensor) else value
            for name, value in node.attributes.items()
        }
        return Call(
            replace(node, attributes=attributes),
            arrays,
            self.net.file,
            self.batch,
        )

    def _constant(self, name: str) -> Array | None:
        if name in self.constants:
            return self.constants[name]
        tensor = self.net.tensors.get(name)
        return None if tensor is None else tensor_array(self.net, tensor)
