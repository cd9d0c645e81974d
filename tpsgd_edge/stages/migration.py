"""A state of one model carried over to another: scales converted, classes added, or why not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import U32_MASK
from tpsgd_edge.arithmetic.random import PHI, Purpose, stream
from tpsgd_edge.errors import DataError
from tpsgd_edge.graph import Weights
from tpsgd_edge.memory import state_layout
from tpsgd_edge.memory.dump import State
from tpsgd_edge.quantize.carry import fitted
from tpsgd_edge.quantize.model import (
    SAMPLE,
    LabelFormat,
    QuantizedLayer,
    QuantizedModel,
    QuantizedPool,
    QuantizedWeighted,
)
from tpsgd_edge.quantize.restore import unit_weights
from tpsgd_edge.reference import Reference

# For each class of the new model the row of the old one that answers it; None for a new one.
Rows = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """Result of carrying a layer over.

    Attributes:
        words: what had to be done.
        clipped: weights and biases beyond the new range, which are at its end now.
        count: weights and biases.
    """

    layer: str
    words: str
    clipped: int
    count: int


@dataclass(frozen=True, slots=True)
class Migration:
    """A state of the new model, its struct, and what became of each layer that learns."""

    state: State
    raw: bytes
    layers: tuple[Carried, ...]


def migrate_state(old: QuantizedModel, state: State, new: QuantizedModel) -> Migration:
    """The state of the old model as one of the new model.

    Weights mean the same numbers, in the new scales. Classes that only the new model knows begin
    with the mean of the others' weights, so that none of them is answered before it is taught.

    Raises:
        DataError: layers differ in more than their scales and numbers of classes.
    """
    rows = _class_rows(old.labels, new.labels)
    reasons = [*_reasons(old, new, rows)]
    if reasons:
        raise DataError(
            f"what '{old.name}' has learned cannot be carried over",
            where=f"{len(reasons)} reason{'s' if len(reasons) > 1 else ''}",
            found="; ".join(reasons),
            help="keep the layers as they were, or export the net as ONNX and make it the source "
            "of the new spec",
        )
    made = Reference(new).state() | _counters(old, state, new)
    before = {unit.name: unit for unit in old.weighted}
    layers = []
    for layer in new.trainable:
        carried, tensors = _carry(old, before[layer.name], state, new, layer, rows)
        made |= tensors
        layers.append(carried)
    return Migration(made, state_layout(new).write(made), tuple(layers))


def _class_rows(old: LabelFormat, new: LabelFormat) -> Rows | None:
    """Rows of the last layer by class; None where a class of the old model has no place.

    Names say which class is which; classes without a name are the same by their place.
    """
    if old.kind != "class":
        return tuple(range(new.count)) if old.count == new.count else None
    known = {name: row for row, name in enumerate(_names(old))}
    unnamed = set(range(len(known), old.count))
    rows: list[int | None] = []
    for place in range(new.count):
        names = _names(new)
        row = known.get(names[place]) if place < len(names) else None
        if row is None and place in unnamed:
            row = place
        rows.append(row)
    kept = {row for row in rows if row is not None}
    return tuple(rows) if kept == set(range(old.count)) else None


def _names(labels: LabelFormat) -> tuple[str, ...]:
    """Names of classes but those that are taught on the device."""
    return labels.names[: labels.count - labels.extra]


def _reasons(old: QuantizedModel, new: QuantizedModel, rows: Rows | None) -> Iterator[str]:
    """Why the state cannot be carried over, by layer."""
    for detector in dict.fromkeys(layer.name for layer in (*old.detectors, *new.detectors)):
        yield f"score and threshold of the detector '{detector}' hold in its own numbers alone"
    if old.labels.kind != new.labels.kind or old.steps != new.steps:
        yield "labels or steps of a sequence are of another kind"
    elif rows is None:
        yield f"a class is missing: {_classes(old.labels)} before, {_classes(new.labels)} now"
    before = {layer.name: layer for layer in old.layers}
    names = [layer.name for layer in new.layers]
    for name in before.keys() - set(names):
        yield f"'{name}' is no layer of the new spec"
    for layer in new.layers:
        if layer.name not in before:
            yield f"'{layer.name}' is a new layer"
        else:
            yield from _differences(before[layer.name], layer, is_last=layer is new.layers[-1])
    if before.keys() == set(names) and old.edges != new.edges:
        yield "layers are in another order, or read other layers"
    yield from _scaling_reasons(old, new)


def _classes(labels: LabelFormat) -> str:
    return ", ".join(labels.names) if labels.names else f"{labels.count} classes"


def _differences(old: QuantizedLayer, new: QuantizedLayer, *, is_last: bool) -> Iterator[str]:
    """Name the differences of a layer from before, beside scales and formats."""
    if type(old) is not type(new) or old.kind != new.kind:
        yield f"'{new.name}' was {old.kind}, and is {new.kind}"
        return
    if _windows(old) != _windows(new):
        yield f"'{new.name}' pools other windows"
    for was, unit in zip(old.units, new.units, strict=True):
        if was.n_in != unit.n_in or (was.n_out != unit.n_out and not is_last):
            yield f"'{unit.name}' was {was.n_in} to {was.n_out}, and is {unit.n_in} to {unit.n_out}"
        elif _shape(was) != _shape(unit):
            yield f"'{unit.name}' has another shape"
        if _activation(was) != _activation(unit):
            yield f"'{unit.name}' was {was.activation}, and is {unit.activation} or set otherwise"
        if was.trains and not unit.trains:
            yield f"'{unit.name}' no longer learns: its weights lie in flash"


def _windows(layer: QuantizedLayer) -> tuple[object, ...]:
    """Meaning of a pool; nothing of other layers."""
    if layer.kind not in ("max_pool", "average_pool"):
        return ()
    pool = cast(QuantizedPool, layer)
    return pool.x_shape, pool.y_shape, pool.kernel, pool.stride, pool.padding


def _shape(layer: QuantizedWeighted) -> tuple[object, ...]:
    """Meaning of the places of weights."""
    return (*layer.shape.weight_places, layer.residual)


def _activation(layer: QuantizedWeighted) -> tuple[object, ...]:
    is_leaky = layer.activation == "leaky_relu"
    slope = float(layer.numbers.negative_slope) / (1 if layer.weight_type == "f32" else 2**15)
    return (layer.activation, layer.settings, round(slope, 4) if is_leaky else None)


def _scaling_reasons(old: QuantizedModel, new: QuantizedModel) -> Iterator[str]:
    """Why inputs or values of the new model would mean something else to the same weights."""
    first = new.layers[0]
    if not _is_same_input(old, new) and (
        first.kind != "dense"
        or first.units[0].residual
        or new.edges.consumers_of(SAMPLE) != (first.name,)
    ):
        yield f"samples are scaled otherwise, which '{first.name}' cannot make up for"
    if (
        old.labels.kind == "vector"
        and new.last.activation != "linear"
        and not _is_same_label(old.labels, new.labels)
    ):
        yield f"values are scaled otherwise, which '{new.last.name}' cannot make up for"


def _is_same_input(old: QuantizedModel, new: QuantizedModel) -> bool:
    return np.array_equal(old.inputs.mean, new.inputs.mean) and np.array_equal(
        old.inputs.std, new.inputs.std
    )


def _is_same_label(old: LabelFormat, new: LabelFormat) -> bool:
    return np.array_equal(old.mean, new.mean) and np.array_equal(old.std, new.std)


def _counters(old: QuantizedModel, state: State, new: QuantizedModel) -> State:
    """Step, schedule and rate as they were; the random number that follows from them."""
    step, u32 = int(state["step"]), np.uint32
    rng = stream(new.seed, Purpose.TRAINING, 0) + PHI * new.total_units * step
    rate: Any = float(state["rate"]) / (1 if old.value_type == "f32" else 2**15)
    is_float = new.value_type == "f32"
    return {
        "rng": np.array(rng & U32_MASK, u32),
        "step": np.array(step, u32),
        "start": np.array(int(state["start"]), u32),
        "rate": np.array(rate, np.float32) if is_float else np.array(round(rate * 2**15), u32),
    }


def _carry(
    old: QuantizedModel,
    was: QuantizedWeighted,
    state: State,
    new: QuantizedModel,
    layer: QuantizedWeighted,
    rows: Rows | None,
) -> tuple[Carried, dict[str, NDArray[Any]]]:
    """The tensors of a layer, and what had to be done for them."""
    real, words = unit_weights(was, state), []
    if layer.name == new.layers[0].name and not _is_same_input(old, new):
        real = _for_other_input(real, old, new)
        words.append("for other scaled samples")
    if layer.is_last and old.labels.kind == "vector" and not _is_same_label(old.labels, new.labels):
        real = _for_other_label(real, old.labels, new.labels)
        words.append("for other scaled values")
    if layer.is_last and rows is not None and rows != tuple(range(was.n_out)):
        real = _with_rows(real, rows)
        words.append(_rows_text(rows))
    made = fitted(layer, real)
    tensors = {f"{layer.name}.w": made.w, f"{layer.name}.b": made.b}
    if layer.has_learning_readout and was.has_learning_readout and rows is not None:
        tensors |= _readout(was, state, layer, new, rows)
    count = made.w.size + made.b.size
    old_units, units = ((la.numbers.weight_scale, la.weight_type) for la in (was, layer))
    words = words or ["as it was" if units == old_units else "in new scales"]
    return Carried(layer.name, "; ".join(words), made.clipped, count), tensors


def _for_other_input(real: Weights, old: QuantizedModel, new: QuantizedModel) -> Weights:
    """Weights that make of newly scaled samples what they made of the old ones."""
    ratio = new.inputs.std / old.inputs.std
    shift = (new.inputs.mean - old.inputs.mean) / old.inputs.std
    return Weights(real.w * ratio, real.b + (real.w * shift).sum(axis=1))


def _for_other_label(real: Weights, old: LabelFormat, new: LabelFormat) -> Weights:
    """Weights whose outputs stand for the same values in the new scaling."""
    ratio = np.broadcast_to(old.std / new.std, real.b.shape)
    shift = (old.mean - new.mean) / new.std
    return Weights(real.w * ratio[:, np.newaxis], real.b * ratio + shift)


def _with_rows(real: Weights, rows: Rows) -> Weights:
    """The rows of old classes at their new places; the mean of them for new ones."""
    w, b = real.w.mean(axis=0), real.b.mean()
    return Weights(
        np.array([w if row is None else real.w[row] for row in rows]),
        np.array([b if row is None else real.b[row] for row in rows]),
    )


def _rows_text(rows: Rows) -> str:
    fresh = sum(row is None for row in rows)
    kept = len(rows) - fresh
    return f"{kept} classes kept, {fresh} new" if fresh else f"{kept} classes in another order"


def _readout(
    was: QuantizedWeighted,
    state: Mapping[str, NDArray[Any]],
    layer: QuantizedWeighted,
    new: QuantizedModel,
    rows: Rows,
) -> dict[str, NDArray[Any]]:
    """The read-out that was learned, its columns by class; new ones as they begin."""
    name = f"{layer.name}.p"
    first, learned = Reference(new).state()[name], state[f"{was.name}.p"]
    columns = [
        first[:, place] if row is None else learned[:, row].astype(first.dtype)
        for place, row in enumerate(rows)
    ]
    return {name: np.stack(columns, axis=1)}
