"""Random networks that branch: skips, sums and concatenations, some behind recurrent layers.

A failing test names its seed, and `pytest tests/random/test_random_graphs.py -k SEED` repeats it.
500 of them: `HYPOTHESIS_PROFILE=night pytest tests/random/test_random_graphs.py`.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.random.counts import CI, NOW
from tests.random.networks import network
from tests.random.running import OTHER_BUILDS, SANITIZED, run_model
from tpsgd_edge.quantize.model import QuantizedAdd, QuantizedModel

COUNTS = NOW["graphs"]
_FIRST_SEED = 15_000


def graph_network(seed: int) -> QuantizedModel:
    """A net that branches; one in five has recurrent layers first."""
    return network(seed, graph=True, recurrent=seed % 5 == 0)


@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + COUNTS.sanitized))
def test_sanitized_code_does_what_the_reference_does(seed):
    run_model(graph_network(seed), seed, SANITIZED)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(_FIRST_SEED, _FIRST_SEED + COUNTS.per_build))
@pytest.mark.parametrize("name", OTHER_BUILDS)
def test_other_builds_do_what_the_reference_does(name, seed):
    run_model(graph_network(seed), seed, OTHER_BUILDS[name])


def test_the_networks_of_ci_hold_all_kinds_of_branches():
    found: Counter[str] = Counter()
    for seed in range(_FIRST_SEED, _FIRST_SEED + CI["graphs"].sanitized // 2):
        model = graph_network(seed)
        found.update(set(_features(model)))
    assert min(found.values()) >= 3, found
    assert set(found) == {
        *("a skip", "a skip over two layers", "three readers", "the sample is read twice"),
        *("linear", "relu", "relu6", "concat of s8", "concat of s16", "concat of f32"),
        *("three terms", "behind recurrent layers", "with an error gate"),
    }


def _features(model: QuantizedModel) -> Iterator[str]:
    edges = model.edges
    places = {name: place for place, name in enumerate(edges.names)}
    for layer, inputs in zip(model.layers, edges.inputs, strict=True):
        reach = places[layer.name] - min(places.get(value, -1) for value in inputs)
        if layer.kind in ("add", "concat"):
            yield "a skip"
            yield from ["a skip over two layers"] * (reach > 2)
            yield from ["behind recurrent layers"] * bool(model.recurrent)
            yield from ["with an error gate"] * model.has_error_gate
        if isinstance(layer, QuantizedAdd):
            yield layer.activation
            yield from ["three terms"] * (len(inputs) > 2)
        if layer.kind == "concat":
            yield f"concat of {layer.y_type}"
        yield from ["three readers"] * (len(edges.consumers_of(layer.name)) > 2)
    yield from ["the sample is read twice"] * (len(edges.consumers_of("x")) > 1)
