"""Random models and samples that obey the ranges of docs/ARITHMETIC.md, extreme values among them.

Everything follows from the generator that is handed in, so that one seed names one model:

    model = random_model(np.random.default_rng(17))
    x, labels = random_samples(np.random.default_rng(18), model, steps=20)

Each keyword of `random_model` (see `Wanted`) that is left out is drawn, but for `maps` and
`recurrent`: without them, or plans of such layers, all layers are dense.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.draws import Rng, choose, f32, maybe, random_input
from tests.support.graphs import GraphPlan, JoinPlan, NodePlan, join_layer, random_graph_plan
from tests.support.layers import (
    PROJECTIONS,
    Shape,
    TrainedPlan,
    pool_layer,
    projection_values,
    random_layer,
    weight_bits,
)
from tests.support.losses import ACTIVATIONS, activation_and_loss, loss_choices
from tests.support.maps import MapPlan, MapShape, PoolPlan, random_map, random_map_plans
from tests.support.sequences import MOST_STEPS, RnnPlan, random_rnn_plans
from tpsgd_edge.quantize.model import (
    InputScaling,
    LabelFormat,
    QuantizedLayer,
    QuantizedModel,
    QuantizedWeighted,
    Schedule,
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


@dataclass(frozen=True)
class Wanted:
    """What a test asks of a random model; whatever is None is drawn.

    Attributes:
        n_in: values of a sample; with recurrent layers, of one step.
        hidden: widths of the hidden dense layers; empty for a net of one layer.
        activations, losses, weight_types: one for each trained layer, the last layer included.
        gate: with an error gate, where the last loss allows one.
        stored_weights: initial weights from flash, extremes among them; else from the seed.
        lively: factors and rates such that values move and units learn; else anything allowed.
        maps: convolutions and pools before the dense layers; None: in half of the models.
        x_shape: the input map; the default with `n_in` is one row.
        plain_maps: without windows that reach over edges and without dilation, as errors pass them.
        map_plans: the layers on maps, from the input on; then `maps` and `x_shape` are not used.
        recurrent: recurrent layers before all others; None: in half of the models.
        rnn_plans: the recurrent layers; then `recurrent` and `n_in` are not used.
        steps: length of the sequences of recurrent layers.
        each_step: with recurrent layers, a label for each step instead of one for a sample.
        learn_every: as in `QuantizedModel`, where a sample has one label.
        graph: layers that branch, in place of maps and hidden layers; recurrent ones come first.
        graph_plan: these layers; then `graph` is not used.
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
    plain_maps: bool = False
    map_plans: Sequence[MapPlan] | None = None
    recurrent: bool | None = False
    rnn_plans: Sequence[RnnPlan] | None = None
    steps: int | None = None
    each_step: bool | None = None
    learn_every: int | None = None
    graph: bool = False
    graph_plan: GraphPlan | None = None
    name: str = "net"


def random_model(rng: Rng, **wanted: Any) -> QuantizedModel:
    """A model with consistent parameters; keywords as in `Wanted`."""
    wish = Wanted(**wanted)
    value_type = wish.value_type or choose(rng, VALUE_TYPES)
    label_kind = wish.label_kind or choose(rng, ("class", "class", "vector"))
    count = wish.label_count or int(rng.integers(1 + (label_kind == "class"), 13))
    shape = Shape(int(rng.integers(2**32)), value_type, label_kind, count)
    plans, reads = _plans(rng, shape, wish)
    layers = _random_layers(rng, shape, wish, plans)
    can_gate = label_kind == "class" and layers[-1].loss.kind == "softmax_cross_entropy"
    one = np.ones(1)
    steps, each_step, learn_every = 1, False, 0
    if layers[0].kind == "rnn":
        steps, each_step, learn_every = _steps(rng, wish)
    return QuantizedModel(
        name=wish.name,
        seed=shape.seed,
        value_type=value_type,
        layers=layers,
        labels=LabelFormat(label_kind, count, 1.0, np.zeros(1), one, each_step),
        inputs=InputScaling(np.zeros(1), one, 1.0 if value_type == "f32" else 2.0**-7),
        schedule=_random_schedule(rng),
        gate=_random_gate(rng, shape) if can_gate and maybe(rng, wish.gate, 0.3) else None,
        steps=steps,
        learn_every=learn_every,
        reads=reads,
    )


def random_samples(
    rng: Rng, model: QuantizedModel, steps: int
) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """x (steps, n_in) and labels (steps,) or (steps, K), in the model's types.

    Where each step of a sequence of T has a label, labels are (steps, T) or (steps, T, K).
    """
    x = np.stack([random_input(rng, model.value_type, model.n_inputs) for _ in range(steps)])
    count = model.labels.count
    shape = (steps, model.steps) if model.labels.each_step else (steps,)
    if model.labels.kind == "class":
        return x, rng.integers(0, count, shape).astype(np.uint16)
    label_type: ValueType = "f32" if model.value_type == "f32" else "s16"
    labels = np.stack([random_input(rng, label_type, count) for _ in range(prod(shape))])
    return x, labels.reshape(*shape, count)


# ------------------------------------------------------------------ layers


def _random_layers(
    rng: Rng, shape: Shape, wish: Wanted, plans: Sequence[NodePlan | RnnPlan]
) -> tuple[QuantizedLayer, ...]:
    layers: list[QuantizedLayer] = []
    turn = offset = 0
    for index, plan in enumerate(plans):
        if isinstance(plan, PoolPlan):
            layers.append(pool_layer(shape, index, plan))
            continue
        if isinstance(plan, JoinPlan):
            lively = maybe(rng, wish.lively, 0.8)
            layers.append(join_layer(rng, shape.value_type, index, plan, lively=lively))
            continue
        layer = _layer(rng, shape, wish, index, turn, offset, plan, len(plans))
        layers.append(layer)
        turn += 1
        offset += layer.y_count
    return tuple(layers)


def _layer(
    rng: Rng,
    shape: Shape,
    wish: Wanted,
    index: int,
    turn: int,
    offset: int,
    plan: TrainedPlan,
    count: int,
) -> QuantizedWeighted:
    """Layer `index` of `count`, the one with that `turn` among those that learn."""
    is_last = index == count - 1
    activation, loss = activation_and_loss(
        rng,
        shape.label_kind,
        wish.activations[turn] if wish.activations else None,
        wish.losses[turn] if wish.losses else None,
        is_last=is_last,
    )
    weight_type: ValueType = "f32"
    if shape.value_type != "f32":
        types = wish.weight_types
        weight_type = types[turn] if types else choose(rng, ("s8", "s16"))
    return random_layer(
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


def _plans(
    rng: Rng, shape: Shape, wish: Wanted
) -> tuple[list[NodePlan | RnnPlan], Mapping[str, tuple[str, ...]]]:
    """All layers: recurrent ones, those on maps, dense ones; and what they read in a graph."""
    recurrent = _rnn_plans(rng, shape, wish)
    graph = wish.graph_plan
    if graph is None and wish.graph:
        graph = _random_graph(rng, shape, wish, recurrent)
    if graph is not None:
        return [*recurrent, *graph.layers], graph.reads
    on_maps = _map_plans(rng, wish, recurrent)
    n_in = recurrent[-1].n_out if recurrent else None
    if on_maps:
        n_in = prod(on_maps[-1].y_shape)
    widths = _widths(rng, shape, wish, n_in)
    return [*recurrent, *on_maps, *pairwise(widths)], {}


def _random_graph(rng: Rng, shape: Shape, wish: Wanted, recurrent: Sequence[RnnPlan]) -> GraphPlan:
    """Layers that branch, behind the recurrent ones."""
    if recurrent:
        source = {"source": f"rnn{len(recurrent)}", "first": len(recurrent)}
        return random_graph_plan(rng, (1, 1, recurrent[-1].n_out), shape.label_count, **source)
    return random_graph_plan(rng, wish.x_shape or random_map(rng), shape.label_count)


def _rnn_plans(rng: Rng, shape: Shape, wish: Wanted) -> Sequence[RnnPlan]:
    if wish.rnn_plans is not None:
        return wish.rnn_plans
    recurrent = rng.random() < 0.5 if wish.recurrent is None else wish.recurrent
    if not recurrent:
        return ()
    n_x = wish.n_in or int(rng.integers(1, wish.max_width + 1))
    return random_rnn_plans(rng, shape.value_type, n_x, wish.max_width)


def _map_plans(rng: Rng, wish: Wanted, recurrent: Sequence[RnnPlan]) -> Sequence[MapPlan]:
    if wish.map_plans is not None:
        return wish.map_plans
    maps = rng.random() < 0.5 if wish.maps is None else wish.maps
    if not maps:
        return ()
    if recurrent:
        # What a recurrent layer makes is a map of one place.
        return random_map_plans(rng, (1, 1, recurrent[-1].n_out), plain=wish.plain_maps)
    x_shape = wish.x_shape or ((1, wish.n_in, 1) if wish.n_in else random_map(rng))
    return random_map_plans(rng, x_shape, plain=wish.plain_maps)


def _widths(rng: Rng, shape: Shape, wish: Wanted, n_in: int | None) -> list[int]:
    """Widths between the dense layers, from their input to the outputs.

    `n_in` is what the layers before them make, if there are any.
    """
    hidden, width = wish.hidden, wish.max_width
    if hidden is None:
        most = 4 if n_in is None else 2
        hidden = rng.integers(1, width + 1, size=rng.integers(0, most)).tolist()
    if n_in is None:
        n_in = wish.n_in or int(rng.integers(1, 2 * width + 1))
    return [n_in, *hidden, shape.label_count]


# ------------------------------------------------------------------ parts


def _random_schedule(rng: Rng) -> Schedule:
    decay = rng.integers(0, 2**15 + 1, size=rng.integers(1, 33))
    decay[0] = 2**15
    return Schedule(tuple(int(d) for d in decay), int(rng.integers(1, 20)))


def _random_gate(rng: Rng, shape: Shape) -> int | float:
    share = rng.uniform(0, 1)
    return f32(share) if shape.value_type == "f32" else int(share * 2**15)


def _steps(rng: Rng, wish: Wanted) -> tuple[int, bool, int]:
    """Length of the sequences, whether each step has a label, and `learn_every`."""
    steps = wish.steps or int(rng.integers(1, MOST_STEPS + 1))
    each_step = maybe(rng, wish.each_step, 0.4)
    # The end only, each step, some steps, or more than a sequence has.
    drawn = int(rng.choice([0, 1, rng.integers(1, steps + 1), rng.integers(1, steps + 3)]))
    learn_every = drawn if wish.learn_every is None else wish.learn_every
    return steps, each_step, 0 if each_step else learn_every
