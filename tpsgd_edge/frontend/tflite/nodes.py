"""Nodes of the form in which nets are read, made from operators of TensorFlow Lite.

The reader of ONNX graphs knows which nodes become which layers. Maps of TensorFlow Lite have their
channels last: a Transpose stands before and behind what reads maps channels first, and the reader
folds it away.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports.call import Attributes, Node
from tpsgd_edge.frontend.imports.file import HeldTensor
from tpsgd_edge.frontend.tflite.file import Operator, Tensor, TfliteFile, constant

# Values of all constants together.
_LARGEST = 1 << 26
# What converters add to the name of a layer.
_ADDED = re.compile(
    r"(relu|biasadd|matmul|conv[123]d|depthwise|add|mul|sub|fusedbatchnormv|readvariableop|"
    r"resource|expanddims|squeeze|reshape|batchnorm|softmax|identity|(stateful)?partitionedcall)"
    r"(_?\d+)*(:\d+)?",
    re.IGNORECASE,
)
_CALLED = re.compile(r"conv|dense|fc|linear|matmul|pool|predict|logit", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Apart:
    """The true meaning of operators around a convolution with gaps, by their indices.

    Attributes:
        pads: zeros that SPACE_TO_BATCH_ND puts before and behind each axis from the second one on.
        dilation: of the convolution, (rows, columns).
        same: operators that take an axis away again.
        closed: BATCH_TO_SPACE_ND, of which nothing is left.
    """

    pads: Mapping[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    dilation: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    same: frozenset[int] = frozenset()
    closed: frozenset[int] = frozenset()


class Nodes:
    """Nodes and constants of a net in the making."""

    def __init__(self, net: TfliteFile) -> None:
        self.net = net
        self.apart = Apart()
        self.made: list[Node] = []
        self.tensors: dict[str, HeldTensor] = {}
        # The name of the node's output that stands for each tensor.
        self._held: dict[int, str] = {}
        # Constants that operators make of others.
        self._computed: dict[int, Array] = {}
        self._values = 0

    def error(self, op: Operator, what: str, *, found: str | None, help: str | None) -> DataError:  # noqa: A002 - as in errors
        """Make an error about an operator."""
        where = f"{self.net.file}, operator {op.index} ({op.op})"
        return DataError(what, where=where, found=found, help=help)

    def begin(self, index: int, name: str) -> None:
        """Let a name stand for a tensor that no operator makes."""
        self._held[index] = name

    def end(self, index: int) -> str:
        """The name that stands for a tensor which operators made; a constant has none."""
        return self._held.get(index, f"tensor {index}")

    def tensor(self, op: Operator, place: int) -> Tensor:
        """An input, of any shape, as the file describes it; DataError where there is none."""
        return self.net.tensor(self._index(op, place))

    def has(self, op: Operator, place: int) -> bool:
        """Tell whether an input is there."""
        return place < len(op.inputs) and op.inputs[place] >= 0

    def constant(self, op: Operator, place: int, what: str) -> Array:
        """The numbers of an input that is constant, in its shape.

        Raises:
            DataError: it is computed from the samples.
        """
        tensor, index = self.tensor(op, place), self._index(op, place)
        if index in self._computed:
            return self._computed[index]
        if not tensor.is_constant and 0 not in tensor.shape:
            raise self.error(
                op,
                f"{op.op} reads {what} that are not fixed in the file",
                found=f"'{tensor.name[:60]}' is computed from the samples",
                help="only constants can become weights, shapes and places",
            )
        return self._counted(op, constant(self.net, index))

    def bias(self, op: Operator, place: int, weights: int) -> Array:
        """Biases (count,) in real numbers; whole ones have the scales of values and weights.

        Args:
            weights: the place of the weights that meet the operator's values.

        Raises:
            DataError: they have scales, but not one for each.
        """
        tensor, w, x = (self.tensor(op, at) for at in (place, weights, 0))
        b = self.constant(op, place, "biases")
        scale = np.ones(1)
        if b.dtype.kind == "i" and tensor.steps is not None:
            scale = tensor.steps.scale
        elif b.dtype.kind == "i" and w.steps is not None and x.steps is not None:
            scale = w.steps.scale * x.steps.scale[0]
        if scale.size not in (1, b.size):
            raise self.error(
                op,
                f"the biases of {op.op} have scales that do not fit",
                found=f"{scale.size} scales for {b.size} biases",
                help="one scale for all of them, or one for each",
            )
        # A NaN that signals is refused later, in words.
        with np.errstate(invalid="ignore"):
            return np.asarray((b.ravel() * scale).reshape(b.shape))

    def is_constant(self, op: Operator, place: int) -> bool:
        """Tell whether an input's numbers are in the file, or made of such."""
        return self.tensor(op, place).is_constant or self._index(op, place) in self._computed

    def computed(self, op: Operator, array: Array) -> None:
        """Let a constant of any shape stand for what an operator makes of another one."""
        self.stands_for(op, self.held(f"constant of operator {op.index}", array))
        self._computed[op.outputs[0]] = array

    def whole(self, op: Operator, place: int, what: str) -> tuple[int, ...]:
        """Whole numbers of an input that is constant; DataError if they are others."""
        array = self.constant(op, place, what)
        if array.dtype.kind not in "iu" or array.size > 64:
            raise self.error(
                op,
                f"the {what} of {op.op} must be a list of whole numbers",
                found=f"{array.dtype} {array.shape}",
                help=None,
            )
        return tuple(int(n) for n in array.ravel())

    def value(self, op: Operator, place: int) -> str:
        """The name of an input, constant or not; DataError where nothing before makes it."""
        index = self._index(op, place)
        if index not in self._held:
            tensor = self.net.tensor(index)
            if not tensor.is_constant:
                raise self.error(
                    op,
                    f"{op.op} reads what no operator before it makes",
                    found=f"'{tensor.name[:60]}'",
                    help="operators come in the order of computing, without cycles",
                )
            array = self._counted(op, constant(self.net, index))
            self._held[index] = self.held(f"{tensor.name}#{index}", array)
        return self._held[index]

    def held(self, name: str, array: Array) -> str:
        """The name of a new constant of any shape."""
        self.tensors[name] = HeldTensor(array)
        return name

    def number(self, value: float) -> str:
        """The name of a constant that is one number."""
        return self.held(f"{value:g}", np.array(value))

    def node(self, op: Operator, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        output = f"operator {op.index}.{len(self.made)}"
        known = {name: value for name, value in attributes.items() if value is not None}
        label = self._label(op)
        self.made.append(
            Node(kind, "", label, tuple(inputs), (output,), Attributes(known), said=op.op)
        )
        return output

    def stands_for(self, op: Operator, name: str) -> None:
        """Let a name stand for the operator's output; DataError if it is made already."""
        if len(op.outputs) != 1 or op.outputs[0] in self._held:
            raise self.error(
                op,
                f"{op.op} makes no tensor of its own",
                found=f"outputs {list(op.outputs[:4])}",
                help=None,
            )
        self.net.tensor(op.outputs[0])
        self._held[op.outputs[0]] = name

    def is_last(self, op: Operator) -> bool:
        """Tell whether the net answers with what an operator makes."""
        return bool(set(op.outputs) & set(self.net.outputs))

    def output(self, op: Operator) -> Tensor | None:
        """The output of an operator, of any shape, as the file describes it."""
        return self.net.tensor(op.outputs[0]) if op.outputs else None

    def _index(self, op: Operator, place: int) -> int:
        if not self.has(op, place):
            raise self.error(
                op,
                f"{op.op} has too few inputs",
                found=f"{len(op.inputs)}, number {place} is missing",
                help=None,
            )
        return op.inputs[place]

    def _counted(self, op: Operator, array: Array) -> Array:
        self._values += array.size
        if self._values > _LARGEST:
            raise self.error(
                op, "the net has too many constants", found=f"{_LARGEST:,} are allowed", help=None
            )
        return array

    def _label(self, op: Operator) -> str:
        """The name of a layer in the name of a tensor, such as "sequential/dense/BiasAdd"."""
        tensor = self.output(op)
        return "" if tensor is None else layer_label(tensor.name, op.op)


def option(op: Operator, name: str) -> int | float:
    """A number among the options of an operator; 0 where it is left out."""
    value = op.options.get(name, 0)
    return 0 if isinstance(value, tuple) else value


def layer_label(name: str, op: str = "") -> str:
    """The name of a layer in that of its output; "" where there is none.

    >>> layer_label("net/act/Relu;net/conv1/BiasAdd;net/conv1/Conv2D")
    'conv1'
    >>> layer_label("StatefulPartitionedCall:0")
    ''
    """
    labels = [_without_additions(piece) for piece in name.split(";")]
    if op == "CONV_2D":
        # Tensors that several layers share bring the names of others in.
        labels = [label for label in labels if "depthwise" not in label] or labels
    return next((label for label in labels if _CALLED.search(label)), labels[0])


def _without_additions(piece: str) -> str:
    """The last part of a name that no converter added; the model's own name is none."""
    parts = [part for part in piece.split("/") if part]
    while parts and (len(parts) > 2 or len(parts) == 1) and _ADDED.fullmatch(parts[-1]):
        del parts[-1]
    if len(parts) == 2 and _ADDED.fullmatch(parts[-1]) and _CALLED.search(parts[0]):
        del parts[-1]
    return parts[-1] if parts else ""
