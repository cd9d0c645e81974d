"""A small transformer block, as a graph and as the layers of a spec."""

from typing import Any

import numpy as np

from tpsgd_edge.graph import (
    Dense,
    Graph,
    Labels,
    Norm,
    Weights,
    add,
    attention,
    conv2d,
)

STEPS, CHANNELS, WIDTH, CLASSES, HEADS = 8, 3, 4, 3, 2
_READS = {
    "q": ("n1",),
    "k": ("n1",),
    "v": ("n1",),
    "mix": ("q", "k", "v"),
    "sum1": ("embed", "o"),
    "sum2": ("sum1", "down"),
}


def _each_step(name: str, width: int, filters: int, activation: str) -> Any:
    shape = (1, STEPS, width)
    return conv2d(name, shape, filters=filters, kernel=(1, 1), activation=activation)


def block_graph() -> Graph:
    """The net of `block_layers` with weights at random."""
    rng = np.random.default_rng(0)
    shape = (1, STEPS, WIDTH)
    layers = (
        _each_step("embed", CHANNELS, WIDTH, "tanh"),
        Norm("n1", shape, False, True, 1e-5),
        *(_each_step(name, WIDTH, WIDTH, "linear") for name in "qkv"),
        attention("mix", [shape] * 3, HEADS),
        _each_step("o", WIDTH, WIDTH, "linear"),
        add("sum1", [shape] * 2, "linear"),
        Norm("n2", shape, False, True, 1e-5),
        _each_step("up", WIDTH, 2 * WIDTH, "relu"),
        _each_step("down", 2 * WIDTH, WIDTH, "linear"),
        add("sum2", [shape] * 2, "linear"),
        Dense("out", STEPS * WIDTH, CLASSES, "linear"),
    )
    weighted = [layer.weighted for layer in layers if layer.weighted is not None]
    weights = {
        layer.name: Weights(*(0.6 * rng.normal(size=shape) for shape in layer.weight_shapes))
        for layer in weighted
    }
    return Graph("net", layers, Labels("class", CLASSES), weights, reads=_READS)


def block_layers(width: int = WIDTH, heads: int = HEADS) -> list[dict[str, Any]]:
    """Tables of a spec: embedding, attention and feed-forward with norms and sums, last layer."""
    one: dict[str, Any] = {"kind": "conv1d", "kernel": 1}
    linear = {**one, "filters": width, "activation": "linear"}
    return [
        {**one, "name": "embed", "filters": width},
        {"kind": "norm", "name": "n1"},
        *({**linear, "name": name, "from": "n1"} for name in "qkv"),
        {"kind": "attention", "name": "mix", "heads": heads, "from": ["q", "k", "v"]},
        {**linear, "name": "o"},
        {"kind": "add", "name": "sum1", "from": ["embed", "o"]},
        {"kind": "norm", "name": "n2"},
        {**one, "name": "up", "filters": 2 * width, "activation": "relu"},
        {**linear, "name": "down"},
        {"kind": "add", "name": "sum2", "from": ["sum1", "down"]},
        {"name": "out", "units": CLASSES},
    ]
