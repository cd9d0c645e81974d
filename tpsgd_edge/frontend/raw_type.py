"""The C type of raw samples: what the spec says, or what the file holds."""

import numpy as np

from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.samples import RawSamples
from tpsgd_edge.spec import RawType, Spec

_TYPES: dict[str, RawType] = {
    "bool": "uint8",
    "uint8": "uint8",
    "int8": "int8",
    "uint16": "uint16",
    "int16": "int16",
}


def raw_type(spec: Spec, *sets: RawSamples) -> RawType:
    """The type of raw samples: `data.raw`, or that of the arrays, where all have one.

    Raises:
        DataError: the spec says a type that does not hold some value.
    """
    asked = spec.data.raw
    if asked is None:
        found = {_TYPES.get(samples.x.dtype.name, "float") for samples in sets}
        return found.pop() if len(found) == 1 else "float"
    if asked != "float":
        for samples in sets:
            _check_holds(asked, samples)
    return asked


def _check_holds(asked: RawType, samples: RawSamples) -> None:
    x, ends = samples.x, np.iinfo(asked)
    bad = (x < ends.min) | (x > ends.max)
    if x.dtype.kind == "f":
        bad |= x != np.floor(x)
    if not bad.any():
        return
    at = np.unravel_index(int(bad.argmax()), x.shape)
    index = ", ".join(str(int(i)) for i in at)
    raise DataError(
        f"the samples are not all of type {asked}",
        where=f"{samples.where}, {samples.place(int(at[0]))}; [data], raw",
        found=f"x[{index}] = {x[at]}; {int(bad.sum()):,} such values in all",
        help=f"{asked} holds whole numbers from {ends.min} to {ends.max}; for others: "
        'raw = "float"',
    )
