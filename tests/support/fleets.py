"""Fleets to try: small models, and the server's rules once more in plain integers."""

from functools import cache

import numpy as np

from tests.support.small_projects import small_model
from tpsgd_edge.fleet.shared import Shared, shared_of
from tpsgd_edge.quantize import QuantizedModel
from tpsgd_edge.spec import Spec, spec_from_dict

_WORD = 2**32 - 1
_PHI = 0x9E3779B9


@cache
def model_of(name: str) -> QuantizedModel:
    """A small model by its name."""
    return small_model(name)


@cache
def shared(name: str = "bytes") -> Shared:
    """What devices with it share."""
    return shared_of(model_of(name))


def spec_for(folder, *, people=False, platform="host", layers=None) -> Spec:
    """A spec with 120 samples of four classes, of six people if they are told apart."""
    draw = np.random.default_rng(3)
    y = np.arange(120) % 4
    x = (draw.normal(0, 0.5, (120, 8)) + 2 * np.eye(8)[y]).astype(np.float32)
    more = {"person": np.arange(120) // 20} if people else {}
    np.savez(folder / "data.npz", x=x, y=y, **more)
    layers = layers or [{"name": "a", "units": 8}, {"name": "b", "units": 4}]
    content = {
        "name": "net",
        "model": {"layers": layers},
        "rule": {"epochs": 4},
        "data": {"file": "data.npz"},
        "platform": {"name": platform},
    }
    return spec_from_dict(content, folder, "net.toml")


def plain_mean(base, low, high, updates, seed: int, turn: int) -> list[int]:
    """docs/ARITHMETIC.md, section 27, value by value. Updates are (samples, differences)."""
    shift = 0
    while sum(max(n >> shift, 1) for n, _ in updates) > 2**14:
        shift += 1
    shares = [max(n >> shift, 1) for n, _ in updates]
    every = sum(shares)
    words = _mix(_mix(seed + _PHI * 7) + _PHI * (turn + 1))
    made = []
    for i, value in enumerate(base):
        total = 0
        for share, (_, diff) in zip(shares, updates, strict=True):
            total += share * (min(max(value + diff[i], low[i]), high[i]) - value)
        word = _mix(words + _PHI * (i + 1))
        made.append(value + (total + (word * every >> 32)) // every)
    return made


def plain_gateway_seed(seed: int, number: int) -> int:
    """docs/ARITHMETIC.md, section 27: the seed by which a gateway rounds."""
    return _mix(_mix(seed + _PHI * 9) + _PHI * (number + 1))


def _mix(h: int) -> int:
    h &= _WORD
    h = (h ^ h >> 16) * 0x7FEB352D & _WORD
    h = (h ^ h >> 15) * 0x846CA68B & _WORD
    return h ^ h >> 16
