"""Input of a net that another tool made."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceInput:
    """The input of a net that another tool made.

    Attributes:
        lengths: of a sample in the net's own input.
        places: places of a sample's values there, in our order; None where they are the same.
        is_vector: whether the first layer is dense: it reads values in any order, which its weights
            follow.
        scale, shift: what the net makes of a value first, x * scale + shift, in our order: one for
            all values, or one for each.
    """

    lengths: tuple[int, ...]
    places: tuple[int, ...] | None = None
    is_vector: bool = False
    scale: tuple[float, ...] = (1.0,)
    shift: tuple[float, ...] = (0.0,)
