"""The study of a search: Optuna's, in one SQLite file, the same for the same seed."""

import importlib.util
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tpsgd_edge.errors import OutputError, ToolError, how_to_install
from tpsgd_edge.files import check_plain
from tpsgd_edge.search.space import Dimension, Params, Space
from tpsgd_edge.search.trial import Cost, Measured, Outcome
from tpsgd_edge.spec.toml import toml_value

# Points that are drawn blindly, before what is known says where to look.
_BLIND = 6
# The share of the trials that the sampler takes for good ones.
_GOOD_SHARE = 0.2
_DIGITS = 3
# Points in a row that are not worth trying end a search.
_MOST_IN_VAIN = 60


@dataclass(frozen=True, slots=True)
class Trial:
    """A point of the space and what is known of it.

    Attributes:
        is_open: the study has not been told yet how it ended.
        generation: with which others it is tried.
        refused: why there is no such net after all.
        over: how far it is over a budget, as a share; 0 within all.
        test_score: after learning the whole training set.
    """

    number: int
    params: Params
    is_open: bool
    generation: int = -1
    refused: str | None = None
    over: float = 0.0
    outcome: Outcome | None = None
    measured: Measured | None = None
    test_score: float | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a point is not tried, and by which share it is over the RAM; 0 where it is known."""

    why: str
    over: float


class Study:
    """Asks for points and keeps what became of them, each at once and for good."""

    def __init__(self, study: Any, space: Space, seed: int) -> None:
        self._study = study
        self._space = space
        self._seed = seed

    def starts(self, make: Callable[[], Sequence[Params]]) -> list[Params]:
        """The points that are asked for first; made once, and then kept."""
        if "starts" not in self._study.user_attrs:
            made = [_encoded(self._space, point) for point in make()]
            self._study.set_user_attr("starts", made)
        return list(self._study.user_attrs["starts"])

    def trials(self) -> list[Trial]:
        """All trials so far, in the order in which they were asked for."""
        whole = {dimension.name for dimension in self._space.dimensions}
        kept = [one for one in self._study.get_trials(deepcopy=False) if set(one.params) >= whole]
        known = self._study.user_attrs
        return [self._trial(one, known) for one in kept]

    def ask(self, limit: float, look: Callable[[Params], Refusal | None]) -> Trial | None:
        """The next point that is worth trying: a matter of the seed and of what is known.

        Args:
            limit: bytes of RAM; the best net within them is looked for.
            look: says of a point why it is not worth trying.

        Returns:
            None where point after point is refused.
        """
        known, refused = self.trials(), list[Refusal]()
        starts = self._study.user_attrs.get("starts", [])
        for point in starts[len(known) + len(self.refused()) :]:
            why = look(self._params(point))
            if why is None:
                return self._begun(point, known, refused)
            refused.append(why)
        drawn = self._drawn(known, limit, look, refused)
        return None if drawn is None else self._begun(drawn, known, refused)

    def refused(self) -> list[Refusal]:
        """All points that were not worth trying, in their order."""
        known = self._study.user_attrs
        lists = (known[key] for key in sorted(known) if key.startswith("refused before"))
        return [Refusal(*one) for refused in lists for one in refused]

    def _begun(self, point: Params, known: Sequence[Trial], refused: Sequence[Refusal]) -> Trial:
        """A trial at a point that was looked at."""
        if refused:
            # Written over where an interruption comes now, because the same points come again.
            key = f"refused before {len(known):09}"
            self._study.set_user_attr(key, [(one.why, one.over) for one in refused])
        asked = _ask_for(self._study, point, _distributions(self._space.dimensions))
        made = self._study.get_trials(deepcopy=False)[asked.number]
        return self._trial(made, {})

    def _drawn(
        self,
        known: Sequence[Trial],
        limit: float,
        look: Callable[[Params], Refusal | None],
        refused: list[Refusal],
    ) -> Params | None:
        """A point that the sampler draws, with all that is known and this limit."""
        from optuna.trial import TrialState

        distributions = _distributions(self._space.dimensions)
        study = _as_known_by_now(known, self._space, distributions, self._seed, limit)
        for _ in range(_MOST_IN_VAIN):
            asked = study.ask(distributions)
            why = look(self._params(asked.params))
            if why is None:
                return dict(asked.params)
            refused.append(why)
            if why.over > 0:
                asked.set_constraint("budget", why.over)
                study.tell(asked, state=TrialState.PRUNED)
            else:
                study.tell(asked, state=TrialState.FAIL)
        return None

    def _params(self, point: Params) -> Params:
        return {**self._space.fixed, **_decoded(self._space, point)}

    def keep(self, trial: Trial) -> Trial:
        """Keep what became known of a trial, told or not."""
        known = asdict(replace(trial, params={}))
        # Optuna takes nothing more for a trial that has ended, but for the study.
        self._study.set_user_attr(_key(trial.number), known)
        return trial

    def tell(self, trial: Trial) -> None:
        """End a trial: the sampler learns from it now."""
        from optuna.trial import TrialState

        done = trial.outcome
        if done is None or done.is_stopped or trial.over > 0:
            self._study.tell(trial.number, state=TrialState.PRUNED)
        else:
            values = (done.score, done.cost.ram, done.cost.work)
            self._study.tell(trial.number, values=values)

    def _trial(self, one: Any, known: Mapping[str, Any]) -> Trial:
        trial = Trial(one.number, self._params(one.params), is_open=one.state.name == "RUNNING")
        return _with_known(trial, known.get(_key(one.number), {}))


def _key(number: int) -> str:
    return f"trial {number}"


@contextmanager
def open_study(path: Path, space: Space, terms: Mapping[str, Any], seed: int) -> Iterator[Study]:
    """The study in a file, which is made where it does not exist, with its folder.

    Args:
        terms: what must be the same for a study to be gone on with.

    Raises:
        ToolError: Optuna is missing.
        OutputError: the file cannot be written, is no study, or is of another search.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ToolError(
            "a search needs Optuna, which is not installed", help=how_to_install("search")
        )
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    check_plain(path, "the study")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        study = optuna.create_study(
            storage=storage,
            study_name="search",
            directions=["maximize", "minimize", "minimize"],
            load_if_exists=True,
        )
    except (OSError, SQLAlchemyError, RuntimeError, ValueError) as error:
        raise _unusable(path, error) from None
    try:
        _check_terms(study, terms, path)
        yield Study(study, space, seed)
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        raise _unusable(path, error) from None
    finally:
        storage.engine.dispose()


def _check_terms(study: Any, terms: Mapping[str, Any], path: Path) -> None:
    known = study.user_attrs.get("terms")
    if known is None:
        study.set_user_attr("terms", dict(terms))
        return
    differ = [name for name in terms if known.get(name) != terms[name]]
    if differ:
        name = differ[0]
        raise OutputError(
            "the file holds another search",
            where=str(path),
            found=f"{name} {str(known.get(name))[:60]}, this search has {str(terms[name])[:60]}",
            help="name another file with --store, or remove this one",
        )


def _unusable(path: Path, error: Exception) -> OutputError:
    return OutputError(
        "the file of the search cannot be used",
        where=str(path),
        found=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
        help="name another file with --store",
    )


def _sampler(seed: int) -> Any:
    from optuna.samplers import TPESampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Options that Optuna may still change.
        return TPESampler(
            seed=seed,
            n_startup_trials=_BLIND,
            multivariate=True,
            gamma=_good_ones,
        )


def _good_ones(count: int) -> int:
    """Number of trials that count as good, of so many."""
    return max(2, math.ceil(_GOOD_SHARE * count))


def _ask_for(study: Any, point: Params, distributions: Mapping[str, Any]) -> Any:
    """A trial of a study at a point that is known."""
    from optuna.samplers import PartialFixedSampler, RandomSampler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study.sampler = PartialFixedSampler(dict(point), RandomSampler(seed=0))
        return study.ask(dict(distributions))


def _distributions(dimensions: Sequence[Dimension]) -> dict[str, Any]:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    made: dict[str, Any] = {}
    for one in dimensions:
        if one.values:
            made[one.name] = CategoricalDistribution([toml_value(value) for value in one.values])
        elif one.is_whole:
            made[one.name] = IntDistribution(int(one.low), int(one.high))
        else:
            made[one.name] = FloatDistribution(one.low, one.high, log=True)
    return made


def _as_known_by_now(
    known: Sequence[Trial],
    space: Space,
    distributions: Mapping[str, Any],
    seed: int,
    limit: float,
) -> Any:
    """A study in memory, with one aim: the best score within a limit of RAM."""
    import optuna

    own_seed = (seed * 1_000_003 + len(known)) % 2**32
    study = optuna.create_study(direction="maximize", sampler=_sampler(own_seed))
    study.add_trials([_as_known(trial, space, distributions, limit) for trial in known])
    return study


def _as_known(trial: Trial, space: Space, distributions: Mapping[str, Any], limit: float) -> Any:
    """A trial as the sampler sees it: under way, stopped, over a limit, or with its score."""
    import optuna
    from optuna.trial import TrialState

    own: dict[str, Any] = {"constraints": {"budget": _over(trial, limit)}}
    done = trial.outcome
    if done is not None and not done.is_stopped:
        own |= {"state": TrialState.COMPLETE, "value": done.score}
    elif done is not None:
        looks = dict(enumerate(done.looks, 1))
        own |= {"state": TrialState.PRUNED, "intermediate_values": looks}
    elif trial.refused is not None:
        own |= {"state": TrialState.PRUNED}
    else:
        own = {"state": TrialState.RUNNING}
    params = _encoded(space, {one.name: trial.params[one.name] for one in space.dimensions})
    return optuna.create_trial(params=params, distributions=dict(distributions), **own)


def _over(trial: Trial, limit: float) -> float:
    """Share by which a trial is over its budgets, or over a limit of RAM."""
    ram = trial.outcome.cost.ram if trial.outcome is not None else 0
    return max(trial.over, ram / limit - 1)


def _encoded(space: Space, params: Params) -> dict[str, Any]:
    """A point as Optuna has it: choices as text."""
    listed = {one.name for one in space.dimensions if one.values}
    return {name: toml_value(value) if name in listed else value for name, value in params.items()}


def _decoded(space: Space, params: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for one in space.dimensions:
        value = params[one.name]
        if one.values:
            value = {toml_value(choice): choice for choice in one.values}[value]
        elif not one.is_whole:
            value = float(f"{value:.{_DIGITS}g}")
        made[one.name] = value
    return made


def _with_known(trial: Trial, known: Mapping[str, Any]) -> Trial:
    outcome, size = known.get("outcome"), known.get("measured")
    return replace(
        trial,
        generation=known.get("generation", -1),
        refused=known.get("refused"),
        over=known.get("over", 0.0),
        outcome=None if outcome is None else _outcome(outcome),
        measured=None if size is None else Measured(**size),
        test_score=known.get("test_score"),
    )


def _outcome(known: Mapping[str, Any]) -> Outcome:
    return Outcome(**{**known, "cost": Cost(**known["cost"]), "looks": tuple(known["looks"])})
