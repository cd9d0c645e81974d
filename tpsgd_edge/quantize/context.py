"""Context of one layer's numbers."""

from dataclasses import dataclass

from tpsgd_edge.graph import Graph, Learning
from tpsgd_edge.quantize.parameters import ValueType
from tpsgd_edge.spec import Spec


@dataclass(frozen=True, slots=True)
class DenseContext:
    """Everything beside the layer itself that its numbers depend on.

    Attributes:
        index: place of the layer in the graph.
        learning: how it learns; layers inside of another one learn as that one does.
    """

    spec: Spec
    graph: Graph
    index: int
    learning: Learning
    value_type: ValueType
    x_scale: float
    full_scale: float
    label_scale: float
    unit_offset: int
    logit_shift: int = 0

    @property
    def is_last(self) -> bool:
        """Tell whether the layer meets the labels themselves."""
        return self.index == len(self.graph.layers) - 1
