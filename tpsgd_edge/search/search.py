"""The search: generations of trials, each planned first, tried on all cores, and told in order."""

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_edge.comparison.workers import deaf_to_the_keyboard
from tpsgd_edge.errors import DataError, SpecError, ToolError
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.defaults import default_epochs
from tpsgd_edge.search.engines import Crew, Engine, crew_of
from tpsgd_edge.search.front import front_of
from tpsgd_edge.search.nets import spec_at
from tpsgd_edge.search.result import Budget, Found, SearchResult
from tpsgd_edge.search.space import Params, Space, space_of
from tpsgd_edge.search.starts import starting_points
from tpsgd_edge.search.study import Refusal, Study, Trial, open_study
from tpsgd_edge.search.trial import (
    Measured,
    Source,
    attempt,
    cost_of,
    dataset_of,
    measured,
    source_of,
    tested,
)
from tpsgd_edge.spec import Spec
from tpsgd_edge.toolchain.board import with_board

Progress = Callable[[str, int, int], None]
BATCH = 4
# The parts of the RAM budget within which nets are looked for, one after the other: so a front
# comes about, and the best net of all gets most of the trials.
_LIMITS = (1.0, 1.0, 0.6, 1.0, 0.4)


@dataclass(frozen=True, slots=True)
class _Search:
    """Everything that stays the same while a search goes on."""

    spec: Spec
    source: Source
    dataset: Dataset
    space: Space
    budget: Budget
    study: Study
    crew: Crew
    deadline: float
    progress: Progress
    # Specs by the number of their trial.
    specs: dict[int, Spec] = field(default_factory=dict)

    def spec_of(self, trial: Trial) -> Spec:
        """The spec of a trial, made once."""
        if trial.number not in self.specs:
            made = spec_at(self.spec, self.dataset.labels, trial.params)
            self.specs[trial.number] = made
        return self.specs[trial.number]

    @property
    def is_late(self) -> bool:
        """Tell whether the time is over."""
        return time.monotonic() >= self.deadline


def search(
    spec: Spec,
    *,
    trials: int = 20,
    batch: int = BATCH,
    instructions: int | None = None,
    seconds: float | None = None,
    store: Path | None = None,
    jobs: int | None = None,
    engine: Engine = "processes",
    progress: Progress | None = None,
) -> SearchResult:
    """Find nets for the data and the budget of a spec, by training with the generated code.

    Trials that the file of the search holds are not made again.

    Args:
        trials: nets to try; those that the memory plan refuses are none.
        batch: nets chosen at a time. The front depends on it, and not on the number of processes.
        instructions: budget of a training step, as counted on the platform of the spec.
        seconds: time after which no trial is begun.
        store: the file, SQLite; NAME-search.sqlite beside the spec where not given.
        jobs: processes; one for each core where not given. One works in this process.
        engine: where trials run; the front is the same.

    Raises:
        TpsgdError: spec or data are at fault, a tool is missing, the file is of another search, or
            no net fits the budget.
    """
    spec = with_board(spec)
    source = source_of(spec)
    dataset = dataset_of(source)
    spec = _with_epochs(spec, dataset)
    budget = Budget(spec.platform.ram_bytes, spec.platform.flash_bytes, instructions)
    space = space_of(spec, dataset, budget.ram)
    path = store or spec.folder / f"{spec.name}-search.sqlite"
    terms = _terms(spec, space, dataset) | {"batch": batch, "instructions": instructions}
    deadline = float("inf") if seconds is None else time.monotonic() + seconds
    with ExitStack() as opened:
        study = opened.enter_context(open_study(path, space, terms, spec.seed))
        crew = opened.enter_context(crew_of(engine, jobs, batch))
        one = _Search(
            spec,
            source,
            dataset,
            space,
            budget,
            study,
            crew,
            deadline,
            progress or _silent,
        )
        study.starts(lambda: list(starting_points(space, budget.ram, partial(_ram_of, one))))
        _try_all(one, trials, batch)
        return _result(one, path)


def _terms(spec: Spec, space: Space, dataset: Dataset) -> dict[str, Any]:
    """Everything that must be the same where a search is gone on with."""
    data = zlib.crc32(np.ascontiguousarray(dataset.x_train).tobytes())
    return {"spec": spec.digest, "space": repr(space), "data": data}


def _ram_of(one: _Search, params: Params) -> int | None:
    try:
        return cost_of(spec_at(one.spec, one.dataset.labels, params), one.dataset).ram
    except (SpecError, DataError):
        return None


def _with_epochs(spec: Spec, dataset: Dataset) -> Spec:
    """The spec with its epochs said, so that a part of the training set gets no more of them."""
    if spec.rule.epochs is not None:
        return spec
    epochs = default_epochs(len(dataset.x_train))
    return spec.model_copy(update={"rule": spec.rule.model_copy(update={"epochs": epochs})})


def _try_all(one: _Search, trials: int, batch: int) -> None:
    """Generation after generation, until there are as many trials as were asked for."""
    while not one.is_late:
        known = one.study.trials()
        ended = sum(trial.outcome is not None and not trial.is_open for trial in known)
        one.progress("trials", min(ended, trials), trials)
        if ended >= trials or not _generation(one, known, min(batch, trials - ended)):
            return


def _generation(one: _Search, known: Sequence[Trial], wanted: int) -> bool:
    """Try so many nets more, or those that an interruption left; tell of them when all are done.

    False: there is nothing left to try, or it is late.
    """
    last = max((trial.generation for trial in known), default=-1)
    members = [trial for trial in known if trial.generation == last]
    if not any(trial.is_open for trial in members):
        last, members = last + 1, []
    members += [trial for trial in known if trial.generation < 0]
    if all(trial.is_open for trial in members):
        members += _planned(one, wanted - len(members))
    members = [one.study.keep(replace(trial, generation=last)) for trial in members]
    done = list(_tried(one, members))
    if len(done) < len(members):
        return False  # It is late; what is done is kept.
    _measure_front(one)
    for trial in one.study.trials():
        if trial.generation == last and trial.is_open:
            one.study.tell(trial)
    return bool(members)


def _planned(one: _Search, count: int) -> Iterator[Trial]:
    """Give so many points that are nets within the RAM."""
    for _ in range(count):
        known = one.study.trials()
        trial = one.study.ask(_limit(one, known), partial(_look, one, known))
        if trial is None:
            return
        yield trial


def _limit(one: _Search, known: Sequence[Trial]) -> float:
    """The RAM for which the next point is to be good: the budget, and now and then a part of it."""
    most = one.budget.ram
    if most is None:
        most = max((trial.outcome.cost.ram for trial in known if trial.outcome), default=1 << 40)
    return most * _LIMITS[len(known) % len(_LIMITS)]


def _look(one: _Search, known: Sequence[Trial], params: Params) -> Refusal | None:
    """Why a point need not be tried: it is over the RAM, no net at all, or one that is known."""
    try:
        spec = spec_at(one.spec, one.dataset.labels, params)
        for other in known:
            if one.spec_of(other).digest == spec.digest:
                return Refusal(f"the same as trial {other.number}", 0.0)
        cost = cost_of(spec, one.dataset)
    except (SpecError, DataError) as error:
        return Refusal(error.message(), 1.0)
    over = one.budget.over(Measured(cost.ram))
    return Refusal(f"needs {cost.ram:,} bytes of RAM", over) if over > 0 else None


def _tried(one: _Search, members: Sequence[Trial]) -> Iterator[Trial]:
    """The members with their outcomes, as they come; those that have one already first."""
    if not members:
        return
    yield from (trial for trial in members if trial.outcome or trial.refused)
    peers = [
        (trial.outcome.cost, trial.outcome.looks)
        for trial in one.study.trials()
        if trial.outcome is not None and trial.generation != members[0].generation
    ]
    left = [trial for trial in members if not trial.outcome and not trial.refused]
    tasks = [(attempt, one.source, one.spec_of(trial), peers) for trial in left]
    for place, ended in _computed(one, tasks):
        trial = left[place]
        made = (
            replace(trial, refused=ended, over=1.0)
            if isinstance(ended, str)
            else replace(trial, outcome=ended, over=one.budget.over(Measured(ended.cost.ram)))
        )
        yield one.study.keep(made)


def _measure_front(one: _Search) -> None:
    """Measure the firmware of each net on the front, until all on it are within the budget."""
    while unknown := [trial for trial in front_of(one.study.trials()) if trial.measured is None]:
        tasks = [(measured, one.source, one.spec_of(trial)) for trial in unknown]
        for place, size in _computed(one, tasks, is_patient=True):
            trial = replace(unknown[place], measured=size)
            one.study.keep(replace(trial, over=one.budget.over(size)))


def _computed(
    one: _Search, tasks: Sequence[tuple[Any, ...]], *, is_patient: bool = False
) -> Iterator[tuple[int, Any]]:
    """Place and result of each task, as they are done; none is begun when it is late."""
    workers = one.crew.workers
    if workers is None:
        for place, (call, *arguments) in enumerate(tasks):
            if one.is_late and not is_patient:
                return
            yield place, call(*arguments)
        return
    waiting, running = list(enumerate(tasks)), dict[Future[Any], int]()
    while waiting or running:
        with deaf_to_the_keyboard():
            while waiting and len(running) < one.crew.jobs and (is_patient or not one.is_late):
                place, (call, *arguments) = waiting.pop(0)
                running[workers.submit(call, *arguments)] = place
        if not running:
            return
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), _result_of(future)


def _result_of(future: Future[Any]) -> Any:
    try:
        return future.result()
    except BrokenProcessPool:
        raise ToolError(
            "a process that trained has ended before its time",
            found="most often too little memory",
            help="fewer processes, as with --jobs 1; what was done is kept",
        ) from None


def _result(one: _Search, path: Path) -> SearchResult:
    """The front, each net scored on the test set once, whoever asks how often."""
    _measure_front(one)
    front = front_of(one.study.trials())
    left = [trial for trial in front if trial.test_score is None]
    tasks = [(tested, one.source, one.spec_of(trial)) for trial in left]
    for count, (place, score) in enumerate(_computed(one, tasks, is_patient=True)):
        one.progress("the test set", count, len(left))
        one.study.keep(replace(left[place], test_score=score))
    known = one.study.trials()
    if not front:
        raise _nothing_fits(one, known)
    return SearchResult(
        spec=one.spec,
        labels=one.dataset.labels,
        data=one.dataset.said,
        budget=one.budget,
        path=path,
        trials=tuple(known),
        refusals=tuple(one.study.refused()),
        front=tuple(Found(trial, one.spec_of(trial)) for trial in front_of(known)),
    )


def _nothing_fits(one: _Search, known: Sequence[Trial]) -> SpecError:
    tried = sum(trial.outcome is not None for trial in known)
    return SpecError(
        "no net of the space is within the budget",
        where=f"{one.spec.source}, [search]",
        found=f"{tried} nets tried; those that the memory plan admits are over when compiled"
        if tried
        else "the memory plan refuses all that was drawn"
        if not one.is_late
        else "the time was over before a net was tried",
        help='fewer units, weights = ["s8"], a larger budget, or more time',
    )


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
