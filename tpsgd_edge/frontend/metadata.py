"""Metadata of an ONNX file about its classes, which we write and read."""

import json
from collections.abc import Mapping, Sequence

_KEY = "classes"
_LONGEST = 1 << 20
_MOST = 65_535


def class_metadata(names: Sequence[str]) -> dict[str, str]:
    """Names of classes, in the order of the outputs, as metadata; nothing where there are none.

    >>> class_metadata(["up", "down"])
    {'classes': '["up", "down"]'}
    """
    return {_KEY: json.dumps(list(names))} if names else {}


def class_names(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """Names of classes in metadata; None where there are none that are good.

    >>> class_names({"classes": '["up", "down"]'}), class_names({"classes": "[1"})
    (('up', 'down'), None)
    """
    text = metadata.get(_KEY, "")
    try:
        names = json.loads(text) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not 2 <= len(names) <= _MOST:
        return None
    if not all(isinstance(name, str) for name in names) or len({*names}) < len(names):
        return None
    return tuple(names)
