"""Random models and samples that obey the ranges of docs/ARITHMETIC.md, extreme values among them.

Everything follows from the generator that is handed in, so that one seed names one model:

    model = random_model(np.random.default_rng(17))
    x, labels = random_samples(np.random.default_rng(18), model, steps=20)

Each keyword of `random_model` (see `Wanted`) that is left out is drawn, but for `maps`: without
it, or `map_plans`, all layers are dense.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.draws import (
    TYPE_RANGE,
    Rng,
    choose,
    extreme,
    f32,
    log_uniform,
    maybe,
    random_input,
    requantize,
)
from tests.support.losses import ACTIVATIONS, activation_and_loss, loss_choices, random_loss
from tests.support.maps import MapPlan, MapShape, PoolPlan, random_map, random_map_plans
from tpsgd_edge.arithmetic.random import Purpose, draws, stream
from tpsgd_edge.quantize.model import (
    DTYPES,
    Geometry,
    InputScaling,
    Interval,
    LabelFormat,
    Projection,
    QuantizedConv2d,
    QuantizedDense,
    QuantizedLayer,
    QuantizedModel,
    QuantizedPool,
    Requantize,
    Schedule,
    SeededInit,
    StoredInit,
    ValueType,
)

__all__ = [
    "ACTIVATIONS",
    "PROJECTIONS",
    "VALUE_TYPES",
    "Wanted",
    "loss_choices",
    "projection_values",
    "random_model",
    "random_samples",
    "weight_bits",
]

VALUE_TYPES = ("s8", "s16", "f32")
PROJECTIONS = ("sign", "ternary", "gaussian")


@dataclass(frozen=True)
class Shape:
    """What all layers of a model share while it is drawn."""

    seed: int
    value_type: ValueType
    label_kind: str
    label_count: int


@dataclass(frozen=True)
class Wanted:
    """What a test asks of a random model; whatever is None is drawn.

    Attributes:
        hidden: widths of the hidden dense layers; empty for a net of one layer.
        activations, losses, weight_types: one for each trained layer, the last layer included.
        gate: with an error gate, where the last loss allows one.
        stored_weights: first weights from flash, extremes among them; else from the seed.
        lively: factors and rates such that values move and units learn; else anything allowed.
        maps: convolutions and pools before the dense layers; None: in half of the models.
        x_shape: the input map; the default with `n_in` is one row.
        map_plans: the layers on maps, from the input on; then `maps` and `x_shape` are not used.
    """

    value_type: ValueType | None = None
    label_kind: str | None = None
    label_count: int | None = None
    n_in: int | None = None
    hidden: Sequence[int] | None = None
    max_width: int = 24
    activations: Sequence[str] | None = None
    losses: Sequence[str] | None = None
    weight_types: Sequence[ValueType] | None = None
    projection: str | None = None
    storage: str | None = None
    gate: bool | None = None
    dead_zone: bool | None = None
    stored_weights: bool | None = None
    lively: bool | None = None
    maps: bool | None = False
    x_shape: MapShape | None = None
    map_plans: Sequence[MapPlan] | None = None
    name: str = "net"


def random_model(rng: Rng, **wanted: Any) -> QuantizedModel:
    """A model with consistent parameters; keywords as in `Wanted`."""
    wish = Wanted(**wanted)
    value_type = wish.value_type or choose(rng, VALUE_TYPES)
    label_kind = wish.label_kind or choose(rng, ("class", "class", "vector"))
    count = wish.label_count or int(rng.integers(1 + (label_kind == "class"), 13))
    shape = Shape(int(rng.integers(2**32)), value_type, label_kind, count)
    layers = _random_layers(rng, shape, wish)
    can_gate = label_kind == "class" and layers[-1].loss.kind == "softmax_cross_entropy"
    one = np.ones(1)
    return QuantizedModel(
        name=wish.name,
        seed=shape.seed,
        value_type=value_type,
        layers=layers,
        labels=LabelFormat(label_kind, count, 1.0, np.zeros(1), one),
        inputs=InputScaling(np.zeros(1), one, 1.0 if value_type == "f32" else 2.0**-7),
        schedule=_random_schedule(rng),
        gate=_random_gate(rng, shape) if can_gate and maybe(rng, wish.gate, 0.3) else None,
    )


def random_samples(
    rng: Rng, model: QuantizedModel, steps: int
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """x (steps, n_in) and labels (steps,) or (steps, K), in the model's types."""
    x = np.stack([random_input(rng, model.value_type, model.n_in) for _ in range(steps)])
    count = model.labels.count
    if model.labels.kind == "class":
        return x, rng.integers(0, count, steps).astype(np.uint16)
    label_type: ValueType = "f32" if model.value_type == "f32" else "s16"
    labels = np.stack([random_input(rng, label_type, count) for _ in range(steps)])
    return x, labels


def projection_values(kind: str, seed: int, n_out: int, count: int) -> NDArray[np.int8]:
    """P (n_out, count) of section 9."""
    k = np.arange(count)
    if kind == "gaussian":
        words = draws(seed, n_out * count).reshape(n_out, count).astype(np.int64)
        total = sum((words >> (8 * byte)) & 255 for byte in range(4))
        return np.minimum((total - 510 + 2) >> 2, 127).astype(np.int8)
    per_word = 32 if kind == "sign" else 16
    row = -(-count // per_word)
    words = draws(seed, n_out * row).reshape(n_out, row).astype(np.int64)[:, k // per_word]
    if kind == "sign":
        return (2 * ((words >> (k & 31)) & 1) - 1).astype(np.int8)
    bits = (words >> (2 * (k & 15))) & 3
    return ((bits & 1) - (bits >> 1)).astype(np.int8)


# ------------------------------------------------------------------ one layer


def _random_layers(rng: Rng, shape: Shape, wish: Wanted) -> tuple[QuantizedLayer, ...]:
    map_plans = _map_plans(rng, wish)
    widths = _widths(rng, shape, wish, map_plans)
    plans: list[MapPlan | tuple[int, int]] = [*map_plans, *pairwise(widths)]
    layers: list[QuantizedLayer] = []
    turn = offset = 0
    for index, plan in enumerate(plans):
        if isinstance(plan, PoolPlan):
            layers.append(_pool(shape, index, plan))
            continue
        is_last = index == len(plans) - 1
        activation = wish.activations[turn] if wish.activations else None
        loss = wish.losses[turn] if wish.losses else None
        activation, loss = activation_and_loss(
            rng, shape.label_kind, activation, loss, is_last=is_last
        )
        weight_type: ValueType = "f32"
        if shape.value_type != "f32":
            types = wish.weight_types
            weight_type = types[turn] if types else choose(rng, ("s8", "s16"))
        layer = _random_layer(
            rng,
            shape,
            index=index,
            plan=plan,
            activation=activation,
            loss_kind=loss,
            weight_type=weight_type,
            offset=offset,
            is_last=is_last,
            projection=wish.projection,
            storage=wish.storage,
            dead_zone=maybe(rng, wish.dead_zone, 0.3),
            stored=maybe(rng, wish.stored_weights, 0.5),
            lively=maybe(rng, wish.lively, 0.8),
        )
        layers.append(layer)
        turn += 1
        offset += layer.y_count
    return tuple(layers)


def _pool(shape: Shape, index: int, plan: PoolPlan) -> QuantizedPool:
    return QuantizedPool(
        name=f"pool{index + 1}",
        mode=plan.mode,
        x_shape=plan.x_shape,
        y_shape=plan.y_shape,
        kernel=plan.kernel,
        stride=plan.stride,
        x_type=shape.value_type,
        x_scale=_x_scale(shape),
    )


def _x_scale(shape: Shape) -> float:
    return {"s8": 2.0**-7, "s16": 2.0**-15, "f32": 1.0}[shape.value_type]


def _map_plans(rng: Rng, wish: Wanted) -> Sequence[MapPlan]:
    if wish.map_plans is not None:
        return wish.map_plans
    maps = rng.random() < 0.5 if wish.maps is None else wish.maps
    if not maps:
        return ()
    x_shape = wish.x_shape or ((1, wish.n_in, 1) if wish.n_in else random_map(rng))
    return random_map_plans(rng, x_shape)


def _widths(rng: Rng, shape: Shape, wish: Wanted, map_plans: Sequence[MapPlan]) -> list[int]:
    """Widths between the dense layers, from their input to the outputs."""
    hidden, width = wish.hidden, wish.max_width
    if hidden is None:
        most = 2 if map_plans else 4
        hidden = rng.integers(1, width + 1, size=rng.integers(0, most)).tolist()
    if map_plans:
        n_in = prod(map_plans[-1].y_shape)
    else:
        n_in = wish.n_in or int(rng.integers(1, 2 * width + 1))
    return [n_in, *hidden, shape.label_count]


def _random_layer(
    rng: Rng,
    shape: Shape,
    *,
    index: int,
    plan: Geometry | tuple[int, int],
    activation: str,
    loss_kind: str,
    weight_type: ValueType,
    offset: int,
    is_last: bool,
    projection: str | None,
    storage: str | None,
    dead_zone: bool,
    stored: bool,
    lively: bool,
) -> QuantizedDense:
    n_in, n_out = sizes = _row_and_rows(plan)
    n_target = n_out * prod(plan.windows) if isinstance(plan, Geometry) else n_out
    real = shape.value_type == "f32"
    y_type: ValueType = "s16" if is_last and not real else shape.value_type
    bits = 0 if real else weight_bits(weight_type, shape.value_type, n_in)
    bias_shift = 8 if shape.value_type == "s16" else 0
    low, high = TYPE_RANGE.get(y_type, (0, 0))
    x_max = {"s8": 2**7, "s16": 2**15, "f32": 0}[shape.value_type]
    bound = n_in * 2**bits * x_max + 2 ** (27 + bias_shift)
    p = None
    if not is_last:
        p = _random_projection(rng, shape, index, n_target, projection, storage)
    update_shift = {"s8": 14, "s16": 8, "f32": 0}[weight_type]
    layer = QuantizedDense(
        name=f"fc{index + 1}",
        n_in=n_in,
        n_out=n_out,
        activation=activation,
        weight_type=weight_type,
        x_type=shape.value_type,
        y_type=y_type,
        is_last=is_last,
        weight_bits=bits,
        weight_scale=1.0 if real else 2.0**-bits,
        x_scale=_x_scale(shape),
        y_scale=1.0 if real else 1 / (high + 1),
        bias_shift=bias_shift,
        bias_one=0 if real else int(log_uniform(rng, 1, 2**30)),
        z=None if real else _random_z(rng, n_in, bits, x_max, high, lively=lively),
        z_min=0 if activation == "relu" else low,
        z_max=high,
        accumulator=None if real else Interval(-bound, bound),
        loss=random_loss(
            rng, shape.value_type, loss_kind, n_target, p, is_last=is_last, lively=lively
        ),
        projection=p,
        rate=None if real else requantize(rng, *((8, 26) if lively else (1, 30))),
        rate_f32=f32(log_uniform(rng, 1e-4, 0.1 if lively else 1e6)) if real else 0.0,
        update_shift=update_shift + (bias_shift if not real else 0),
        dead_zone=_random_dead_zone(rng, real=real) if dead_zone else 0,
        unit_offset=offset,
        init=_random_init(rng, shape, index, sizes, weight_type, bits, stored=stored),
    )
    return _on_map(layer, f"conv{index + 1}", plan) if isinstance(plan, Geometry) else layer


def _row_and_rows(plan: Geometry | tuple[int, int]) -> tuple[int, int]:
    """n_in and n_out: the size of a row of w, and the number of rows."""
    if not isinstance(plan, Geometry):
        return plan
    return prod(plan.kernel) * plan.x_shape[2] // plan.groups, plan.y_shape[2]


def _on_map(layer: QuantizedDense, name: str, geometry: Geometry) -> QuantizedConv2d:
    numbers = {field.name: getattr(layer, field.name) for field in fields(layer)}
    return QuantizedConv2d(**numbers | {"name": name}, geometry=geometry)


def weight_bits(weight_type: ValueType, value_type: ValueType, n_in: int) -> int:
    """k of section 2."""
    if weight_type == "s8":
        return 7
    if value_type == "s16":
        return 15
    return max(k for k in range(16) if n_in * 2 ** (k + 7) + 2**27 <= 2**31 - 1)


def _random_projection(
    rng: Rng, shape: Shape, index: int, n_out: int, kind: str | None, storage: str | None
) -> Projection:
    if kind is None:
        kind = choose(rng, PROJECTIONS[:2] if storage == "packed" else PROJECTIONS)
    if storage is None:
        storage = choose(rng, ("seed", "s8") if kind == "gaussian" else ("seed", "packed", "s8"))
    seed = stream(shape.seed, Purpose.PROJECTION, index)
    return Projection(kind, storage, seed, projection_values(kind, seed, n_out, shape.label_count))


def _random_z(
    rng: Rng, n_in: int, bits: int, x_max: int, z_max: int, *, lively: bool
) -> Requantize:
    if not lively:
        return requantize(rng, 1, 62)
    # The shift at which an accumulator of typical size fills the range of z, give or take.
    typical = np.sqrt(n_in) * 2**bits * x_max / 4
    middle = round(np.log2(typical / z_max)) + 15
    return requantize(rng, max(1, middle - 3), max(1, middle + 1))


def _random_init(
    rng: Rng,
    shape: Shape,
    index: int,
    sizes: tuple[int, int],
    weight_type: ValueType,
    bits: int,
    *,
    stored: bool,
) -> SeededInit | StoredInit:
    n_in, n_out = sizes
    real = weight_type == "f32"
    if not stored:
        seed = stream(shape.seed, Purpose.WEIGHTS, index)
        bound = f32(1.5 / np.sqrt(n_in) / 2**15) if real else extreme(rng, 0, 2**bits - 1)
        return SeededInit(seed, bound)
    if real:
        w = (rng.normal(size=(n_out, n_in)) / np.sqrt(n_in)).astype(np.float32)
        w.flat[:1] = np.float32(-0.0)
        return StoredInit(w, rng.normal(size=n_out).astype(np.float32))
    limit = 2**bits
    if rng.random() < 0.3:
        w = rng.choice([-limit, limit - 1], (n_out, n_in))
    else:
        w = np.clip(rng.normal(0, limit / 4, (n_out, n_in)), -limit, limit - 1)
    b = rng.choice([-(2**27), 0, 2**27, int(rng.integers(-(2**20), 2**20))], n_out)
    return StoredInit(w.astype(DTYPES[weight_type]), b.astype(DTYPES["s32"]))


# ------------------------------------------------------------------ parts


def _random_schedule(rng: Rng) -> Schedule:
    decay = rng.integers(0, 2**15 + 1, size=rng.integers(1, 33))
    decay[0] = 2**15
    return Schedule(tuple(int(d) for d in decay), int(rng.integers(1, 20)))


def _random_gate(rng: Rng, shape: Shape) -> int | float:
    share = rng.uniform(0, 1)
    return f32(share) if shape.value_type == "f32" else int(share * 2**15)


def _random_dead_zone(rng: Rng, *, real: bool) -> int | float:
    return f32(log_uniform(rng, 1e-3, 0.3)) if real else int(log_uniform(rng, 1, 2**14))
