"""Large constants: stored initial weights and projections, loss tables, self-test samples."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen.c import C_TYPES, c_float, c_rows
from tpsgd_edge.codegen.kernel_names import is_packed
from tpsgd_edge.quantize.model import (
    DTYPES,
    Projection,
    QuantizedModel,
    QuantizedWeighted,
    StoredInit,
)


@dataclass(frozen=True, slots=True)
class ArrayView:
    """One constant array.

    Attributes:
        note: a comment behind its declaration; may be empty.
        content: its bytes as the device holds them.
        is_for_training: whether only training reads it.
        is_apart: whether it may lie where an AVR does not keep weights: only loops written for it
            read it.
    """

    name: str
    c_type: str
    shape: tuple[int, ...]
    note: str
    lines: tuple[str, ...]
    content: bytes
    is_for_training: bool = False
    is_apart: bool = False


def model_arrays(model: QuantizedModel) -> tuple[ArrayView, ...]:
    """All constants that lie in flash beside the layers' structs, but for the self-test's."""
    units = model.weighted
    # The loss of a layer may belong to a unit without weights.
    taught = [unit for unit in model.with_loss if not any(unit is other for other in units)]
    arrays = (array for unit in (*units, *taught) for array in _unit_arrays(unit))
    if not model.carrying:
        return tuple(arrays)
    # Read-outs are part of the answer: nothing of them is for training alone.
    return tuple(replace(array, is_for_training=False) for array in arrays)


def selftest_arrays(
    model: QuantizedModel, samples: NDArray[np.generic], labels: NDArray[np.generic]
) -> tuple[ArrayView, ArrayView]:
    """Arrays of the self-test's samples (n, n_in) and labels (n, ...)."""
    label_type = "u16" if model.labels.kind == "class" else model.output_type
    return (
        replace(
            constant_array(f"{model.name}_selftest_x", model.value_type, samples), is_apart=True
        ),
        replace(constant_array(f"{model.name}_selftest_labels", label_type, labels), is_apart=True),
    )


def _unit_arrays(layer: QuantizedWeighted) -> Iterator[ArrayView]:
    if isinstance(layer.init, StoredInit):
        w, b = layer.init.w.ravel(), layer.init.b
        first = "first_" if layer.trains else ""
        if is_packed(layer):
            rows = pack_rows(layer.init.w).ravel()
            packed = constant_array(f"tps_{layer.name}_w", "u8", rows, "two rows in [n_in]")
            yield replace(packed, is_apart=True)
        else:
            weights = constant_array(
                f"tps_{layer.name}_{first}w", layer.weight_type, w, "[n_out][n_in]"
            )
            # Kernels read those that do not train by the same pointers as weights in RAM.
            yield replace(weights, is_apart=layer.trains)
        biases = constant_array(f"tps_{layer.name}_{first}b", layer.bias_type, b)
        yield replace(biases, is_apart=layer.trains)
    if not layer.trains:
        return
    if layer.projection is not None and layer.projection.storage != "seed":
        yield _projection_array(layer.name, layer.projection)
    if layer.loss.table is not None:
        loss_type = "f32" if layer.weight_type == "f32" else "s16"
        yield _for_training(
            constant_array(f"tps_{layer.name}_loss_table", loss_type, layer.loss.table.values)
        )


def _projection_array(layer: str, projection: Projection) -> ArrayView:
    name = f"tps_{layer}_projection"
    if projection.storage == "s8":
        values = projection.values.ravel()
        return _for_training(constant_array(name, "s8", values, "P"))
    if projection.learns:
        first = constant_array(f"tps_{layer}_first_p", "s8", projection.values.ravel(), "P")
        return replace(first, is_apart=True)
    packed = pack_entries(projection.values)
    lines = tuple(c_rows((f"0x{byte:02X}" for byte in packed.ravel()), 16))
    array = ArrayView(name, "uint8_t", (packed.size,), "P", lines, packed.tobytes())
    return _for_training(array)


def _for_training(array: ArrayView) -> ArrayView:
    return replace(array, is_for_training=True, is_apart=True)


def pack_entries(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Pack entries (rows, K) of -1, 0 and 1 in 2 bits each; rows of bytes (docs/ARITHMETIC.md, 9).

    >>> pack_entries(np.array([[1, -1, 0, 1, 1]], np.int8))
    array([[77,  1]], dtype=uint8)
    """
    n_out, n_labels = values.shape
    padded = np.zeros((n_out, -(-n_labels // 4) * 4), np.uint8)
    padded[:, :n_labels] = values.view(np.uint8) & 3
    quads = padded.reshape(n_out, -1, 4) << np.array([0, 2, 4, 6], np.uint8)
    return np.asarray(np.bitwise_or.reduce(quads, axis=2), np.uint8)


def pack_rows(w: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Pack weights (n_out, n_in) of 4 bits: bytes of two rows (docs/ARITHMETIC.md, 31).

    >>> pack_rows(np.array([[1, -8], [7, -1], [2, 3]], np.int8))
    array([[249, 112],
           [ 10,  11]], dtype=uint8)
    """
    bits = (w.astype(np.int8) + np.int8(8)).view(np.uint8)
    even = np.concatenate([bits, np.zeros((len(bits) % 2, bits.shape[1]), np.uint8)])
    return np.asarray(even[::2] | even[1::2] << np.uint8(4), np.uint8)


def constant_array(name: str, type_: str, values: NDArray[np.generic], note: str = "") -> ArrayView:
    """An array of numbers of a type, in the shape of `values`."""
    content = values.astype(DTYPES[type_].newbyteorder("<")).tobytes()
    return ArrayView(name, C_TYPES[type_], values.shape, note, tuple(_lines(values)), content)


def _lines(values: NDArray[np.generic]) -> Iterator[str]:
    if values.ndim > 1:
        for row in values:
            yield "{"
            yield from ("    " + line for line in _lines(row))
            yield "},"
        return
    if values.dtype.kind == "f":
        yield from c_rows((c_float(float(v)) for v in values), 8)
    else:
        yield from c_rows(values.tolist(), 16)
