"""Values that operators make of some of a known shape, and the norm that these are."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array, Real
from tpsgd_edge.frontend.imports.call import Call, Node
from tpsgd_edge.frontend.imports.recognized import COMPUTES as SINGLE

# Of y, beside the largest of its scales; constants of files are binary32.
_NEAR = 1e-6
# Samples this small show epsilon, those of 1 and 30 what is left without it.
_SMALL = 1e-6
_REAL_TYPES = (1, 10, 11, 16)
_SIZES = (1e-3, 1.0, 30.0)


@dataclass(frozen=True, slots=True)
class NormFound:
    """y = scale * (x - mean) / sqrt(variance + epsilon) + shift over some axes.

    Attributes:
        axes: of the values, which are normalized together, in ascending order.
        centered: whether the mean is taken off; else the mean square is meant.
        scale, shift: in the shape of the values.
    """

    axes: tuple[int, ...]
    centered: bool
    epsilon: float
    scale: Real
    shift: Real

    def of(self, x: Real) -> Real:
        """The normalized values, in the shape of x."""
        dev, power = _deviations(x, self.axes, centered=self.centered)
        return self.scale * dev / np.sqrt(power + self.epsilon) + self.shift


def _axes(values: list[Any], call: Call) -> tuple[int, ...] | None:
    if len(values) > 1:
        return tuple(int(axis) for axis in np.asarray(values[1]).ravel())
    return call.integers("axes", ()) or None


def _reduced(compute: Callable[[Any, Any, bool], Any]) -> Callable[[list[Any], Call], Any]:
    def of(values: list[Any], call: Call) -> Any:
        axes, keeps = _axes(values, call), bool(call.integer("keepdims", 1))
        if axes is None and call.integer("noop_with_empty_axes", 0):
            return values[0]
        return compute(np.asarray(values[0]), axes, keeps)

    return of


def _reshaped(values: list[Any], call: Call) -> Any:
    keeps_zeros = call.integer("allowzero", 0)
    lengths = [int(length) for length in np.asarray(values[1]).ravel()]
    shape = np.shape(values[0])
    return np.reshape(
        values[0],
        [n if n or keeps_zeros else shape[axis] for axis, n in enumerate(lengths)],
    )


def _unsqueezed(values: list[Any], call: Call) -> Any:
    return np.expand_dims(values[0], _axes(values, call) or ())


def _cast(values: list[Any], call: Call) -> Any:
    if call.integer("to", 1) not in _REAL_TYPES:
        raise ValueError("whole numbers are made of values")
    return values[0]


REDUCING: Mapping[str, Callable[[list[Any], Call], Any]] = {
    "ReduceMean": _reduced(lambda x, axes, keeps: x.mean(axis=axes, keepdims=keeps)),
    "ReduceSum": _reduced(lambda x, axes, keeps: x.sum(axis=axes, keepdims=keeps)),
    "ReduceSumSquare": _reduced(lambda x, axes, keeps: (x * x).sum(axis=axes, keepdims=keeps)),
    "ReduceL2": _reduced(
        lambda x, axes, keeps: np.sqrt((x * x).sum(axis=axes, keepdims=keeps)),
    ),
}
# Each gets the values of its inputs and the node.
COMPUTES: Mapping[str, Callable[[list[Any], Call], Any]] = {
    **{op: SINGLE[op] for op in ("Add", "Sub", "Mul", "Div", "Pow", "Neg", "Reciprocal")},
    "Identity": SINGLE["Identity"],
    "Cast": _cast,
    "Reshape": _reshaped,
    "Unsqueeze": _unsqueezed,
    "Sqrt": lambda v, _: np.sqrt(v[0]),
    **REDUCING,
}


# What reads a list of axes or lengths beside values.
_OF_A_LIST = ("Reshape", "Unsqueeze", *REDUCING)


def norm_of(
    nodes: tuple[Node, ...], call: Call, constants: Mapping[str, Array], shape: tuple[int, ...]
) -> NormFound | None:
    """The norm that some nodes make of the values of one tensor; None where it is none of ours.

    Args:
        nodes: in the order of computing; the last one makes y.
        call: of the node that stands for them.
        constants: what they read beside the tensor.
        shape: of the tensor.
    """
    x_name = call.node.inputs[0]

    def computed(x: Real) -> Real | None:
        values: dict[str, Any] = {x_name: x, **constants}
        for node in nodes:
            inputs = [values[name] for name in node.inputs if name]
            if node.op not in _OF_A_LIST:
                _check_size(inputs, x.size)
            part = Call(node, (), call.file, call.batch, call.opset)
            values[node.outputs[0]] = COMPUTES[node.op](inputs, part)
        y = np.asarray(values[nodes[-1].outputs[0]], np.float64)
        return y if y.shape == x.shape and np.isfinite(y).all() else None

    with np.errstate(all="ignore"):
        try:
            axes = _all_axes(nodes, call, constants, len(shape))
            found = (_fitted(computed, axes, shape, centered=is_c) for is_c in (False, True))
            return next((norm for norm in found if norm is not None), None)
        except (ValueError, IndexError, TypeError, ZeroDivisionError):
            return None  # shapes that do not go together, axes that are not there, text


def _check_size(values: list[Any], most: int) -> None:
    """Check that values of any shapes broadcast to at most so many numbers; ValueError if not."""
    lengths = np.broadcast_shapes(*map(np.shape, values))
    if math.prod(lengths) > most:
        raise ValueError(f"{lengths} values from {most}")


def _all_axes(
    nodes: tuple[Node, ...], call: Call, constants: Mapping[str, Array], ndim: int
) -> tuple[int, ...]:
    """The axes that the nodes take means over; all of them where none are said."""
    found: set[int] = set()
    for node in nodes:
        if node.op in REDUCING:
            held = [None, *(constants[name] for name in node.inputs[1:] if name in constants)]
            axes = _axes(held, Call(node, (), call.file))
            found |= {axis % ndim for axis in axes or range(ndim)}
    return tuple(sorted(found))


def _fitted(
    computed: Callable[[Real], Real | None],
    axes: tuple[int, ...],
    shape: tuple[int, ...],
    *,
    centered: bool,
) -> NormFound | None:
    """The norm over these axes whose values are those that are computed, if there is one."""
    x: Real = np.random.default_rng(0).normal(0.5, 1.0, shape)
    dev, power = _deviations(x, axes, centered=centered)
    shift, small, large = computed(np.zeros(shape)), computed(_SMALL * x), computed(x)
    if shift is None or small is None or large is None:
        return None
    # The ratio of a small y to a large one is that of their roots, times that of their samples.
    ratio = np.square((large - shift) / (small - shift))
    epsilon = _SMALL**2 * power * (1 - ratio) / (ratio * _SMALL**2 - 1)
    epsilon = float(np.median(epsilon[np.isfinite(epsilon)])) if np.isfinite(ratio).any() else 0.0
    if not epsilon > 0:
        return None
    scale = (large - shift) * np.sqrt(power + epsilon) / dev
    # What is found by computing is off in its last digits; files hold binary32.
    scale, shift = (part.astype(np.float32).astype(np.float64) for part in (scale, shift))
    norm = NormFound(axes, centered, float(np.float32(epsilon)), scale, shift)
    is_same = all(_agrees(computed, norm, seed, size) for seed, size in enumerate(_SIZES, 1))
    return norm if is_same else None


def _agrees(
    computed: Callable[[Real], Real | None], norm: NormFound, seed: int, size: float
) -> bool:
    """Tell whether a norm makes of other values what is computed."""
    x: Real = size * np.random.default_rng(seed).normal(0.5, 1.0, norm.scale.shape)
    y = computed(x)
    limit = _NEAR * (np.abs(norm.scale).max() + np.abs(norm.shift).max())
    return y is not None and bool((np.abs(y - norm.of(x)) <= limit).all())


def _deviations(x: Real, axes: tuple[int, ...], *, centered: bool) -> tuple[Real, Real]:
    """Deviations from the mean, or from zero, in the shape of x, and the mean of their squares."""
    dev = x - x.mean(axis=axes, keepdims=True) if centered else x
    return dev, np.square(dev).mean(axis=axes, keepdims=True)
