"""Specs of the points of a space."""

from collections.abc import Callable, Mapping
from typing import Any

from tpsgd_edge.graph import Labels
from tpsgd_edge.search.space import Params
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.spec.load import apply_override
from tpsgd_edge.spec.rates import STEP_SIZES
from tpsgd_edge.spec.toml import spec_content, toml_value

Layers = list[dict[str, Any]]
# Digits that numbers of a point keep, so that a person can read them.
_DIGITS = 3
_RATES = ("learning_rate", "output_learning_rate")


def spec_at(spec: Spec, labels: Labels, params: Params) -> Spec:
    """The spec at a point of the space around another one, without its [search].

    Raises:
        SpecError: the choices do not go together.
    """
    content = spec_content(spec)
    content.pop("search", None)
    rule = dict(content.get("rule", {}))
    numbers = {"weights": params["weights"], "activations": params["activations"]}
    if params["kind"] == "given":
        content["model"] = {**content["model"], "layers": _wider(content, params)}
    else:
        content["model"] = {"layers": _layers(spec, content, params)}
        rule = {key: value for key, value in rule.items() if key not in _RATES}
    content["numbers"] = {**content.get("numbers", {}), **numbers}
    rule |= {key: params[key] for key in ("error_gate", "epochs") if key in params}
    content["rule"] = rule | _rates(spec, labels, params, rule)
    if "projection" in params:
        own = {key: val for key, val in content.get("projection", {}).items() if key == "scale"}
        content["projection"] = {"kind": params["projection"], **own}
    for key in spec.search.choices:
        apply_override(content, f"{key}={toml_value(params[key])}")
    made = spec_from_dict(content, spec.folder, spec.source)
    return made


def _rates(spec: Spec, labels: Labels, params: Params, rule: Mapping[str, Any]) -> dict[str, Any]:
    """The learning rates of a spec times a factor, or the step size where they follow from it."""
    factor = params["rate"]
    rates = {key: _rounded(factor * rule[key]) for key in _RATES if key in rule}
    if "learning_rate" in rule:
        return rates
    is_given = params["kind"] == "given"
    kind = _step_kind(spec) if is_given else _STEPS_LIKE.get(params["kind"])
    step = rule.get("step_size") or (STEP_SIZES[kind, labels.kind] if kind else None)
    if kind is None or step is None or spec.rule.kind != "tpsgd":
        return rates
    return rates | {"step_size": min(100.0, _rounded(factor * step))}


# Kinds of nets whose layers learn at the step sizes of one kind of layer.
_STEPS_LIKE = {"dense": "dense", "memory": "dense", "conv2d": "conv2d", "conv1d": "conv2d"}


def _step_kind(spec: Spec) -> str | None:
    """The kind that says the step sizes of a spec's own net; None where its last layer has others.

    A recurrent layer learns a hundred times slower than the dense layer behind it.
    """
    kinds = {layer.weighted.kind for layer in spec.model.layers if layer.weighted is not None}
    return "dense" if kinds <= {"dense", "conv2d", "conv1d"} else None


def _wider(content: Mapping[str, Any], params: Params) -> Layers:
    """The spec's own layers with units and filters times a factor, but for the last one."""
    *hidden, last = content["model"]["layers"]
    return [*(_times(layer, params) for layer in hidden), last]


def _times(layer: Mapping[str, Any], params: Params) -> dict[str, Any]:
    counts = [key for key in ("units", "filters") if key in layer]
    if layer.get("groups", 1) != 1:
        return dict(layer)
    made = {key: max(1, round(params["width"] * layer[key])) for key in counts}
    own = {"learning_rate": params["rate"] * layer.get("learning_rate", 0)}
    rates = {key: _rounded(rate) for key, rate in own.items() if key in layer}
    return {**layer, **made, **rates}


def _layers(spec: Spec, content: Mapping[str, Any], params: Params) -> Layers:
    """Hidden layers of a kind, and the spec's own last layer."""
    last = {key: val for key, val in content["model"]["layers"][-1].items() if key != "from"}
    last.pop("learning_rate", None)
    hidden = _HIDDEN[params["kind"]](params)
    names = {layer["name"] for layer in hidden if "name" in layer}
    return [*hidden, {**last, "name": "out"} if last["name"] in names else last]


def _dense(params: Params) -> Layers:
    return [
        {
            "name": f"fc{place}",
            "units": params[f"units{place}"],
            "activation": params["activation"],
        }
        for place in range(1, params["depth"] + 1)
    ]


def _conv2d(params: Params) -> Layers:
    layers: Layers = []
    for place in range(max(1, params["depth"])):
        own = {"kind": "conv2d", "name": f"conv{place + 1}", "padding": "same"}
        filters = params["filters"] << place
        layers.append({**own, "filters": filters, "activation": params["activation"]})
        layers.append({"kind": "max_pool", "size": 2})
    return layers


def _conv1d(params: Params) -> Layers:
    layers: Layers = []
    for place in range(max(1, params["depth"])):
        window = {"kernel": 5} if place else {"kernel": 7, "stride": 2}
        own = {"kind": "conv1d", "name": f"conv{place + 1}", **window}
        filters = params["filters"] << place
        layers.append({**own, "filters": filters, "activation": params["activation"]})
        layers.append({"kind": "max_pool", "size": 2})
    return [*layers[:-1], {"kind": "global_avg_pool"}]


def _memory(params: Params) -> Layers:
    past = {"kind": "memory", "name": "past", "every": params["every"]}
    return [past, *_dense(params), {"kind": "memory", "name": "mean", "cosines": 1}]


def _rnn(params: Params) -> Layers:
    own = {"kind": "rnn", "name": "rnn1", "activation": params["activation"]}
    return [{**own, "units": params["units1"]}]


# The layers before the last one, by the kind of net.
_HIDDEN: Mapping[str, Callable[[Params], Layers]] = {
    "dense": _dense,
    "conv2d": _conv2d,
    "conv1d": _conv1d,
    "memory": _memory,
    "rnn": _rnn,
}


def _rounded(number: float) -> float:
    """A number of few digits.

    >>> _rounded(0.0123456)
    0.0123
    """
    return float(f"{number:.{_DIGITS}g}")
