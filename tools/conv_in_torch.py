"""Nets with convolutions, trained in torch in floating point: the rows beside generated code."""

from dataclasses import replace

from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.defaults import with_defaults
from tpsgd_edge.frontend.fitted import with_fitted_projections
from tpsgd_edge.frontend.network import build_graph, dataset_scaling
from tpsgd_edge.graph import Conv2d, Graph, Weights
from tpsgd_edge.graph.initial_weights import initial_weights
from tpsgd_edge.spec import Spec, layer_index, layer_loss

BATCH = 8


def train_in_torch(
    spec: Spec, dataset: Dataset, rule: str, rates: tuple[float, float], first: float
) -> float:
    """Train, and score after the last epoch: the share of right answers.

    Args:
        rule: "backprop", "tpsgd" or "random": hidden layers keep their first weights.
        rates: of convolutions and of dense layers.
        first: factor on the initial weights of the convolutions.
    """
    import torch

    from tpsgd_edge.rule.train import train_float

    torch.set_num_threads(1)
    spec, dataset = with_defaults(spec, dataset)
    middle, std = dataset_scaling(spec, dataset)
    graph = build_graph(spec, dataset)
    graph = replace(graph, weights=_first_weights(graph, first, spec.seed))
    net = train_float(
        with_fitted_projections(spec, graph, dataset),
        ((dataset.x_train - middle) / std).astype("float32"),
        dataset.y_train,
        rule="backprop" if rule == "backprop" else "tpsgd",
        losses=[layer_loss(spec, layer_index(spec, la.name), "class") for la in graph.weighted],
        learning_rate=_rates_of(graph, rates),
        projection=spec.projection,
        epochs=spec.rule.passes,
        batch=BATCH,
        error_gate=spec.rule.error_gate if rule == "tpsgd" else None,
        seed=spec.seed,
    )
    return net.accuracy((dataset.x_test - middle) / std, dataset.y_test)


def _first_weights(graph: Graph, first: float, seed: int) -> dict[str, Weights]:
    if first == 1:
        return {}
    weights = {}
    for index, layer in enumerate(graph.layers):
        if layer in graph.weighted:
            drawn = initial_weights(graph, index, seed)
            factor = first if isinstance(layer, Conv2d) else 1.0
            weights[layer.name] = Weights(drawn.w * factor, drawn.b)
    return weights


def _rates_of(graph: Graph, rates: tuple[float, float]) -> list[float]:
    """A learning rate for each layer with weights."""
    return [rates[0 if isinstance(layer, Conv2d) else 1] for layer in graph.weighted]
