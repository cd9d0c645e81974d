"""Initial weights from a spec's own file: for each layer an array of weights and one of biases."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.npz import read_npz
from tpsgd_edge.graph import Conv2d, Graph, Layer, Weights, is_adaptor
from tpsgd_edge.spec import Spec


def file_weights(spec: Spec, graph: Graph) -> dict[str, Weights]:
    """The weights of `model.weights_file`, by layer.

    Raises:
        DataError: the file cannot be read, or a layer's arrays are missing or no numbers.
    """
    path = spec.folder / (spec.model.weights_file or "")
    arrays = read_npz(path)
    # Adaptors come later than the file.
    layers = [layer for layer in graph.weighted if not is_adaptor(layer)]
    needed = [f"{layer.name}.{tensor}" for layer in layers for tensor in "wb"]
    missing = [name for name in needed if name not in arrays]
    if missing:
        raise DataError(
            f"'{path.name}' has no weights {', '.join(missing)}"[:300],
            where="[model], weights_file",
            found=f"arrays: {', '.join(sorted(arrays)) or 'none'}"[:300],
            help="each layer needs LAYER.w of shape (units, inputs) and LAYER.b of shape (units,); "
            "of a gru (3 units, inputs + units) and (2, 3 units), of an lstm 4 in place of 3",
        )
    return {
        layer.name: Weights(
            _rows(_real(arrays[f"{layer.name}.w"], f"{layer.name}.w", path), layer),
            _real(arrays[f"{layer.name}.b"], f"{layer.name}.b", path),
        )
        for layer in layers
    }


def _rows(w: NDArray[np.float64], layer: Layer) -> NDArray[np.float64]:
    """Filters (filters, rows, columns, channels) as rows; whatever else stays, to be refused."""
    if isinstance(layer, Conv2d):
        filters = (layer.n_out, *layer.kernel, layer.x_shape[2] // layer.groups)
        if w.shape == filters:
            return w.reshape(layer.n_out, layer.n_in)
    return w


def _real(array: NDArray[np.generic], name: str, path: Path) -> NDArray[np.float64]:
    if array.dtype.kind not in "iuf":
        raise DataError(
            f"weights '{name}' must be numbers", where=path.name, found=f"type {array.dtype}"
        )
    return array.astype(np.float64)
