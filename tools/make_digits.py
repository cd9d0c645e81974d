"""Make examples/digits.npz and examples/diabetes.npz from the data sets that scikit-learn ships.

    python tools/make_digits.py

The same bytes come out on every machine: members are stored, not compressed, and carry no date.
Origin and licences are in examples/README.md.
"""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_diabetes, load_digits

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def main() -> None:
    """Write both files and say what they hold."""
    digits = load_digits()
    write_npz(
        EXAMPLES / "digits.npz",
        x=digits.data.astype(np.uint8),
        y=digits.target.astype(np.uint8),
    )
    diabetes = load_diabetes(scaled=False)
    write_npz(
        EXAMPLES / "diabetes.npz",
        x=diabetes.data.astype(np.float32),
        y=diabetes.target.astype(np.float32),
    )


def write_npz(path: Path, **arrays: NDArray[np.generic]) -> None:
    """Write arrays as numpy.savez does, without dates and compression."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as stream:
                np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
            print(f"{path.name}: {name} {array.dtype} {array.shape}")


if __name__ == "__main__":
    main()
