"""Operators that read sequences: RNN, GRU and LSTM."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.frontend.imports.call import Call, Node
from tpsgd_edge.frontend.imports.chain import Chain, extended, per_channel
from tpsgd_edge.frontend.imports.curves import check_curve
from tpsgd_edge.frontend.imports.elementwise import leaky_settings
from tpsgd_edge.frontend.imports.weighted import check_lengths, check_map, named_layer
from tpsgd_edge.frontend.onnx_activations import IN_RNN
from tpsgd_edge.graph import Weights

# ONNX has the update gate first, our layers the reset gate.
_GATES = (1, 0, 2)
# ONNX has the output gate second; ours is the third.
_GATES_OF_LSTM = (0, 2, 1, 3)


def rnn(chain: Chain, call: Call) -> Chain:
    """RNN, one direction, without clipping: a recurrent layer with leak 1."""
    activation = _rnn_activation(call)

    def made(w: Real, own: Real, b: Real) -> tuple[dict[str, Any], Weights]:
        table = {"kind": "rnn", "leak": 1.0, **activation}
        return table, Weights(np.concatenate([w, own], axis=1), b.sum(axis=0))

    return _recurrent(chain, call, 1, made)


def gru(chain: Chain, call: Call) -> Chain:
    """GRU, one direction, without clipping, with its usual activations: a gru layer."""
    _check_gru(call)
    # Where the reset gate acts before the sums, no local rule reaches it.
    is_after = bool(call.integer("linear_before_reset", 0))
    before = {} if is_after else {"reset": "before", "train": False}
    table: dict[str, Any] = {"kind": "gru", **before}

    def made(w: Real, own: Real, b: Real) -> tuple[dict[str, Any], Weights]:
        joined = np.concatenate([_gates(w), _gates(own)], axis=1)
        return table, Weights(joined, np.stack([*map(_gates, b)]))

    return _recurrent(chain, call, 3, made)


def lstm(chain: Chain, call: Call) -> Chain:
    """LSTM, one direction, without clipping, with its usual activations: an lstm layer."""
    _check_lstm(call)
    # No operator of ONNX limits cells, but that of TensorFlow Lite, which is read as one, does.
    most = call.node.attributes.get("cell_clip") if call.node.said else None
    table: dict[str, Any] = {"kind": "lstm", **({} if most is None else {"cell_clip": most})}

    def made(w: Real, own: Real, b: Real) -> tuple[dict[str, Any], Weights]:
        order = _GATES_OF_LSTM
        joined = np.concatenate([_gates(w, order), _gates(own, order)], axis=1)
        return table, Weights(joined, np.stack([_gates(rows, order) for rows in b]))

    return _recurrent(chain, call, 4, made)


def advice_on_cells(nodes: Iterable[Node], name: str) -> str | None:
    """Advice where this name is that of the cells of an LSTM; else None."""
    are_cells = any(node.op == "LSTM" and name in node.outputs[2:] for node in nodes)
    return (
        "these are the cells of an LSTM: read its output or its last state" if are_cells else None
    )


def _recurrent(
    chain: Chain,
    call: Call,
    parts: int,
    make: Callable[[Real, Real, Real], tuple[dict[str, Any], Weights]],
) -> Chain:
    """The chain with a layer that has `parts` rows a unit; `make` gets w, r and b (2, rows)."""
    op = call.node.op
    steps, n_x = _sequence(chain, call)
    units = call.integer("hidden_size", 0) or call.array(2, "recurrent weights").shape[-1]
    rows = parts * units
    w = call.real(1, "weights", (1, rows, n_x))[0]
    own = call.real(2, "recurrent weights", (1, rows, units))[0]
    b = np.zeros((2, rows))
    if call.has(3):
        b = call.real(3, "bias", (1, 2 * rows))[0].reshape(2, rows)
    if call.has(4) and set(call.whole(call.array(4, "lengths"), "lengths")) != {steps}:
        raise call.error(f"{op} reads sequences of different lengths")
    for place, state in ((5, "state"), (6, "cells")):
        if call.has(place) and call.real(place, f"initial {state}").any():
            what = f"{op} starts from a state other than zero"
            raise call.error(what, help="start from zeros")
    check_lengths(call, rows, n_x)
    if chain.pending is not None:
        affine = per_channel(chain.pending, n_x)
        if affine is None:
            raise call.error("a scaling differs from step to step", help="scale by feature")
        w, b = w * affine.scale, b + np.stack([w @ affine.shift, np.zeros(rows)])
    check_map(call, (1, steps, units))
    table, weights = make(w, own, b)
    layer = named_layer(chain, call, {**table, "units": units}, weights, units, units)
    outputs = np.arange(steps * units)
    last = outputs[-units:]
    if call.integer("layout", 0):
        order, second = outputs.reshape(1, steps, 1, units), last.reshape(1, 1, units)
    else:
        order, second = outputs.reshape(steps, 1, 1, units), last.reshape(1, 1, units)
    made = extended(chain, layer, order, (1, steps, n_x))
    return replace(made, steps=steps, second=second)


def _gates(rows: Real, order: tuple[int, ...] = _GATES) -> Real:
    """Rows, or biases, of the gates in our order."""
    parts = np.split(rows, len(order))
    return np.concatenate([parts[gate] for gate in order])


def _sequence(chain: Chain, call: Call) -> tuple[int, int]:
    """Steps, and values of each, that an operator reads."""
    shape = chain.order.shape
    batch = 0 if call.integer("layout", 0) else 1
    follows = not chain.layers or chain.layers[-1].kind in ("rnn", "gru", "lstm")
    if len(shape) != 3 or shape[batch] != 1 or not follows or chain.order.size != chain.size:
        raise call.error(
            f"{call.node.op} reads no sequence of steps",
            found=f"values of shape {shape}",
            help="recurrent layers come first, one behind the other, and read all steps",
        )
    if (chain.order.ravel() != np.arange(chain.size)).any():
        raise call.error(f"{call.node.op} reads its steps in another order than they come")
    return shape[1 - batch], shape[2]


def _rnn_activation(call: Call) -> dict[str, Any]:
    attributes = call.node.attributes
    activations = attributes.get("activations", ("Tanh",))
    direction = call.text("direction", "forward")
    if isinstance(activations, tuple):
        activations = activations[:1]  # a second one would be for the other direction
    is_known = activations in {(name,) for name in IN_RNN}
    if not is_known or direction != "forward" or "clip" in attributes:
        known = ", ".join(IN_RNN)
        raise _unlike(call, activations, f"one direction, one of {known}, no clipping")
    if activations == ("LeakyRelu",):
        return leaky_settings(call, _one_number(call, "alpha", 0.01))
    name = IN_RNN[activations[0]]
    defaults = FACTS[name].settings or {}
    settings = {key: _one_number(call, key, value) for key, value in defaults.items()}
    check_curve(call, name, settings)
    return {"activation": name, **settings}


def _one_number(call: Call, key: str, default: float) -> float:
    numbers = call.node.attributes.get(f"activation_{key}", (default,))
    if not isinstance(numbers, tuple) or len(numbers) != 1 or not isinstance(numbers[0], float):
        (activation,) = call.node.attributes["activations"]
        raise call.error(f"RNN has an odd {key} of {activation}", found=f"{numbers!r:.60}")
    return numbers[0]


def _check_gru(call: Call) -> None:
    attributes = call.node.attributes
    activations = attributes.get("activations", ("Sigmoid", "Tanh"))
    direction = call.text("direction", "forward")
    if activations != ("Sigmoid", "Tanh") or direction != "forward" or "clip" in attributes:
        raise _unlike(call, activations, "one direction, Sigmoid and Tanh, no clipping")


def _check_lstm(call: Call) -> None:
    attributes = call.node.attributes
    usual = ("Sigmoid", "Tanh", "Tanh")
    activations = attributes.get("activations", usual)
    direction = call.text("direction", "forward")
    if activations != usual or direction != "forward" or "clip" in attributes:
        raise _unlike(call, activations, "one direction, Sigmoid, Tanh and Tanh, no clipping")
    if call.integer("input_forget", 0):
        raise call.error("LSTM has one gate for input and forgetting", help="give it both gates")
    if call.has(7) and call.real(7, "peephole weights").any():
        raise call.error(
            "LSTM has gates that look at its cells (peepholes)", help="train it without peepholes"
        )


def _unlike(call: Call, activations: object, rule: str) -> Exception:
    clip = ", clip" if "clip" in call.node.attributes else ""
    found = f"direction {call.text('direction', 'forward')}, activations {activations!r:.60}{clip}"
    article = "a" if call.node.op == "GRU" else "an"
    what = f"{article} {call.node.op} of this kind has no layer of ours"
    return call.error(what, found=found, help=rule)
