"""Ways to adapt a net that has learned before, as data: which layers learn, from what, how fast."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tpsgd_edge.spec import (
    NOT_MONOTONE,
    SAMPLE,
    AdaptorSpec,
    GruSpec,
    Spec,
    WeightedSpec,
    obstacle,
    walk_keys,
)

Targets = Literal["prototype", "random", "fitted", "backprop"]


@dataclass(frozen=True, slots=True)
class Strategy:
    """One strategy to adapt.

    Attributes:
        trains: layers that learn; the others stay in flash.
        targets: of the hidden layers and adaptors among them; or backpropagation instead.
        rate: learning rate of all that learns.
        adaptors: layers behind which an adaptor learns.
        passed: those that learn from the error of the layer above instead of a target.
    """

    trains: tuple[str, ...]
    targets: Targets
    rate: float
    adaptors: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()

    @property
    def has_targets(self) -> bool:
        """Tell whether a layer learns towards a target, or adaptors do."""
        return bool(self.adaptors) or len(self.trains) > 1 + len(self.passed)


def strategies_of(spec: Spec, rates: Sequence[float]) -> tuple[Strategy, ...]:
    """List strategies to try: the last layer alone, with one hidden layer, all, adaptors.

    Hidden layers learn towards targets of their own, or from an error that is passed to them.
    """
    layers = own_layers(spec)
    *hidden, last = (layer.name for layer in layers)
    can_learn = [layer.name for layer in layers[:-1] if _can_learn(layer)]
    sets = [(last,), *((name, last) for name in can_learn)]
    if len(can_learn) > 1:
        sets.append((*can_learn, last))
    strategies = []
    for rate in rates:
        for trains in sets:
            strategies.append(Strategy(trains, "prototype", rate))
            if len(trains) > 1:
                strategies.append(Strategy(trains, "random", rate))
        strategies += passing_strategies(spec, rate)
        adapted = hidden[max(0, _count_recurrent(layers) - 1) :]
        strategies += [Strategy((last,), "prototype", rate, (name,)) for name in adapted]
    return tuple(strategies)


def _can_learn(layer: WeightedSpec) -> bool:
    """Tell whether a local rule can train the layer.

    It does not where a reset gate acts before the sums, or no slope follows from the outputs.
    """
    reset_before = isinstance(layer, GruSpec) and layer.reset == "before"
    return not reset_before and layer.activation not in NOT_MONOTONE


def _count_recurrent(layers: Sequence[WeightedSpec]) -> int:
    """They come first; an adaptor can only stand behind the last of them."""
    return sum(layer.is_recurrent for layer in layers)


def passing_strategies(spec: Spec, rate: float) -> Iterator[Strategy]:
    """Strategies in which hidden layers learn from an error that is passed to them.

    These are each hidden layer, through those above it, which stay; all but the last hidden one;
    and pairs of neighbours: the last layer's from the label, in the others the upper layer learns
    towards fitted targets.
    """
    *hidden, last = _way_down(spec)
    names = [layer.name for layer in hidden if _can_learn(layer)]
    for name in reversed(names):
        yield Strategy((name, last.name), "prototype", rate, passed=(name,))
    if len(names) > 2:
        below = tuple(names[:-1])
        yield Strategy((*below, last.name), "prototype", rate, passed=below)
    if len(names) > 1:
        lower = tuple(reversed(names[::-2]))
        yield Strategy((*names, last.name), "fitted", rate, passed=lower)


def _way_down(spec: Spec) -> list[WeightedSpec]:
    """The layers with weights that errors of the last one can come to, which stands last."""
    model, walk = spec.model, walk_keys(spec.model)
    edges, layers = model.edges, dict(zip(model.keys, model.layers, strict=True))
    key, found = model.keys[-1], [model.weighted[-1]]
    while layers[key].kind == "adaptor" or not obstacle(layers[key], is_head=False):
        key = edges.input_of(key)
        if key == SAMPLE or key in walk or len(edges.consumers_of(key)) > 1:
            break
        own = layers[key].weighted
        if own is not None and layers[key].kind != "adaptor":
            found.append(own)
    return found[::-1]


def own_layers(spec: Spec) -> list[WeightedSpec]:
    """The layers with weights that are no adaptors."""
    return [layer for layer in spec.model.weighted if not isinstance(layer, AdaptorSpec)]
