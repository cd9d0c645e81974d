"""Reader of an ONNX graph, which becomes our layers one node after the other."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.imports import elementwise, few_bits, recurrent, two_classes
from tpsgd_edge.frontend.imports.arrays import computed, moved, shape_of
from tpsgd_edge.frontend.imports.call import Call, Node
from tpsgd_edge.frontend.imports.chain import Chain, scaled, with_scaled_samples
from tpsgd_edge.frontend.imports.file import HeldTensor, OnnxNet, read_onnx_file, tensor_array
from tpsgd_edge.frontend.imports.help import what_to_do
from tpsgd_edge.frontend.imports.inputs import first_chain, laid_for, net_input
from tpsgd_edge.frontend.imports.joins import joined
from tpsgd_edge.frontend.imports.net import ImportedNet
from tpsgd_edge.frontend.imports.operators import HANDLERS, SCALING, check_heeded, check_readable
from tpsgd_edge.frontend.imports.recognized import with_activations
from tpsgd_edge.frontend.imports.recognized_norms import with_norms
from tpsgd_edge.frontend.imports.tail import ENDS, TAIL, are_places, class_names
from tpsgd_edge.frontend.metadata import class_names as named_classes
from tpsgd_edge.spec import SAMPLE

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
    net = with_norms(with_activations(net))
    reading = _Reading(net)
    for node in net.nodes:
        reading.take(node)
    chain = reading.end()
    return ImportedNet(
        layers=tuple(_tables(chain)),
        weights={la.name: la.weights for la in chain.layers if la.weights is not None},
        input_shape=chain.input_shape,
        input_lengths=reading.input.lengths,
        input_places=_places(chain),
        input_scaling=chain.scaling,
        class_names=reading.class_names or named_classes(net.metadata),
        in_integers=net.in_integers or reading.in_integers,
        has_few_steps=chain.has_few_steps,
    )


def _tables(chain: Chain) -> Iterator[dict[str, Any]]:
    """Tables of the layers; a layer that does not read the one before it says what it reads."""
    before = SAMPLE
    for layer in chain.layers:
        reads = {} if layer.reads == (before,) else {"from": layer.reads}
        yield {**layer.table, **reads}
        before = layer.name


def _places(chain: Chain) -> tuple[int, ...] | None:
    """Places of a sample's values in the net's own input, where these are others than ours."""
    samples = chain.samples
    if samples is None or (samples == np.arange(len(samples))).all():
        return None
    return tuple(samples.tolist())


def _twice(chain: Chain, call: Call, count: int) -> Chain:
    """The chain with its values taken several times by one node."""
    if call.node.op not in ("Add", "Sum") or any(array is not None for array in call.arrays):
        raise call.error(
            f"{call.node.op[:40]} reads one value {count} times",
            found=f"'{call.node.inputs[0][:40]}'",
            help=what_to_do(call.node.op),
        )
    return scaled(chain, call, np.array(float(count)), np.zeros(()))


class _Reading:
    """A graph while it is read: the layers up to each tensor, and what else a name stands for."""

    def __init__(self, net: OnnxNet) -> None:
        self.net = net
        self.input = net_input(net)
        first = first_chain(self.input)
        if net.input_type not in _REAL_TYPES:
            first = replace(first, are_whole=True)
        batch = self.input.batch
        self.batch = 1 if batch is None else max(net.input_shape[batch] or 1, 1)
        # The net up to each tensor that it computes; of a recurrent layer also its last state.
        self.chains: dict[str, Chain] = {net.input_name: first}
        self.latest = net.input_name
        # Layers in the order in which they were made.
        self.numbers: dict[str, int] = {}
        self.constants: dict[str, Array] = {}
        self.computed = 0
        self.in_integers = False
        # Tensors that hold answers, and the net up to what they are made of.
        self.tail: set[str] = set()
        self.answered: Chain | None = None
        # The value of the other class, made of the one unit that a net ends with.
        self.mirrors: set[str] = set()
        readers = (n for node in net.nodes if node.op != "Shape" for n in set(node.inputs))
        self.readers = Counter(readers)
        self.class_names: tuple[str, ...] = ()

    def take(self, node: Node) -> None:
        """Read one more node."""
        node = self._resolved(node)
        call = Call(node, (), self.net.file, self.batch, self.net.opset)
        self._check_names(call)
        values = [name for name in node.inputs if name in self.chains]
        if any(name in self.tail for name in node.inputs):
            self._end(call)
        elif any(name in self.mirrors for name in node.inputs):
            self._join(call)
        elif node.op == "Shape" and values and node.outputs:
            shape = self.chains[values[0]].order.shape
            self.constants[node.outputs[0]] = shape_of(shape, call)
        elif values:
            self._extend(call, values)
        else:
            self._compute(self._with_arrays(call))
        check_heeded(call)

    def end(self) -> Chain:
        """The chain up to the answers, when all nodes are read."""
        chain, net = self._answers(), self.net
        chain = self._ended(chain, Call(net.nodes[-1], (), net.file))
        if chain.grid is not None:
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

    def _answers(self) -> Chain:
        """The chain up to what the net answers with."""
        net, wanted = self.net, set(self.net.outputs)
        made = [name for name in self.chains if name in wanted and self.chains[name].layers]
        if self.answered is not None and (self.tail & wanted or self.latest in wanted):
            return self.answered
        if made:
            return self.chains[made[-1]]
        raise DataError(
            "the net does not come to its output",
            where=f"{net.file}, output '{net.outputs[0][:60]}'",
            found=f"its layers end with '{self.latest[:60]}'",
        )

    def _chain(self, name: str) -> Chain:
        """The net up to a tensor, with layers sealed that make other tensors, too."""
        chain = self.chains[name]
        sealed = chain.sealed
        if self.readers[name] > 1:
            # A scaling of the samples is the same on all ways that begin with them.
            chain, sealed = with_scaled_samples(chain), len(chain.layers)
        own = {layer.name for layer in chain.layers}
        return replace(chain, sealed=sealed, taken=frozenset(self.numbers.keys() - own))

    def _extend(self, call: Call, values: list[str]) -> None:
        """A node that reads what the net computes."""
        node = call.node
        if len(set(values)) > 1:
            self._join_values(call, values)
            return
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
        chain = self._chain(values[0])
        if len(values) > 1:
            self._continue(_twice(chain, call, len(values)), call)
            return
        if two_classes.is_one_unit(chain) and self._is_second(call, values[0], chain):
            return
        domain = "" if node.domain in _STANDARD else node.domain
        order = None if domain else moved(chain.order, call)
        if order is None and chain.bounds is not None and node.op not in ("Max", "Min"):
            chain = elementwise.bounded(replace(chain, bounds=None), call, *chain.bounds)
        handler = HANDLERS.get((domain, node.op))
        check_readable(chain, call, is_move=order is not None)
        if order is not None:
            chain = replace(chain, order=order)
        elif handler is not None:
            if self.net.input_type not in _REAL_TYPES and node.op not in SCALING:
                # Samples of 255 steps would want weights and learning rates as small as these.
                chain = with_scaled_samples(chain)
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

    def _join_values(self, call: Call, values: list[str]) -> None:
        """A node that reads several values which the net computes."""
        call = self._with_arrays(call)
        chains = []
        for name in values:
            chain = self._settled(self._chain(name), call)
            check_readable(chain, call, is_move=False)
            chains.append(chain)
        self._continue(joined(chains, call, self.numbers), call)

    def _is_second(self, call: Call, name: str, chain: Chain) -> bool:
        """Tell whether a node makes the second of two classes from the last layer's single unit."""
        if self.readers[name] > 1 and two_classes.mirrors(chain, call):
            self.mirrors.update(call.node.outputs)
            return True
        if not two_classes.halves_at(chain, call):
            return False
        self.answered = two_classes.with_two_units(chain)
        self.tail.update(call.node.outputs)
        return True

    def _join(self, call: Call) -> None:
        """Concat of the values of two classes, one of them made from the other."""
        names = call.node.inputs
        heads = [name for name in names if name in self.chains]
        is_pair = call.node.op == "Concat" and len(names) == 2 and len(heads) == 1
        if not is_pair or call.integer("axis", 1) not in (1, -1):
            raise call.error(
                f"{call.node.op[:40]} joins values in a way that no layer of ours does",
                found="inputs " + ", ".join(f"'{name[:40]}'" for name in names[:3]),
                help=what_to_do(call.node.op),
            )
        chain = self.chains[heads[0]]
        is_probability = chain.layers[-1].table["activation"] == "sigmoid"
        made = two_classes.with_two_units(chain, is_second=names[1] == heads[0])
        self._continue(made, call)
        if is_probability:
            self.answered = made
            self.tail.update(call.node.outputs)

    def _settled(self, chain: Chain, call: Call) -> Chain:
        """The chain whose last layer has the activation that Max and Min stand for.

        Where its integers begin at 0 because no sample gave it a lower value, it has none.
        """
        if chain.bounds is None:
            return chain
        return elementwise.bounded(replace(chain, bounds=None), call, *chain.bounds)

    def _ended(self, chain: Chain, call: Call) -> Chain:
        """The chain as a net ends with it."""
        if chain.before_steps is not None:
            chain = replace(chain.before_steps, order=chain.order, grid=chain.grid)
        return self._settled(chain, call)

    def _continue(self, chain: Chain, call: Call) -> None:
        if len(chain.layers) > _MOST_LAYERS:
            raise call.error("the net has too many layers", found=f"{_MOST_LAYERS} are allowed")
        outputs = call.node.outputs
        if not outputs:
            raise call.error(f"{call.node.op[:40]} makes nothing")
        for layer in chain.layers:
            self.numbers.setdefault(layer.name, len(self.numbers))
        if call.node.op == "LinearClassifier":
            self._name_classes(call)
            self.answered = chain
            self.tail.update(outputs)
        for name, order in zip(outputs, (chain.order, chain.second), strict=False):
            # An output that nobody asks for has no name.
            if name and order is not None:
                self.chains[name] = replace(chain, order=order, second=None)
        self.latest = outputs[0]

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
        is_first = self.answered is None
        given = next((name for name in node.inputs if name in self.chains), self.latest)
        chain = self._ended(self.answered or self.chains[given], call)
        self.answered, shape = chain, chain.order.shape
        if is_first and (not chain.layers or max(shape, default=1) != math.prod(shape)):
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
        self.in_integers |= call.node.op in ("DequantizeLinear", *few_bits.OPERATORS)
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
                    help=recurrent.advice_on_cells(self.net.nodes, name)
                    or "nodes come in the order of computing, without cycles",
                )
        for name in call.node.outputs:
            if name and self._is_known(name):
                raise call.error("two nodes make the same tensor", found=f"'{name[:60]}'")

    def _is_known(self, name: str) -> bool:
        places = (self.chains, self.constants, self.tail, self.mirrors, self.net.tensors)
        return any(name in place for place in places)

    def _resolved(self, node: Node) -> Node:
        """The node with the numbers of tensors that its attributes hold."""

        def read(name: str, value: Any) -> Any:
            return tensor_array(self.net, value) if isinstance(value, HeldTensor) else value

        # ONNX Runtime has operators for 16 bits of its own, which ONNX took over later.
        is_own = node.domain == "com.microsoft" and node.op.endswith("quantizeLinear")
        is_own |= node.domain == "com.microsoft" and node.op == "QuantizeLinear"
        domain = "" if is_own else node.domain
        if node.op in few_bits.OPERATORS and domain in few_bits.OLD_DOMAINS:
            domain = few_bits.DOMAIN
        return replace(node, domain=domain, attributes=node.attributes.changed(read))

    def _with_arrays(self, call: Call) -> Call:
        return replace(call, arrays=tuple(self._constant(name) for name in call.node.inputs))

    def _constant(self, name: str) -> Array | None:
        if name in self.constants:
            return self.constants[name]
        tensor = self.net.tensors.get(name)
        return None if tensor is None else tensor_array(self.net, tensor)
