"""Facts that all layers without weights share."""

from typing import ClassVar, Self


class Weightless:
    """A layer without weights: no part of it has any, and it learns nothing.

    Attributes:
        units: parts that have weights.
        loss_layer: the layer that has the loss.
    """

    __slots__ = ()
    units: ClassVar[tuple[()]] = ()
    loss_layer: ClassVar[None] = None
    trains: ClassVar[bool] = False
    is_recurrent: ClassVar[bool] = False

    def with_units(self, _units: tuple[object, ...]) -> Self:
        """The layer with these parts in place of its `units`: itself."""
        return self
