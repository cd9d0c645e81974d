"""Attention over the steps of a window, in real numbers only: devices have no such layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from tpsgd_edge.arithmetic.activations import Numbers
from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.errors import SpecError
from tpsgd_edge.graph.weightless import Shape, Weightless

# Shares are steps x steps numbers for each head: a window that a microcontroller could hold.
LONGEST = 64


@dataclass(frozen=True, slots=True)
class Attention(Weightless):
    """Means of values, weighted by how well queries fit keys (Vaswani et al., NIPS 2017).

    It reads three maps (1, steps, channels): queries q, keys k, values v. Each of `heads` equal
    parts of the channels makes y = softmax(q k^T / sqrt(channels / heads)) v by itself. The weights
    are those of the layers that make the three.
    """

    name: str
    y_shape: Shape
    heads: int
    activation: ClassVar[str] = "linear"
    numbers: ClassVar[Numbers] = ()

    @property
    def kind(self) -> Literal["attention"]:
        """The layer kind, as in the spec."""
        return "attention"

    @property
    def x_shapes(self) -> tuple[Shape, ...]:
        """The shapes of queries, keys and values."""
        return (self.y_shape,) * 3

    @property
    def head_channels(self) -> int:
        """Channels of a head."""
        return self.y_shape[2] // self.heads

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a window: of the scores, and of the weighted means."""
        _, steps, channels = self.y_shape
        return 2 * steps * steps * channels


def attention(name: str, shapes: Sequence[Shape], heads: int) -> Attention:
    """Attention over queries, keys and values of these shapes.

    Raises:
        SpecError: not three windows of one shape, or longer ones than `LONGEST`; heads that do not
            divide the channels.
    """
    where, first = f"[model], layer '{name}'", shapes[0]
    if len(shapes) != 3 or len(set(shapes)) > 1 or first[0] != 1:
        raise SpecError(
            f"layer '{name}' needs queries, keys and values of one shape, a row of steps",
            where=where,
            found=" and ".join(" x ".join(map(str, shape)) for shape in shapes[:4]),
            help="make them by three conv1d layers with kernel = 1 and as many filters, and set "
            "data.input_shape = [1, steps, channels]",
        )
    if first[1] > LONGEST:
        raise SpecError(
            f"layer '{name}' looks at too long a window",
            where=where,
            found=f"{first[1]:,} steps; {LONGEST} at most",
            help="take steps together before it: a conv1d with kernel and stride = 4, or a pool",
        )
    if first[2] % heads:
        raise SpecError(
            f"the heads of layer '{name}' do not divide its channels",
            where=f"{where}, heads",
            found=f"{heads} heads for {first[2]} channels",
            help="set heads to a divisor of the filters of the layers that it reads",
        )
    return Attention(name, first, heads)


def attended(layer: Attention, inputs: Sequence[Real]) -> Real:
    """Outputs (n, y_count) for queries, keys and values (n, y_count) each."""
    q, k, v = (_heads(layer, x) for x in inputs)
    scores = q @ k.swapaxes(2, 3) / math.sqrt(layer.head_channels)
    shares = np.exp(scores - scores.max(axis=3, keepdims=True))
    shares /= shares.sum(axis=3, keepdims=True)
    return np.asarray((shares @ v).swapaxes(1, 2).reshape(len(q), -1))


def _heads(layer: Attention, x: Real) -> Real:
    """Values (n, y_count) by head: (n, heads, steps, channels of a head)."""
    steps = x.reshape(len(x), layer.y_shape[1], layer.heads, layer.head_channels)
    return steps.swapaxes(1, 2)
