"""Specs to search around."""

import numpy as np

from tpsgd_edge.spec import Spec, spec_from_dict


def spec_for(folder, shape=(12,), *, search=None, rule=None, layers=None, ram="4K") -> Spec:
    """A spec with 60 samples of three classes, in a file of its own."""
    draw = np.random.default_rng(1)
    y = np.arange(60) % 3
    x = draw.normal(size=(60, *shape)).astype(np.float32) + y.reshape(-1, *[1] * len(shape))
    np.savez(folder / "data.npz", x=x, y=y)
    content = {
        "name": "net",
        "model": {"layers": layers or [{"name": "a", "units": 8}, {"name": "b", "units": 3}]},
        "data": {"file": "data.npz"},
        "rule": {"epochs": 4, **(rule or {})},
        "platform": {"name": "host", "ram": ram},
        "search": search or {},
    }
    return spec_from_dict(content, folder, "net.toml")
