"""One random layer at a time, of any kind, within the ranges of docs/ARITHMETIC.md."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from tests.support.curves import FUNCTION
from tests.support.draws import (
    TYPE_RANGE,
    Rng,
    choose,
    extreme,
    f32,
    log_uniform,
    requantize,
)
from tests.support.losses import random_loss
from tests.support.maps import PoolPlan
from tests.support.parts import altered
from tests.support.sequences import RnnPlan
from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.random import Purpose, draws, stream
from tpsgd_edge.arithmetic.tables import FIXED, Curve
from tpsgd_edge.quantize.model import (
    DTYPES,
    Conv2dShape,
    DenseShape,
    FloatNumbers,
    FloatSteps,
    IntegerNumbers,
    IntegerSteps,
    Interval,
    LayerLearning,
    LayerNumbers,
    Projection,
    QuantizedPool,
    QuantizedWeighted,
    RecurrentBounds,
    Requantize,
    RnnShape,
    SeededInit,
    Steps,
    StoredInit,
    ValueType,
    Weighted,
)

PROJECTIONS = ("sign", "ternary", "hadamard", "gaussian")
# A dense layer is planned as its inputs and outputs.
TrainedPlan = Conv2dShape | RnnPlan | tuple[int, int]


@dataclass(frozen=True)
class Shape:
    """What all layers of a model share while it is drawn."""

    seed: int
    value_type: ValueType
    label_kind: str
    label_count: int


def pool_layer(shape: Shape, index: int, plan: PoolPlan) -> QuantizedPool:
    """The pool of a plan."""
    return QuantizedPool(
        name=f"pool{index + 1}",
        mode=plan.mode,
        x_shape=plan.x_shape,
        y_shape=plan.y_shape,
        kernel=plan.kernel,
        stride=plan.stride,
        padding=plan.padding,
        x_type=shape.value_type,
        x_scale=_x_scale(shape),
    )


def _x_scale(shape: Shape) -> float:
    return {"s8": 2.0**-7, "s16": 2.0**-15, "f32": 1.0}[shape.value_type]


def random_layer(
    rng: Rng,
    shape: Shape,
    *,
    index: int,
    plan: TrainedPlan,
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
) -> QuantizedWeighted:
    """The layer of a plan; what the plan leaves open is drawn."""
    n_in, n_out = sizes = _row_and_rows(plan)
    n_target = n_out * prod(plan.windows) if isinstance(plan, Conv2dShape) else n_out
    real = shape.value_type == "f32"
    y_type: ValueType = "s16" if is_last and not real else shape.value_type
    bits = 0 if real else weight_bits(weight_type, shape.value_type, n_in)
    slope = _random_slope(rng, activation, real=real)
    settings = (slope,) if activation == "leaky_relu" and real else random_numbers(rng, activation)
    x_max = {"s8": 2**7, "s16": 2**15, "f32": 0}[shape.value_type]
    high = TYPE_RANGE.get(y_type, (0, 0))[1]
    p = None if is_last else _random_projection(rng, shape, index, n_target, projection, storage)
    bias_one = 0 if real else int(log_uniform(rng, 1, 2**30))
    z = None if real else _random_z(rng, n_in, bits, x_max, high, lively=lively)
    z_max = min(high, extreme(rng, 1, high)) if activation == "relu6" and not real else high
    loss = random_loss(
        rng, shape.value_type, loss_kind, n_target, p, is_last=is_last, lively=lively
    )
    steps = _random_steps(rng, shape, weight_type, bias_one, dead_zone=dead_zone, lively=lively)
    init = _random_init(rng, shape, index, sizes, weight_type, bits, stored=stored)
    curve = None if real else random_curve(rng, activation, settings, y_type)
    numbers: LayerNumbers = FloatNumbers(float(slope))
    if z is not None:
        numbers = _integers(shape, weight_type, y_type, n_in, bits, z, activation, slope, curve)
        numbers = replace(numbers, z_max=z_max)
    layer: QuantizedWeighted = Weighted(
        name=f"fc{index + 1}",
        shape=DenseShape(n_in, n_out),
        activation=activation,
        settings=settings,
        numbers=numbers,
        learning=LayerLearning(loss, p, steps, offset),
        init=init,
        is_last=is_last,
    )
    return _as_planned(rng, layer, index, plan)


def _integers(
    shape: Shape,
    weight_type: ValueType,
    y_type: ValueType,
    n_in: int,
    bits: int,
    z: Requantize,
    activation: str,
    slope: float,
    curve: Curve | None,
) -> IntegerNumbers:
    low, high = TYPE_RANGE[y_type]
    bias_shift = 8 if shape.value_type == "s16" else 0
    reach = n_in * 2**bits * {"s8": 2**7, "s16": 2**15}[shape.value_type] + 2 ** (27 + bias_shift)
    return IntegerNumbers(
        weight_type=weight_type,
        x_type=shape.value_type,
        y_type=y_type,
        weight_bits=bits,
        weight_scale=2.0**-bits,
        x_scale=_x_scale(shape),
        y_scale=1 / (high + 1),
        bias_shift=bias_shift,
        z=z,
        z_min=_z_min(activation, low, slope),
        z_max=high,
        accumulator=Interval(-reach, reach),
        negative_slope=int(slope),
        curve=curve,
    )


def _random_steps(
    rng: Rng,
    shape: Shape,
    weight_type: ValueType,
    bias_one: int,
    *,
    dead_zone: bool,
    lively: bool,
) -> Steps:
    if shape.value_type == "f32":
        rate = f32(log_uniform(rng, 1e-4, 0.1 if lively else 1e6))
        return FloatSteps(rate, _random_dead_zone(rng, real=True) if dead_zone else 0)
    shift = {"s8": 13, "s16": 6}[weight_type] + (8 if shape.value_type == "s16" else 0)
    factor = requantize(rng, *((8, 26) if lively else (1, 30)))
    zone = int(_random_dead_zone(rng, real=False)) if dead_zone else 0
    return IntegerSteps(factor, shift, bias_one, zone)


def _random_slope(rng: Rng, activation: str, *, real: bool) -> int | float:
    if activation != "leaky_relu":
        return 1.0 if real else 2**15
    slope = 2**14 if rng.random() < 0.2 else extreme(rng, 1, 2**15 - 1)
    return f32(slope / 2**15) if real else slope


def random_numbers(rng: Rng, activation: str) -> tuple[float, ...]:
    """Settings of an activation, in binary32."""
    keys = tuple(FACTS[activation].settings or ())
    if keys == ("alpha",):
        return (f32(1.0 if rng.random() < 0.3 else log_uniform(rng, 2**-6, 16)),)
    if keys == ("alpha", "beta"):
        return f32(log_uniform(rng, 2**-6, 16)), f32(rng.uniform(-2, 3))
    return ()


def random_curve(
    rng: Rng, activation: str, numbers: tuple[float, ...], y_type: str
) -> Curve | None:
    """The table of an activation that has one, with any R and S."""
    if activation in FIXED:
        return FIXED[activation]
    if activation not in FUNCTION:
        return None
    full_scale = 2.0 ** int(rng.integers(-8, 12))
    return Curve(activation, numbers, full_scale * 2.0 ** int(rng.integers(0, 6)), full_scale)


def _z_min(activation: str, low: int, slope: float) -> int:
    """Section 4: of leaky_relu the smallest z of 16 bits whose y lies in the range of the type."""
    if activation in ("relu", "relu6"):
        return 0
    if activation == "leaky_relu" and low:
        return max(-(2**15), -(-low * 2**15 // int(slope)))
    return low


def _row_and_rows(plan: TrainedPlan) -> tuple[int, int]:
    """n_in and n_out: the size of a row of w, and the number of rows."""
    if isinstance(plan, RnnPlan):
        return plan.n_x + plan.n_out, plan.n_out
    if isinstance(plan, tuple):
        return plan
    return prod(plan.kernel) * plan.x_shape[2] // plan.groups, plan.y_shape[2]


def _as_planned(
    rng: Rng, dense: QuantizedWeighted, index: int, plan: TrainedPlan
) -> QuantizedWeighted:
    """The layer in its own kind, with what a dense layer does not have."""
    if isinstance(plan, Conv2dShape):
        return replace(dense, name=f"conv{index + 1}", shape=plan)
    if isinstance(plan, RnnPlan):
        layer = altered(
            dense,
            name=f"rnn{index + 1}",
            shape=RnnShape(plan.n_x, plan.n_out, plan.leak_shifts, plan.has_traces),
            init=_with_random_bounds(rng, dense),
        )
        return layer if dense.weight_type == "f32" else altered(layer, own_shift=plan.own_shift)
    return dense


def _with_random_bounds(rng: Rng, dense: QuantizedWeighted) -> SeededInit | StoredInit:
    if isinstance(dense.init, StoredInit):
        return dense.init
    inputs = _random_input_bound(rng, dense, dense.init.bound)
    return replace(dense.init, recurrent=RecurrentBounds(inputs, _random_bias_bound(rng, dense)))


def _random_input_bound(rng: Rng, dense: QuantizedWeighted, bound: float) -> int | float:
    if isinstance(dense.numbers, FloatNumbers):
        return f32(bound * log_uniform(rng, 0.1, 10))
    return extreme(rng, 0, 2**dense.numbers.weight_bits - 1)


def _random_bias_bound(rng: Rng, dense: QuantizedWeighted) -> int | float:
    if rng.random() < 0.2:
        return 0
    if dense.weight_type == "f32":
        return f32(log_uniform(rng, 1e-2, 10) / 2**15)
    return 2**27 if rng.random() < 0.2 else int(log_uniform(rng, 1, 2**27))


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
        kind = choose(rng, PROJECTIONS[:3] if storage == "packed" else PROJECTIONS)
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


def projection_values(kind: str, seed: int, n_out: int, count: int) -> NDArray[np.int8]:
    """P (n_out, count) of section 9."""
    k = np.arange(count)
    if kind == "gaussian":
        words = draws(seed, n_out * count).reshape(n_out, count).astype(np.int64)
        total = sum((words >> (8 * byte)) & 255 for byte in range(4))
        return np.minimum((total - 510 + 2) >> 2, 127).astype(np.int8)
    if kind == "hadamard":
        size = 1
        while size < count:
            size *= 2
        first = draws(seed, n_out) & 1
        rows = [
            [(-1) ** (int(13 * j % size & c).bit_count() + int(first[j])) for c in range(count)]
            for j in range(n_out)
        ]
        return np.array(rows, np.int8)
    per_word = 32 if kind == "sign" else 16
    row = -(-count // per_word)
    words = draws(seed, n_out * row).reshape(n_out, row).astype(np.int64)[:, k // per_word]
    if kind == "sign":
        return (2 * ((words >> (k & 31)) & 1) - 1).astype(np.int8)
    bits = (words >> (2 * (k & 15))) & 3
    return ((bits & 1) - (bits >> 1)).astype(np.int8)


def _random_dead_zone(rng: Rng, *, real: bool) -> int | float:
    return f32(log_uniform(rng, 1e-3, 0.3)) if real else int(log_uniform(rng, 1, 2**14))
