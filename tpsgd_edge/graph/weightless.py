"""Facts that all layers without weights share."""

from typing import ClassVar


class Weightless:
    """A layer without weights, on maps.

    Attributes:
        weighted: the layer itself if it has weights, else None.
        is_recurrent: whether it reads a sequence, one timestep after the other.
        is_on_maps: whether it reads and makes maps; other layers take any map as a vector.
        residual: whether it adds what it reads to what it makes.
    """

    __slots__ = ()
    weighted: ClassVar[None] = None
    is_recurrent: ClassVar[bool] = False
    is_on_maps: ClassVar[bool] = True
    residual: ClassVar[bool] = False
