"""Gated recurrent layers: two dense units, and two gates."""

from typing import Any

from tpsgd_edge.codegen.kinds.gated import gated_kind


def _facts(layer: Any) -> dict[str, object]:
    return {"reset": layer.reset}


GRU = gated_kind("gru", _facts, states=("h",))
