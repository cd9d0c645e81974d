"""Small pieces of C text."""

import re
from collections.abc import Hashable, Iterable, Iterator
from typing import TypeVar

import numpy as np

from tpsgd_edge.arithmetic.formats import FORMATS, VALUES

C_TYPES = {name: own.c_type for name, own in FORMATS.items()}
# C prefixes of the ranges of types.
LIMITS = {own.name: own.c_prefix for own in VALUES}
_COLUMNS = 100
# Before each argument of a call.
_MAY_BREAK = re.compile(r"(?<=\()|(?<=, )")
# Indentation of a statement in a function.
_INDENT = 4
# Indentation of the innermost initializer.
_DEEPEST = 8

Key = TypeVar("Key", bound=Hashable)


def unique(kernels: Iterable[Key]) -> tuple[Key, ...]:
    """Kernels without repetition, in the order of first use."""
    return tuple(dict.fromkeys(kernels))


def c_float(value: float) -> str:
    """The shortest decimal literal that is read back as the same binary32 value.

    >>> c_float(0.003), c_float(1.0), c_float(1e-9)
    ('0.003f', '1.0f', '1e-09f')
    """
    text = str(np.float32(value))
    return f"{text}f" if any(c in text for c in ".e") else f"{text}.0f"


def c_uint(value: int) -> str:
    """A 32-bit constant in hexadecimal.

    >>> c_uint(48879)
    '0x0000BEEFu'
    """
    return f"0x{value:08X}u"


def c_rows(values: Iterable[object], per_line: int = 16) -> Iterator[str]:
    """Values as lines of an initializer: `per_line` of them, fewer where they are wide.

    >>> list(c_rows([1, 2, 3], per_line=2))
    ['1, 2,', '3,']
    """
    texts = [str(value) for value in values]
    widest = max((len(text) for text in texts), default=0) + len(", ")
    while per_line > 1 and per_line * widest > _COLUMNS - _DEEPEST:
        per_line //= 2
    for start in range(0, len(texts), per_line):
        yield ", ".join(texts[start : start + per_line]) + ","


def c_wrapped(statement: str) -> str:
    """A call in the body of a function, broken before an argument where a line is full.

    >>> print(c_wrapped("f(a, b);"))
        f(a, b);
    """
    lines = [""]
    for piece in _MAY_BREAK.split(statement):
        if len(lines[-1]) + len(piece.rstrip()) + _INDENT > _COLUMNS:
            lines.append(" " * _INDENT)
        lines[-1] += piece
    return "\n".join(" " * _INDENT + line.rstrip() for line in lines)
