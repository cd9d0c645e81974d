"""Images of Fashion-MNIST from other domains: turned, noisy, inverted, dimmed.

    python tools/change_images.py examples

writes them as data files, 500 to learn from: fashion_rotated.npz and its kin.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tpsgd_edge.frontend.data import load_dataset
from tpsgd_edge.spec import spec_from_dict

SHIFTED = 500
FASHION = {
    "name": "images",
    "model": {"layers": [{"name": "out", "units": 10}]},
    "data": {"file": "fashion-mnist"},
}


def _rotated(x: np.ndarray) -> np.ndarray:
    """By 25 degrees, nearest pixel."""
    angle, middle = np.radians(25), 13.5
    rows, columns = np.mgrid[0:28, 0:28] - middle
    r = np.round(np.cos(angle) * rows - np.sin(angle) * columns + middle).astype(int)
    c = np.round(np.sin(angle) * rows + np.cos(angle) * columns + middle).astype(int)
    inside = (r >= 0) & (r < 28) & (c >= 0) & (c < 28)
    maps = x.reshape(-1, 28, 28)[:, np.clip(r, 0, 27), np.clip(c, 0, 27)]
    return np.where(inside, maps, 0).reshape(len(x), -1).astype(np.uint8)


def _noisy(x: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(7).normal(0, 100, x.shape)
    return np.clip(x + noise, 0, 255).astype(np.uint8)


DOMAINS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rotated": _rotated,
    "noisy": _noisy,
    "inverted": lambda x: (255 - x).astype(np.uint8),
    "dimmed": lambda x: (x * 0.35).astype(np.uint8),
}


def write_images(folder: Path) -> None:
    """A data file for each domain."""
    whole = load_dataset(spec_from_dict(FASHION))
    few = slice(30_000, 30_000 + SHIFTED)
    for name, change in DOMAINS.items():
        np.savez_compressed(
            folder / f"fashion_{name}.npz",
            x=change(whole.x_train[few]).reshape(-1, 28, 28),
            y=whole.y_train[few],
            x_test=change(whole.x_test).reshape(-1, 28, 28),
            y_test=whole.y_test,
        )


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    write_images(parser.parse_args().folder)


if __name__ == "__main__":
    main()
