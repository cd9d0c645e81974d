"""The layers of a spec as a `Graph`."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.expression import compile_expression
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.npz import read_npz
from tpsgd_edge.graph import Dense, Graph, Weights
from tpsgd_edge.spec import Spec, check_labels_kind, layer_activation, layer_loss


def build_graph(spec: Spec, dataset: Dataset) -> Graph:
    """The network of a spec for the samples and labels of a data set, with the weights of its file.

    Raises:
        SpecError: layers that do not fit the labels, losses that do not, or no expression of r.
        DataError: weights that are missing, malformed or do not fit.
    """
    check_labels_kind(spec, dataset.labels.kind)
    for index in range(len(spec.model.layers)):
        loss = layer_loss(spec, index, dataset.labels.kind)
        if loss.expression is not None:
            name = spec.model.layers[index].name
            compile_expression(loss.expression, where=f"{spec.source}, loss of layer '{name}'")
    n_in = int(np.prod(dataset.input_shape))
    layers = []
    for index, layer in enumerate(spec.model.layers):
        layers.append(Dense(layer.name, n_in, layer.units, layer_activation(spec, index)))
        n_in = layer.units
    weights = {} if spec.model.weights_file is None else _read_weights(spec)
    return Graph(spec.name, tuple(layers), dataset.labels, weights)


def _read_weights(spec: Spec) -> dict[str, Weights]:
    path = spec.folder / (spec.model.weights_file or "")
    arrays = read_npz(path)
    needed = [f"{layer.name}.{tensor}" for layer in spec.model.layers for tensor in "wb"]
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise DataError(
            f"'{path.name}' has no weights {', '.join(missing)}"[:300],
            where="[model], weights_file",
            found=f"arrays: {', '.join(sorted(arrays)) or 'none'}"[:300],
            help="each layer needs LAYER.w of shape (units, inputs) and LAYER.b of shape (units,)",
        )
    return {
        layer.name: Weights(
            _real(arrays[f"{layer.name}.w"], f"{layer.name}.w", path),
            _real(arrays[f"{layer.name}.b"], f"{layer.name}.b", path),
        )
        for layer in spec.model.layers
    }


def _real(array: NDArray[np.generic], name: str, path: Path) -> NDArray[np.float64]:
    if array.dtype.kind not in "iuf":
        raise DataError(
            f"weights '{name}' must be numbers", where=path.name, found=f"type {array.dtype}"
        )
    return array.astype(np.float64)
