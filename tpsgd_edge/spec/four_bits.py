"""Layers whose weights have 4 bits (docs/ARITHMETIC.md, section 31)."""

from collections.abc import Iterator

from tpsgd_edge.spec.blocks import errors_reach
from tpsgd_edge.spec.layers import Conv1dSpec, Conv2dSpec, DenseSpec
from tpsgd_edge.spec.problems import Problem
from tpsgd_edge.spec.sections import Spec
from tpsgd_edge.spec.weighted import WeightedSpec

_KINDS = DenseSpec | Conv1dSpec | Conv2dSpec
_OTHERWISE = 'or set weights = "s8"'


def four_bit_problems(spec: Spec) -> Iterator[Problem]:
    """Layers that ask for weights of 4 bits, but learn, or have no kernel that reads them."""
    reached = errors_reach(spec.model)
    for layer in spec.model.weighted:
        if layer.weights != "s4":
            continue
        what, found, cure = _obstacle(layer, passes=layer.name in reached)
        if what:
            yield Problem(
                f"layer '{layer.name}' {what}",
                where=f"[model], layer '{layer.name}', weights",
                found=f'weights = "s4", {found}',
                help=f"{cure}, {_OTHERWISE}",
            )


def _obstacle(layer: WeightedSpec, *, passes: bool) -> tuple[str, str, str]:
    """What stands in the way, what was found, and a cure; empty words where nothing does."""
    if layer.train:
        return "learns, which weights of 4 bits cannot", "train = true", "set train = false"
    if not isinstance(layer, _KINDS):
        kind = getattr(layer, "kind", "")
        cure = 'use kind = "dense", "conv1d" or "conv2d"'
        return f"cannot have weights of 4 bits: its kind is {kind}", f'kind = "{kind}"', cure
    if not isinstance(layer, DenseSpec) and layer.groups != 1:
        return (
            "has groups, for which no kernel reads 4 bits",
            f"groups = {layer.groups}",
            "leave groups out",
        )
    if passes:
        cure = 'set error = "own" in the layers below it'
        return (
            "passes errors on, for which no kernel reads 4 bits",
            'error = "passed" below it',
            cure,
        )
    return "", "", ""
