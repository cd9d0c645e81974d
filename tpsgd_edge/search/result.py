"""The result of a search: the front, each point a spec that is ready to be built."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tpsgd_edge.files import check_output, write_whole
from tpsgd_edge.frontend.data import DataNotes
from tpsgd_edge.frontend.inputs import input_files
from tpsgd_edge.graph import Labels
from tpsgd_edge.reports.curve import Json, finite
from tpsgd_edge.reports.front import FrontPoint
from tpsgd_edge.reports.text import bytes_text, count_text, metric_text
from tpsgd_edge.search.front import best_of
from tpsgd_edge.search.study import Refusal, Trial
from tpsgd_edge.search.trial import Measured, Outcome
from tpsgd_edge.spec import FASHION_MNIST, Spec
from tpsgd_edge.spec.toml import spec_content, toml_text

# Stands in the first line of each spec that is written, which may be replaced by the next one.
SPEC_MARK = "found by tpsgd-edge search"
_FILES = ("file", "labels_file", "test_file", "test_labels_file")


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of a net, in bytes and in instructions of a training step; None: there is none."""

    ram: int | None = None
    flash: int | None = None
    instructions: int | None = None

    def over(self, cost: Measured) -> float:
        """Share by which a net is over the budget that it exceeds most; 0 within all.

        >>> Budget(ram=1000).over(Measured(ram=1500)), Budget(ram=1000).over(Measured(ram=900))
        (0.5, 0.0)
        """
        pairs = (
            (cost.ram, self.ram),
            (cost.flash, self.flash),
            (cost.instructions, self.instructions),
        )
        shares = [used / most - 1 for used, most in pairs if used is not None and most is not None]
        return max([0.0, *shares])


@dataclass(frozen=True, slots=True)
class Found:
    """A net of the front."""

    trial: Trial
    spec: Spec

    @property
    def outcome(self) -> Outcome:
        """Outcome of its trial.

        Raises:
            ValueError: it has none, so it is on no front.
        """
        if self.trial.outcome is None:
            raise ValueError("a net of the front was tried")
        return self.trial.outcome

    @property
    def size(self) -> Measured:
        """Sizes of its firmware.

        Raises:
            ValueError: nobody measured it.
        """
        if self.trial.measured is None:
            raise ValueError("a net of the front was measured")
        return self.trial.measured

    @property
    def words(self) -> str:
        """The net in short: its layers, formats and rate."""
        params = self.trial.params
        layers = "-".join(_layer_words(layer) for layer in self.spec.model.layers)
        return f"{layers}, {params['weights']}"

    def toml(self, folder: Path, metric: Literal["accuracy", "r2"]) -> str:
        """A ready spec, for a file in a folder."""
        content = spec_content(self.spec)
        content["data"] = _data_from(content["data"], self.spec.folder, folder)
        held_out = metric_text(metric, self.outcome.score)
        test = metric_text(metric, self.trial.test_score)
        lines = [f"# {self.words}: {SPEC_MARK}."]
        lines.append(f"# Held-out samples: {held_out}; test set: {test}; {_size_words(self.size)}.")
        return "\n".join(lines) + "\n\n" + toml_text(content)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """All trials, and the nets that none of them beats."""

    spec: Spec
    labels: Labels
    data: DataNotes
    budget: Budget
    path: Path
    trials: tuple[Trial, ...]
    refusals: tuple[Refusal, ...]
    front: tuple[Found, ...]

    @property
    def metric(self) -> Literal["accuracy", "r2"]:
        """Metric of all scores."""
        return "accuracy" if self.labels.kind == "class" else "r2"

    @property
    def best(self) -> Found:
        """The net of the front with the best score on held-out samples."""
        best = best_of(found.trial for found in self.front)
        return next(found for found in self.front if found.trial == best)

    @property
    def tried(self) -> list[Outcome]:
        """Outcomes of all nets that were trained."""
        return [trial.outcome for trial in self.trials if trial.outcome is not None]

    @property
    def stopped(self) -> int:
        """Number of nets that were not trained to the end."""
        return sum(outcome.is_stopped for outcome in self.tried)

    @property
    def refused(self) -> int:
        """Number of points that were not trained: too large, no net, or known already."""
        return len(self.refusals) + sum(trial.refused is not None for trial in self.trials)

    @property
    def points(self) -> tuple[FrontPoint, ...]:
        """All nets that were trained to the end, for a plot."""
        front = {found.trial.number: found.words for found in self.front}
        return tuple(
            FrontPoint(
                ram=trial.measured.ram if trial.measured else trial.outcome.cost.ram,
                score=trial.outcome.score,
                test_score=trial.test_score if trial.number in front else None,
                words=front.get(trial.number),
                is_over=trial.over > 0,
            )
            for trial in self.trials
            if trial.outcome is not None and not trial.outcome.is_stopped
        )

    def to_json(self) -> Json:
        """The front, the best of it, and what the search took."""
        spec, budget = self.spec, self.budget
        return {
            "name": spec.name,
            "spec": {"file": spec.source, "digest": spec.digest},
            "platform": spec.platform.name,
            "metric": self.metric,
            "labels": self.data.labels or None,
            "notes": list(self.data.notes),
            "budget": {
                "ram": budget.ram,
                "flash": budget.flash,
                "instructions": budget.instructions,
            },
            "trials": len(self.tried),
            "stopped": self.stopped,
            "refused": self.refused,
            "front": [_found_json(found, self.metric) for found in self.front],
            "best": _found_json(self.best, self.metric),
            "processor": {
                "trials": round(sum(one.processor for one in self.tried), 3),
                "training": round(sum(one.training for one in self.tried), 3),
            },
        }


def write_specs(result: SearchResult, out: Path | None, front: Path | None) -> list[Path]:
    """Write the best spec to a file, and all of the front to a folder; the files.

    Raises:
        OutputError: one of them is read, is not of this kind, or cannot be written.
    """
    files = {} if out is None else {out: result.best}
    if front is not None:
        names = (f"{result.spec.name}-{place}.toml" for place in range(1, len(result.front) + 1))
        files |= {front / name: found for name, found in zip(names, result.front, strict=True)}
    for path in files:
        check_spec_file(path, result.spec)
    for path, found in files.items():
        write_whole(found.toml(path.parent, result.metric).encode(), path, what="the spec")
    return list(files)


def check_spec_file(path: Path, spec: Spec) -> None:
    """Refuse to write a spec over one that somebody wrote, before anything is computed.

    Raises:
        OutputError: it is read, or is a file of another kind.
    """
    check_output(path, "the spec", inputs=input_files(spec), mark=SPEC_MARK.encode())


def _data_from(data: Mapping[str, Any], here: Path, folder: Path) -> dict[str, Any]:
    """[data] with files as they are named from another folder."""
    moved = {
        key: Path(os.path.relpath(here / data[key], folder)).as_posix()
        for key in _FILES
        if data.get(key) not in (None, FASHION_MNIST)
    }
    return {**data, **moved}


def _layer_words(layer: Any) -> str:
    count = getattr(layer, "units", None) or getattr(layer, "filters", None)
    kind = "" if layer.kind == "dense" else layer.kind
    return f"{kind}{'' if count is None else count}"


def _size_words(size: Measured) -> str:
    words = [f"{bytes_text(size.ram)} of RAM"]
    if size.flash is not None:
        words.append(f"{bytes_text(size.flash)} of flash")
    if size.instructions is not None:
        words.append(f"{count_text(size.instructions)} instructions a step")
    return ", ".join(words)


def _found_json(found: Found, metric: Literal["accuracy", "r2"]) -> Json:
    size, outcome = found.size, found.outcome
    return {
        "trial": found.trial.number,
        "words": found.words,
        "params": dict(found.trial.params),
        "score": finite(outcome.score),
        "test_score": finite(found.trial.test_score),
        "ram": size.ram,
        "stack": size.stack,
        "flash": size.flash,
        "instructions": size.instructions,
        "macs": outcome.cost.work,
        "digest": found.spec.digest,
        "toml": found.toml(found.spec.folder, metric),
    }
