"""Numbers of an f32 model: so large that nothing can overflow, or refused (section 12)."""

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tpsgd_edge.errors import SpecError
from tpsgd_edge.quantize.model import QuantizedModel

# No constant and no first weight is larger: the bound that docs/ARITHMETIC.md proves f32 for.
LARGEST_CONSTANT = 2.0**30
# Fields of layers that are for people and tools, or not used by an f32 layer.
_NOT_ON_THE_DEVICE = {"x_scale", "y_scale"}
_TITLES = {
    "w": "initial weights",
    "b": "initial biases",
    "values": "the custom loss",
    "rate": "the learning rate",
    "gain": "the read-out, by its temperature",
}


def to_binary32(values: ArrayLike) -> NDArray[np.float32]:
    """Round values of any shape to binary32, to infinity where it cannot hold them.

    `check_binary32` refuses infinite ones.
    """
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float64).astype("<f4")


def check_binary32(model: QuantizedModel) -> None:
    """Refuse a model with numbers for which f32 is not proved to stay finite.

    Raises:
        SpecError: the layer, the number and its place.
    """
    for layer in model.layers:
        for path, value in _numbers(layer):
            array = np.atleast_1d(np.asarray(value, np.float64))
            good = np.abs(array) <= LARGEST_CONSTANT
            if not good.all():
                at = tuple(int(i) for i in np.argwhere(~good)[0])
                raise _too_large(layer.name, path, array[at], at if array.size > 1 else ())
        for unit in layer.units:
            if unit.trains and unit.learning.steps.rate == 0:
                raise SpecError(
                    f"layer '{unit.name}' would never learn: its rate is 0 in f32",
                    where=f"[model], layer '{unit.name}'",
                    found="a learning rate below 1.4e-45",
                    help="choose a larger learning_rate",
                )


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All real numbers in a tree of dataclasses, with their places."""
    if is_dataclass(value):
        for field in fields(value):
            if field.name not in _NOT_ON_THE_DEVICE:
                yield from _numbers(getattr(value, field.name), f"{path}.{field.name}".lstrip("."))
    elif isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
        yield path, value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _numbers(entry, path)


def _too_large(layer: str, path: str, value: float, at: tuple[int, ...]) -> SpecError:
    name = path.rpartition(".")[2]
    shown = "infinity, or beyond binary32" if math.isinf(value) else f"{value:.4g}"
    return SpecError(
        f"layer '{layer}' holds a number too large for f32",
        where=f"[model], layer '{layer}', {_TITLES.get(name, path)}",
        found=f"{name}{list(at) if at else ''} = {shown}; up to {LARGEST_CONSTANT:,.0f} is allowed",
        help="beyond that f32 cannot be proved to stay finite: scale it down",
    )
