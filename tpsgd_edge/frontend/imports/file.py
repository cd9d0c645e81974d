"""ONNX files, read without trust: sizes are bounded, nothing outside the model's folder is opened.

Protobuf runs no code and the tensors are plain numbers; there is no pickle anywhere.
"""

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError, ToolError, how_to_install
from tpsgd_edge.frontend.imports.call import Attributes, Node
from tpsgd_edge.frontend.samples import read_bytes

_LARGEST_FILE = 1 << 28
_LARGEST_TENSOR = 1 << 26
_MOST_NODES = 4096
_MOST_TENSORS = 1 << 14
_MOST_AXES = 8

# Of each element type of ONNX: how its raw bytes read, the field that holds it otherwise, and the
# type of the entries there.
_TYPES = {
    1: ("<f4", "float_data", "<f4"),
    2: ("<u1", "int32_data", "<u1"),
    3: ("<i1", "int32_data", "<i1"),
    4: ("<u2", "int32_data", "<u2"),
    5: ("<i2", "int32_data", "<i2"),
    6: ("<i4", "int32_data", "<i4"),
    7: ("<i8", "int64_data", "<i8"),
    9: ("|b1", "int32_data", "|b1"),
    10: ("<f2", "int32_data", "<u2"),
    11: ("<f8", "double_data", "<f8"),
}
_ATTRIBUTE_FIELDS = {
    1: "f",
    2: "i",
    3: "s",
    4: "t",
    6: "floats",
    7: "ints",
    8: "strings",
    11: "sparse_tensor",
}


@dataclass(frozen=True, slots=True)
class HeldTensor:
    """A tensor as the file keeps it, or its numbers; `tensor_array` reads it."""

    proto: Any

    @property
    def size(self) -> int:
        """Count of the numbers that it says it holds."""
        held = self.proto
        return held.size if isinstance(held, np.ndarray) else math.prod(held.dims)


@dataclass(frozen=True, slots=True)
class OnnxNet:
    """The parts of an ONNX graph that matter here.

    Lengths of the input that the file leaves open are None; `input_type` is ONNX's number of the
    type of its elements. `opset` is the version of ONNX's own operators. `in_integers` tells
    whether constants were whole numbers with a scale.
    """

    file: str
    folder: Path | None
    nodes: tuple[Node, ...]
    tensors: Mapping[str, HeldTensor]
    input_name: str
    input_shape: tuple[int | None, ...]
    outputs: tuple[str, ...]
    input_type: int = 1
    opset: int = 17
    metadata: Mapping[str, str] = field(default_factory=dict)
    in_integers: bool = False


def read_onnx_file(path: Path) -> OnnxNet:
    """The net in a file.

    Raises:
        DataError: missing, truncated, no ONNX at all, or of absurd size.
        ToolError: the package onnx is not installed.
    """
    if not path.exists():
        raise DataError(
            f"there is no model '{path.name}'",
            where=f"[model], source, {path}",
            help="paths start at the folder of the spec",
        )
    return onnx_from_bytes(read_bytes(path, limit=_LARGEST_FILE), path.name, path.parent)


def onnx_from_bytes(raw: bytes, file: str, folder: Path | None = None) -> OnnxNet:
    """Read the net in the bytes of a file; external data may lie in `folder`.

    Raises:
        DataError: the bytes are no ONNX file, or one that is not readable here.
        ToolError: the package onnx is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise ToolError(
            "reading ONNX files needs the package onnx",
            help=how_to_install("onnx"),
        ) from None
    if not raw:
        raise DataError(
            f"the file '{file}' is empty",
            where=file,
            found="0 bytes",
            help="write it again, or fetch it again",
        )
    if raw.startswith(b"version https://git-lfs"):
        raise DataError(
            f"'{file}' only says where Git LFS keeps the model",
            where=file,
            found=f"{len(raw):,} bytes of text",
            help="fetch the file itself: git lfs pull",
        )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(raw)
        return _net(model, file, folder)
    # Text that is not UTF-8 shows only when it is read.
    except (DecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"'{file}' is not a complete ONNX file",
            where=file,
            found=str(error)[:200] or f"{len(raw):,} bytes",
            help="write it again; onnx.checker.check_model says whether it is good",
        ) from None


def _net(model: Any, file: str, folder: Path | None) -> OnnxNet:
    graph = model.graph
    for what, count, most in (
        ("nodes", len(graph.node), _MOST_NODES),
        ("tensors", len(graph.initializer) + len(graph.sparse_initializer), _MOST_TENSORS),
    ):
        if count > most:
            raise DataError(
                f"'{file}' has too many {what}",
                where=file,
                found=f"{count:,}; {most:,} are allowed",
            )
    tensors = {_text(tensor.name): HeldTensor(tensor) for tensor in graph.initializer}
    sparse = {_text(held.values.name): HeldTensor(held) for held in graph.sparse_initializer}
    tensors = {**tensors, **sparse}
    inputs = [value for value in graph.input if _text(value.name) not in tensors]
    if not graph.node or len(inputs) != 1 or not graph.output:
        names = ", ".join(repr(_text(value.name)[:40]) for value in inputs[:4])
        raise DataError(
            f"'{file}' is not a net with one input and one output",
            where=file,
            found=f"{len(graph.node)} nodes, {len(inputs)} inputs {names}, "
            f"{len(graph.output)} outputs",
            help="export the part of the net that goes from the samples to the predictions",
        )
    return OnnxNet(
        file=file,
        folder=folder,
        nodes=tuple(_node(node) for node in graph.node),
        tensors=tensors,
        input_name=_text(inputs[0].name),
        input_shape=_lengths(inputs[0], file),
        outputs=tuple(_text(value.name) for value in graph.output),
        input_type=inputs[0].type.tensor_type.elem_type,
        opset=max([1, *(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))]),
        metadata={_text(entry.key): _text(entry.value) for entry in model.metadata_props},
    )


def _lengths(value: Any, file: str) -> tuple[int | None, ...]:
    kind = value.type.tensor_type
    if not kind.HasField("shape") or len(kind.shape.dim) > _MOST_AXES:
        raise DataError(
            f"'{file}' does not say what shape its samples have",
            where=f"{file}, input '{_text(value.name)[:60]}'",
            help="export it with an example input",
        )
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim)


def _node(node: Any) -> Node:
    return Node(
        _text(node.op_type),
        _text(node.domain),
        _text(node.name),
        tuple(_text(name) for name in node.input),
        tuple(_text(name) for name in node.output),
        Attributes({_text(attribute.name): _attribute(attribute) for attribute in node.attribute}),
    )


def _attribute(attribute: Any) -> Any:
    """An attribute's value; None where it is a graph or of another kind that no layer has."""
    field = _ATTRIBUTE_FIELDS.get(attribute.type)
    value: Any = getattr(attribute, field) if field else None
    if field in ("floats", "ints"):
        return tuple(value)
    if field == "s":
        return _text(value)
    if field == "strings":
        return tuple(_text(entry) for entry in value)
    return HeldTensor(value) if field in ("t", "sparse_tensor") else value


def _text(value: str | bytes) -> str:
    """Text; protobuf leaves what is not UTF-8 as bytes, whatever the field is."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def tensor_array(net: OnnxNet, held: HeldTensor) -> Array:
    """Read the numbers of a tensor in its shape, wherever the file keeps them.

    Raises:
        DataError: too large, of another length or type than said, or outside the model's folder.
    """
    tensor = held.proto
    if isinstance(tensor, np.ndarray):
        return tensor
    if hasattr(tensor, "indices"):
        return _spread(net, tensor)
    where = f"{net.file}, tensor '{_text(tensor.name)[:60]}'"
    shape = _checked_shape(tuple(tensor.dims), where)
    count = math.prod(shape)
    if tensor.data_type not in _TYPES:
        raise DataError(
            "a tensor is of a type that cannot be read",
            where=where,
            found=f"element type {tensor.data_type} of ONNX",
            help="weights are float, double or float16",
        )
    raw_type, field, entry_type = _TYPES[tensor.data_type]
    size = np.dtype(raw_type).itemsize
    # EXTERNAL of TensorProto.DataLocation.
    is_external = tensor.data_location == 1
    raw = _external(net, tensor, count * size, where) if is_external else tensor.raw_data
    given = len(raw) / size if raw else len(getattr(tensor, field))
    if given != count:
        raise DataError(
            "a tensor is cut short, or longer than its shape",
            where=where,
            found=f"{given:g} values for a shape of {list(shape)}",
        )
    if raw:
        array: Array = np.frombuffer(raw, raw_type)
    else:
        wide = np.float64 if field in ("float_data", "double_data") else np.int64
        # What the type cannot hold becomes infinite, and is refused as a weight.
        with np.errstate(over="ignore", invalid="ignore"):
            array = np.array(getattr(tensor, field), wide).astype(entry_type).view(raw_type)
    return array.reshape(shape)


def _checked_shape(shape: tuple[int, ...], where: str) -> tuple[int, ...]:
    # Beside a length of 0 the others could be anything.
    largest = max(math.prod(shape), *shape, 0)
    if len(shape) > _MOST_AXES or min(shape, default=0) < 0 or largest > _LARGEST_TENSOR:
        raise DataError(
            "a tensor has an absurd shape",
            where=where,
            found=f"{list(shape[:_MOST_AXES])}; {_LARGEST_TENSOR:,} values are allowed",
        )
    return shape


def _spread(net: OnnxNet, sparse: Any) -> Array:
    """The numbers of a sparse tensor, with zeros between them."""
    values, at = (tensor_array(net, HeldTensor(part)) for part in (sparse.values, sparse.indices))
    shape = _checked_shape(tuple(sparse.dims), f"{net.file}, tensor '{_text(sparse.values.name)}'")
    count = math.prod(shape)
    # Places are counted along the flat tensor, or along each of its axes.
    is_flat = at.ndim == 1
    fits = values.ndim == 1 and at.dtype == np.int64 and len(at) == len(values)
    if fits and not is_flat:
        fits = at.ndim == 2 and at.shape[1] == len(shape)
        lengths = np.array(shape, np.int64)
        if fits and ((at >= 0) & (at < lengths)).all():
            at = np.ravel_multi_index(tuple(at.T), shape)
        else:
            fits = False
    if not fits or (at.size and not (at.min() >= 0 and at.max() < count)):
        raise DataError(
            "a sparse tensor has places outside of its shape",
            where=f"{net.file}, tensor '{_text(sparse.values.name)[:60]}'",
            found=f"{len(values)} values, places of shape {at.shape}, shape {list(shape)}",
        )
    full = np.zeros(count, values.dtype)
    full[at] = values
    return full.reshape(shape)


def _external(net: OnnxNet, tensor: Any, size: int, where: str) -> bytes:
    """The bytes of a tensor in a file beside the model."""
    entries = {_text(entry.key): _text(entry.value) for entry in tensor.external_data}
    path = _inside(net.folder, entries.get("location", ""), where)
    try:
        offset = int(entries.get("offset") or 0)
        length = int(entries.get("length") or size)
        if offset < 0 or length != size:
            raise ValueError(f"{length:,} bytes at {offset:,}, expected {size:,}")
        with path.open("rb") as file:
            file.seek(offset)
            raw = file.read(size)
        if len(raw) != size:
            raise ValueError(f"{len(raw):,} of {size:,} bytes")
    except (OSError, ValueError, OverflowError) as error:
        raise DataError(
            "the data of a tensor cannot be read",
            where=f"{where}, in '{path.name[:60]}'",
            found=(getattr(error, "strerror", None) or str(error))[:200],
        ) from None
    return raw


def _inside(folder: Path | None, location: str, where: str) -> Path:
    """The file that a tensor names, refused unless it lies in the model's folder."""
    windows = PureWindowsPath(location)
    is_plain = bool(location) and "\0" not in location and ".." not in windows.parts
    if folder is not None and is_plain and not (PurePosixPath(location).root or windows.anchor):
        # Links are resolved; devices and pipes are no files; names can be too long, links loops.
        with suppress(OSError, RuntimeError, ValueError):
            path = (folder / location).resolve()
            if path.is_relative_to(folder.resolve()) and (path.is_file() or not path.exists()):
                return path
    raise DataError(
        "a tensor is kept outside the model's folder, which is never read",
        where=where,
        found=f"location = {location!r:.80}",
        help="save the model with its data inside: onnx.save(onnx.load(file), file)",
    )
