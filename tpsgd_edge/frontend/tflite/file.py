"""TensorFlow Lite files, read without trust: what operators and tensors they hold."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError, visible
from tpsgd_edge.frontend.samples import read_bytes
from tpsgd_edge.frontend.tflite.flatbuffer import Table, root
from tpsgd_edge.frontend.tflite.schema import (
    BYTES,
    CUSTOM,
    INT4,
    MARK,
    ONE_BY_DEFAULT,
    OPERATORS,
    OPTIONS,
    REALS,
    TYPES,
    WIDE,
)

_LARGEST_FILE = 1 << 28
_LARGEST_TENSOR = 1 << 26
_MOST_OPERATORS = 4096
_MOST_TENSORS = 1 << 14
_MOST_AXES = 8
_MOST_ENDS = 256
_WHOLE_TYPES = {3: (0, 255), 7: (-(1 << 15), (1 << 15) - 1), 9: (-128, 127), INT4: (-8, 7)}


@dataclass(frozen=True, slots=True)
class Steps:
    """The meaning of whole numbers q: scale * (q - zero), along an axis if there are several.

    Attributes:
        scale: (1,) or (n,).
        zero: of the same shape.
    """

    scale: Array
    zero: Array
    axis: int


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as the file describes it; `content` are its bytes, none where the net computes it.

    Lengths that the file leaves open are None in `lengths`.
    """

    name: str
    type: int
    shape: tuple[int, ...]
    lengths: tuple[int | None, ...]
    content: memoryview
    steps: Steps | None
    is_odd: bool = False

    @property
    def is_constant(self) -> bool:
        """Tell whether the file holds the numbers."""
        return len(self.content) > 0

    @property
    def limits(self) -> tuple[int, int] | None:
        """The smallest and the largest whole number of its type, if it has a scale."""
        return None if self.steps is None else _WHOLE_TYPES.get(self.type)


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator: tensors by their places, -1 for one that is left out; options by name."""

    op: str
    index: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, int | float | tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class TfliteFile:
    """The first net of a file."""

    file: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def tensor(self, index: int) -> Tensor:
        """Return a tensor, of any shape, by its place; DataError where the file has none there."""
        if not 0 <= index < len(self.tensors):
            raise DataError(
                f"'{self.file}' names a tensor that it does not have",
                where=self.file,
                found=f"tensor {index:,} of {len(self.tensors):,}",
                help="write it again, or fetch it again",
            )
        return self.tensors[index]


def read_tflite_file(path: Path) -> TfliteFile:
    """The net in a file.

    Raises:
        DataError: missing, truncated, no TensorFlow Lite at all, or of absurd size.
    """
    if not path.exists():
        raise DataError(
            f"there is no model '{path.name}'",
            where=f"[model], source, {path}",
            help="paths start at the folder of the spec",
        )
    return tflite_from_bytes(read_bytes(path, limit=_LARGEST_FILE), path.name)


def tflite_from_bytes(raw: bytes, file: str) -> TfliteFile:
    """Read the net in the bytes of a file.

    Raises:
        DataError: the bytes are no TensorFlow Lite file, or one that is not readable here.
    """
    if raw[4:8] != MARK:
        raise DataError(
            f"'{file}' is no TensorFlow Lite file",
            where=file,
            found=f"{len(raw):,} bytes, without the mark {MARK.decode()} behind the first four",
            help="fetch the file itself: git lfs pull"
            if raw.startswith(b"version https://git-lfs")
            else "write it again with a converter to TensorFlow Lite",
        )
    model = root(raw, file)
    graphs = model.tables(2, "nets", 256)
    if not graphs:
        raise DataError(f"'{file}' holds no net", where=file, found="0 subgraphs")
    net = graphs[0]
    buffers = model.tables(4, "buffers", _MOST_TENSORS)
    codes = [_name(code) for code in model.tables(1, "kinds of operators", _MOST_OPERATORS)]
    tensors = net.tables(0, "tensors", _MOST_TENSORS)
    return TfliteFile(
        file=file,
        tensors=tuple(_tensor(table, buffers, number) for number, table in enumerate(tensors)),
        operators=tuple(
            _operator(table, codes, number)
            for number, table in enumerate(net.tables(3, "operators", _MOST_OPERATORS))
        ),
        inputs=_places(net, 1),
        outputs=_places(net, 2),
    )


def _name(code: Table) -> str:
    """The name of a kind of operator; of one that is none of TensorFlow Lite's, its own."""
    # Old files have the number in one byte alone.
    number = max(code.number(0, "b"), code.number(3, "i"))
    if number == CUSTOM:
        return f"CUSTOM {visible(code.text(1, 60))}"
    if 0 <= number < len(OPERATORS) and number != WIDE:
        return OPERATORS[number]
    return f"number {number}"


def _operator(table: Table, codes: list[str], number: int) -> Operator:
    code = table.number(0, "I")
    if code >= len(codes):
        raise DataError(
            f"'{table.file}' has an operator of a kind that it does not name",
            where=f"{table.file}, operator {number}",
            found=f"kind {code:,} of {len(codes):,}",
        )
    op = codes[code]
    return Operator(op, number, _places(table, 1), _places(table, 2), _options(table, op))


def _options(table: Table, op: str) -> dict[str, int | float | tuple[int, ...]]:
    kind, names = OPTIONS.get(op, (0, ()))
    held = table.table(4) if table.number(3, "B") == kind else None
    made: dict[str, int | float | tuple[int, ...]] = {}
    for field, name in enumerate(names):
        if name in ("new_shape", "squeeze_dims"):
            made[name] = _lengths(held, field)
        elif name in REALS:
            made[name] = 0.0 if held is None else held.real(field, 0.0)
        else:
            kind_of = "b" if name in BYTES else "i"
            default = int(name in ONE_BY_DEFAULT)
            made[name] = default if held is None else held.number(field, kind_of, default)
    return made


def _lengths(table: Table | None, field: int) -> tuple[int, ...]:
    array = None if table is None else table.numbers(field, "<i4", "axes of a tensor", _MOST_AXES)
    return () if array is None else tuple(array.tolist())


def _places(table: Table, field: int) -> tuple[int, ...]:
    array = table.numbers(field, "<i4", "inputs or outputs of an operator", _MOST_ENDS)
    return () if array is None else tuple(array.tolist())


def _tensor(table: Table, buffers: tuple[Table, ...], number: int) -> Tensor:
    shape, signature = _lengths(table, 0), _lengths(table, 7)
    lengths = signature if len(signature) == len(shape) else shape
    index = table.number(2, "I")
    if index and index >= len(buffers):
        raise DataError(
            f"'{table.file}' has a tensor without its numbers",
            where=f"{table.file}, tensor {number}",
            found=f"buffer {index:,} of {len(buffers):,}",
        )
    return Tensor(
        name=visible(table.text(3, 400)),
        type=table.number(1, "b"),
        shape=shape,
        lengths=tuple(None if n < 0 else n for n in lengths),
        content=_content(buffers[index]) if index else memoryview(b""),
        steps=_steps(table.table(4)),
        is_odd=table.number(5, "b") != 0 or table.table(6) is not None,
    )


def _content(buffer: Table) -> memoryview:
    """The bytes of a buffer, which in large files lie behind the tables."""
    start, size = buffer.number(1, "Q"), buffer.number(2, "Q")
    if start <= 1:
        return buffer.content(0)
    if start + size > len(buffer.raw):
        raise DataError(
            f"'{buffer.file}' is cut short",
            where=buffer.file,
            found=f"{size:,} bytes at {start:,} of {len(buffer.raw):,}",
        )
    return memoryview(buffer.raw)[start : start + size]


def _steps(table: Table | None) -> Steps | None:
    scale = None if table is None else table.numbers(2, "<f4", "scales", _MOST_TENSORS)
    if table is None or scale is None or scale.size == 0:
        return None
    if not np.isfinite(scale).all():
        raise DataError(
            f"'{table.file}' has a scale that is no number",
            where=table.file,
            found=f"{float(scale[~np.isfinite(scale)][0])}",
            help="convert the net again: a scale is what a step of an integer stands for",
        )
    zero = table.numbers(3, "<i8", "zero points", _MOST_TENSORS)
    zero = np.zeros(1, np.int64) if zero is None or zero.size == 0 else zero
    return Steps(scale.astype(np.float64), zero, table.number(6, "i"))


def constant(net: TfliteFile, index: int) -> Array:
    """The numbers of a tensor in its shape: real ones where it has a scale.

    Raises:
        DataError: its bytes do not fit its shape, or are of a type or a form that is not read.
    """
    tensor, where = net.tensor(index), _where(net, index)
    array = _whole(tensor, where)
    steps = tensor.steps
    if steps is None or tensor.limits is None:
        return array
    scale, zero = (_along(values, steps.axis, array, where) for values in (steps.scale, steps.zero))
    return np.asarray((array.astype(np.float64) - zero) * scale)


def _whole(tensor: Tensor, where: str) -> Array:
    """The numbers as they are in the file."""
    count = math.prod(tensor.shape)
    kind = TYPES.get(tensor.type, "")
    if not kind and tensor.type != INT4:
        raise DataError(
            "a tensor is of a type that cannot be read",
            where=where,
            found=f"element type {tensor.type} of TensorFlow Lite",
            help="weights are of 32, 16, 8 or 4 bits",
        )
    if tensor.is_odd or min(tensor.shape, default=0) < 0 or count > _LARGEST_TENSOR:
        raise DataError(
            "a tensor is of a form that cannot be read",
            where=where,
            found=f"sparse, or a variable, or an absurd shape: {list(tensor.shape)}",
            help="convert the net without pruning to sparse tensors",
        )
    held = count * np.dtype(kind).itemsize if kind else (count + 1) // 2
    if len(tensor.content) != held:
        raise DataError(
            "a tensor is cut short, or longer than its shape",
            where=where,
            found=f"{len(tensor.content):,} bytes for a shape of {list(tensor.shape)}",
        )
    if kind:
        return np.frombuffer(tensor.content, kind).reshape(tensor.shape)
    pairs = np.frombuffer(tensor.content, np.int8)
    # The lower half of a byte comes first; a shift left and back makes its sign.
    halves = np.stack([(pairs << 4).astype(np.int8) >> 4, pairs >> 4], axis=1)
    return np.asarray(halves.ravel()[:count].reshape(tensor.shape))


def _along(values: Array, axis: int, array: Array, where: str) -> Array:
    """One value for all numbers of an array, or one for each index of an axis."""
    if values.size == 1:
        return values.reshape(())
    if not 0 <= axis < array.ndim or array.shape[axis] != values.size:
        raise DataError(
            "a tensor has scales or zero points that do not fit",
            where=where,
            found=f"{values.size} of them, axis {axis} of {array.shape}",
        )
    shape = [1] * array.ndim
    shape[axis] = values.size
    return values.reshape(shape)


def _where(net: TfliteFile, index: int) -> str:
    return f"{net.file}, tensor '{net.tensor(index).name[:60]}'"
