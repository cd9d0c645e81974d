"""A program around a generated project: raw values in, answers in words out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.codegen.raw import RAW_C
from tpsgd_edge.codegen.rendering import template
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.quantize.raw import RAW_DTYPES

EPOCHS = 20


@dataclass(frozen=True, slots=True)
class ExampleView:
    """The context of example_main.c.j2.

    Attributes:
        raw_c: C type of the samples' values.
        class_names: empty for values.
    """

    name: str
    upper: str
    spec_file: str
    data_file: str
    raw_c: str
    class_names: tuple[str, ...]
    labels: tuple[Any, ...]
    samples: tuple[tuple[str, ...], ...]
    epochs: int


def example_main(view: ExampleView) -> str:
    """The text of a main.c that trains on some samples and prints the answers."""
    return template("example_main.c.j2").render(e=view)


def example_view(
    model: QuantizedModel,
    x: NDArray[Any],
    y: NDArray[Any],
    class_names: Sequence[str],
    *,
    spec_file: str,
    data_file: str,
) -> ExampleView:
    """The view of an example with some samples.

    Args:
        x, y: raw samples (n, n_in), and their class indices (n,) or label vectors (n, K).
        class_names: empty for vectors.
    """
    is_class = model.labels.kind == "class"
    vectors = () if is_class else _rows(y.astype(np.float32))
    return ExampleView(
        name=model.name,
        upper=model.name.upper(),
        spec_file=_comment(spec_file),
        data_file=_comment(data_file),
        raw_c=RAW_C[model.inputs.raw],
        class_names=tuple(_string(name) for name in class_names),
        labels=tuple(y.tolist()) if is_class else vectors,
        samples=_rows(x.astype(RAW_DTYPES[model.inputs.raw])),
        epochs=EPOCHS,
    )


def _rows(values: NDArray[Any]) -> tuple[tuple[str, ...], ...]:
    """Values (n, entries) as literals of C."""
    text = _float if values.dtype.kind == "f" else str
    return tuple(tuple(text(value) for value in row) for row in values)


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
