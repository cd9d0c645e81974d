"""Back from integers: what the tensors of a state stand for in real numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.graph import Weights
from tpsgd_edge.quantize.model import (
    QuantizedModel,
    QuantizedWeighted,
    ReadoutF32,
    StoredInit,
)


def real_weights(model: QuantizedModel, state: Mapping[str, NDArray[Any]]) -> dict[str, Weights]:
    """Weights and biases of layers, in the shapes of `Weights`, by name (docs/ARITHMETIC.md, 2).

    Args:
        state: LAYER.w and LAYER.b of each layer that trains, in the types of the state; those of
            the others are constants of the model.
    """
    return {
        layer.name: _joined(*(_real(unit, *_tensors(unit, state)) for unit in units))
        for layer in model.layers
        if (units := layer.units)
    }


def real_read_outs(
    model: QuantizedModel, state: Mapping[str, NDArray[Any]] | None
) -> dict[str, NDArray[np.float64]]:
    """Read-outs of the layers that carry scores, (n_target, K), by name, as `Graph` has them.

    Args:
        state: LAYER.p of those that learn; None for the first ones.
    """
    return {
        layer.name: _real_read_out(model, layer, state)
        for layer in model.with_loss
        if layer.name in model.carrying
    }


def _real_read_out(
    model: QuantizedModel, layer: QuantizedWeighted, state: Mapping[str, NDArray[Any]] | None
) -> NDArray[np.float64]:
    assert layer.projection is not None
    is_known = state is not None and layer.has_learning_readout
    p = state[f"{layer.name}.p"] if state is not None and is_known else layer.projection.values
    readout = layer.loss.readout
    if isinstance(readout, ReadoutF32):
        return np.asarray(p, np.float64) * readout.gain
    assert readout is not None
    # Scores are read out of eight bits.
    unit = layer.y_scale * (1 if layer.y_type == "s8" else 2**8)
    gain = readout.gain.mult / 2.0**readout.gain.shift * model.last.y_scale / unit
    return np.asarray(p, np.float64) * gain


def _joined(*units: Weights) -> Weights:
    """The weights of a layer from those of its dense units: of a gated one, over its inputs."""
    if len(units) == 1:
        return units[0]
    w = np.concatenate([unit.w for unit in units], axis=1)
    return Weights(w, np.stack([unit.b for unit in units]))


def _tensors(
    layer: QuantizedWeighted, state: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[Any]]:
    if layer.trains:
        return state[f"{layer.name}.w"], state[f"{layer.name}.b"]
    assert isinstance(layer.init, StoredInit), "a layer that does not train is stored"
    return layer.init.w, layer.init.b


def unit_weights(layer: QuantizedWeighted, state: Mapping[str, NDArray[Any]]) -> Weights:
    """Weights (n_out, n_in) and biases (n_out,) of a dense unit, as in `real_weights`."""
    return _real(layer, *_tensors(layer, state))


def _real(layer: QuantizedWeighted, w: NDArray[Any], b: NDArray[Any]) -> Weights:
    scale, unit = layer.numbers.weight_scale, layer.numbers.bias_scale
    return Weights(w.astype(np.float64) * scale, b.astype(np.float64) * unit)
