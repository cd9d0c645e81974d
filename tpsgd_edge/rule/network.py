"""A network in floating point: its weights and its forward pass."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tpsgd_edge.graph import Edges, Graph, Layer, Weights, walk_of
from tpsgd_edge.graph.initial_weights import initial_weights
from tpsgd_edge.rule.activations import activate
from tpsgd_edge.rule.layers import JOINS, forward
from tpsgd_edge.rule.sequence import run
from tpsgd_edge.rule.steps import Step

# Samples at a time: maps of a whole data set would fill the memory.
_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class FloatNetwork:
    """Layers and their weights, binary32.

    w[l] and b[l] have the shapes of `weight_shapes`, (n_out, n_in) and (n_out,) but for a gated
    layer; both are empty for a layer without weights.
    With `each_step`, every step of a sequence has an output. `reads` says where the inputs of each
    layer stand in a list of the sample and all outputs, by default one before its own output.
    `read_outs` are those of the layers that carry scores, (batch, y_count) -> (batch, K), None of
    others: the last outputs are sums with them then. `blocks` are the places of the layers of each
    block, from its head down (docs/ARITHMETIC.md, section 26).
    """

    layers: tuple[Layer, ...]
    w: tuple[Tensor, ...]
    b: tuple[Tensor, ...]
    each_step: bool = False
    reads: tuple[tuple[int, ...], ...] = ()
    read_outs: tuple[Callable[[Tensor], Tensor] | None, ...] = ()
    blocks: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if not self.reads:
            names = [layer.name for layer in self.layers]
            object.__setattr__(self, "reads", Edges.of(names, {}).places())

    @property
    def walk(self) -> tuple[Layer, ...]:
        """The layers that walk along a sequence, which come first."""
        return walk_of(self.layers)

    def activity(self, x: Tensor) -> list[Tensor]:
        """The input x (batch, n_in) and the output of every layer, each (batch, units).

        Behind sequences, outputs are those of the last step; with `each_step` those of every step:
        (batch, steps, units).
        """
        if not self.walk:
            return self.behind([x])
        states = ([step.h for step in steps] for steps in self.run(x))
        kept = deque(states, maxlen=None if self.each_step else 1)
        rows = [torch.stack(of_layer, dim=1).flatten(0, 1) for of_layer in zip(*kept, strict=True)]
        values = self.behind([x, *rows])
        if not self.each_step:
            return values
        return [x, *(value.view(len(x), len(kept), -1) for value in values[1:])]

    def run(self, x: Tensor) -> Iterator[list[Step]]:
        """The layers that walk after each step of samples x (batch, n_in)."""
        sequences = x.view(len(x), -1, self.layers[0].x_count)
        return run(self.walk, self.w, self.b, sequences)

    def behind(self, values: list[Tensor]) -> list[Tensor]:
        """Append the outputs (batch, y_count) of all later layers to those of the first ones."""
        values = list(values)
        first = len(values) - 1
        for index in range(first, len(self.layers)):
            values.append(self.output(index, [values[place] for place in self.reads[index]]))
        for index, read_out in enumerate(self.read_outs):
            if read_out is not None:
                values[-1] = values[-1] + read_out(values[index + 1])
        return values

    def read(self, index: int, values: Sequence[Tensor]) -> Tensor:
        """Input (batch, x_count) of a layer with one input, out of the sample and all outputs."""
        (place,) = self.reads[index]
        return values[place]

    def output(self, index: int, inputs: Sequence[Tensor]) -> Tensor:
        """Output of one layer behind the walk for what it reads: (batch, y_count)."""
        layer = self.layers[index]
        if layer.kind in JOINS:
            return activate(layer, JOINS[layer.kind].forward(layer, inputs))
        return activate(layer, forward(layer, inputs[0], self.w[index], self.b[index]))

    def outputs(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """Outputs of the last layer for samples (n, n_in): (n, n_out), or (n, steps, n_out)."""
        with torch.inference_mode():
            chunks = torch.split(torch.as_tensor(np.asarray(x, np.float32)), _CHUNK)
            y = torch.cat([self.activity(chunk)[-1] for chunk in chunks])
        return np.asarray(y.numpy(), np.float32)

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.int64]:
        """The class of each sample, shape (n,), or of each step, (n, steps)."""
        return np.asarray(self.outputs(x).argmax(axis=-1), np.int64)

    def accuracy(self, x: NDArray[np.floating], classes: NDArray[np.integer]) -> float:
        """Share, 0..1, of the samples x (n, n_in) whose class (n,) is predicted."""
        return float((self.predict(x) == classes).mean())

    def weights(self) -> dict[str, Weights]:
        """Weights and biases by layer name."""
        return {
            layer.name: Weights(w.double().numpy().copy(), b.double().numpy().copy())
            for layer, w, b in zip(self.layers, self.w, self.b, strict=True)
            if layer.weighted is not None
        }


def first_network(graph: Graph, *, seed: int) -> FloatNetwork:
    """The network before training, as a device with this seed starts."""
    none = Weights(np.empty(0), np.empty(0))
    first = [
        none if layer.weighted is None else initial_weights(graph, index, seed)
        for index, layer in enumerate(graph.layers)
    ]
    return FloatNetwork(
        graph.layers,
        tuple(torch.tensor(weights.w, dtype=torch.float32) for weights in first),
        tuple(torch.tensor(weights.b, dtype=torch.float32) for weights in first),
        graph.labels.each_step,
        graph.edges.places(),
        blocks=tuple(tuple(map(graph.edges.names.index, block)) for block in graph.blocks),
    )
