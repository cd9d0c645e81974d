"""Result of `adapt`: all trials, and a spec with the settings of the best one."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tpsgd_edge.reports.curve import Json, finite
from tpsgd_edge.reports.text import bytes_text, metric_text
from tpsgd_edge.spec import Spec
from tpsgd_edge.stages.adapting import Trial, Trials, layers_of
from tpsgd_edge.stages.doubts import Doubt, Facts, doubts
from tpsgd_edge.stages.strategies import Strategy

_WORDS = {
    "prototype": "prototypes",
    "random": "random targets",
    "fitted": "fitted targets",
    "backprop": "backpropagation",
}


@dataclass(frozen=True, slots=True)
class AdaptResult:
    """All trials, and the best: the most right answers, of equals the one with the least RAM."""

    tried: Trials

    @property
    def best(self) -> Trial | None:
        """None where nothing could be tried."""
        done = [trial for trial in self.tried.trials if math.isfinite(trial.score)]
        return min(done, key=lambda trial: (-trial.score, trial.ram or 0), default=None)

    @property
    def fragment(self) -> str:
        """TOML that adapts the net by the best strategy; empty where there is none."""
        best = self.best
        return "" if best is None else "\n".join(_fragment(self.tried, best)) + "\n"

    @property
    def warnings(self) -> tuple[Doubt, ...]:
        """Reasons to doubt the best strategy."""
        tried, best = self.tried, self.best
        if best is None:
            return ()
        return doubts(
            Facts(
                seen="samples that were left out",
                tests=tried.samples,
                score=best.score,
                scores=(tried.before, best.score),
                largest=tried.largest,
            )
        )

    def to_json(self) -> Json:
        """Scores before, every trial, and the fragment."""
        tried, best = self.tried, self.best
        return {
            "name": tried.spec.name,
            "spec": {"file": tried.spec.source, "digest": tried.spec.digest},
            "samples": tried.samples,
            "labels": tried.data.labels or None,
            "notes": list(tried.data.notes),
            "before": finite(tried.before),
            "origin_before": finite(tried.source_before),
            "trials": [_trial(trial) for trial in tried.trials],
            "best": None if best is None else _trial(best),
            "fragment": self.fragment,
            "warnings": [doubt.to_json() for doubt in self.warnings],
        }


def strategy_text(strategy: Strategy) -> str:
    """A strategy in words.

    >>> strategy_text(Strategy(("fc2", "out"), "prototype", 0.01))
    'fc2, out; prototypes'
    >>> strategy_text(Strategy(("fc2", "out"), "prototype", 0.01, passed=("fc2",)))
    'fc2, out; errors passed to fc2'
    """
    parts = [
        ", ".join((*(f"adaptor behind {name}" for name in strategy.adaptors), *strategy.trains))
    ]
    if strategy.has_targets:
        parts.append(_WORDS[strategy.targets])
    if strategy.passed:
        parts.append(f"errors passed to {', '.join(strategy.passed)}")
    return "; ".join(parts)


def _trial(trial: Trial) -> Json:
    strategy = trial.strategy
    return {
        "trains": list(strategy.trains),
        "adaptors": list(strategy.adaptors),
        "passed": list(strategy.passed),
        "targets": strategy.targets if strategy.has_targets else None,
        "learning_rate": strategy.rate,
        "ram": trial.ram,
        "score": finite(trial.score),
        "origin": finite(trial.source_domain),
        "refused": trial.refused,
    }


def _fragment(tried: Trials, best: Trial) -> Iterator[str]:
    spec, strategy = tried.spec, best.strategy
    after, before = (metric_text("accuracy", share) for share in (best.score, tried.before))
    yield f"# {strategy_text(strategy)}: {after} of {tried.samples} samples left out, before"
    yield f"# {before}; {bytes_text(best.ram or 0)} of RAM and the stack."
    yield "[model]"
    if spec.model.source is None:
        yield "layers = ["
        for layer in layers_of(spec, strategy):
            yield f"    {_toml(_settings(layer))},"
        yield "]"
    else:
        yield f"source = {_toml(spec.model.source)}"
        if strategy.adaptors:
            yield f"adaptors = {_toml(list(strategy.adaptors))}"
        yield from _source_settings(spec, strategy)
    yield ""
    yield "[rule]"
    yield f"learning_rate = {strategy.rate:g}"


def _source_settings(spec: Spec, strategy: Strategy) -> Iterator[str]:
    for layer in (made.weighted for made in layers_of(spec, strategy)):
        if layer is not None:
            yield f"settings.{layer.name}.train = {_toml(layer.train)}"
            if layer.train and layer.projection is not None:
                yield f"settings.{layer.name}.projection = {_toml(layer.projection)}"
            if layer.error != "own":
                yield f"settings.{layer.name}.error = {_toml(layer.error)}"


def _settings(layer: Any) -> dict[str, Any]:
    """Settings of a layer that differ from its defaults, after its name and kind."""
    said: dict[str, Any] = layer.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
    )
    kind = {} if layer.kind == "dense" else {"kind": layer.kind}
    return {key: said[key] for key in ("name",) if key in said} | kind | said


def _toml(value: Any) -> str:
    """A value as TOML writes it in one line.

    >>> _toml({"name": "fc1", "train": False, "kernel": [3, 3]})
    '{ name = "fc1", train = false, kernel = [3, 3] }'
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(entry)}' for key, entry in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
