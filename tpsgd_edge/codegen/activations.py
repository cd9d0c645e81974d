"""Activations in C: which kernels they share, and the tables that layers share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tpsgd_edge.arithmetic.activations import FACTS, Facts
from tpsgd_edge.arithmetic.formats import FORMATS, S8
from tpsgd_edge.arithmetic.tables import FIXED, Curve, slope_table, table_s8, table_s16
from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.quantize.model import QuantizedModel


@dataclass(frozen=True, slots=True)
class ActivationC:
    """Facts that kernels need about an activation; `dense_grad.c.j2` writes its slope.

    Attributes:
        is_basic: whether its function in binary32 is one of tps_f32.h.
        shares: name of the slope in integers that it shares with others; empty where it has one of
            its own.
    """

    is_basic: bool = False
    shares: str = ""


def _table(facts: Facts) -> ActivationC:
    return ActivationC(shares="table" if facts.has_slope_table else "")


_BASIC = ActivationC(is_basic=True)

ACTIVATIONS_C: Mapping[str, ActivationC] = {
    "tanh": _BASIC,
    "sigmoid": _BASIC,
    "relu": _BASIC,
    "relu6": _BASIC,
    "leaky_relu": _BASIC,
    "hard_tanh": _BASIC,
    "linear": _BASIC,
    **{name: _table(facts) for name, facts in FACTS.items() if facts.has_own_curve},
    "hard_sigmoid": ActivationC(shares="ramp"),
}
"""By the name of the activation."""

_OF_GATES = ((FIXED["sigmoid"], "s16"), (FIXED["tanh"], "s16"))
TABLES_OF_KINDS: Mapping[str, tuple[tuple[Curve, str], ...]] = {
    "gru": _OF_GATES,
    "lstm": _OF_GATES,
}
"""Tables that the kernels of a kind of layers read whatever the activation, in integers."""


@dataclass(frozen=True, slots=True)
class TableView:
    """One activation table."""

    name: str
    c_type: str
    values: tuple[int, ...]

    @property
    def count(self) -> int:
        """Number of entries."""
        return len(self.values)


def settings_of(activation: str) -> tuple[str, ...]:
    """Members of a layer that its function in binary32 gets beside z."""
    return tuple(FACTS[activation].settings or ())


def activation_tables(model: QuantizedModel) -> Iterator[TableView]:
    """The tables of all activations that have one, by name; of slopes where layers learn."""
    tables = {
        table_name(model, curve, kind): _table_view(curve, kind) for curve, kind in _curves(model)
    }
    for name in sorted(tables):
        c_type, values = tables[name]
        yield TableView(name, c_type, values)


def _curves(model: QuantizedModel) -> dict[tuple[Curve, str], None]:
    """Each table once, in the order of first use: its curve, and its type or "slopes"."""
    used: dict[tuple[Curve, str], None] = {}
    for layer in model.recurrent:
        if layer.x_type != "f32" and layer.kind in TABLES_OF_KINDS:
            used |= dict.fromkeys(TABLES_OF_KINDS[layer.kind])
    for unit in model.weighted:
        if unit.numbers.curve is not None:
            used[unit.numbers.curve, unit.y_type] = None
            if (unit.trains or unit.passes_only) and unit.numbers.curve.has_slopes:
                used[unit.numbers.curve, "slopes"] = None
    return used


def table_name(model: QuantizedModel, curve: Curve, kind: str) -> str:
    """C name of the table that a layer shares with its like.

    The second table of an activation and kind has a number behind its name.

    Args:
        kind: type of the outputs, or "slopes".
    """
    alike = [c for c, of in _curves(model) if of == kind and c.activation == curve.activation]
    number = alike.index(curve) + 1
    of = "slopes" if kind == "slopes" else f"table_{kind}"
    return f"tps_{curve.activation}_{of}" + (f"_{number}" if number > 1 else "")


def _table_view(curve: Curve, kind: str) -> tuple[str, tuple[int, ...]]:
    if kind == "slopes":
        return "uint16_t", tuple(int(v) for v in slope_table(curve))
    table = table_s8(curve) if FORMATS[kind] is S8 else table_s16(curve)
    return C_TYPES[kind], tuple(int(v) for v in table)
