"""The layer kinds that can be trained in floating point."""

from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Dense, Graph


def dense_layers(graph: Graph) -> tuple[Dense, ...]:
    """The layers of a dense network.

    Raises:
        SpecError: there is a layer of another kind.
    """
    layers = []
    for layer in graph.layers:
        if not isinstance(layer, Dense):
            raise SpecError(
                "only dense layers can be trained in floating point",
                where=f"[model], layer '{layer.name}'",
                found=layer.kind,
                help="leave [model.pretrain] out: the device trains every layer from the seed",
            )
        layers.append(layer)
    return tuple(layers)
