"""Room on the stack for convolutions of computers with vector units."""

from dataclasses import dataclass

from tpsgd_edge.quantize.model import QuantizedConv2d, QuantizedModel

# Beyond these a convolution takes the plain way: stacks have limits.
_MOST_WEIGHTS, _MOST_INPUTS = 2**17, 2**13


@dataclass(frozen=True, slots=True)
class WideView:
    """Numbers of 16 bits: the padded weights of the largest layer that finds room, and a patch."""

    weights: int
    inputs: int


def wide_view(model: QuantizedModel) -> WideView:
    """What the convolutions of a model need: rows of whole 32 inputs, four rows at a time."""
    convs = [layer for layer in model.layers if isinstance(layer, QuantizedConv2d)]
    padded = [(-(-c.n_in // 32) * 32, -(-c.n_out // 4) * 4) for c in convs]
    fitting = [
        (n, n * rows) for n, rows in padded if n <= _MOST_INPUTS and n * rows <= _MOST_WEIGHTS
    ]
    return WideView(
        weights=max((weights for _, weights in fitting), default=1),
        inputs=max((n for n, _ in fitting), default=1),
    )
