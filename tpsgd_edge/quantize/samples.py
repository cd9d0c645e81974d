"""Raw samples and labels in the model's own formats."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tpsgd_edge.errors import DataError
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, ValueType
from tpsgd_edge.quantize.raw import (
    RAW_DTYPES,
    Conversion,
    RealConversion,
    conversion,
    real_conversion,
)


def quantize_inputs(model: QuantizedModel, raw: ArrayLike) -> NDArray[np.generic]:
    """Samples as the device takes them.

    Args:
        raw: shape (n, n_in), in the units of the data set.

    Returns:
        Shape (n, n_in), dtype of `model.value_type`.

    Raises:
        DataError: a wrong number of inputs, NaN or infinity, or values that the raw type of the
            model does not hold.
    """
    values = np.asarray(raw)
    if values.ndim != 2 or values.shape[1] != model.n_inputs:
        raise DataError(
            "the samples do not fit the model",
            where="x",
            found=f"shape {values.shape}, expected (n, {model.n_inputs})",
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise DataError(
            "the samples hold NaN or infinity",
            where=f"x[{row}][{column}]",
            found=str(values[row, column]),
            help="drop or repair these samples first",
        )
    _check_raw_type(model, values)
    out = np.empty(values.shape, DTYPES[model.value_type])
    convert = input_conversion(model)
    # In blocks: a whole data set in 32 bits would take four times its size.
    for start in range(0, len(values), 4096):
        block = slice(start, start + 4096)
        out[block] = convert(values[block])
    return out


def _check_raw_type(model: QuantizedModel, values: NDArray[np.generic]) -> None:
    raw = RAW_DTYPES[model.inputs.raw]
    if raw.kind == "f" or values.dtype == raw or (values.astype(raw) == values).all():
        return
    raise DataError(
        f"the samples are not all of type {model.inputs.raw}",
        where="x",
        found=f"values from {values.min()} to {values.max()}, of type {values.dtype}",
        help="the raw samples of this model are whole numbers of this type (data.raw)",
    )


def quantize_labels(model: QuantizedModel, raw: ArrayLike) -> NDArray[np.generic]:
    """Convert labels to what the device takes.

    Returns:
        Class indices, shape (n,), uint16; or vectors, shape (n, K), int16 or float32.

    Raises:
        DataError: a label is out of range or of another shape.
    """
    values = np.asarray(raw)
    labels = model.labels
    if labels.kind == "class":
        if values.size and (values.min() < 0 or values.max() >= labels.count):
            raise DataError(
                "a label is out of range",
                where="y",
                found=f"labels from {values.min()} to {values.max()}",
                help=f"labels of this model run from 0 to {labels.count - 1}",
            )
        return values.astype("<u2")
    return label_conversion(model)(values)


def read_outputs(model: QuantizedModel, outputs: ArrayLike) -> NDArray[np.float64]:
    """Outputs of a model with vector labels in the units of the data set, shape (n, K)."""
    unit, mean = output_units(model)
    return np.asarray(np.asarray(outputs, np.float32) * unit + mean, np.float64)


def input_conversion(model: QuantizedModel) -> Conversion:
    """The conversion of raw samples to the model's inputs (section 21)."""
    inputs = model.inputs
    return conversion(inputs.mean, inputs.std * inputs.scale, model.value_type, inputs.raw)


def label_conversion(model: QuantizedModel) -> RealConversion:
    """The conversion of label vectors, which are real values, to the model's (section 21)."""
    labels = model.labels
    is_float = model.output_type == "f32"
    scale = 1.0 if is_float else labels.scale / 2**15
    to: ValueType = "f32" if is_float else "s16"
    return real_conversion(labels.mean, labels.std * scale, to)


def output_units(model: QuantizedModel) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit and mean of outputs, shape (1,) or (n_out,) each: value = y * unit + mean."""
    labels = model.labels
    scale = 1.0 if model.output_type == "f32" else model.last.y_scale
    return (labels.std * scale).astype(np.float32), labels.mean.astype(np.float32)
