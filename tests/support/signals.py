"""Specs whose nets hear a signal, and recordings for them."""

from pathlib import Path
from typing import Any

import numpy as np

from tpsgd_edge.features import FeatureNumbers, feature_numbers
from tpsgd_edge.spec import FeaturesSpec, Spec, spec_from_dict

ALL = ["mean", "deviation", "rms", "peak", "crossings", "kurtosis", "peaks"]
BANDS = {"window": 64, "hop": 32, "sample_rate": 8000, "bands": 6}


def numbers_of(length: int = 4096, channels: int = 1, **keys: Any) -> FeatureNumbers:
    """The numbers of a [features] section with these keys."""
    return feature_numbers(FeaturesSpec(**keys), channels, length)


def some_recordings(count: int, length: int, channels: int = 1, seed: int = 1) -> np.ndarray:
    """Tones in noise, of all loudnesses, shape (count, length, channels)."""
    rng = np.random.default_rng(seed)
    at = np.arange(length)[:, None]
    found = []
    for _ in range(count):
        loud, pitch = 10 ** rng.uniform(0.5, 4.4), rng.uniform(0.01, 0.45)
        wave = np.sin(2 * np.pi * pitch * at + np.arange(channels)) + 0.3 * rng.standard_normal(
            (length, channels)
        )
        found.append(loud * wave + rng.uniform(-500, 500))
    return np.clip(np.rint(found), -32768, 32767).astype(np.int16)


def hearing_spec(folder: Path, features: dict[str, Any], **sections: Any) -> Spec:
    """A net for two classes of recordings: low tones and high ones."""
    x = sections.pop("x", None)
    if x is None:
        x = some_recordings(30, 300)[:, :, 0]
    y = sections.pop("y", np.arange(len(x)) % 2)
    np.savez(folder / "heard.npz", x=x, y=y)
    layers = sections.pop("layers", [{"name": "fc1", "units": 5}, {"name": "fc2", "units": 2}])
    content = {
        "name": "ear",
        "model": {"layers": layers},
        "data": {"file": "heard.npz", **sections.pop("data", {})},
        "features": features,
        "rule": {"epochs": 2, "learning_rate": 0.01},
        **sections,
    }
    return spec_from_dict(content, folder=folder)
