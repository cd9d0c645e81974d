"""Nets in TensorFlow Lite files, in the form in which graphs are read."""

from pathlib import Path

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.file import OnnxNet
from tpsgd_edge.frontend.imports.net import ImportedNet
from tpsgd_edge.frontend.imports.onnx_net import imported
from tpsgd_edge.frontend.tflite.dilation import taken_apart
from tpsgd_edge.frontend.tflite.file import Operator, Tensor, TfliteFile, read_tflite_file
from tpsgd_edge.frontend.tflite.nodes import Nodes
from tpsgd_edge.frontend.tflite.operators import HANDLERS
from tpsgd_edge.frontend.tflite.schema import ONNX_TYPES

_INPUT = "samples"
_RECURRENT = "let a gru or rnn layer learn it, give the weights in an .npz, or leave the layer out"
_STATE = "a net that keeps values from call to call: convert the one that reads a whole window"
_HELP = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": _RECURRENT,
    "LSTM": _RECURRENT,
    "RNN": _RECURRENT,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _RECURRENT,
    "WHILE": "a loop, such as recurrent layers become: from Keras, from_keras reads these layers",
    "SVDF": "train the net with Conv1D along time instead",
    "CALL_ONCE": _STATE,
    "VAR_HANDLE": _STATE,
    "READ_VARIABLE": _STATE,
    "ASSIGN_VARIABLE": _STATE,
    "TRANSPOSE_CONV": "nets that make maps larger cannot learn here",
    "RESIZE_BILINEAR": "nets that make maps larger cannot learn here",
    "RESIZE_NEAREST_NEIGHBOR": "nets that make maps larger cannot learn here",
    "BATCH_MATMUL": "products of values, as attention has them, are no layers",
    "IF": "convert the net without control flow",
}
_OTHERWISE = (
    "layers come from FULLY_CONNECTED, CONV_2D, DEPTHWISE_CONV_2D, MAX_POOL_2D, AVERAGE_POOL_2D, "
    "MEAN, ADD, CONCATENATION; docs/TFLITE.md has what goes into them"
)


def read_tflite(path: Path) -> ImportedNet:
    """The net in a TensorFlow Lite file.

    Raises:
        DataError: what is wrong with the file, or which operator has no layer of ours.
    """
    return imported(as_graph(read_tflite_file(path)))


def as_graph(net: TfliteFile) -> OnnxNet:
    """The nodes of a file's first net.

    Raises:
        DataError: an operator that is not read, or does not fit.
    """
    given = _input(net)
    nodes, tensor = Nodes(net), net.tensor(given)
    nodes.apart = taken_apart(nodes)
    nodes.begin(given, _INPUT)
    _from_integers(nodes, given, tensor)
    for op in net.operators:
        handler = HANDLERS.get(op.op)
        if handler is None:
            raise nodes.error(
                op,
                f"the operator {op.op[:60]} has no layer of ours",
                found=None,
                help="operators of other programs are not read: convert without them"
                if op.op.startswith("CUSTOM")
                else _HELP.get(op.op, _OTHERWISE),
            )
        handler(nodes, op)
    return OnnxNet(
        file=net.file,
        folder=None,
        nodes=tuple(nodes.made),
        tensors=nodes.tensors,
        input_name=_INPUT,
        input_shape=tensor.lengths,
        outputs=tuple(nodes.end(index) for index in net.outputs),
        input_type=ONNX_TYPES[tensor.type],
        in_integers=any(_has_whole_weights(net, op) for op in net.operators),
    )


def _has_whole_weights(net: TfliteFile, op: Operator) -> bool:
    """Tell whether the second input of an operator is constant, in whole numbers with a scale."""
    if len(op.inputs) < 2 or op.inputs[1] < 0:
        return False
    tensor = net.tensor(op.inputs[1])
    return tensor.is_constant and tensor.steps is not None and tensor.limits is not None


def _input(net: TfliteFile) -> int:
    """The place of the samples; DataError if they are no single tensor of numbers."""
    names = ", ".join(f"'{net.tensor(index).name[:40]}'" for index in net.inputs[:4])
    if len(net.inputs) != 1 or not net.outputs or not net.operators:
        raise DataError(
            f"'{net.file}' is not a net with one input and one output",
            where=net.file,
            found=f"{len(net.operators)} operators, {len(net.inputs)} inputs {names}, "
            f"{len(net.outputs)} outputs",
            help="convert the part of the net that goes from the samples to the predictions",
        )
    kind = net.tensor(net.inputs[0]).type
    if kind not in ONNX_TYPES:
        raise DataError(
            "the samples of the net are of a type that is not read",
            where=f"{net.file}, input {names}",
            found=f"element type {kind} of TensorFlow Lite",
            help="samples are float32, or whole numbers of 8 or 16 bits",
        )
    return net.inputs[0]


def _from_integers(nodes: Nodes, index: int, tensor: Tensor) -> None:
    """Let samples that are whole numbers become what they stand for."""
    steps = tensor.steps
    if steps is None or tensor.limits is None:
        return
    op = Operator("DEQUANTIZE", 0, (index,), (index,), {})
    scale = nodes.held("scale of the samples", steps.scale[:1].reshape(()))
    zero = nodes.held("zero point of the samples", steps.zero[:1].reshape(()))
    inputs = [nodes.value(op, 0), scale, zero]
    nodes.begin(index, nodes.node(op, "DequantizeLinear", inputs))
