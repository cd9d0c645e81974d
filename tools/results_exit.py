"""Early exits: what an answer after the first layer that is sure saves, and what it costs.

    python tools/results_exit.py examples/vgg_small.toml --set rule.output_learning_rate=0.00625

A net with carried scores (`rule.scores = "carried"`) has an answer after each of its layers: the
sum of the scores so far. The example is trained by the generated code; then, in real numbers with
the weights that the device learned, each test sample is answered by the first layer whose sum gives
a class at least so much probability. Products are the multiply-accumulates of the layers that were
run and of their read-outs, as a share of those of the whole net, which answers with the same sum.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from results_conv import CHUNK, trained

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.graph import Conv2d, Graph, WeightedLayer
from tpsgd_edge.graph.forward import behind, seen_by_loss
from tpsgd_edge.memory.dump import read_dump
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import Prepared, prepare
from tpsgd_edge.stages.export import with_state

SURE = (1.01, 0.999, 0.99, 0.95, 0.9, 0.8)


def sums(prepared: Prepared, graph: Graph) -> dict[str, Real]:
    """The sum of scores after each layer that has some, (n, classes), of all test samples."""
    inputs, x = prepared.model.inputs, prepared.dataset.x_test
    found: dict[str, list[Real]] = {}
    for start in range(0, len(x), CHUNK):
        chunk = (x[start : start + CHUNK] - inputs.mean) / inputs.std
        total = np.zeros(1)
        outputs = behind(graph, chunk, prepared.spec.seed)
        for layer, y in zip(graph.layers, outputs, strict=True):
            if isinstance(layer, WeightedLayer) and layer.name in graph.read_outs:
                total = total + seen_by_loss(layer, y) @ graph.read_outs[layer.name]
                found.setdefault(layer.name, []).append(total)
        found.setdefault(graph.layers[-1].name, []).append(y)
    return {name: np.concatenate(parts) for name, parts in found.items()}


def products(graph: Graph) -> dict[str, int]:
    """Multiply-accumulates of each layer with weights and of its read-out."""
    return {
        layer.name: layer.n_in * (layer.y_count if isinstance(layer, Conv2d) else layer.n_out)
        + (graph.read_outs[layer.name].size if layer.name in graph.read_outs else 0)
        for layer in graph.layers
        if isinstance(layer, WeightedLayer)
    }


def probability(scores: Real) -> Real:
    """Of the likeliest class, (n,)."""
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(e.max(axis=1) / e.sum(axis=1))


def rows(prepared: Prepared, graph: Graph) -> Iterator[str]:
    """The table: a row for each probability."""
    after, costs, labels = sums(prepared, graph), products(graph), prepared.dataset.y_test
    whole = sum(costs.values())
    yield f"| sure from | accuracy, % | products | {' | '.join(after)} |"
    yield "|---:|---:|---:|" + "---:|" * len(after)
    for sure in SURE:
        answered = np.zeros(len(labels), bool)
        right, spent, shares = 0, 0, []
        for name, scores in after.items():
            spent += int((~answered).sum()) * costs[name]
            leaves = ~answered & ((probability(scores) >= sure) | (name == list(after)[-1]))
            right += int((scores.argmax(axis=1) == labels)[leaves].sum())
            shares.append(f"{100 * leaves.mean():.1f}")
            answered |= leaves
        about = f"{sure:g}" if sure <= 1 else "never"
        share = spent / (whole * len(labels))
        yield f"| {about} | {100 * right / len(labels):.2f} | {share:.2f} | {' | '.join(shares)} |"


def main() -> None:
    """Train and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spec", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    arguments = parser.parse_args()
    prepared = prepare(load_spec(arguments.spec, arguments.settings))
    state = read_dump(prepared.model, trained(prepared).state, where="what was trained")
    for line in rows(prepared, with_state(prepared, state)):
        print(line)


if __name__ == "__main__":
    main()
