"""Layers of long short-term memory: two dense units, three gates, and cells."""

from typing import Any

from tpsgd_edge.codegen.c import c_float
from tpsgd_edge.codegen.kinds.gated import gated_kind
from tpsgd_edge.codegen.kinds.unit import Field


def _facts(layer: Any) -> dict[str, object]:
    return {"cell_max": layer.cell_max}


def _fields(layer: Any) -> tuple[Field, ...]:
    most = layer.cell_max
    return (("cell_max", c_float(most) if layer.x_type == "f32" else int(most)),)


LSTM = gated_kind("lstm", _facts, states=("h", "c"), fields=_fields)
