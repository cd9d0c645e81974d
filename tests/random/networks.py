"""Random networks as whole projects: model, samples, rendered C.

A `Recipe` names one network for ever; its text goes into the command that repeats a failure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support.draws import TYPE_RANGE, Rng
from tests.support.models import PROJECTIONS, VALUE_TYPES, random_model, random_samples
from tpsgd_edge.codegen import CProject, Origin, render
from tpsgd_edge.memory import plan_memory
from tpsgd_edge.memory.kept import kept_samples
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel, Schedule, StoredInit
from tpsgd_edge.stages.selftest import selftest_of

Array = NDArray[Any]
ORIGIN = Origin("0", "random.toml", "0" * 64)
STEPS = 12
# What section 12 of docs/ARITHMETIC.md allows, and a weight that no sane training reaches.
_F32_INPUT, _F32_WEIGHT = 2.0**20, 2.0**30


@dataclass(frozen=True)
class Recipe:
    """What a random network is drawn from. What is not said here follows from `seed`."""

    seed: int
    value_type: str
    label_kind: str
    label_count: int
    n_in: int
    hidden: tuple[int, ...]
    projection: str
    storage: str

    def __str__(self) -> str:
        """As --network takes it: `17,s8,class,10,64,16-8,sign,seed`."""
        values = (getattr(self, field.name) for field in fields(self))
        return ",".join("-".join(map(str, v)) if isinstance(v, tuple) else str(v) for v in values)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The recipe of a text."""
        seed, value_type, kind, count, n_in, hidden, projection, storage = text.split(",")
        widths = tuple(int(width) for width in hidden.split("-") if width)
        return cls(int(seed), value_type, kind, int(count), int(n_in), widths, projection, storage)

    def model(self) -> QuantizedModel:
        """The model; some have initial weights at the ends of their range, some a constant rate."""
        rng = np.random.default_rng(self.seed)
        wanted = {field.name: getattr(self, field.name) for field in fields(self)[1:]}
        model = random_model(rng, **wanted)
        if rng.random() < 0.2:
            model = replace(model, schedule=Schedule((int(rng.integers(1, 2**15 + 1)),), 1))
        if rng.random() < 0.2 and self.value_type != "f32":
            layers = tuple(replace(layer, init=_extreme_init(rng, layer)) for layer in model.layers)
            model = replace(model, layers=layers)
        return model


@st.composite
def recipes(draw: st.DrawFn, *, max_width: int = 24) -> Recipe:
    """Recipes that shrink towards one narrow layer."""
    label_kind = draw(st.sampled_from(("class", "class", "vector")))
    projection = draw(st.sampled_from(PROJECTIONS))
    storages = ("seed", "s8") if projection == "gaussian" else ("seed", "s8", "packed")
    widths = st.integers(1, max_width)
    fewest = 1 + (label_kind == "class")
    # From 481 inputs on, s16 weights have fewer bits, and other ways of working on them open.
    n_in = st.one_of(*[st.integers(1, 2 * max_width)] * 5, st.integers(481, 700))
    # A list of any length would be empty half of the time.
    depth = draw(st.sampled_from((0, 1, 1, 2, 2, 3)))
    return Recipe(
        seed=draw(st.integers(0, 2**32 - 1)),
        value_type=draw(st.sampled_from(VALUE_TYPES)),
        label_kind=label_kind,
        label_count=draw(st.integers(fewest, 12) | st.integers(13, 70)),
        n_in=draw(n_in),
        hidden=tuple(draw(widths) for _ in range(depth)),
        projection=projection,
        storage=draw(st.sampled_from(storages)),
    )


def random_recipe(rng: Rng, **given: Any) -> Recipe:
    """A recipe from a generator, with some of its entries given."""
    label_kind = str(rng.choice(["class", "class", "vector"]))
    projection = str(rng.choice(PROJECTIONS))
    storages = ["seed", "s8"] if projection == "gaussian" else ["seed", "s8", "packed"]
    recipe = Recipe(
        seed=int(rng.integers(2**32)),
        value_type=str(rng.choice(VALUE_TYPES)),
        label_kind=label_kind,
        label_count=int(rng.integers(1 + (label_kind == "class"), rng.choice([13, 71]))),
        n_in=int(rng.integers(1, 49)) if rng.random() < 0.8 else int(rng.integers(481, 701)),
        hidden=tuple(rng.integers(1, 25, rng.integers(0, 4)).tolist()),
        projection=projection,
        storage=str(rng.choice(storages)),
    )
    return replace(recipe, **given)


def network(seed: int, **wanted: Any) -> QuantizedModel:
    """A network of a seed; one kind of projection in one storage, as a spec asks for it."""
    rng = np.random.default_rng(seed)
    kind = str(rng.choice(PROJECTIONS))
    storages = ("seed", "s8") if kind == "gaussian" else ("seed", "s8", "packed")
    return random_model(rng, projection=kind, storage=str(rng.choice(storages)), **wanted)


def samples_of(model: QuantizedModel, seed: int) -> tuple[Array, Array]:
    """Samples; among them all inputs, and all entries of a label vector, at an end of the range."""
    x, labels = random_samples(np.random.default_rng(seed), model, STEPS)
    low, high = _input_range(model.value_type)
    x[1], x[3] = low, high
    if model.labels.kind == "vector":
        low, high = _input_range(model.output_type)
        labels[1], labels[4] = high, low
    return x, labels


def project_of(model: QuantizedModel, x: Array, labels: Array) -> CProject:
    """The rendered project; its self-test trains on these samples."""
    return render(model, plan_memory(model), ORIGIN, selftest_of(model, x, labels), {})


def late_state(model: QuantizedModel, seed: int) -> dict[str, Array]:
    """A state with weights and biases at their limits and two steps left to count."""
    rng = np.random.default_rng(seed)
    state: dict[str, Array] = {}
    for layer in model.trainable:
        bits = 0 if layer.weight_type == "f32" else layer.numbers.weight_bits
        for name, shape, limit in (
            ("w", (layer.n_out, layer.n_in), 2**bits),
            ("b", (layer.n_out,), 2**27),
        ):
            type_ = layer.weight_type if name == "w" else layer.bias_type
            low, high = (-_F32_WEIGHT, _F32_WEIGHT) if type_ == "f32" else (-limit, limit)
            high -= name == "w" and type_ != "f32"
            state[f"{layer.name}.{name}"] = _at_the_ends(rng, shape, low, high).astype(
                DTYPES[type_]
            )
        if layer.has_learning_readout:
            type_ = "f32" if layer.weight_type == "f32" else "s8"
            p = _at_the_ends(rng, (layer.n_target, model.labels.count), -127, 127)
            state[f"{layer.name}.p"] = p.astype(DTYPES[type_])
    for detector in model.detectors:
        for own in detector.tensors:
            values = _at_the_ends(rng, (own.count,), own.low, own.high)
            state[f"{detector.name}.{own.role}"] = values.astype(DTYPES["s32"])
    state |= late_samples(model, rng)
    state["rng"] = np.array(rng.integers(2**32), DTYPES["u32"])
    state["step"] = np.array(2**32 - 3, DTYPES["u32"])
    state["start"] = np.array(2**32 - 3 - rng.integers(100), DTYPES["u32"])
    state["rate"] = random_rate(rng, model)
    return state


def late_samples(model: QuantizedModel, rng: np.random.Generator) -> dict[str, Array]:
    """All room for kept samples taken, most by one class, and counters near or at their ends."""
    made: dict[str, Array] = {}
    for name, type_, shape in kept_samples(model):
        role = name.rpartition(".")[2]
        if role == "kept":
            values = np.array(model.replay.size)
        elif role == "seen":
            values = 2**32 - 1 - rng.integers(0, 3, shape)
        elif type_ == "u16":
            values = rng.integers(0, model.labels.count, shape) * (rng.random(shape) < 0.4)
        else:
            values = _at_the_ends(rng, shape, *_input_range(type_))
        made[name] = np.asarray(values).astype(DTYPES[type_])
    return made


def random_rate(rng: np.random.Generator, model: QuantizedModel) -> Array:
    """A rate as the state holds it, often at an end of its range."""
    rate = rng.choice([0, 1, 2**14, 2**15 - 1, 2**15, rng.integers(2**15 + 1)])
    if model.value_type == "f32":
        return np.array(rate / 2**15, DTYPES["f32"])
    return np.array(rate, DTYPES["u32"])


def state_bytes(model: QuantizedModel, state: Mapping[str, Array]) -> bytes:
    """The state as the device's struct holds it."""
    return plan_memory(model).state.write(state)


def _input_range(value_type: str) -> tuple[float, float]:
    return TYPE_RANGE.get(value_type, (-_F32_INPUT, _F32_INPUT))


def _at_the_ends(rng: Rng, shape: tuple[int, ...], low: float, high: float) -> Array:
    """All at the low end, all at the high end, or some at each."""
    style = rng.integers(3)
    if style < 2:
        return np.full(shape, (low, high)[style])
    return rng.choice(np.array([low, high]), shape)


def _extreme_init(rng: Rng, layer: Any) -> StoredInit:
    limit = 2**layer.numbers.weight_bits
    w = _at_the_ends(rng, (layer.n_out, layer.n_in), -limit, limit - 1)
    b = _at_the_ends(rng, (layer.n_out,), -(2**27), 2**27)
    return StoredInit(w.astype(DTYPES[layer.weight_type]), b.astype(DTYPES["s32"]))
