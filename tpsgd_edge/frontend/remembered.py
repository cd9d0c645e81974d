"""Projections that were fitted before, out of the user's cache."""

import json
import os
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.assets import code_digest
from tpsgd_edge.cache import fetch, keep, key_of, processor

# Libraries of numpy choose among ways to add up by these, by the processor and by its cores.
_SETTINGS = ("BLIS_", "GOTO_", "MKL_", "NPY_", "OMP_", "OPENBLAS_", "VECLIB_")

Fits = dict[str, NDArray[np.int8]]


def remembered(task: bytes, make: Callable[[], Fits]) -> Fits:
    """Matrices by name: those that were made for the same task before, else what `make` returns.

    Args:
        task: all that the matrices follow from, but for code and computer.
    """
    key = key_of(("fits", task, *_numbers(), code_digest()))
    kept = fetch(key)
    if kept is not None:
        rows = json.loads(kept)
        return {name: np.array(matrix, np.int8) for name, matrix in rows.items()}
    fits = make()
    keep(key, json.dumps({name: matrix.tolist() for name, matrix in fits.items()}).encode())
    return fits


def _numbers() -> tuple[str, ...]:
    """Collect what the last bits of sums of real numbers depend on."""
    settings = [item for item in os.environ.items() if item[0].startswith(_SETTINGS)]
    cores = str(os.cpu_count())
    return (np.__version__, sys.version, cores, repr(sorted(settings)), *processor())
