"""The space of a search: what is chosen, from which values, and where it starts."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.spec import KEEPING, NetKind, SearchSpec, Spec, check_device_can, finds_anomalies
from tpsgd_edge.spec.toml import toml_value

# A choice of a search by the name of its dimension.
Params = Mapping[str, Any]
# Sides of an image differ by less than this; what is longer is a sequence.
_LONGEST_IMAGE = 3


@dataclass(frozen=True, slots=True)
class Dimension:
    """One thing that is chosen: a number from `low` to `high`, or one of `values`.

    Attributes:
        is_whole: numbers are whole ones.
        start: where the search starts.
    """

    name: str
    low: float = 0
    high: float = 0
    is_whole: bool = False
    values: tuple[Any, ...] = ()
    start: Any = None


@dataclass(frozen=True, slots=True)
class Space:
    """All that is chosen; a dimension with one value is none."""

    dimensions: tuple[Dimension, ...]
    fixed: Params

    @property
    def start(self) -> dict[str, Any]:
        """The point that is nearest to the spec."""
        return {dimension.name: dimension.start for dimension in self.dimensions}


def space_of(spec: Spec, dataset: Dataset, ram: int | None) -> Space:
    """The space that [search] and the data of a spec give.

    Args:
        ram: budget of RAM in bytes, if there is one.

    Raises:
        SpecError: the spec finds anomalies, which no held-out part of its training set has; or a
            net that was trained before is to be given other layers.
    """
    _check(spec)
    dimensions = [one for one in _dimensions(spec, dataset, ram) if one.name]
    open_ones = tuple(one for one in dimensions if len(one.values) > 1 or one.low < one.high)
    fixed = {one.name: one.start for one in dimensions if one not in open_ones}
    return Space(open_ones, fixed)


def kinds_of(spec: Spec, dataset: Dataset) -> tuple[NetKind, ...]:
    """The kinds of nets to choose from: those of [search], or what suits spec and samples."""
    if spec.search.kinds is not None:
        return spec.search.kinds
    hidden = {layer.kind for layer in spec.model.layers[:-1]}
    if dataset.labels.each_step:
        return ("given",)
    own: tuple[NetKind, ...] = () if hidden <= {"dense"} else ("given",)
    return (*own, *_kinds_of_shape(spec, spec.data.input_shape or dataset.input_shape))


def _kinds_of_shape(spec: Spec, shape: tuple[int, ...]) -> tuple[NetKind, ...]:
    first = spec.model.layers[0].kind
    if math.prod(shape) == max(shape):
        return ("dense", "conv1d", "memory") if first in (*KEEPING, "conv1d") else ("dense",)
    high, wide = (shape[0], shape[1]) if len(shape) > 1 else (1, 1)
    is_image = first not in (*KEEPING, "conv1d") and max(high, wide) < _LONGEST_IMAGE * min(
        high, wide
    )
    return ("dense", "conv2d") if is_image else ("dense", "conv1d", "memory")


def _check(spec: Spec) -> None:
    check_device_can(spec)
    if finds_anomalies(spec.model):
        raise SpecError(
            "a search needs labels to hold out, and what learns without them has none",
            where=f"{spec.source}, layer '{spec.model.layers[-1].name}'",
            found='kind = "detector"',
            help="compare specs by tpsgd-edge simulate; its AUROC says which is best",
        )
    if spec.model.has_first_weights:
        raise SpecError(
            "a search makes nets that start from nothing, and this one was trained before",
            where=f"{spec.source}, [model]",
            found="source, weights_file or pretrain",
            help="give layers alone; tpsgd-edge adapt tries ways to adapt a trained net",
        )


def _dimensions(spec: Spec, dataset: Dataset, ram: int | None) -> Iterator[Dimension]:
    search, kinds = spec.search, kinds_of(spec, dataset)
    hidden = list(spec.model.weighted[:-1])
    yield _choice("kind", kinds, "given" if "given" in kinds else kinds[0])
    if set(kinds) != {"given"}:
        yield _whole("depth", search.depth, len(hidden))
        yield _choice("activation", search.activation, hidden[0].activation if hidden else None)
    if {"dense", "memory", "rnn"} & set(kinds):
        yield from _units(spec, dataset, ram)
    if {"conv1d", "conv2d"} & set(kinds):
        yield _whole("filters", search.filters, search.filters[1] // 2)
    if "memory" in kinds:
        yield _choice("every", (1, 4, 8), 8)
    if "given" in kinds:
        yield _number("width", search.width)
    yield _choice("weights", search.weights, spec.numbers.weights)
    yield _choice("activations", search.activations, spec.numbers.activations)
    yield from _rules(search, spec)


def _rules(search: SearchSpec, spec: Spec) -> Iterator[Dimension]:
    if search.projection:
        yield _choice("projection", search.projection, spec.projection.kind)
    if search.error_gate:
        yield _choice("error_gate", search.error_gate, spec.rule.error_gate)
    if search.epochs:
        yield _choice("epochs", search.epochs, spec.rule.epochs)
    yield _number("rate", search.rate)
    for key, values in search.choices.items():
        yield _choice(key, values, None)


def _units(spec: Spec, dataset: Dataset, ram: int | None) -> Iterator[Dimension]:
    """One dimension for each hidden layer that there may be."""
    own = [getattr(layer, "units", 0) for layer in spec.model.weighted[:-1]]
    low, high = spec.search.units or _units_that_fit(max(own, default=0), dataset, ram)
    for place in range(max(1, spec.search.depth[1])):
        start = own[place] if place < len(own) and own[place] else high
        yield _whole(f"units{place + 1}", (low, high), start)


def _units_that_fit(largest: int, dataset: Dataset, ram: int | None) -> tuple[int, int]:
    high = max(32, 2 * largest)
    if ram is not None:
        high = min(high, max(1, ram // dataset.x_train.shape[1]))
    return min(4, high), high


def _whole(name: str, ends: tuple[int, int], start: int) -> Dimension:
    return Dimension(name, *ends, is_whole=True, start=min(max(start, ends[0]), ends[1]))


def _number(name: str, ends: tuple[float, float]) -> Dimension:
    return Dimension(name, *ends, start=min(max(1.0, ends[0]), ends[1]))


def _choice(name: str, values: tuple[Any, ...], start: Any) -> Dimension:
    values = tuple({toml_value(value): value for value in values}.values())
    return Dimension(name, values=values, start=start if start in values else values[0])
