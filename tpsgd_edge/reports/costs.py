"""Kind and cost of each layer, and a check of the whole against the budget."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tpsgd_edge.errors import BudgetError
from tpsgd_edge.memory import MemoryPlan
from tpsgd_edge.quantize.model import (
    DTYPES,
    QuantizedConv2d,
    QuantizedDense,
    QuantizedGru,
    QuantizedLayer,
    QuantizedMemory,
    QuantizedModel,
    QuantizedPool,
    QuantizedRnn,
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
        layer.name: f"{layer.weight_type} weights, {layer.x_type} -> {layer.y_type}"
        for layer in model.layers
        if isinstance(layer, QuantizedDense | QuantizedGru)
    }


def layer_costs(model: QuantizedModel, plan: MemoryPlan) -> tuple[LayerCost, ...]:
    """Shape, weights and bytes of each layer; instructions are not known here."""
    tensors = {tensor.name: tensor.n_bytes for tensor in plan.state.tensors}
    return tuple(_layer_cost(layer, tensors) for layer in model.layers)


def _layer_cost(layer: QuantizedLayer, tensors: Mapping[str, int]) -> LayerCost:
    if isinstance(layer, QuantizedGru):
        return _gru_cost(layer, tensors)
    if isinstance(layer, QuantizedMemory):
        return _memory_cost(layer)
    if not isinstance(layer, QuantizedDense):
        shapes = (layer.x_shape,) if isinstance(layer, QuantizedPool) else layer.x_shapes
        shape = f"{' + '.join(map(_shape, shapes))} -> {_shape(layer.y_shape)}"
        return LayerCost(layer.name, layer.kind, shape, layer.kind.replace("_", " "), 0, 0, 0)
    shape = f"{layer.n_in} -> {layer.n_out}"
    if isinstance(layer, QuantizedRnn):
        shape = f"{layer.n_x} -> {layer.n_out}"
    if isinstance(layer, QuantizedConv2d):
        shape = f"{_shape(layer.geometry.x_shape)} -> {_shape(layer.geometry.y_shape)}"
    return LayerCost(
        layer=layer.name,
        kind=layer.kind,
        shape=shape,
        about=_about(layer),
        weights=layer.n_weights + layer.n_out,
        ram_bytes=sum(tensors.get(f"{layer.name}.{tensor}", 0) for tensor in "wbp"),
        flash_bytes=_constant_bytes(layer),
    )


def _memory_cost(layer: QuantizedMemory) -> LayerCost:
    steps = f"{layer.length}x" if layer.reads_map else ""
    shape = f"{steps}{layer.channels} -> {layer.y_count}"
    return LayerCost(layer.name, layer.kind, shape, layer.about, 0, 0, layer.constant_bytes)


def _gru_cost(layer: QuantizedGru, tensors: Mapping[str, int]) -> LayerCost:
    names = [f"{unit.name}.{tensor}" for unit in layer.parts for tensor in "wb"]
    learns = (
        "does not train"
        if layer.loss_layer is None
        else _about(layer.loss_layer).partition(", ")[2]
    )
    own = () if layer.loss_layer is None else (layer.loss_layer,)
    return LayerCost(
        layer=layer.name,
        kind=layer.kind,
        shape=f"{layer.n_x} -> {layer.n_out}",
        about=f"reset {'before' if layer.reset_before else 'after'}, {learns}",
        weights=sum(unit.n_weights + unit.n_out for unit in layer.parts),
        ram_bytes=sum(tensors.get(name, 0) for name in names),
        flash_bytes=sum(_constant_bytes(dense) for dense in (*layer.parts, *own)),
    )


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


def _about(layer: QuantizedDense) -> str:
    if not layer.trains:
        return f"{layer.activation}, does not train"
    text = f"{layer.activation}, {layer.loss.kind.replace('_', ' ')}"
    if layer.projection is not None:
        is_measured = layer.projection.kind == "prototype"
        text += ", prototypes" if is_measured else f", {layer.projection.kind} projection"
    return text


def _constant_bytes(layer: QuantizedDense) -> int:
    """Bytes of the arrays that this layer alone keeps in flash."""
    count = 0
    if isinstance(layer.init, StoredInit):
        count += layer.init.w.nbytes + layer.init.b.nbytes
    if layer.trains and layer.projection is not None and layer.projection.storage != "seed":
        n_out, n_labels = layer.projection.values.shape
        per_row = -(-n_labels // 4) if layer.projection.storage == "packed" else n_labels
        count += n_out * per_row
    if layer.loss.table is not None and layer.trains:
        entry = "f32" if layer.weight_type == "f32" else "s16"
        count += int(np.prod(layer.loss.table.shape)) * DTYPES[entry].itemsize
    return count


def budget_of(spec: Spec) -> Budget:
    """The budget that the spec sets."""
    return Budget(spec.platform.ram_bytes, spec.platform.flash_bytes)


def check_budget(spec: Spec, sizes: Sizes, layers: tuple[LayerCost, ...]) -> None:
    """Compare sizes with the budget of the spec.

    Raises:
        BudgetError: RAM or flash exceed it; the message holds the table and names the largest part.
    """
    budget = budget_of(spec)
    ram = [(f"layer '{layer.layer}'", layer.ram_bytes) for layer in layers]
    ram += [("arena", sizes.ram.arena), ("stack", sizes.ram.stack)]
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
    if kind == "RAM":
        return 'fewer units, weights = "s8", or train = false where a layer may stay'
    return 'weights drawn from the seed, or projection storage = "seed"'
