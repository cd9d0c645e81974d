"""Nets of two layers whose numbers follow by hand: gated, with targets, on maps, along time."""

from dataclasses import replace

import numpy as np

from tests.proof.bench import Requantize, Schedule, start, steps_of
from tests.support.models import random_model
from tests.support.parts import altered
from tests.support.sequences import RnnPlan
from tpsgd_edge.quantize.model import DTYPES, Projection, StoredInit, Target
from tpsgd_edge.reference import Reference


def places(*r: int) -> tuple[list[int], list[int]]:
    """y and labels for some r."""
    y = [-r_ if abs(r_) > 16383 else 0 for r_ in r]
    return y, [2 * r_ + y_ for r_, y_ in zip(r, y, strict=True)]


def gated(gate, value_type="s8"):
    """A hidden layer below four equal outputs: each has a probability of exactly 1 / 4."""
    model = random_model(
        np.random.default_rng(2),
        value_type=value_type,
        label_kind="class",
        label_count=4,
        n_in=3,
        hidden=[4],
        activations=["linear", "linear"],
        losses=["projected_cross_entropy", "softmax_cross_entropy"],
        stored_weights=True,
        dead_zone=False,
        lively=True,
        gate=True,
    )
    hidden, last = model.layers
    zero = StoredInit(np.zeros_like(last.init.w), np.zeros_like(last.init.b))
    if value_type == "f32":
        hidden = altered(hidden, rate=0.5)
    else:
        hidden = altered(hidden, rate=Requantize(2**15, 12))
    return replace(model, gate=gate, layers=(hidden, replace(last, init=zero)))


def hidden(loss, *, mult=0, mid=0, n_out=4, count=8, projection=None, **numbers):
    """A hidden linear layer whose b moves by delta, below a layer of zeros."""
    model = random_model(
        np.random.default_rng(4),
        value_type="s8",
        label_kind="vector",
        label_count=count,
        n_in=2,
        hidden=[n_out],
        activations=["linear", "linear"],
        losses=[loss, "l2"],
        weight_types=["s16", "s16"],
        projection="sign",
        storage="s8",
        stored_weights=True,
        dead_zone=False,
        lively=True,
    )
    first, last = model.layers
    values = np.ones((n_out, count), np.int8) if projection is None else projection
    p = values if isinstance(values, Projection) else Projection("sign", "s8", 0, values)
    target = first.loss.target and Target(mid=mid, mult=mult, shift=0)
    own = replace(first.loss, target=target, **numbers)
    zeros = [StoredInit(np.zeros_like(la.init.w), np.zeros_like(la.init.b)) for la in (first, last)]
    bench = {"z": Requantize(2**14, 14), "rate": Requantize(2**15, 15), "bias_one": 64}
    first = altered(first, init=zeros[0], loss=own, projection=p, **bench)
    last = replace(last, init=zeros[1])
    return replace(model, layers=(first, last), schedule=Schedule((2**15,), 1))


def maps(plans, value_type="s8", **wanted):
    """A net of maps with the smallest last layer."""
    model = random_model(
        np.random.default_rng(6),
        value_type=value_type,
        label_kind="class",
        label_count=2,
        map_plans=plans,
        hidden=[],
        weight_types=["f32" if value_type == "f32" else "s16"] * 3,
        projection="sign",
        storage="seed",
        gate=False,
        dead_zone=False,
        stored_weights=True,
        lively=True,
        **wanted,
    )
    return replace(model, schedule=Schedule((2**15,), 1))


def as_it_is(layer, w):
    """The layer with these weights for every unit, no biases, and z = acc."""
    weights = np.broadcast_to(np.array(w, DTYPES[layer.weight_type]), (layer.n_out, layer.n_in))
    init = StoredInit(weights.copy(), np.zeros(layer.n_out, np.int32))
    return altered(layer, init=init, z=Requantize(2**14, 14), z_min=-128, z_max=127)


def layer_outputs(model, x):
    """What each layer makes of a sample, which reference and C agree on."""
    steps_of(model, [(start(model), x, 0)])
    return Reference(model).layer_outputs(np.array(x, DTYPES[model.value_type]))


def recurrent(leak, own_shift=8, activation="linear", **wanted):
    """One recurrent unit that reads one value with a weight of 64 and forgets by 2^-leak."""
    model = random_model(
        np.random.default_rng(8),
        value_type="s8",
        label_kind="class",
        label_count=2,
        rnn_plans=[RnnPlan(1, 1, (leak,), has_traces=True, own_shift=own_shift)],
        steps=2,
        each_step=False,
        learn_every=0,
        hidden=[],
        activations=[activation, "linear"],
        losses=["projected_cross_entropy", "softmax_cross_entropy"],
        weight_types=["s16", "s16"],
        gate=False,
        dead_zone=False,
        stored_weights=True,
        lively=True,
        **wanted,
    )
    rnn, last = model.layers
    return replace(model, layers=(as_it_is(rnn, [1, 0]), last))
