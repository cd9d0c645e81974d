"""One trial: a net, trained by its generated code and scored on samples that it did not learn."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from statistics import median

import numpy as np

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.frontend.data import Dataset, load_dataset
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages import (
    Prepared,
    inspect_firmware,
    prepare,
    render_project,
    scratch_project,
)
from tpsgd_edge.stages.adapting import learn, score_on, training_ram
from tpsgd_edge.stages.preparation import forward_macs
from tpsgd_edge.stages.running import check_selftest
from tpsgd_edge.toolchain.build import compile_simulation
from tpsgd_edge.toolchain.compilers import find_compiler
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.toolchain.platforms import load_platform

# One sample in so many is held out at a time.
_PARTS = 5
# So many samples judge a net, of a small set by holding out other parts too.
_ENOUGH_JUDGES = 2000
# A net is looked at after these shares of its epochs.
_LOOKS = (0.25, 0.5, 1.0)
# With fewer nets to compare with, none is stopped.
_FEWEST_PEERS = 2
# Up to so many multiply-accumulates, a compiler's best code costs more time than it saves.
_SMALL_TRAINING = 500_000_000
# Samples that are enough to plan the memory of a net.
_FOR_PLAN = 256


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes of RAM in training, without the stack, and multiply-accumulates of an answer."""

    ram: int
    work: int


# Costs of nets that were tried before, and their scores on the way.
Peers = Sequence[tuple[Cost, tuple[float, ...]]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a trial.

    Attributes:
        looks: scores on the first held-out part after each share of the epochs.
        score: the mean over all held-out parts; the last look where it was stopped.
        processor, training: seconds of processor time of all, and of the training alone.
    """

    cost: Cost
    looks: tuple[float, ...]
    score: float
    is_stopped: bool
    processor: float
    training: float


@dataclass(frozen=True, slots=True)
class Measured:
    """RAM of a net with its stack, flash, instructions of a step; on the host RAM by the plan."""

    ram: int
    flash: int | None = None
    stack: int | None = None
    instructions: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A spec as a key of its data."""

    digest: str
    folder: Path
    spec: Spec = field(compare=False)


def source_of(spec: Spec) -> Source:
    """The data of a spec."""
    return Source(spec.digest, spec.folder, spec)


@lru_cache(maxsize=1)
def dataset_of(source: Source) -> Dataset:
    """The data set of a spec, read once in each process."""
    return load_dataset(source.spec)


def cost_of(spec: Spec, dataset: Dataset) -> Cost:
    """The cost of a net by its memory plan, from a few samples, without compiling.

    Raises:
        TpsgdError: there is no such net for these samples.
    """
    few = replace(dataset, x_train=dataset.x_train[:_FOR_PLAN], y_train=dataset.y_train[:_FOR_PLAN])
    return _cost(prepare(spec, few))


def _cost(prepared: Prepared) -> Cost:
    return Cost(training_ram(prepared.plan), forward_macs(prepared.model))


def parts_of(dataset: Dataset) -> tuple[Dataset, ...]:
    """The training set in two, the held-out part for the test, as often as it takes to judge."""
    count = len(dataset.x_train)
    parts = min(_PARTS, -(-_ENOUGH_JUDGES * _PARTS // max(1, count)))
    return tuple(_without(dataset, np.arange(count) % _PARTS == part) for part in range(parts))


def _without(dataset: Dataset, held_out: Array) -> Dataset:
    x, y = dataset.x_train, dataset.y_train
    return replace(
        dataset,
        x_train=x[~held_out],
        y_train=y[~held_out],
        x_test=x[held_out],
        y_test=y[held_out],
        places=None,
    )


def try_net(source: Source, spec: Spec, peers: Peers) -> Outcome:
    """Train a net without the held-out parts and score it on them.

    Numbers and projections follow from what is learned with the first part held out.

    Args:
        peers: costs and looks of nets that were tried before. A net that is worse than half of
            those that cost no more is stopped.

    Raises:
        TpsgdError: the code cannot be made, or does not do what the reference does.
    """
    begin = _processor()
    first, *others = parts_of(dataset_of(source))
    prepared = prepare(spec, first)
    cost = _cost(prepared)
    rivals = [looks for other, looks in peers if other.ram <= cost.ram and other.work <= cost.work]
    with _compiled(prepared) as device:
        looks, training = _looks(device, prepared, rivals)
        is_stopped, scores = _is_beaten(looks, rivals), [looks[-1]]
        for part in () if is_stopped else others:
            start = time.process_time()
            learn(device, prepared, part.x_train, part.y_train, epochs=prepared.spec.rule.passes)
            training += time.process_time() - start
            scores.append(_number(score_on(device, prepared, part.x_test, part.y_test)))
    score = float(np.mean(scores))
    return Outcome(cost, looks, score, is_stopped, _processor() - begin, training)


def _looks(
    device: Device, prepared: Prepared, rivals: Sequence[tuple[float, ...]]
) -> tuple[tuple[float, ...], float]:
    """Scores on the held-out part on the way, and seconds of training."""
    model, dataset, epochs = prepared.model, prepared.dataset, prepared.spec.rule.passes
    x, labels = quantize_inputs(model, dataset.x_train), quantize_labels(model, dataset.y_train)
    looks: tuple[float, ...] = ()
    seconds, done = 0.0, 0
    device.init()
    for share in _LOOKS:
        start, until = time.process_time(), max(1, round(share * epochs))
        for epoch in range(done, until):
            device.train(x, labels, order=epoch_order(model.seed, epoch, len(x)))
        seconds, done = seconds + time.process_time() - start, until
        looks = (*looks, _number(score_on(device, prepared, dataset.x_test, dataset.y_test)))
        if _is_beaten(looks, rivals):
            break
    return looks, seconds


def _is_beaten(looks: tuple[float, ...], rivals: Sequence[tuple[float, ...]]) -> bool:
    """Tell whether half of those that came as far were better then.

    >>> _is_beaten((0.5,), [(0.6, 0.7), (0.8, 0.9)]), _is_beaten((0.5,), [(0.6, 0.7)])
    (True, False)
    >>> _is_beaten((0.5, 0.7), [(0.6, 0.7), (0.6, 0.7), (0.8,)])
    False
    """
    there = [rival[len(looks) - 1] for rival in rivals if len(rival) >= len(looks)]
    return len(there) >= _FEWEST_PEERS and looks[-1] < median(there)


def _number(score: float) -> float:
    """A score that can be compared; one that is none is the worst."""
    return score if np.isfinite(score) else -1.0


@contextmanager
def _compiled(prepared: Prepared) -> Iterator[Device]:
    """The model with generated code that tested itself, compiled fast where there is little to do.

    Every level of optimization computes the same bits.
    """
    model, project = prepared.model, render_project(prepared)
    steps = len(prepared.dataset.x_train) * prepared.spec.rule.passes
    level = "-O1" if steps * forward_macs(model) < _SMALL_TRAINING else None
    with scratch_project(project) as folder:
        binary = compile_simulation(
            folder,
            project.name,
            project.sources,
            find_compiler(load_platform("host")),
            build_dir=folder / "build",
            optimize=level,
        )
        with open_device(binary, interface_of(model)) as device:
            check_selftest(device, prepared, "host")
            yield device


def tested(source: Source, spec: Spec) -> float:
    """The score on the test set after learning the whole training set.

    Raises:
        TpsgdError: as `try_net` does.
    """
    dataset = dataset_of(source)
    prepared = prepare(spec, dataset)
    epochs = prepared.spec.rule.passes
    with _compiled(prepared) as device:
        learn(device, prepared, dataset.x_train, dataset.y_train, epochs=epochs)
        return _number(score_on(device, prepared, dataset.x_test, dataset.y_test))


def measured(source: Source, spec: Spec) -> Measured:
    """Compile a net's firmware and measure it; on the host the memory plan says all there is.

    Raises:
        TpsgdError: there is no compiler for the platform, or it fails.
    """
    prepared = prepare(spec, dataset_of(source))
    plan = Measured(ram=training_ram(prepared.plan))
    if prepared.platform.is_host:
        return plan
    project = render_project(prepared)
    with scratch_project(project) as folder:
        firmware = inspect_firmware(prepared, project, folder)
    sizes, counts = firmware.sizes, firmware.counts
    if sizes is None:
        return plan
    step = counts.step if counts is not None else None
    return Measured(
        ram=sizes.ram.total,
        flash=sizes.flash.total,
        stack=sizes.ram.stack,
        instructions=None if step is None else step.per_run,
    )


def attempt(source: Source, spec: Spec, peers: Peers) -> Outcome | str:
    """The outcome of a trial, or in words why there is no such net."""
    try:
        return try_net(source, spec, peers)
    except (SpecError, DataError) as error:
        return error.message()


def _processor() -> float:
    """Seconds of processor time of this process and of those that it waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system
