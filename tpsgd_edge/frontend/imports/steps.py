"""Integers of a file that our formats keep, and notes on what they do not."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tpsgd_edge.arithmetic.formats import FORMATS, S4
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.frontend.imports.net import ImportedNet
from tpsgd_edge.graph import Weights
from tpsgd_edge.spec import Spec

# Weights of 8 bits less their zero point.
_MOST = 255
_CAN_HAVE_FOUR_BITS = ("dense", "conv1d", "conv2d")
# Of a step; scales of files are binary32.
_NEAR = 1e-3
# Weights that are looked at first: most steps fail with them.
_FEW = 256


def step_of(w: Real) -> float | None:
    """The largest step that all weights, of any shape, are whole multiples of, at most 255 times.

    None where there is none, as of weights that have a scale for each filter.

    >>> step_of(np.array([[0.3, -0.9], [0.0, 1.2]])), step_of(np.array([1.0, 2**0.5]))
    (0.3, None)
    """
    largest = float(np.abs(w).max(initial=0.0))
    some = w.ravel()[:: max(1, w.size // _FEW)]
    for count in range(1, _MOST + 1) if largest > 0 else ():
        step = largest / count
        if _are_whole(some / step) and _are_whole(w / step):
            return step
    return None


def _are_whole(values: Real) -> bool:
    return bool((np.abs(values - np.rint(values)) < _NEAR).all())


def with_steps(net: ImportedNet) -> Mapping[str, Weights]:
    """The weights of a net by layer, those of a net in integers with the step of theirs."""
    if not net.in_integers:
        return net.weights
    return {name: replace(own, step=step_of(own.w)) for name, own in net.weights.items()}


def notes_on_integers(spec: Spec, net: ImportedNet) -> tuple[str, ...]:
    """Say of a net in integers which layers keep them, and what becomes of its other scales."""
    if not net.in_integers or spec.numbers.weights == "f32":
        return ()
    held = [name for name, own in with_steps(net).items() if _holds(spec, name, own)]
    ranged = [name for name in net.weights if _has_range(spec, name)]
    others = [name for name in net.weights if name not in held + ranged]
    said = [f"'{spec.model.source}' is a net in integers"]
    if held:
        whose = "all layers" if len(held) == len(net.weights) else _listed(held)
        said.append(f"the weights of {whose} are the file's integers")
    if others:
        said.append(
            f"those of {_listed(others)} have several scales there, or took in what stands beside "
            "them, and are rounded to one scale"
        )
    said += [f"'{name}' has a weight_range of its own" for name in ranged]
    if small := _in_four_bits(spec, net, held):
        said.append(
            f"those of {_listed(small)} have 4 bits or fewer: with train = false and weights = "
            '"s4" they take half a byte each'
        )
    said.append("values between layers have scales of ours, without zero points")
    if net.has_few_steps:
        said.append("values that it rounds to few steps are finer here, so some answers differ")
    return ("; ".join(said),)


def _holds(spec: Spec, name: str, weights: Weights) -> bool:
    """Tell whether the format of a layer's weights holds them as whole multiples of their step."""
    if weights.step is None or _has_range(spec, name):
        return False
    own = spec.model.settings.get(name, {})
    number = FORMATS[own.get("weights", spec.numbers.weights)]
    if number is S4:
        return S4.holds(weights.w, weights.step)
    largest = float(np.abs(weights.w).max())
    return round(largest / weights.step) <= min(number.limits[1], _MOST)


def _in_four_bits(spec: Spec, net: ImportedNet, held: list[str]) -> list[str]:
    """Layers before the last whose weights 4 bits hold, and that have not asked for these."""
    tables, weights = {table["name"]: table for table in net.layers[:-1]}, with_steps(net)
    found = []
    for name in held:
        step, own = weights[name].step, spec.model.settings.get(name, {})
        table = tables.get(name, {"kind": ""})
        can = table["kind"] in _CAN_HAVE_FOUR_BITS and "groups" not in table
        if can and own.get("weights") != "s4" and step and S4.holds(weights[name].w, step):
            found.append(name)
    return found


def _has_range(spec: Spec, name: str) -> bool:
    return "weight_range" in spec.model.settings.get(name, {})


def _listed(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    shown = ", ".join(f"'{name}'" for name in names[:3])
    more = len(names) - 3
    return f"{shown} and {more} more" if more > 0 else shown
