"""The samples of each device: evenly, few classes each, drawn from Dirichlet, or by a column."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import DataError, SpecError, visible
from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.frontend.groups import load_grouped
from tpsgd_edge.spec import Spec

Indices = NDArray[np.intp]
_WORDS = "even, classes:2, dirichlet:0.3 or by:COLUMN"


@dataclass(frozen=True, slots=True)
class Part:
    """The samples of a device: places (n,) in the training set, and (n,) in the test set."""

    name: str
    train: Indices
    test: Indices


@dataclass(frozen=True, slots=True)
class Partition:
    """A way to divide samples, as it was written: `kind` or `kind:value`."""

    kind: str
    value: str = ""

    @property
    def words(self) -> str:
        """The partition as it is written."""
        return f"{self.kind}:{self.value}" if self.value else self.kind


def parse_partition(text: str) -> Partition:
    """The partition in a text such as `dirichlet:0.3`.

    Raises:
        SpecError: there is none of this name, or its number is out of range.
    """
    kind, _, value = text.partition(":")
    limits = {"even": "", "classes": r"[1-9]\d{0,3}", "dirichlet": r"\d+(\.\d+)?", "by": r".+"}
    is_good = kind in limits and re.fullmatch(limits[kind], value, re.ASCII) is not None
    if is_good and kind == "dirichlet":
        is_good = 0 < float(value) <= 1e6
    if not is_good:
        raise SpecError(
            "there is no such partition",
            where="--partition",
            found=visible(text[:40]),
            help=f"{_WORDS}; the number of dirichlet is above 0, and the lower the more uneven",
        )
    return Partition(kind, value)


def divided(spec: Spec, partition: Partition, devices: int) -> tuple[Dataset, tuple[Part, ...]]:
    """The data set of a spec, and the part of each device.

    Args:
        devices: how many; by a column there are as many as it has values, and no more than this.

    Raises:
        DataError: the data cannot be read or divided like this.
    """
    if partition.kind == "by":
        dataset, train, test = load_grouped(spec, partition.value)
        names = sorted(set(train.tolist()), key=_as_number)[:devices]
        parts = tuple(
            Part(str(name), np.flatnonzero(train == name), np.flatnonzero(test == name))
            for name in names
        )
        return dataset, parts
    dataset = load_dataset(spec)
    if len(dataset.x_train) < devices:
        raise DataError(
            "there are fewer samples than devices",
            where="--devices",
            found=f"{len(dataset.x_train):,} training samples, {devices:,} devices",
        )
    own, judged = _WAYS[partition.kind](spec, dataset, partition, devices)
    return dataset, tuple(
        Part(str(place), train, test)
        for place, (train, test) in enumerate(zip(_filled(own), judged, strict=True))
    )


def _as_number(name: str) -> tuple[float, str]:
    """Sort names that are numbers as such, before others.

    >>> sorted(["10", "b", "9"], key=_as_number)
    ['9', '10', 'b']
    """
    is_number = re.fullmatch(r"-?\d+(\.\d+)?", name, re.ASCII) is not None
    return (float(name), "") if is_number else (math.inf, name)


_Both = tuple[list[Indices], list[Indices]]


def _even(spec: Spec, dataset: Dataset, partition: Partition, devices: int) -> _Both:
    """Every sample in turn: the training set is in an order that was drawn."""
    counts = (len(dataset.x_train), len(dataset.x_test))
    train, test = ([np.arange(i, count, devices) for i in range(devices)] for count in counts)
    return train, test


def _classes(spec: Spec, dataset: Dataset, partition: Partition, devices: int) -> _Both:
    """Deal each class out among the devices that have it, so many classes a device."""
    count, each = dataset.labels.count, int(partition.value)
    has = [{(place * each + i) % count for i in range(each)} for place in range(devices)]
    shares = np.array([[one in own for own in has] for one in range(count)], float)
    return _dealt(dataset, partition, _with_owners(shares))


def _with_owners(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares (classes, devices) in which a class of nobody belongs to everybody."""
    found = shares.copy()
    found[found.sum(axis=1) == 0] = 1
    return found


def _dirichlet(spec: Spec, dataset: Dataset, partition: Partition, devices: int) -> _Both:
    """Shares of each class are drawn from a Dirichlet distribution, those of its test set too."""
    rng = np.random.default_rng(spec.seed)
    concentration = np.full(devices, float(partition.value))
    shares = rng.dirichlet(concentration, dataset.labels.count)
    return _dealt(dataset, partition, shares)


def _dealt(dataset: Dataset, partition: Partition, shares: NDArray[np.float64]) -> _Both:
    """Each class dealt out by shares (classes, devices), in training set and test set."""
    if dataset.labels.kind != "class" or dataset.labels.each_step:
        raise DataError(
            "samples without one class each cannot be divided by their classes",
            where=f"--partition {partition.words}",
            help="even, or by:COLUMN",
        )
    train, test = (_dealt_of(y, shares) for y in (dataset.y_train, dataset.y_test))
    return train, test


def _dealt_of(y: NDArray[np.int64], shares: NDArray[np.float64]) -> list[Indices]:
    own: list[list[Indices]] = [[] for _ in range(shares.shape[1])]
    for one, share in enumerate(shares):
        there = np.flatnonzero(y == one)
        ends = np.round(np.cumsum(share) / share.sum() * len(there)).astype(int)
        for place, part in enumerate(np.split(there, ends[:-1])):
            own[place].append(part)
    return [np.sort(np.concatenate(parts)) for parts in own]


def _filled(parts: Sequence[Indices]) -> list[Indices]:
    """The parts, where a device without any sample gets one of those that have most."""
    filled = [part.copy() for part in parts]
    for place, part in enumerate(filled):
        if len(part) == 0:
            rich = max(range(len(filled)), key=lambda other: len(filled[other]))
            filled[place], filled[rich] = filled[rich][-1:], filled[rich][:-1]
    return filled


_WAYS: Mapping[str, Callable[[Spec, Dataset, Partition, int], _Both]] = {
    "even": _even,
    "classes": _classes,
    "dirichlet": _dirichlet,
}
