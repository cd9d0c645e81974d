"""A network in floating point: its weights and its forward pass."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tpsgd_edge.graph import Dense, Graph, Weights
from tpsgd_edge.rule.activations import ACTIVATIONS
from tpsgd_edge.rule.layers import dense_layers
from tpsgd_edge.rule.projection import first_weights


@dataclass(frozen=True, slots=True)
class FloatNetwork:
    """Layers and their weights; w[l] has shape (n_out, n_in), b[l] (n_out,), binary32."""

    layers: tuple[Dense, ...]
    w: tuple[Tensor, ...]
    b: tuple[Tensor, ...]

    def activity(self, x: Tensor) -> list[Tensor]:
        """The input x and the output of every layer, each (batch, units)."""
        values = [x]
        for layer, w, b in zip(self.layers, self.w, self.b, strict=True):
            z = torch.addmm(b, values[-1], w.T)
            values.append(ACTIVATIONS[layer.activation].function(z))
        return values

    def outputs(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """Outputs of the last layer, shape (n, n_out), for samples (n, n_in)."""
        with torch.inference_mode():
            y = self.activity(torch.as_tensor(np.asarray(x, np.float32)))[-1]
        return np.asarray(y.numpy(), np.float32)

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.int64]:
        """The class of each sample, shape (n,)."""
        return np.asarray(self.outputs(x).argmax(axis=1), np.int64)

    def accuracy(self, x: NDArray[np.floating], classes: NDArray[np.integer]) -> float:
        """Share of samples whose class is predicted, 0..1."""
        return float((self.predict(x) == classes).mean())

    def weights(self) -> dict[str, Weights]:
        """Weights and biases by layer name."""
        return {
            layer.name: Weights(w.double().numpy().copy(), b.double().numpy().copy())
            for layer, w, b in zip(self.layers, self.w, self.b, strict=True)
        }


def first_network(graph: Graph, *, seed: int) -> FloatNetwork:
    """The network before training, as a device with this seed starts."""
    layers = dense_layers(graph)
    first = [first_weights(graph, index, seed=seed) for index in range(len(layers))]
    return FloatNetwork(
        layers,
        tuple(torch.tensor(weights.w, dtype=torch.float32) for weights in first),
        tuple(torch.tensor(weights.b, dtype=torch.float32) for weights in first),
    )
