"""Blocks of layers under one loss (docs/ARITHMETIC.md, section 26): who passes errors to whom."""

from collections.abc import Iterator

from tpsgd_edge.spec.activations import NOT_MONOTONE
from tpsgd_edge.spec.layers import LayerSpec
from tpsgd_edge.spec.model import ModelSpec
from tpsgd_edge.spec.problems import Problem
from tpsgd_edge.spec.sections import Spec
from tpsgd_edge.spec.walks import walk_keys
from tpsgd_edge.spec.weightless import ATTENTION

# Kinds without weights that errors pass through.
_PASSING = ("max_pool", "avg_pool", "global_avg_pool", "flatten", ATTENTION)


def passed_layers(model: ModelSpec) -> tuple[str, ...]:
    """Names of the layers that learn from an error which the layer above passes to them."""
    return tuple(la.name for la in model.weighted if la.train and la.error == "passed")


def errors_reach(model: ModelSpec) -> frozenset[str]:
    """Names of the layers with weights that errors from above come to: to learn, or to pass on."""
    weighted = {layer.name for layer in model.weighted}
    passed = passed_layers(model)
    ways = (key for name in passed for key in way_up(model, name)[:-1])
    return frozenset(passed) | (weighted & frozenset(ways))


def way_up(model: ModelSpec, name: str) -> tuple[str, ...]:
    """Keys of the layers above one, each the only reader of the one below, up to one that learns.

    It ends at the head of the layer's block; where there is none, with the last layer, or before a
    value that several layers read.
    """
    edges, layers = model.edges, dict(zip(model.keys, model.layers, strict=True))
    way, readers = list[str](), edges.consumers_of(name)
    while len(readers) == 1:
        way.append(readers[0])
        own = layers[readers[0]].weighted
        if own is not None and own.train and own.error == "own":
            break
        readers = edges.consumers_of(readers[0])
    return tuple(way)


def has_passed_error(spec: Spec, index: int) -> bool:
    """Tell whether the error of the layer above comes to a hidden layer, to learn or to pass on."""
    own = spec.model.layers[index].weighted
    if own is None or index == len(spec.model.layers) - 1:
        return False
    return own.train if spec.rule.kind == "backprop" else own.name in errors_reach(spec.model)


def block_problems(spec: Spec) -> Iterator[Problem]:
    """Layers that no error comes to, and what does not go with one that is passed."""
    passed = passed_layers(spec.model)
    for name in passed:
        yield from _layer_problems(spec, name)
    if passed and spec.rule.error_gate is not None:
        yield Problem(
            "an error gate does not go with errors that are passed on",
            where="[rule], error_gate",
            found=f"error_gate = {spec.rule.error_gate:g}, and {_passed(passed[0])}",
            help='remove error_gate, or set error = "own"',
        )


def _layer_problems(spec: Spec, name: str) -> Iterator[Problem]:
    model = spec.model
    layer = next(la for la in model.layers if la.weighted is not None and la.name == name)
    where = f"[model], layer '{name}', error"
    if layer.kind == "adaptor" or name in walk_keys(model):
        what = "walks along a sequence" if name in walk_keys(model) else "is an adaptor"
        yield Problem(
            f"layer '{name}' {what}: no error is passed to it",
            where=where,
            found=f'kind = "{layer.kind}", error = "passed"',
            help='set error = "own", so that it learns from a loss of its own',
        )
        return
    yield from _own_loss_problems(layer, where)
    yield from _way_problems(model, name, where)


def _own_loss_problems(layer: LayerSpec, where: str) -> Iterator[Problem]:
    """Keys of a local loss, which the layer has not."""
    asked = {key: getattr(layer, key) for key in ("loss", "projection")}
    asked |= dict.fromkeys(layer.model_fields_set & {"target_pool"}, True)
    for key, value in asked.items():
        if value is not None:
            yield Problem(
                f"the {key} of layer '{layer.name}' belongs to a loss of its own",
                where=where,
                found=f'error = "passed", and {key}',
                help=f'remove {key}, or set error = "own"',
            )


def _way_problems(model: ModelSpec, name: str, where: str) -> Iterator[Problem]:
    way, layers = way_up(model, name), dict(zip(model.keys, model.layers, strict=True))
    head = layers[way[-1]].weighted if way else None
    for key in way:
        found = obstacle(layers[key], is_head=key == way[-1] and head is not None)
        if found:
            yield Problem(
                f"no error passes through layer '{key}' to layer '{name}'",
                where=where,
                found=found,
                help='dense layers, convolutions and pools pass errors; else set error = "own"',
            )
            return
    if head is None or not head.train or head.error != "own":
        end = f"layer '{way[-1] if way else name}'"
        readers = len(model.edges.consumers_of(way[-1] if way else name))
        yield Problem(
            f"no layer above layer '{name}' has an error to pass to it",
            where=where,
            found=f"{readers} layers that read {end}" if readers else f"the net ends with {end}",
            help='let one layer above it learn from its own loss, or set error = "own"',
        )


def obstacle(layer: LayerSpec, *, is_head: bool) -> str:
    """Say why errors do not pass a layer, a head from its own loss; empty where they do."""
    if layer.weighted is None:
        return "" if layer.kind in _PASSING else f'kind = "{layer.kind}"'
    if layer.is_recurrent or layer.kind == "adaptor":
        return f'kind = "{layer.kind}"'
    dilation = getattr(layer, "dilation", 1)
    if dilation not in (1, (1, 1)):
        return f"dilation = {dilation}"
    activation = layer.weighted.activation
    if not is_head and activation in NOT_MONOTONE:
        return f'activation = "{activation}", whose slope does not follow from its outputs'
    return ""


def _passed(name: str) -> str:
    return f"error = \"passed\" in layer '{name}'"
