"""Raw samples: the conversions of NAME_raw.h, each number ready to print."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen.c import C_TYPES, c_float
from tpsgd_edge.quantize.model import SAMPLE, QuantizedModel, limits
from tpsgd_edge.quantize.raw import Conversion, IntegerConversion
from tpsgd_edge.quantize.samples import input_conversion, label_conversion, output_units
from tpsgd_edge.spec import RawType

RAW_C: dict[RawType, str] = {
    "float": "float",
    "uint8": "uint8_t",
    "int8": "int8_t",
    "uint16": "uint16_t",
    "int16": "int16_t",
}


@dataclass(frozen=True, slots=True)
class ConversionView:
    """A conversion of values, entry by entry.

    Attributes:
        raw_c, to_c: C types of a value before and behind.
        is_real: whether it is computed in binary32: rows are mean and gain; else factor, offset,
            centre and shift.
        rows: constants of the first entries; those of the others are the same again.
        low, high: range of an integer result.
    """

    raw_c: str
    to_c: str
    is_real: bool
    rows: tuple[tuple[str, ...], ...]
    low: int
    high: int

    @property
    def half(self) -> float:
        """The constant that makes a rounded value positive: 1/2 - low."""
        return 0.5 - self.low


@dataclass(frozen=True, slots=True)
class WindowView:
    """A window over a stream: timesteps in it, values in each, timesteps to the next window."""

    rows: int
    row_in: int
    hop: int


@dataclass(frozen=True, slots=True)
class RawView:
    """The conversions of a model.

    Attributes:
        label: of label vectors; None of classes.
        values: unit and mean of the outputs, for one or for all of them; empty for classes.
        has_steps: whether a timestep can be converted by itself.
        has_answers_by_step: whether the answers are those of all steps, which `predict` has not.
    """

    x: ConversionView
    label: ConversionView | None
    values: tuple[tuple[str, ...], ...]
    has_steps: bool
    has_answers_by_step: bool
    window: WindowView | None

    @property
    def is_only_learned(self) -> bool:
        """Tell whether neither predictions nor steps take raw samples: each answer is a step's."""
        return self.has_answers_by_step and not self.has_steps

    @property
    def is_real(self) -> bool:
        """Tell whether anything is computed in binary32."""
        return self.x.is_real or self.label is not None


def raw_view(model: QuantizedModel, window: WindowView | None) -> RawView:
    """The conversions of a model, and the window that its samples are taken from."""
    is_class = model.labels.kind == "class"
    x = _view(input_conversion(model), RAW_C[model.inputs.raw])
    unit, mean = output_units(model)
    return RawView(
        x=x,
        label=None if is_class else _view(label_conversion(model), "float"),
        values=() if is_class else _period(unit, mean),
        has_steps=bool(model.recurrent) and model.value(SAMPLE).count % len(x.rows) == 0,
        has_answers_by_step=model.labels.each_step,
        window=window,
    )


def _view(conversion: Conversion, raw_c: str) -> ConversionView:
    low, high = (0, 0) if conversion.to == "f32" else limits(conversion.to)
    if isinstance(conversion, IntegerConversion):
        columns = (conversion.factor, conversion.offset, conversion.centre, conversion.shift)
        rows = _period(*columns)
    else:
        rows = _period(conversion.mean, conversion.gain)
    is_real = not isinstance(conversion, IntegerConversion)
    return ConversionView(raw_c, C_TYPES[conversion.to], is_real, rows, low, high)


def _period(*columns: NDArray[np.generic]) -> tuple[tuple[str, ...], ...]:
    """Rows of constants, without the repetitions of the first ones, as literals of C."""
    n = max(column.size for column in columns)
    table = [np.broadcast_to(column, n) for column in columns]
    period = next(p for p in range(1, n + 1) if n % p == 0 and _repeats(table, p))
    return tuple(
        tuple(
            c_float(float(column[i])) if column.dtype.kind == "f" else str(column[i])
            for column in table
        )
        for i in range(period)
    )


def _repeats(table: list[NDArray[np.generic]], period: int) -> bool:
    return all((column[period:] == column[:-period]).all() for column in table)
