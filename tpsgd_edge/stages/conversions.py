"""Raw samples and values, as the reference and a device convert them (NAME_raw.h)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel
from tpsgd_edge.quantize.parameters import limits
from tpsgd_edge.quantize.raw import RAW_DTYPES
from tpsgd_edge.quantize.samples import label_conversion, quantize_inputs, read_outputs
from tpsgd_edge.stages.preparation import Prepared
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.verdict import Verdict, compare_function

_SAMPLES = 32
# As tps_status.h has it.
_BAD_INPUT = 4
# Finite values that a net is hardly given, and values that a device must refuse.
_LARGEST = float(np.finfo(np.float32).max)
_FAR = (_LARGEST, -_LARGEST, 1e-40, -0.0)
_NOT_FINITE = (np.nan, np.inf, -np.inf)


@dataclass(frozen=True, slots=True)
class _Case:
    """The answers of a function that must be, and those of the device."""

    function: str
    expected: Array
    actual: Array


def prove_conversions(
    device: Device, prepared: Prepared, so_far: Verdict, *, only_predicts: bool = False
) -> Verdict:
    """Compare the functions of NAME_raw.h, on test samples and at the ends of the raw type.

    Returns:
        `so_far` where they agree.
    """
    for case in _cases(device, prepared):
        verdict = compare_function(
            case.function, case.expected, case.actual, so_far, only_predicts=only_predicts
        )
        if verdict is not so_far:
            return verdict
    return so_far


def _cases(device: Device, prepared: Prepared) -> Iterator[_Case]:
    model, dataset = prepared.model, prepared.dataset
    x, y = dataset.x_test[:_SAMPLES], dataset.y_test[:_SAMPLES]
    if not len(x):
        x, y = dataset.x_train[:_SAMPLES], dataset.y_train[:_SAMPLES]
    raw = _with_ends(x.astype(RAW_DTYPES[model.inputs.raw]))
    statuses, made = device.prepare(np.concatenate([raw, _refused(raw)]))
    yield from _converted("prepare", quantize_inputs(model, raw), statuses, made)
    if model.labels.kind == "vector":
        values = _with_ends(y.reshape(-1, model.labels.count)[:_SAMPLES].astype("<f4"))
        statuses, made = device.prepare_labels(np.concatenate([values, _refused(values)]))
        yield from _converted("prepare_label", label_conversion(model)(values), statuses, made)
        outputs = _outputs(model)
        expected = read_outputs(model, outputs).astype("<f4")
        yield _Case("values", expected, device.values(outputs))


def _converted(
    function: str, expected: Array, statuses: NDArray[np.uint32], made: Array
) -> Iterator[_Case]:
    """Compare samples that are taken, then those that are refused, which leave zeros behind."""
    refused = len(made) - len(expected)
    wanted = np.array([0] * len(expected) + [_BAD_INPUT] * refused, "<u4")
    yield _Case(function, wanted, statuses)
    zeros = np.zeros((refused, expected.shape[1]), expected.dtype)
    yield _Case(function, np.concatenate([expected, zeros]), made)


def _with_ends(raw: Array) -> Array:
    """Samples (n, values), and some that hold the ends of their type, alone and in turn."""
    ends: tuple[float, ...] = _FAR
    if raw.dtype.kind != "f":
        information = np.iinfo(raw.dtype)
        ends = (information.min, information.max)
    rows = [np.full(raw.shape[1], end, raw.dtype) for end in ends]
    turns = np.resize(np.array(ends, raw.dtype), raw.shape[1])
    return np.concatenate([raw, np.stack([*rows, turns])])


def _refused(raw: Array) -> Array:
    """The first sample with one entry, the last one, that is no finite number; none of integers."""
    if raw.dtype.kind != "f":
        return raw[:0]
    rows = np.repeat(raw[:1], len(_NOT_FINITE), axis=0)
    rows[:, -1] = _NOT_FINITE
    return rows


def _outputs(model: QuantizedModel) -> Array:
    """Outputs from one end of their type to the other, shape (n, n_out)."""
    dtype = DTYPES[model.output_type]
    low, high = (-8.0, 8.0) if dtype.kind == "f" else limits(model.output_type)
    some = np.linspace(low, high, _SAMPLES * model.n_out).reshape(-1, model.n_out)
    return some.astype(dtype)
