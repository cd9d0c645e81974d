"""Windows over which a map is averaged for its local loss (docs/ARITHMETIC.md, section 14)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from tpsgd_edge.graph import Conv2d, TrainedLayer, window_bounds


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one layer.

    Attributes:
        average: shares of the positions in each window, shape (windows, positions).
        window_of: the window of each position.
    """

    average: Tensor
    window_of: Tensor

    def averaged(self, y: Tensor) -> Tensor:
        """The averaged map (batch, n_target) of a map (batch, y_count)."""
        maps = y.view(len(y), len(self.window_of), -1)
        return (self.average @ maps).flatten(1)

    def spread(self, e: Tensor) -> Tensor:
        """For each unit the error of its window: (batch, y_count) of (batch, n_target)."""
        return e.view(len(e), len(self.average), -1)[:, self.window_of].flatten(1)


def make_windows(layer: TrainedLayer, dtype: torch.dtype = torch.float32) -> Windows | None:
    """The windows of a layer; None where every unit has a target of its own."""
    if not isinstance(layer, Conv2d) or layer.windows == layer.y_shape[:2]:
        return None
    rows = _window_of(layer.y_shape[0], layer.windows[0])
    columns = _window_of(layer.y_shape[1], layer.windows[1])
    window_of = (rows[:, None] * layer.windows[1] + columns).flatten()
    windows = torch.arange(layer.windows[0] * layer.windows[1])
    member = (window_of == windows[:, None]).to(dtype)
    return Windows(member / member.sum(dim=1, keepdim=True), window_of)


def _window_of(length: int, windows: int) -> Tensor:
    bounds = torch.tensor(window_bounds(length, windows))
    return torch.repeat_interleave(torch.arange(windows), bounds.diff())
