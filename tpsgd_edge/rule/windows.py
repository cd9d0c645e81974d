"""Windows over which a map is averaged for its local loss (docs/ARITHMETIC.md, section 14).

Where a max pool follows, it is what the pool makes of the map that is averaged (section 16).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from tpsgd_edge.graph import Conv2d, Pool, WeightedLayer, window_bounds
from tpsgd_edge.rule.layers import forward, input_gradient


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one layer.

    Attributes:
        average: shares of the positions in each window, shape (windows, positions).
        window_of: the window of each position.
        pool: what the map goes through first.
    """

    average: Tensor
    window_of: Tensor
    pool: Pool | None = None

    def averaged(self, y: Tensor) -> Tensor:
        """The averaged map (batch, n_target) of a map (batch, y_count)."""
        seen = y if self.pool is None else forward(self.pool, y, y, y)
        maps = seen.view(len(y), len(self.window_of), -1)
        return (self.average @ maps).flatten(1)

    def spread(self, e: Tensor, y: Tensor) -> Tensor:
        """Spread errors of windows (batch, n_target) to the units of a map y: (batch, y_count).

        Behind a pool only the largest unit of each of its windows has one.
        """
        seen = e.view(len(e), len(self.average), -1)[:, self.window_of].flatten(1)
        return seen if self.pool is None else input_gradient(self.pool, y, y, seen)


def make_windows(layer: WeightedLayer, dtype: torch.dtype = torch.float32) -> Windows | None:
    """The windows of a layer; None where every unit has a target of its own."""
    if not isinstance(layer, Conv2d) or layer.n_target == layer.y_count:
        return None
    rows = _window_of(layer.seen_shape[0], layer.windows[0])
    columns = _window_of(layer.seen_shape[1], layer.windows[1])
    window_of = (rows[:, None] * layer.windows[1] + columns).flatten()
    windows = torch.arange(layer.windows[0] * layer.windows[1])
    member = (window_of == windows[:, None]).to(dtype)
    return Windows(member / member.sum(dim=1, keepdim=True), window_of, layer.pool)


def _window_of(length: int, windows: int) -> Tensor:
    bounds = torch.tensor(window_bounds(length, windows))
    return torch.repeat_interleave(torch.arange(windows), bounds.diff())
