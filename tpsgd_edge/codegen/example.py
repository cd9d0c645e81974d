"""A program around a generated project: raw values in, answers in words out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen.c import C_TYPES
from tpsgd_edge.codegen.rendering import template
from tpsgd_edge.quantize.model import QuantizedModel, ValueType
from tpsgd_edge.quantize.parameters import limits
from tpsgd_edge.quantize.samples import F32_INPUT_MAX

EPOCHS = 20


@dataclass(frozen=True, slots=True)
class ValueView:
    """Conversion of real values to the model's, and of outputs back to real values.

    Attributes:
        type: C type of the model's values; reals are rounded where it is no float.
        is_shared: whether all values have the mean and the std of the first.
        scale: real value of one unit, empty where it is 1; of labels, of 32768 units.
        low, high: ends of the range.
        output_type, output_scale: of outputs; empty of inputs, and the scale of floats.
    """

    type: str
    mean: tuple[str, ...]
    std: tuple[str, ...]
    is_shared: bool
    scale: str
    low: str
    high: str
    output_type: str = ""
    output_scale: str = ""


@dataclass(frozen=True, slots=True)
class ExampleView:
    """The context of example_main.c.j2; `y` is None for classes."""

    name: str
    upper: str
    spec_file: str
    data_file: str
    x: ValueView
    y: ValueView | None
    class_names: tuple[str, ...]
    labels: tuple[Any, ...]
    samples: tuple[tuple[str, ...], ...]
    epochs: int


def example_main(
    model: QuantizedModel,
    x: NDArray[Any],
    y: NDArray[Any],
    class_names: Sequence[str],
    *,
    spec_file: str,
    data_file: str,
) -> str:
    """The text of a main.c that trains on some samples and prints the answers.

    Args:
        x, y: raw samples (n, n_in), and their class indices (n,) or label vectors (n, K).
        class_names: empty for vectors.
    """
    is_class = model.labels.kind == "class"
    vectors = () if is_class else tuple(tuple(map(repr, row)) for row in y.tolist())
    view = ExampleView(
        name=model.name,
        upper=model.name.upper(),
        spec_file=_comment(spec_file),
        data_file=_comment(data_file),
        x=_inputs(model),
        y=None if is_class else _labels(model),
        class_names=tuple(_string(name) for name in class_names),
        labels=tuple(y.tolist()) if is_class else vectors,
        samples=tuple(tuple(_float(value) for value in row) for row in x.astype(np.float32)),
        epochs=EPOCHS,
    )
    return template("example_main.c.j2").render(e=view)


def _inputs(model: QuantizedModel) -> ValueView:
    inputs = model.inputs
    low, high = _range(model.value_type)
    return ValueView(
        type=C_TYPES[model.value_type],
        mean=_numbers(inputs.mean),
        std=_numbers(inputs.std),
        is_shared=len(inputs.mean) == 1,
        scale="" if inputs.scale == 1 else repr(float(inputs.scale)),
        low=low,
        high=high,
    )


def _labels(model: QuantizedModel) -> ValueView:
    labels = model.labels
    is_float = model.output_type == "f32"
    low, high = _range("f32" if is_float else "s16")
    return ValueView(
        type="float" if is_float else "int16_t",
        mean=_numbers(labels.mean),
        std=_numbers(labels.std),
        is_shared=len(labels.mean) == 1,
        scale="" if is_float else repr(float(labels.scale)),
        low=low,
        high=high,
        output_type=C_TYPES[model.output_type],
        output_scale="" if is_float else repr(float(model.last.y_scale)),
    )


def _range(value_type: ValueType) -> tuple[str, str]:
    if value_type == "f32":
        return repr(-F32_INPUT_MAX), repr(F32_INPUT_MAX)
    low, high = limits(value_type)
    return str(low), str(high)


def _numbers(values: NDArray[np.float64]) -> tuple[str, ...]:
    return tuple(repr(float(value)) for value in values)


def _float(value: np.float32) -> str:
    """A binary32 value with no more digits than it takes to be read again."""
    text = np.format_float_scientific(value, unique=True, trim="0")
    plain = np.format_float_positional(value, unique=True, trim="0")
    return f"{min(plain, text, key=len)}f"


def _string(text: str) -> str:
    """Text as C has it between quotes: printable ASCII as it is, other bytes of UTF-8 in octal."""
    plain = set(range(32, 127)) - set(b'"\\?')
    shown = (chr(b) if b in plain else f"\\{b:03o}" for b in text.encode("utf-8"))
    return '"' + "".join(shown) + '"'


def _comment(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text).replace("*/", "* /")
