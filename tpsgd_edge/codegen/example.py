"""A program around a generated project: raw values in, answers in words out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen.rendering import template
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.quantize.parameters import limits
from tpsgd_edge.quantize.samples import F32_INPUT_MAX

_C_TYPES = {"s8": "int8_t", "s16": "int16_t", "f32": "float"}
EPOCHS = 20


@dataclass(frozen=True, slots=True)
class ValueView:
    """How real values become the model's, as text of C; `index` is "0" where all share one entry.

    `scale` and `output_scale` hold their operator, and are empty where they are 1. Outputs go the
    way back by `output_type`, `output_scale` and `output_index`, which inputs have not.
    """

    type: str
    mean: tuple[str, ...]
    deviation: tuple[str, ...]
    index: str
    scale: str
    conversion: str
    output_type: str = ""
    output_scale: str = ""
    output_index: str = ""


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
    return ValueView(
        type=_C_TYPES[model.value_type],
        mean=_numbers(inputs.mean),
        deviation=_numbers(inputs.deviation),
        index="0" if len(inputs.mean) == 1 else "i",
        scale="" if inputs.scale == 1 else f" / {float(inputs.scale)!r}",
        conversion=_conversion(model.value_type),
    )


def _labels(model: QuantizedModel) -> ValueView:
    labels = model.labels
    is_float = model.output_type == "f32"
    is_shared = len(labels.mean) == 1
    return ValueView(
        type="float" if is_float else "int16_t",
        mean=_numbers(labels.mean),
        deviation=_numbers(labels.deviation),
        index="0" if is_shared else "i",
        scale="" if is_float else f" / {float(labels.scale)!r} * 32768",
        conversion=_conversion("f32" if is_float else "s16"),
        output_type=_C_TYPES[model.output_type],
        output_scale="" if is_float else f"{float(model.last.y_scale)!r} * ",
        output_index="0" if is_shared else "k",
    )


def _conversion(value_type: str) -> str:
    if value_type == "f32":
        return f"(float)fmin(fmax(value, -{F32_INPUT_MAX!r}), {F32_INPUT_MAX!r})"
    low, high = limits(value_type)
    return f"({_C_TYPES[value_type]})fmin(fmax(floor(value + 0.5), {low}), {high})"


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
