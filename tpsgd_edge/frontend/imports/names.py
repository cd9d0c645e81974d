"""C names for layers, from what other tools call them."""

import re
from collections.abc import Collection

from tpsgd_edge.spec import check_c_name

_LONGEST = 31


def layer_name(raw: str, kind: str, taken: Collection[str]) -> str:
    """A C name that resembles `raw`, or the kind of the layer where nothing is left of it.

    >>> layer_name("/features/Conv1.0/Conv", "conv", ())
    'features_conv1_0'
    >>> layer_name("7", "dense", ("dense7",))
    'dense7_2'
    """
    parts = [part for part in re.split(r"[/:]", raw.lower()) if part]
    # Exporters add the operator: /conv1/Conv.
    if len(parts) > 1 and re.fullmatch(
        r"(conv|gemm|matmul|rnn|gru|lstm|\w*pool)(_\d+)?", parts[-1]
    ):
        del parts[-1]
    words = re.findall(r"[a-z0-9]+", " ".join(parts))
    if words[:1] == ["node"] and len(words) > 1:
        del words[0]
    name = "_".join(words) or kind
    if not name[0].isalpha() or name.startswith("tps_"):
        name = f"{kind}{name}"
    name = name[:_LONGEST].rstrip("_")
    base, number = name, 1
    while not _is_free(name, taken):
        number += 1
        ending = f"_{number}"
        name = base[: _LONGEST - len(ending)] + ending
    return name


def _is_free(name: str, taken: Collection[str]) -> bool:
    try:
        check_c_name(name)
    except ValueError:
        return False
    # A layer owns the C names NAME, NAME_w and NAME_b.
    family = {name, f"{name}_w", f"{name}_b"}
    owned = {f"{other}{ending}" for other in taken for ending in ("", "_w", "_b")}
    return not (family & set(taken) or name in owned)
