"""The end of a net: what makes answers of the outputs of its last layer.

The loss has softmax, the device argmax: nothing of the end becomes a layer. It is looked at all the
same, so that nothing that would change the answers is passed over.
"""

import math
from collections.abc import Callable

import numpy as np

from tpsgd_edge.frontend.imports.call import Call

# Behind these only others of the end may follow.
ENDS = ("Softmax", "LogSoftmax", "ArgMax", "ZipMap", "TopK", "ArrayFeatureExtractor")
# Up to this version Softmax saw its values as a matrix, split at `axis`.
_FLATTENING = 12


def softmax(call: Call, shape: tuple[int, ...]) -> None:
    """Softmax and LogSoftmax over all values of a vector."""
    is_old = call.opset <= _FLATTENING
    axis = call.integer("axis", 1 if is_old else -1)
    ndim = max(len(shape), 1)
    if not -ndim <= axis <= ndim - 1:
        _refuse(call, shape, axis)
    axis %= ndim
    seen = math.prod(shape[axis:]) if is_old else shape[axis] if shape else 1
    if seen != math.prod(shape):
        _refuse(call, shape, axis)


def arg_max(call: Call, shape: tuple[int, ...]) -> None:
    """Read ArgMax over all values of a vector: the first of the largest.

    Raises:
        DataError: it takes the last of the largest, or other axes.
    """
    axis = call.integer("axis", 0)
    call.integer("keepdims", 1)
    if call.integer("select_last_index", 0):
        raise call.error(
            "ArgMax takes the last of even values",
            found="select_last_index = 1",
            help="the device answers the first of them",
        )
    ndim = len(shape)
    if not -ndim <= axis < ndim or shape[axis] != math.prod(shape):
        _refuse(call, shape, axis)


def top_k(call: Call, shape: tuple[int, ...]) -> None:
    """Read TopK of a vector: its largest values.

    Raises:
        DataError: it takes the smallest values.
    """
    for name in ("axis", "sorted", "k"):
        call.integer(name, 1)
    if call.integer("largest", 1) != 1:
        raise call.error("TopK takes the smallest values", found="largest = 0")


def normalizer(call: Call, shape: tuple[int, ...]) -> None:
    """Read Normalizer of probabilities, whose sum is 1 already, or of scores of each class apart.

    Raises:
        DataError: it has another norm than L1.
    """
    norm = call.text("norm", "MAX")
    if norm != "L1":
        raise call.error("Normalizer is no end of a net", found=f"norm = {norm[:20]}")


def anything(call: Call, shape: tuple[int, ...]) -> None:
    """Whatever moves or names answers."""
    for name in call.node.attributes:
        call.node.attributes.get(name)


# What may follow the last layer or the end, and how it is looked at.
TAIL: dict[str, Callable[[Call, tuple[int, ...]], None]] = {
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "ArgMax": arg_max,
    "TopK": top_k,
    "Normalizer": normalizer,
    **dict.fromkeys(
        (
            *("ArrayFeatureExtractor", "ZipMap", "Cast", "Identity", "Log", "Reshape", "Squeeze"),
            *("Unsqueeze", "Flatten", "QuantizeLinear", "DequantizeLinear"),
        ),
        anything,
    ),
}


def class_names(call: Call) -> tuple[str, ...]:
    """The names of classes that ZipMap or LinearClassifier holds; none where it holds none."""
    for name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"):
        values = call.node.attributes.get(name)
        if isinstance(values, tuple) and values:
            return tuple(str(value) for value in values)
    return ()


def are_places(names: tuple[str, ...]) -> bool:
    """Tell whether names of classes are only their places: 0, 1, 2, ..."""
    return names == tuple(str(n) for n in np.arange(len(names)))


def _refuse(call: Call, shape: tuple[int, ...], axis: int) -> None:
    raise call.error(
        f"{call.node.op} reads no vector",
        found=f"shape {shape}, axis = {axis}",
        help="it can only come last, over all outputs of a sample",
    )
