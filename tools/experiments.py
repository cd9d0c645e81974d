"""What the scripts of results and costs share: a file of results that grows, and trained code.

Imported by the other scripts; by itself it does nothing.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.stages import Prepared, on_host, quantize_samples, train

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# The state that samples meet, the samples, their labels.
Stretch = tuple[bytes, NDArray[Any], NDArray[Any]]


def results_parser(text: str | None) -> argparse.ArgumentParser:
    """A parser for the file of results and for --print, with the first line of a docstring."""
    parser = argparse.ArgumentParser(description=(text or "").partition("\n")[0])
    parser.add_argument("results", type=Path, help="JSON file of all results; made where missing")
    parser.add_argument("--print", action="store_true", dest="only_print", help="measure nothing")
    return parser


class Results:
    """Results by key, in a JSON file to which each new one is added as soon as it is there."""

    def __init__(self, path: Path, *, may_train: bool) -> None:
        self.path = path
        self.may_train = may_train
        self.results: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """The result of a key, made where it is missing; None where that may not be."""
        if key not in self.results and self.may_train:
            self.put(key, make())
        return self.results.get(key)

    def put(self, key: str, result: Any) -> None:
        """Add a result, in the place of an older one, and say so."""
        self.results[key] = result
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_suffix(".tmp")
        fresh.write_text(json.dumps(dict(sorted(self.results.items())), indent=1) + "\n")
        fresh.replace(self.path)
        said = str(result)
        print(f"{key}: {said if len(said) < 100 else 'done'}", file=sys.stderr, flush=True)


def trained_score(prepared: Prepared, epochs: int | None = None) -> float:
    """Score on the test set after training by the generated code on this computer.

    Args:
        epochs: those of the spec where not given.
    """
    samples = quantize_samples(prepared.model, prepared.dataset)
    epochs = prepared.spec.rule.passes if epochs is None else epochs
    with on_host(prepared, check=False) as device:
        done = train(device, prepared.model, samples, epochs=epochs, progress=lambda *_: None)
    return done.scores[-1].value


def stretches(prepared: Prepared, count: int) -> tuple[tuple[Stretch, ...], NDArray[Any]]:
    """The first samples of each epoch of a training on this computer, and the outputs after it."""
    samples = quantize_samples(prepared.model, prepared.dataset)
    found = []
    with on_host(prepared, check=False) as device:
        for epoch in range(prepared.spec.rule.passes):
            order = epoch_order(prepared.model.seed, epoch, len(samples.x))
            first = order[:count]
            found.append((device.state(), samples.x[first], samples.labels[first]))
            device.train(samples.x, samples.labels, order=order)
        return tuple(found), device.outputs(samples.x_test)


def dense_layers(*units: int) -> str:
    """A setting: dense layers of so many units, and ten classes.

    >>> dense_layers(16)
    'model.layers=[{name="fc1", units=16}, {name="fc2", units=10}]'
    """
    layers = ", ".join(f'{{name="fc{i}", units={n}}}' for i, n in enumerate((*units, 10), 1))
    return f"model.layers=[{layers}]"
