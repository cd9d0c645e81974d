"""The tensor that holds a value of the net while it is written."""

from dataclasses import dataclass

from tpsgd_edge.graph import Shape


@dataclass(frozen=True, slots=True)
class Held:
    """The tensor that the next layer reads.

    Attributes:
        shape: of a map that lies (samples, channels, height, width); None of a vector (samples,
            values), and of a sequence (steps, samples, values).
    """

    name: str
    shape: Shape | None = None
