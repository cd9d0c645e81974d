"""Kind and cost of each layer, and a check of the whole against the budget."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tpsgd_edge.errors import BudgetError
from tpsgd_edge.memory import MemoryPlan
from tpsgd_edge.memory.kept import is_of_kept_samples
from tpsgd_edge.quantize.model import (
    DTYPES,
    QuantizedGated,
    QuantizedGru,
    QuantizedLayer,
    QuantizedModel,
    QuantizedWeighted,
    StoredInit,
)
from tpsgd_edge.reports.layer_cost import Budget, LayerCost
from tpsgd_edge.spec import Spec
from tpsgd_edge.toolchain.counting import Counts
from tpsgd_edge.toolchain.executed import Count
from tpsgd_edge.toolchain.sizes import Sizes


def formats_of(model: QuantizedModel) -> dict[str, str]:
    """Number formats of each layer, in words.

    The words name weights, inputs and outputs, as in "s16 weights, s8 -> s8".
    """
    return {
        layer.name: f"{layer.units[0].weight_type} weights, {layer.x_type} -> {layer.y_type}"
        for layer in model.layers
        if layer.units
    }


def layer_costs(model: QuantizedModel, plan: MemoryPlan) -> tuple[LayerCost, ...]:
    """Shape, weights and bytes of each layer; instructions are not known here."""
    tensors = {tensor.name: tensor.n_bytes for tensor in plan.state.tensors}
    return tuple(_layer_cost(layer, tensors) for layer in model.layers)


def _layer_cost(layer: QuantizedLayer, tensors: Mapping[str, int]) -> LayerCost:
    units, loss = layer.units, layer.loss_layer
    # The loss of a gated layer belongs to a unit without weights.
    own = () if loss is None or any(loss is unit for unit in units) else (loss,)
    names = {f"{unit.name}.{tensor}" for unit in (*units, *own) for tensor in "wbpmvt"}
    return LayerCost(
        layer=layer.name,
        kind=layer.kind,
        shape=_shape_of(layer),
        about=_words_of(layer),
        weights=sum(unit.n_weights + unit.n_out for unit in units),
        ram_bytes=sum(tensors.get(name, 0) for name in names),
        flash_bytes=sum(_constant_bytes(unit) for unit in (*units, *own)) + _table_bytes(layer),
    )


# Layers without weights say of themselves what tables have of the others.
def _shape_of(layer: Any) -> str:
    return _SHAPES[layer.kind](layer) if layer.units else _maps(layer.x_shapes, layer.y_shape)


def _words_of(layer: Any) -> str:
    return str(_ABOUT[layer.kind](layer) if layer.units else layer.about)


def _table_bytes(layer: Any) -> int:
    return 0 if layer.units else int(layer.constant_bytes)


def _values(layer: Any) -> str:
    return f"{layer.x_count} -> {layer.n_out}"


def _maps(x_shapes: Iterable[tuple[int, int, int]], y_shape: tuple[int, int, int]) -> str:
    return f"{' + '.join(map(_shape, x_shapes))} -> {_shape(y_shape)}"


# What a layer with weights reads and makes, by its kind.
_SHAPES: Mapping[str, Callable[[Any], str]] = {
    "dense": _values,
    "conv2d": lambda layer: _maps((layer.shape.x_shape,), layer.shape.y_shape),
    "rnn": _values,
    "gru": _values,
    "lstm": _values,
    "detector": _values,
}


def _shape(shape: tuple[int, int, int]) -> str:
    """Height, width and channels; steps and channels of what is one row high.

    >>> _shape((28, 28, 1)), _shape((1, 128, 6))
    ('28x28x1', '128x6')
    """
    return "x".join(str(n) for n in (shape if shape[0] > 1 else shape[1:]))


def with_instructions(
    layers: tuple[LayerCost, ...], counts: Counts | None
) -> tuple[LayerCost, ...]:
    """The same with instructions per inference and per training step, where they were counted."""
    if counts is None:
        return layers
    return tuple(
        replace(
            layer,
            instructions_inference=_per_run(counts.inference, layer.layer),
            instructions_step=_per_run(counts.step, layer.layer) if counts.step else None,
        )
        for layer in layers
    )


def _per_run(count: Count, layer: str) -> int:
    return round(count.by_layer.get(layer, 0) / count.runs)


def _about(layer: QuantizedWeighted) -> str:
    return f"{layer.activation}, {_learns(layer)}"


def _about_gru(layer: QuantizedGru) -> str:
    return f"reset {layer.reset}, {_about_gated(layer)}"


def _about_gated(layer: QuantizedGated) -> str:
    return "does not train" if layer.loss_layer is None else _learns(layer.loss_layer)


def _learns(layer: QuantizedWeighted) -> str:
    if not layer.trains:
        return "does not train"
    if layer.loss.is_passed:
        return "error from above"
    text = layer.loss.kind.replace("_", " ")
    if layer.projection is not None:
        is_measured = layer.projection.kind == "prototype"
        text += ", prototypes" if is_measured else f", {layer.projection.kind} projection"
    return text


# How a layer with weights learns, by its kind.
_ABOUT: Mapping[str, Callable[[Any], str]] = {
    "dense": _about,
    "conv2d": _about,
    "rnn": _about,
    "gru": _about_gru,
    "lstm": _about_gated,
    "detector": lambda layer: layer.about,
}


def _constant_bytes(layer: QuantizedWeighted) -> int:
    """Bytes of the arrays that this layer alone keeps in flash."""
    count = 0
    if isinstance(layer.init, StoredInit):
        count += layer.weight_bytes + layer.init.b.nbytes
    if layer.trains and layer.projection is not None and layer.projection.storage != "seed":
        n_out, n_labels = layer.projection.values.shape
        per_row = -(-n_labels // 4) if layer.projection.storage == "packed" else n_labels
        count += n_out * per_row
    if layer.loss.table is not None and layer.trains:
        count += layer.loss.table.values.size * DTYPES[layer.error_type].itemsize
    return count


def budget_of(spec: Spec) -> Budget:
    """The budget that the spec sets."""
    return Budget(spec.platform.ram_bytes, spec.platform.flash_bytes)


def kept_bytes(plan: MemoryPlan) -> int:
    """Bytes of the samples that the device keeps."""
    return sum(t.n_bytes for t in plan.state.tensors if is_of_kept_samples(t.name))


def check_budget(spec: Spec, sizes: Sizes, layers: tuple[LayerCost, ...], kept: int = 0) -> None:
    """Compare sizes with the budget of the spec.

    Args:
        kept: bytes of samples that are kept.

    Raises:
        BudgetError: RAM or flash exceed it; the message holds the table and names the largest part.
    """
    budget = budget_of(spec)
    ram = [(f"layer '{layer.layer}'", layer.ram_bytes) for layer in layers]
    ram += [("replay", kept), ("arena", sizes.ram.arena)]
    ram += [("signal", sizes.ram.signal), ("stack", sizes.ram.stack)]
    ram.append(("counters and rate", sizes.ram.total - sum(size for _, size in ram)))
    flash = [(f"constants of '{layer.layer}'", layer.flash_bytes) for layer in layers]
    flash.append(("code", sizes.flash.code))
    flash.append(("tables, self-test", sizes.flash.total - sum(size for _, size in flash)))
    _check("RAM", ram, budget.ram, where=f"{spec.source}, [platform] ram")
    _check("flash", flash, budget.flash, where=f"{spec.source}, [platform] flash")


def _check(kind: str, parts: list[tuple[str, int]], budget: int | None, *, where: str) -> None:
    total = sum(size for _, size in parts)
    if budget is None or total <= budget:
        return
    rows = [f"{size:>12,}  {name}" for name, size in parts if size > 0]
    rows.append(f"{total:>12,}  in all, {total - budget:,} over the budget of {budget:,} bytes")
    name, size = max(parts, key=lambda part: part[1])
    raise BudgetError(
        f"the model needs more {kind} than the budget allows",
        where=where,
        found="\n" + "\n".join(rows),
        help=f"{name} takes {size:,} bytes: {_advice(kind, name)}, or raise the budget",
    )


def _advice(kind: str, largest: str) -> str:
    if largest == "arena":
        return "smaller maps (a stride, an earlier pool, fewer filters) or fewer units"
    if largest == "signal":
        return "a shorter [features] window"
    if largest == "replay":
        return "a smaller [replay] size"
    if kind == "RAM":
        return 'fewer units, weights = "s8", or train = false where a layer may stay'
    return 'weights drawn from the seed, or projection storage = "seed"'
