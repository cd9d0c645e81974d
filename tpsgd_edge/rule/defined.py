"""For which networks and labels a rule is defined. Does not load torch."""

from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph import Graph


def check_rule(graph: Graph, rule: str) -> None:
    """Raise a `SpecError` where a rule is not defined for a network or its labels."""
    if rule == "drtp" and graph.labels.kind == "vector":
        raise SpecError(
            "DRTP is not defined for label vectors",
            where="[data], the labels",
            found=f"vectors of {graph.labels.count} values",
            help="its signal is the label itself, which says where an error points only for "
            "classes; take dfa, sdfa or tpsgd",
        )
    if rule == "pepita" and graph.recurrent:
        raise SpecError(
            "PEPITA is not defined for recurrent layers",
            where=f"[model], layer '{graph.recurrent[0].name}'",
            found=graph.recurrent[0].kind,
            help="its second pass would begin the sequence again; take backprop, fa, dfa, sdfa, "
            "drtp or tpsgd",
        )
