"""Raw samples and labels in the model's own formats."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tpsgd_edge.errors import DataError
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, limits

# Beyond it f32 would not be proved to stay finite (docs/ARITHMETIC.md, section 12).
F32_INPUT_MAX = 2.0**20


def quantize_inputs(model: QuantizedModel, raw: ArrayLike) -> NDArray[np.generic]:
    """Samples as the device takes them.

    Args:
        raw: shape (n, n_in), in the units of the data set.

    Returns:
        Shape (n, n_in), dtype of `model.value_type`.

    Raises:
        DataError: a wrong number of inputs, NaN or infinity.
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
    out = np.empty(values.shape, DTYPES[model.value_type])
    # In blocks: a whole data set in float64 would take eight times its size.
    for start in range(0, len(values), 4096):
        block = slice(start, start + 4096)
        scaled = (values[block] - model.inputs.mean) / model.inputs.std
        out[block] = _to_type(scaled / model.inputs.scale, model.value_type)
    return out


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
    scaled = (values - labels.mean) / labels.std
    if model.output_type == "f32":
        return _to_type(scaled, "f32")
    return _to_type(scaled / labels.scale * 2**15, "s16")


def _to_type(values: NDArray[np.float64], value_type: str) -> NDArray[np.generic]:
    if value_type == "f32":
        return np.clip(values, -F32_INPUT_MAX, F32_INPUT_MAX).astype("<f4")
    low, high = limits(value_type)
    return np.clip(np.floor(values + 0.5), low, high).astype(DTYPES[value_type])


def read_outputs(model: QuantizedModel, outputs: ArrayLike) -> NDArray[np.float64]:
    """Outputs of a model with vector labels in the units of the data set, shape (n, K)."""
    real = np.asarray(outputs, np.float64)
    if model.output_type != "f32":
        real = real * model.last.y_scale
    return np.asarray(real * model.labels.std + model.labels.mean, np.float64)
