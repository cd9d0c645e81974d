"""Activations in C: how a gate kernel multiplies by f'(z), and the tables that layers share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tpsgd_edge.arithmetic.activations import FACTS
from tpsgd_edge.arithmetic.tables import FIXED, Curve, slope_table, table_s8, table_s16
from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.quantize.model import QuantizedGru, QuantizedModel


@dataclass(frozen=True, slots=True)
class ActivationC:
    """C for the derivative of an activation.

    Attributes:
        slope: f'(z) in Q15, from `y15`, the output in Q15, or from `y[j]`.
        switch: where f'(z) is 0, if it is 1 elsewhere.
        slope_f32: f'(z) in binary32.
        is_basic: its function in binary32 is one of tps_f32.h.
        shares: name of the gate kernel in integers that it shares with others; empty where it has
            one of its own.
    """

    slope: str = ""
    switch: str = ""
    slope_f32: str = ""
    is_basic: bool = False
    shares: str = ""


_TABLE = "table"
_FROM_TABLE = "layer->slopes[{y8} + 128]"

ACTIVATIONS_C: Mapping[str, ActivationC] = {
    "tanh": ActivationC(
        slope="32768 - ((y15 * y15) >> 15)", slope_f32="1.0f - y[j] * y[j]", is_basic=True
    ),
    "sigmoid": ActivationC(
        slope="(y15 * (32768 - y15)) >> 15", slope_f32="y[j] * (1.0f - y[j])", is_basic=True
    ),
    "relu": ActivationC(switch="y[j] <= 0", slope_f32="y[j] > 0.0f ? 1.0f : 0.0f", is_basic=True),
    "relu6": ActivationC(
        switch="y[j] <= 0 || y[j] >= layer->z_max",
        slope_f32="y[j] > 0.0f && y[j] < 6.0f ? 1.0f : 0.0f",
        is_basic=True,
    ),
    "leaky_relu": ActivationC(
        slope="y[j] > 0 ? 32768 : layer->negative_slope",
        slope_f32="y[j] > 0.0f ? 1.0f : layer->negative_slope",
        is_basic=True,
    ),
    "hard_tanh": ActivationC(
        switch="y[j] == {limit}_MIN || y[j] == {limit}_MAX",
        slope_f32="y[j] > -1.0f && y[j] < 1.0f ? 1.0f : 0.0f",
        is_basic=True,
    ),
    "linear": ActivationC(is_basic=True),
    "elu": ActivationC(
        slope=_FROM_TABLE,
        slope_f32="y[j] > 0.0f ? 1.0f : y[j] + layer->alpha",
        shares=_TABLE,
    ),
    "selu": ActivationC(
        slope=_FROM_TABLE,
        slope_f32="y[j] > 0.0f ? TPS_SELU_SCALE : y[j] + TPS_SELU_REACH",
        shares=_TABLE,
    ),
    "softplus": ActivationC(
        slope=_FROM_TABLE, slope_f32="1.0f - tps_exp2_f32(-y[j] * TPS_LOG2E)", shares=_TABLE
    ),
    "hard_sigmoid": ActivationC(
        switch="y[j] <= 0 || y[j] == {limit}_MAX",
        slope_f32="y[j] > 0.0f && y[j] < 1.0f ? layer->alpha : 0.0f",
        shares="ramp",
    ),
    "gelu": ActivationC(),
    "gelu_tanh": ActivationC(),
    "silu": ActivationC(),
    "hard_swish": ActivationC(),
}
"""By the name of the activation."""


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
    if any(isinstance(layer, QuantizedGru) and layer.x_type != "f32" for layer in model.recurrent):
        used |= {(FIXED["sigmoid"], "s16"): None, (FIXED["tanh"], "s16"): None}
    for layer in model.weighted:
        if layer.curve is not None:
            used[layer.curve, layer.y_type] = None
            if layer.trains and layer.curve.has_slopes:
                used[layer.curve, "slopes"] = None
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
    table = table_s8(curve) if kind == "s8" else table_s16(curve)
    return C_TYPES[kind], tuple(int(v) for v in table)
