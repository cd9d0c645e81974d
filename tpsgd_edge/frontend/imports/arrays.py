"""Operators that move or compute numbers without weights, on plain arrays.

They work alike on what is constant in a file and on `Chain.order`, which says where each value of
the net lies in ours: to move the values is to move their places.
"""

import math
from collections.abc import Callable

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.frontend.imports import few_bits
from tpsgd_edge.frontend.imports.call import LARGEST_MAP, Call
from tpsgd_edge.frontend.imports.help import what_to_do
from tpsgd_edge.frontend.imports.quantized import cut_off, dequantized, quantized

_INT64 = 7
_TYPE_NAMES = {"FLOAT": 1, "INT32": 6, "INT64": 7, "FLOAT16": 10, "DOUBLE": 11}
# From this version on shapes are spread without being asked.
_BROADCASTS = 7


def moved(array: Array, call: Call) -> Array | None:
    """Apply an operator that only moves values to `array`, of any shape; None for others."""
    move = _MOVES.get(call.node.op)
    return None if move is None or call.node.domain not in ("", "ai.onnx") else move(array, call)


def computed(call: Call) -> Array | None:
    """Compute an operator with constant inputs, of any shape; None if the operator is not known."""
    node = call.node
    if node.domain == few_bits.DOMAIN and node.op in few_bits.OPERATORS:
        return few_bits.quant_of_constants(call)
    if node.domain not in ("", "ai.onnx"):
        return None
    if node.op in _COMPUTES:
        return _COMPUTES[node.op](call)
    if node.op in _MOVES:
        return _MOVES[node.op](call.array(0, "input"), call)
    return None


def shape_of(shape: tuple[int, ...], call: Call) -> Array:
    """Output of Shape, for all axes or for some."""
    start, end = call.integer("start", 0), call.integer("end", len(shape))
    return np.array(shape, np.int64)[start:end]


def _same(array: Array, call: Call) -> Array:
    return array


def _transpose(array: Array, call: Call) -> Array:
    axes = call.integers("perm", tuple(reversed(range(array.ndim))))
    if sorted(axes) != list(range(array.ndim)):
        raise call.error(
            "Transpose has no order of the axes", found=f"perm = {list(axes)} for {array.shape}"
        )
    return array.transpose(axes)


def _reshape(array: Array, call: Call) -> Array:
    asked = call.integers("shape", ())
    if call.has(1):
        asked = call.whole(call.array(1, "shape"), "shape")
    if call.integer("allowzero", 0) == 0:
        asked = tuple(
            array.shape[i] if n == 0 and i < array.ndim else n for i, n in enumerate(asked)
        )
    # A net for several samples at once names their number here; we read it for one.
    if asked[:1] == (call.batch,) and array.shape[:1] == (1,):
        asked = (1, *asked[1:])
    known = math.prod(n for n in asked if n != -1)
    if asked.count(-1) == 1 and known > 0 and array.size % known == 0:
        asked = tuple(array.size // known if n == -1 else n for n in asked)
    fits = math.prod(asked) == array.size and all(0 <= n <= max(array.size, 1) for n in asked)
    if not fits or len(asked) > 8:
        raise call.error(
            f"{call.node.op} does not fit",
            found=f"a shape of {list(asked)} for {array.shape}",
            help="export the net for one sample at a time: a batch of 1, or of open size",
        )
    return array.reshape(asked)


def _flatten(array: Array, call: Call) -> Array:
    axis = call.integer("axis", 1)
    if not -array.ndim <= axis <= array.ndim:
        raise call.error("Flatten has no such axis", found=f"axis = {axis} for {array.shape}")
    axis = axis + array.ndim if axis < 0 else axis
    return array.reshape(math.prod(array.shape[:axis]), -1)


def _axes(call: Call, ndim: int) -> tuple[int, ...] | None:
    axes = call.integers("axes", ())
    if call.has(1):
        axes = call.whole(call.array(1, "axes"), "axes")
    elif "axes" not in call.node.attributes:
        return None
    if not all(-ndim <= axis < ndim for axis in axes) or len({a % ndim for a in axes}) < len(axes):
        raise call.error(f"{call.node.op} has no such axes", found=f"{list(axes)}")
    return tuple(sorted(axis % ndim for axis in axes))


def _squeeze(array: Array, call: Call) -> Array:
    axes = _axes(call, array.ndim)
    if axes is None:
        return array.squeeze()
    if any(array.shape[axis] != 1 for axis in axes):
        raise call.error(
            "Squeeze meets an axis that is not 1 long", found=f"{list(axes)} of {array.shape}"
        )
    return array.squeeze(axes)


def _unsqueeze(array: Array, call: Call) -> Array:
    count = len(call.integers("axes", ()))
    if call.has(1):
        count = call.array(1, "axes").size
    if array.ndim + count > 8:
        raise call.error("Unsqueeze makes too many axes", found=f"{array.ndim + count}")
    return np.expand_dims(array, _axes(call, array.ndim + count) or ())


def _gather(array: Array, call: Call) -> Array:
    index, axis = call.array(1, "indices"), call.integer("axis", 0)
    length = array.shape[axis] if -array.ndim <= axis < array.ndim else 0
    if index.dtype.kind not in "iu" or index.size * (array.size // max(length, 1)) > LARGEST_MAP:
        raise call.error("Gather has odd indices", found=f"{index.dtype} {index.shape}")
    if length == 0 or (index.size and not (-length <= index.min() and index.max() < length)):
        raise call.error(
            "Gather reaches outside of its input", found=f"axis {axis} of {array.shape}"
        )
    return np.take(array, index, axis)


def _slice(array: Array, call: Call) -> Array:
    starts, ends = call.integers("starts", ()), call.integers("ends", ())
    axes = call.integers("axes", tuple(range(len(starts))))
    steps: tuple[int, ...] = ()
    if call.has(1):
        starts = call.whole(call.array(1, "starts"), "starts")
        ends = call.whole(call.array(2, "ends"), "ends")
        axes = tuple(range(len(starts)))
        axes = call.whole(call.array(3, "axes"), "axes") if call.has(3) else axes
        steps = call.whole(call.array(4, "steps"), "steps") if call.has(4) else ()
    steps = steps or (1,) * len(starts)
    cuts = [slice(None)] * array.ndim
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise call.error("Slice has starts, ends and axes of different lengths")
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if not -array.ndim <= axis < array.ndim:
            raise call.error("Slice has no such axis", found=f"axis {axis} of {array.shape}")
        # Behind the first value in steps to the left: Python says None.
        before_all = step < 0 and end < -array.shape[axis]
        cuts[axis] = slice(start, None if before_all else end, step)
    return array[tuple(cuts)]


_MOVES: dict[str, Callable[[Array, Call], Array]] = {
    "Identity": _same,
    "Dropout": _same,
    "Transpose": _transpose,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Gather": _gather,
    "Slice": _slice,
}


def _constant(call: Call) -> Array:
    attributes = call.node.attributes
    for name in ("value", "sparse_value"):
        if isinstance(attributes.get(name), np.ndarray):
            return np.asarray(attributes[name])
    for name, kind in (("value_float", np.float32), ("value_int", np.int64)):
        for key in (name, f"{name}s"):
            if isinstance(attributes.get(key), int | float | tuple):
                return np.array(attributes[key], kind)
    raise call.error("a constant is of a kind that cannot be read")


def cast_type(call: Call) -> int:
    """ONNX's number of the type that Cast makes; up to opset 5 it was written as text."""
    to = call.node.attributes.get("to", 0)
    return _TYPE_NAMES.get(to, 0) if isinstance(to, str) else call.integer("to", 0)


def aligned(call: Call, constant: Array, ndim: int) -> Array:
    """Align the second input of Add and the like; up to opset 6 `axis` says where its axes lie.

    The result has a shape that broadcasts against values of `ndim` axes.

    Raises:
        DataError: the axes do not fit.
    """
    call.integer("broadcast", 1)
    axis = call.integer("axis", -constant.ndim)
    axis += ndim if axis < 0 else 0
    if constant.size == 1 or axis == ndim - constant.ndim or constant.ndim > ndim:
        return constant
    behind = ndim - axis - constant.ndim
    if call.opset >= _BROADCASTS or not 0 <= behind <= ndim:
        raise call.error(
            f"{call.node.op} has constants that do not fit",
            found=f"axis = {axis}, shape {constant.shape} for values of {ndim} axes",
        )
    return constant.reshape(*constant.shape, *(1,) * behind)


def _cast(call: Call) -> Array:
    array, to = call.array(0, "input"), cast_type(call)
    if array.dtype.kind not in "biuf":
        raise call.error("Cast meets what is no number")
    if to == _INT64 or to == _INT64 - 1:
        with np.errstate(invalid="ignore"):
            return array.astype(np.int64)
    if to not in (1, 10, 11):
        return array
    with np.errstate(invalid="ignore"):
        return array.astype(np.float64)


def _concat(call: Call) -> Array:
    parts = [call.array(i, "input") for i in range(len(call.node.inputs))]
    _bounded(call, (sum(part.size for part in parts),))
    try:
        return np.concatenate(parts, call.integer("axis", 0))
    except ValueError as error:
        raise call.error("Concat has parts that do not fit", found=str(error)[:100]) from None


def _expand(call: Call) -> Array:
    array, shape = call.array(0, "input"), call.whole(call.array(1, "shape"), "shape")
    try:
        both = np.broadcast_shapes(array.shape, _bounded(call, shape))
    except ValueError as error:
        raise call.error("Expand does not fit", found=str(error)[:100]) from None
    return np.broadcast_to(array, _bounded(call, both))


def _constant_of_shape(call: Call) -> Array:
    value = np.asarray(call.node.attributes.get("value", np.zeros(1, np.float32)))
    shape = _bounded(call, call.whole(call.array(0, "shape"), "shape"))
    if value.size != 1 or value.dtype.kind not in "biuf":
        raise call.error("ConstantOfShape has no single value", found=f"shape {value.shape}")
    return np.broadcast_to(value.reshape(()), shape)


def _bounded(call: Call, shape: tuple[int, ...]) -> tuple[int, ...]:
    # Beside a length of 0 the others could be anything.
    product = math.prod(max(length, 1) for length in shape)
    if len(shape) > 8 or min(shape, default=0) < 0 or product > LARGEST_MAP:
        raise call.error(f"{call.node.op} makes an absurd shape", found=f"{list(shape[:8])}")
    return shape


def _arithmetic(call: Call) -> Array:
    """Sums of lengths and the like, before a Reshape."""
    a, b = call.array(0, "input"), call.array(1, "input")
    b = aligned(call, b, max(a.ndim, b.ndim))
    small = max(a.size, b.size) <= 64 and a.dtype.kind in "iuf" and b.dtype.kind in "iuf"
    if not small or (call.node.op == "Div" and (b == 0).any()):
        raise call.error(
            f"{call.node.op} of constants is not computed here",
            help=what_to_do(call.node.op, constants=True),
        )
    whole = a.dtype.kind in "iu" and b.dtype.kind in "iu"
    operation = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}.get(call.node.op)
    if operation is None:
        operation = np.floor_divide if whole else np.divide
    try:
        with np.errstate(all="ignore"):
            return np.asarray(operation(a, b))
    except ValueError as error:
        raise call.error(f"{call.node.op} does not fit", found=str(error)[:100]) from None


def _product(call: Call) -> Array:
    """The product of lengths, before a Reshape."""
    array = call.array(0, "input")
    call.integers("axes", ())
    keeps = call.integer("keepdims", 1)
    if array.ndim > 1 or array.size > 8 or array.dtype.kind not in "iu":
        raise call.error("ReduceProd of other constants than lengths is not computed here")
    product = np.array(math.prod(array.ravel().tolist()) % (1 << 63), np.int64)
    return product.reshape((1,) * array.ndim) if keeps else product


_COMPUTES: dict[str, Callable[[Call], Array]] = {
    "Constant": _constant,
    "Cast": _cast,
    "Concat": _concat,
    "Expand": _expand,
    "Shape": lambda call: shape_of(call.array(0, "input").shape, call),
    "ReduceProd": _product,
    "ConstantOfShape": _constant_of_shape,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _arithmetic),
    "QuantizeLinear": quantized,
    "DequantizeLinear": dequantized,
    "Clip": cut_off,
}
