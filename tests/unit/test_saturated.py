"""Saturated nets and samples at the ends of what is allowed: no warning of numpy reaches a user."""

import warnings
from typing import Any

import numpy as np
import pytest

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.errors import TpsgdError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.stages import prepare, render_project
from tpsgd_edge.stages.quantization import layer_errors

RNG = np.random.default_rng(2)
STEPS, WIDTH, CLASSES = 4, 6, 3
LAYERS: dict[str, list[dict[str, Any]]] = {
    "dense": [{"name": "a", "units": 5}],
    "deep": [{"name": "a", "units": 5}, {"name": "b", "units": 5}],
    "conv1d": [{"name": "a", "kind": "conv1d", "filters": 2, "kernel": 3}],
    "rnn": [{"name": "a", "kind": "rnn", "units": 4}],
    "gru": [{"name": "a", "kind": "gru", "units": 4}],
    "lstm": [{"name": "a", "kind": "lstm", "units": 4}],
}
ACTIVATIONS = list(FACTS)
# Gated layers have their own activations.
GATED = ("gru", "lstm")
CASES = [(kind, name) for kind in LAYERS for name in (["tanh"] if kind in GATED else ACTIVATIONS)]
FORMATS = [("s16", "s8"), ("s8", "s16"), ("f32", "s8")]
ENDS = [(weight, sample) for weight in (1e3, 2.0**27, 1e-30) for sample in (1.0, 1e6, 1e38, 1e-30)]
# Each activation meets each pair of ends, and each format with a third of these.
MEETINGS = [
    pytest.param(*case, FORMATS[(i + j) % 3], *ends, id="-".join((*case, *map(str, ends))))
    for i, case in enumerate(CASES)
    for j, ends in enumerate(ENDS)
]


def shapes(layers: list[dict[str, Any]], kind: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of a weights_file."""
    n_in = {"conv1d": 3 * WIDTH, "rnn": WIDTH, "gru": WIDTH, "lstm": WIDTH}.get(kind, STEPS * WIDTH)
    found = {}
    for layer in layers:
        units = layer.get("units", layer.get("filters"))
        if kind in GATED and layer["name"] == "a":
            rows = (3 if kind == "gru" else 4) * units
            found |= {"a.w": (rows, n_in + units), "a.b": (2, rows)}
        else:
            own = units if layer.get("kind") == "rnn" else 0
            found |= {f"{layer['name']}.w": (units, n_in + own), f"{layer['name']}.b": (units,)}
        n_in = units * (2 if layer.get("kind") == "conv1d" else 1)
    return found


def run(tmp_path, kind, activation, formats, weight, sample, vectors, rule) -> None:
    """The whole path in floating point, and the reference's first steps."""
    hidden = [dict(layer) for layer in LAYERS[kind]]
    if kind not in GATED:
        trains = {} if FACTS[activation].learns else {"train": False}
        hidden = [{**layer, "activation": activation, **trains} for layer in hidden]
    layers = [*hidden, {"name": "o", "units": CLASSES}]
    arrays = {name: weight * RNG.normal(size=shape) for name, shape in shapes(layers, kind).items()}
    np.savez(tmp_path / "w.npz", **arrays)
    spec = spec_from_dict(
        {
            "name": "net",
            "model": {"layers": layers, "weights_file": str(tmp_path / "w.npz")},
            "numbers": {"weights": formats[0], "activations": formats[1]},
            "data": {"file": "samples.npz", "scaling": "none"},
            "rule": {"learning_rate": 0.05, "kind": rule},
        }
    )
    x = (sample * RNG.uniform(-3, 3, (24, STEPS, WIDTH))).astype(np.float32)
    y = RNG.normal(size=(24, CLASSES)) if vectors else np.arange(24) % CLASSES
    prepared = prepare(spec, dataset_from_arrays(spec, x, y))
    render_project(prepared)
    layer_errors(prepared, None, 8, lambda *_: None)


@pytest.mark.sampled(3)
@pytest.mark.series(24)
@pytest.mark.parametrize(("kind", "activation", "formats", "weight", "sample"), MEETINGS)
def test_no_warning_in_the_whole_path(tmp_path, kind, activation, formats, weight, sample):
    for vectors, rule in ((False, "tpsgd"), (True, "tpsgd"), (False, "backprop")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                run(tmp_path, kind, activation, formats, weight, sample, vectors, rule)
            except TpsgdError as error:
                # A refusal in words is as good: it names what was found.
                assert error.exit_code == 2, error  # noqa: PT017
