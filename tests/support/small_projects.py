"""Small projects of every kind, each with a name of its own, as they would meet in one firmware."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np

from tests.golden.projects import NAMES, golden_project
from tests.random.networks import network, project_of, samples_of
from tests.support.adapting import with_adaptor
from tests.support.backprop import with_backprop
from tests.support.detectors import detecting
from tests.support.frozen import freeze, with_four_bits
from tests.support.gated import with_gru_layers, with_lstm_layers
from tests.support.memories import with_memories
from tests.support.models import random_model
from tests.support.readouts import with_learning_readouts
from tpsgd_edge.codegen import CProject
from tpsgd_edge.quantize.model import QuantizedModel, Replay

_DENSE = {"label_kind": "class", "n_in": 9, "hidden": [7], "lively": True}


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _learned() -> QuantizedModel:
    kinds = {"losses": ["projected_l2", "softmax_cross_entropy"]}
    return with_learning_readouts(_rng(8), network(8, value_type="s8", **_DENSE, **kinds))


def _adaptor() -> QuantizedModel:
    kinds = {"label_kind": "class", "activations": ["tanh", "linear", "linear"]}
    return with_adaptor(network(9, value_type="s8", n_in=9, hidden=[7, 7], **kinds), 1)


def _frozen(seed: int) -> QuantizedModel:
    """Of one shape, with every format alike; only the weights follow the seed."""
    kinds = {"losses": ["l2", "softmax_cross_entropy"], "activations": ["tanh", "linear"]}
    types = {"value_type": "s8", "weight_types": ["s16", "s16"], "gate": False}
    model = random_model(_rng(5), projection="sign", storage="seed", **types, **_DENSE, **kinds)
    first = replace(model.layers[0], init=replace(model.layers[0].init, seed=seed))
    return freeze(replace(model, layers=(first, *model.layers[1:])), [False, True])


def _nibbles() -> QuantizedModel:
    """A convolution and dense layers with weights of 4 bits, and a last layer that learns."""
    model = network(15, value_type="s8", label_kind="class", maps=True)
    kept = freeze(model, [layer is model.weighted[-1] for layer in model.weighted])
    return with_four_bits(_rng(16), kept, 1.0)


_MODELS: dict[str, Callable[[], QuantizedModel]] = {
    "bytes": lambda: network(1, value_type="s8", weight_types=["s8", "s8"], **_DENSE),
    "words": lambda: network(2, value_type="s16", **_DENSE),
    "reals": lambda: network(3, value_type="f32", **_DENSE),
    "maps": lambda: network(4, value_type="s8", label_kind="class", maps=True),
    "wave": lambda: network(5, value_type="s8", label_kind="class", recurrent=True),
    "wave_gru": lambda: with_gru_layers(_rng(6), network(6, value_type="s16", recurrent=True)),
    "cells": lambda: with_lstm_layers(_rng(6), network(6, value_type="s8", recurrent=True)),
    "chain": lambda: with_backprop(_rng(7), network(7, value_type="s16", maps=True)),
    "remembers": lambda: with_memories(_rng(13), network(13, value_type="s8", n_in=6, hidden=[4])),
    "odd": lambda: detecting(_rng(14), "s8", 9, 3, "s8"),
    "steady": lambda: detecting(_rng(15), "s16", 7, 0),
    "keeps": lambda: replace(
        network(14, value_type="s8", **_DENSE), replay=Replay(40, is_balanced=True, again=2)
    ),
    "learned": _learned,
    "adaptor": _adaptor,
    "nibbles": _nibbles,
    "twin": lambda: _frozen(11),
    "other_twin": lambda: _frozen(12),
}
SMALL = (*NAMES, *_MODELS)
TWINS = ("twin", "other_twin")


@cache
def small_model(name: str) -> QuantizedModel:
    """One of the models above."""
    return replace(_MODELS[name](), name=name)


@cache
def small_project(name: str) -> CProject:
    """A golden project, or one of the models above under its name there."""
    if name in NAMES:
        return golden_project(name)
    model = small_model(name)
    x, labels = samples_of(model, 1)
    return project_of(model, x[:4], labels[:4])
