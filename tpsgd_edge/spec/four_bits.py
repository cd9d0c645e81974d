"""Layers whose weights have 4 bits (docs/ARITHMETIC.md, section 31)."""

from collections.abc import Iterator

from tpsgd_edge.spec.blocks import errors_reach
from tpsgd_edge.spec.layers import LayerSpec
from tpsgd_edge.spec.problems import Problem
from tpsgd_edge.spec.sections import Spec

_KINDS = ("dense", "conv1d", "conv2d")


def four_bit_problems(spec: Spec) -> Iterator[Problem]:
    """Layers that ask for weights of 4 bits, but learn, or have no kernel that reads them."""
    reached = errors_reach(spec.model)
    for layer in spec.model.layers:
        own = layer.weighted
        if own is None or own.weights != "s4":
            continue
        what, found, cure = _obstacle(layer, learns=own.train, passes=own.name in reached)
        if what:
            yield Problem(
                f"layer '{own.name}' {what}",
                where=f"[model], layer '{own.name}', weights",
                found=f'weights = "s4", {found}',
                help=f'{cure}, or set weights = "s8"',
            )


def _obstacle(layer: LayerSpec, *, learns: bool, passes: bool) -> tuple[str, str, str]:
    """Say what stands in the way, what was found, and a cure; empty words where nothing does."""
    if learns:
        return "learns, which weights of 4 bits cannot", "train = true", "set train = false"
    if layer.kind not in _KINDS:
        what = f"cannot have weights of 4 bits: its kind is {layer.kind}"
        return what, f'kind = "{layer.kind}"', 'use kind = "dense", "conv1d" or "conv2d"'
    groups = getattr(layer, "groups", 1)
    if groups != 1:
        what = "has groups, for which no kernel reads 4 bits"
        return what, f"groups = {groups}", "leave groups out"
    if passes:
        what = "passes errors on, for which no kernel reads 4 bits"
        return what, 'error = "passed" below it', 'set error = "own" in the layers below it'
    return "", "", ""
