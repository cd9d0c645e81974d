"""Random specs, as a user could write them, with random data: through quantizer and renderer.

A drawn spec may ask for what cannot be had: it is refused in words, and the count says how often.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import Prepared, prepare

RECURRENT = ("rnn", "gru", "lstm")
ACTIVATIONS = ("tanh", "sigmoid", "relu", "relu6", "leaky_relu", "hard_tanh", "linear")
LOSSES = ("projected_l2", "l2", "l1", "huber", "epsilon_insensitive", "custom")


@dataclass(frozen=True)
class Drawn:
    """One spec, and a data set of its own."""

    content: Mapping[str, Any]
    shape: tuple[int, ...]
    outputs: int
    is_class: bool
    each_step: bool
    seed: int

    def prepared(self) -> Prepared:
        """The quantized model.

        Raises:
            SpecError, DataError: it cannot be had.
        """
        with tempfile.TemporaryDirectory(prefix="tpsgd-specs-") as folder:
            spec = spec_from_dict(dict(self.content), folder=Path(folder))
            return prepare(spec, dataset_from_arrays(spec, *self._samples()))

    def _samples(self) -> tuple[NDArray[Any], NDArray[Any]]:
        rng = np.random.default_rng(self.seed)
        count = 40
        x = rng.normal(size=(count, *self.shape)) * 10.0 ** rng.integers(-2, 3)
        if rng.random() < 0.3:
            x *= rng.random(x.shape) < 0.4
        answers = (count, self.shape[0]) if self.each_step else (count,)
        if self.is_class:
            y = rng.integers(0, self.outputs, answers)
            y.flat[: self.outputs] = np.arange(self.outputs)
            return x, y
        return x, rng.normal(size=(*answers, self.outputs)) * 10.0 ** rng.integers(-1, 2)


@st.composite
def specs(draw: st.DrawFn) -> Drawn:
    """Dense nets, nets on maps, along time, of recurrent layers; all formats, losses, rules."""
    kind = draw(
        st.sampled_from(("dense", "dense", "maps", "time", "rnn", "gru", "lstm", "memory", "graph"))
    )
    is_class = draw(st.booleans() | st.just(True))
    outputs = draw(st.integers(2 if is_class else 1, 6))
    shape, layers = _LAYERS[kind](draw)
    each_step = kind in RECURRENT and draw(st.integers(0, 3)) == 0
    for _ in range(draw(st.sampled_from((0, 1, 1, 2)))):
        layers.append({"kind": "dense", "units": draw(st.integers(1, 12))})
    layers.append({"kind": "dense", "units": outputs})
    follows = kind not in (*RECURRENT, "memory", "graph")
    rule = _rule(draw, is_class=is_class, can_follow_gradient=follows)
    if kind == "memory" and rule["learn_every"]:
        del rule["learn_every"]  # Memories say when there is something new.
    weights = draw(st.sampled_from(("s16", "s8", "f32")))
    for index, layer in enumerate(layers):
        if "pool" not in layer["kind"]:
            layer["name"] = f"l{index}"
        if "pool" not in layer["kind"] and layer["kind"] not in ("add", "concat", "memory"):
            is_last = index == len(layers) - 1
            _vary(draw, layer, is_last=is_last, real=weights == "f32")
    content = {
        "name": "drawn",
        "seed": draw(st.integers(0, 2**32 - 1)),
        "model": {"layers": layers},
        "numbers": {
            "weights": weights,
            "activations": draw(st.sampled_from(("s8", "s16"))),
        },
        "rule": rule,
        "data": {
            "file": "none.npz",
            "scaling": draw(st.sampled_from(("standard", "standard", "unit", "standard_all"))),
            "task": "classification" if is_class else "regression",
        },
    }
    if rule.get("kind") == "backprop":
        for layer in layers:
            layer.pop("target_pool", None)
    elif projection := _projection(draw, rule):
        content["projection"] = projection
    if draw(st.integers(0, 3)) == 0:
        _pass_errors(draw, rule, layers)
    if is_class and _can_carry(rule, layers):
        rule["scores"] = draw(st.sampled_from(("own", "carried", "carried")))
    if draw(st.integers(0, 3)) == 0:
        content["replay"] = _replay(draw, outputs if is_class and not each_step else None)
    return Drawn(content, shape, outputs, is_class, each_step, draw(st.integers(0, 2**31)))


def _pass_errors(draw: st.DrawFn, rule: dict[str, Any], layers: list[dict[str, Any]]) -> None:
    """Let some hidden layers have their errors from above; some that cannot are refused."""
    hidden = [la for la in layers[:-1] if la["kind"] in ("dense", "conv1d", "conv2d")]
    for layer in hidden:
        if rule.get("kind") != "backprop" and draw(st.booleans()):
            layer["error"] = "passed"
            layer.pop("target_pool", None)
            rule.pop("error_gate", None)


def _replay(draw: st.DrawFn, classes: int | None) -> dict[str, Any]:
    """A replay, balanced where a sample has one of some classes."""
    keep = draw(st.sampled_from(("reservoir", "balanced"))) if classes else "reservoir"
    least = classes if classes and keep == "balanced" else 1
    size, again = draw(st.integers(least, least + 4)), draw(st.integers(1, 3))
    return {"size": size, "keep": keep, "again": again}


def _can_carry(rule: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether the hidden layers that learn read out scores."""
    kinds = {"dense", "conv1d", "conv2d"}
    learning = [la for la in layers[:-1] if la["kind"] in kinds and la.get("train", True)]
    recurrent = any(layer["kind"] in RECURRENT for layer in layers)
    loss = rule.get("loss", {}).get("kind", "projected_cross_entropy")
    is_read_out = loss == "projected_cross_entropy" and rule.get("kind") != "backprop"
    is_read_out = is_read_out and not any(la.get("error") == "passed" for la in layers)
    return bool(learning) and not recurrent and is_read_out


def _dense(draw: st.DrawFn) -> tuple[tuple[int, ...], list[dict[str, Any]]]:
    return (draw(st.integers(1, 40)),), []


def _maps(draw: st.DrawFn) -> tuple[tuple[int, ...], list[dict[str, Any]]]:
    size = draw(st.integers(3, 8))
    channels = draw(st.integers(1, 3))
    layers: list[dict[str, Any]] = [
        {
            "kind": "conv2d",
            "filters": channels * draw(st.integers(1, 3)),
            "kernel": draw(st.integers(1, 3)),
            "stride": draw(st.sampled_from((1, 1, 2))),
            "padding": draw(st.sampled_from(("valid", "same"))),
            "groups": draw(st.sampled_from((1, 1, "depthwise"))),
            "target_pool": draw(st.sampled_from((1, 2, 3, "position"))),
        }
    ]
    if draw(st.integers(0, 4)) == 0:
        layers.append({"kind": "norm", **_normalizes(draw)})
    if draw(st.booleans()):
        pool = draw(st.sampled_from(("max_pool", "avg_pool", "global_avg_pool")))
        layers.append({"kind": pool} if pool.startswith("global") else {"kind": pool, "size": 2})
    return (size, draw(st.integers(3, 8)), channels), layers


def _normalizes(draw: st.DrawFn) -> dict[str, Any]:
    return {"over": draw(st.sampled_from(("channels", "all"))), "center": draw(st.booleans())}


def _time(draw: st.DrawFn) -> tuple[tuple[int, ...], list[dict[str, Any]]]:
    layer = {
        "kind": "conv1d",
        "filters": draw(st.integers(1, 6)),
        "kernel": draw(st.integers(1, 4)),
        "padding": draw(st.sampled_from(("valid", "same"))),
        "target_pool": draw(st.sampled_from((1, 3, "position"))),
    }
    return (draw(st.integers(4, 12)), draw(st.integers(1, 3))), [layer]


def _rnn(draw: st.DrawFn) -> tuple[tuple[int, ...], list[dict[str, Any]]]:
    layer: dict[str, Any] = {"kind": "rnn", "units": draw(st.integers(2, 9))}
    if draw(st.booleans()):
        layer["leak"] = draw(st.sampled_from(([1.0], [0.5], [1.0, 0.25])))
        layer["learns_from"] = draw(st.sampled_from(("present", "trace")))
    return (draw(st.integers(1, 6)), draw(st.integers(1, 5))), [layer]


def _gru(draw: st.DrawFn) -> tuple[tuple[int, ...], list[dict[str, Any]]]:
    return (draw(st.integers(1, 6)), draw(st.integers(1, 5))), [
        {"kind": "gru", "units": draw(st.integers(1, 7))}
    ]


def _lstm(draw: st.DrawFn) -> tuple[tuple[int, ...], list[dict[str, Any]]]:
    layer: dict[str, Any] = {"kind": "lstm", "units": draw(st.integers(1, 7))}
    if draw(st.integers(0, 3)) == 0:
        layer["cell_clip"] = draw(st.sampled_from((10.0, 0.5)))
    return (draw(st.integers(1, 6)), draw(st.integers(1, 5))), [layer]


def _memory(draw: st.DrawFn) -> tuple[tuple[int, ...], list[dict[str, Any]]]:
    """One memory, two, or two with a dense layer between; or one behind a conv1d."""
    shape, layers = (draw(st.integers(1, 9)), draw(st.integers(1, 4))), [_states(draw)]
    way = draw(st.sampled_from(("one", "two", "between", "conv1d")))
    if way == "conv1d":
        shape, layers = _time(draw)
        layers.append(_states(draw))
    elif way != "one":
        layers[0]["every"] = draw(st.integers(1, 4))
        if way == "between":
            layers.append({"kind": "dense", "units": draw(st.integers(1, 9))})
        layers.append(_states(draw))
    return shape, layers


def _states(draw: st.DrawFn) -> dict[str, Any]:
    states: dict[str, Any] = draw(
        st.sampled_from(
            (
                {},
                {"leak": [1, 0.25]},
                {"leak": [0.5], "differences": False},
                {"cosines": 1},
                {"cosines": 3},
            )
        )
    )
    return {"kind": "memory", **states}


def _graph(draw: st.DrawFn) -> tuple[tuple[int, ...], list[dict[str, Any]]]:
    """Convolutions that keep the size of their map, with ways around one or two of them."""
    size, channels = draw(st.integers(2, 5)), draw(st.integers(1, 3))
    layers: list[dict[str, Any]] = [_same(draw, draw(st.integers(1, 4)))]
    filters, end = layers[0]["filters"], "l0"
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(("add", "add", "concat")))
        for _ in range(draw(st.integers(1, 2))):
            layers.append(_same(draw, filters))
        inputs = [end, f"l{len(layers) - 1}"]
        if kind == "concat":
            filters *= 2
            if draw(st.booleans()):
                inputs.append("x")
                filters += channels
            layers.append({"kind": "concat", "from": inputs})
        else:
            activation = draw(st.sampled_from(("linear", "relu", "relu6")))
            layers.append({"kind": "add", "from": inputs, "activation": activation})
        end = f"l{len(layers) - 1}"
    if draw(st.booleans()):
        layers.append({"kind": "global_avg_pool"})
    return (size, draw(st.integers(2, 5)), channels), layers


def _same(draw: st.DrawFn, filters: int) -> dict[str, Any]:
    kernel = draw(st.sampled_from((1, 3)))
    return {"kind": "conv2d", "filters": filters, "kernel": kernel, "padding": "same"}


_LAYERS = {
    "dense": _dense,
    "maps": _maps,
    "time": _time,
    "rnn": _rnn,
    "gru": _gru,
    "lstm": _lstm,
    "memory": _memory,
    "graph": _graph,
}


def _rule(draw: st.DrawFn, *, is_class: bool, can_follow_gradient: bool) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "schedule": draw(st.sampled_from(("constant", "linear", "cosine", "exponential"))),
        "epochs": draw(st.integers(1, 4)),
        "dead_zone": draw(st.sampled_from((0.0, 0.0, 0.01, 0.2))),
        "learn_every": draw(st.sampled_from((0, 1, 2))),
    }
    if draw(st.booleans()):
        rule["learning_rate"] = draw(st.sampled_from((0.01, 0.05, 0.2, 1.0)))
    if can_follow_gradient and draw(st.integers(0, 7)) == 0:
        return {**rule, "kind": "backprop"}
    if draw(st.booleans()):
        rule["loss"] = _loss(draw, is_class=is_class)
    if is_class and draw(st.integers(0, 3)) == 0:
        rule["error_gate"] = draw(st.sampled_from((0.3, 0.7, 0.9)))
    return rule


def _loss(draw: st.DrawFn, *, is_class: bool) -> dict[str, Any]:
    kind = draw(st.sampled_from((*LOSSES, "projected_cross_entropy") if is_class else LOSSES))
    loss: dict[str, Any] = {"kind": kind}
    if kind in ("huber", "epsilon_insensitive"):
        loss["delta"] = draw(st.sampled_from((0.05, 0.25, 1.0)))
    if kind == "custom":
        loss["expression"] = draw(st.sampled_from(("tanh(4 * r)", "r * abs(r)", "r / (1 + r * r)")))
    return loss


def _projection(draw: st.DrawFn, rule: dict[str, Any]) -> dict[str, Any]:
    kind = draw(st.sampled_from((None, "sign", "hadamard", "ternary", "gaussian", "learned")))
    if kind == "learned" and not rule.get("loss", {}).get("kind", "projected").startswith("proj"):
        del rule["loss"]
    if kind is None or kind == "learned":
        return {"kind": kind} if kind else {}
    storages = ("seed", "s8") if kind == "gaussian" else ("seed", "s8", "packed")
    return {"kind": kind, "storage": draw(st.sampled_from(storages))}


def _vary(draw: st.DrawFn, layer: dict[str, Any], *, is_last: bool, real: bool) -> None:
    """An activation, and now and then weights of another format, or none that learn."""
    if not is_last and layer["kind"] not in ("gru", "lstm"):
        layer["activation"] = draw(st.sampled_from(ACTIVATIONS))
    if not real and draw(st.integers(0, 5)) == 0:
        layer["weights"] = draw(st.sampled_from(("s16", "s8")))
    if not is_last and draw(st.integers(0, 7)) == 0:
        layer["train"] = False
        has_kernel = layer["kind"] in ("dense", "conv1d", "conv2d") and layer.get("groups", 1) == 1
        if has_kernel and not real and draw(st.booleans()):
            layer["weights"] = "s4"
