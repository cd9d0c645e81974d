"""Values as bytes that say all of them, whatever the process: for keys of what is remembered."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import Any

import numpy as np

_PLAIN = (str, bytes, bool, int, float, complex, type(None))


def canonical(value: object) -> bytes:
    """Write a value as bytes; those of two values are the same only if the values are.

    Unlike pickles they depend neither on the order of sets nor on what shares its storage.

    Args:
        value: numbers, texts, paths, arrays, tuples, lists, mappings, sets, dataclasses, models of
            pydantic, and what these are made of.

    Raises:
        TypeError: there is something else in it.

    >>> canonical({"b": 1, "a": (2.0, None)})
    b"dict 2(str 'b' int 1 str 'a' tuple 2(float 2.0 NoneType None))"
    """
    return b" ".join(_words(value))


def _words(value: Any) -> Iterator[bytes]:
    name = type(value).__name__
    if isinstance(value, Enum):
        yield f"{name} {value.name!r}".encode()
    elif isinstance(value, _PLAIN):
        yield f"{name} {value!r}".encode()
    elif isinstance(value, PurePath | np.dtype):
        yield f"{name} {str(value)!r}".encode()
    elif isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        yield f"{name} {value.dtype.str} {value.shape} ".encode() + value.tobytes()
    elif isinstance(value, tuple | list):
        yield from _group(name, list(value))
    elif isinstance(value, Mapping):
        yield from _group(name, [part for item in value.items() for part in item], 2)
    elif isinstance(value, set | frozenset):
        inside = sorted(canonical(part) for part in value)
        yield f"{name} {len(inside)}(".encode() + b" ".join(inside) + b")"
    else:
        yield from _group(_full_name(type(value)), [getattr(value, of) for of in _fields(value)])


def _group(name: str, parts: list[Any], width: int = 1) -> Iterator[bytes]:
    inside = b" ".join(canonical(part) for part in parts)
    yield f"{name} {len(parts) // width}(".encode() + inside + b")"


def _fields(value: Any) -> tuple[str, ...]:
    if is_dataclass(value) and not isinstance(value, type):
        return _fields_of(type(value))
    if hasattr(type(value), "model_fields") and not isinstance(value, type):
        return ("__dict__", "__pydantic_fields_set__", "__pydantic_private__")
    raise TypeError(f"a {type(value).__name__} has no canonical form")


@cache
def _fields_of(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
