"""Data of nets with convolutions, for a test or with samples held out that choose rates."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from tpsgd_edge.frontend.data import Dataset, dataset_from_arrays, load_dataset
from tpsgd_edge.spec import Spec, load_spec

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
_HELD_OUT = {"fashion_cnn": 6_000, "vgg_small": 6_000, "har_conv1d": 1_800}
_FASHION_SAMPLES = 60_000


def data_for(spec: Spec, net: str, *, held_out: bool) -> Dataset:
    """The data set of an example; with `held_out` some of the training set is its test set."""
    count = _HELD_OUT[net]
    if net == "har_conv1d":
        return _hapt(spec, count, held_out=held_out)
    limit = spec.data.limit or 0
    whole = _fashion(spec.seed, min(limit + count, _FASHION_SAMPLES))
    x, y = whole.x_train, whole.y_train
    # Where all are for training, those that are held out are taken from them.
    limit = min(limit, len(x) - count) if held_out else limit
    kept = replace(whole, x_train=x[:limit], y_train=y[:limit])
    return replace(kept, x_test=x[limit:], y_test=y[limit:]) if held_out else kept


@cache
def _fashion(seed: int, count: int) -> Dataset:
    settings = [f"seed={seed}", f"data.limit={count}"]
    return load_dataset(load_spec(EXAMPLES / "fashion_cnn.toml", settings))


def _hapt(spec: Spec, count: int, *, held_out: bool) -> Dataset:
    """The file is in the order of the people: those at its end are held out."""
    if not held_out:
        return load_dataset(spec)
    with np.load(EXAMPLES / "hapt_train.npz") as arrays:
        x, y = arrays["x"], arrays["y"]
    return dataset_from_arrays(spec, x[:-count], y[:-count], x[-count:], y[-count:])
