"""Samples and labels as they come from outside: checked, and in the types of the arithmetic."""

from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel

# docs/ARITHMETIC.md, section 12.
LARGEST_F32 = 2.0**20


def checked_sample(model: QuantizedModel, x: Array) -> Array:
    """One sample, shape (n_in,), as int64 or float32.

    Raises:
        DataError: it has another shape or type than the model's input, or of f32 models values
            beyond what the arithmetic is proved for.
    """
    expected = DTYPES[model.value_type]
    if x.shape != (model.n_inputs,) or x.dtype != expected:
        raise DataError(
            "the sample does not fit the model",
            where=f"model '{model.name}'",
            found=f"shape {x.shape} of {x.dtype}, expected ({model.n_inputs},) of {expected}",
        )
    _check_proved(model, x, "sample")
    return x.astype(_wide(model))


def _check_proved(model: QuantizedModel, values: Array, name: str) -> None:
    """Refuse what binary32 is not proved for (section 12): a device answers TPS_BAD_INPUT."""
    if model.value_type != "f32":
        return
    good = np.abs(values) <= LARGEST_F32
    if not good.all():
        at = int(np.argmin(good))
        raise DataError(
            f"the {name} holds what f32 is not proved for",
            where=f"model '{model.name}', value {at}",
            found=f"{np.ravel(values)[at]}; finite numbers up to {LARGEST_F32:,.0f} are allowed",
        )


def checked_labels(model: QuantizedModel, label: int | Array) -> list[int | Array]:
    """The labels of one sample, one for each answer: classes, or vectors of int64 or float32.

    Args:
        label: class index, or label vector (K,) in s16 (f32 models: f32); where each step has a
            label, (T,) of the one or (T, K) of the other.

    Raises:
        DataError: a shape, a type or a class that does not fit the model.
    """
    if model.labels.kind == "vector":
        return [*_vectors(model, np.asarray(label))]
    if not model.labels.each_step:
        return [_checked_class(model, int(label))]
    classes = np.asarray(label)
    if classes.shape != (model.answers,):
        expected = f"({model.answers},)"
        raise _misfit(model, f"shape {classes.shape}, expected {expected}")
    return [_checked_class(model, int(entry)) for entry in classes]


def _checked_class(model: QuantizedModel, index: int) -> int:
    count = model.labels.count
    if not 0 <= index < count:
        found = f"label {index}, expected 0 to {count - 1}"
        raise DataError("the label is out of range", where=f"model '{model.name}'", found=found)
    return index


def _vectors(model: QuantizedModel, label: Array) -> Array:
    """All label vectors of a sample, shape (answers, K)."""
    count = model.labels.count
    shape = (model.answers, count) if model.labels.each_step else (count,)
    expected = DTYPES["f32" if model.value_type == "f32" else "s16"]
    if label.shape != shape or label.dtype != expected:
        found = f"shape {label.shape} of {label.dtype}, expected {shape} of {expected}"
        raise _misfit(model, found)
    _check_proved(model, label, "label")
    return label.astype(_wide(model)).reshape(model.answers, count)


def _misfit(model: QuantizedModel, found: str) -> DataError:
    return DataError("the label does not fit the model", where=f"model '{model.name}'", found=found)


def _wide(model: QuantizedModel) -> np.dtype[Any]:
    return np.dtype(np.float32 if model.value_type == "f32" else np.int64)
