"""Operators that multiply by weights: dense layers, of each sample or of each of its steps."""

from dataclasses import replace

import numpy as np

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import Chain
from tpsgd_edge.frontend.imports.inputs import laid
from tpsgd_edge.frontend.imports.weighted import check_lengths, convolution, dense


def gemm(chain: Chain, call: Call) -> Chain:
    """Read Gemm, a dense layer; DataError if it reads no vector of each sample or of its steps."""
    if chain.order.ndim != 2 or call.integer("transA", 0):
        raise call.error(
            "Gemm reads no vector of each sample",
            found=f"values of shape {chain.order.shape}, transA = {call.integer('transA', 0)}",
        )
    w = call.real(1, "weights")
    if w.ndim == 2 and not call.integer("transB", 0):
        w = w.T
    w = w * call.number("alpha", 1.0)
    bias = call.optional(2, "bias")
    b = np.zeros(w.shape[0] if w.ndim else 1)
    if bias is not None:
        try:
            b = np.broadcast_to(call.finite(bias, "bias"), (1, len(b)))[0]
        except ValueError:
            raise call.error("the bias of Gemm does not fit", found=f"shape {bias.shape}") from None
    # Up to opset 6 it says that a bias is spread; ours is one row in any case.
    call.integer("broadcast", 1)
    b = b * call.number("beta", 1.0)
    return dense(chain, call, w, b) if len(chain.order) == 1 else _of_each_step(chain, call, w, b)


def _of_each_step(chain: Chain, call: Call, w: Real, b: Real) -> Chain:
    """Append a dense layer that reads each row of a map alone: a convolution of one step."""
    if w.ndim != 2 or w.shape[1] != chain.order.shape[1]:
        raise call.error(
            f"the weights of {call.node.op} do not fit",
            found=f"{w.shape[::-1]} for values of shape {chain.order.shape}",
        )
    check_lengths(call, *w.shape)
    seen = laid(replace(chain, order=chain.order.T[np.newaxis]), chain.order)
    made = convolution(seen, call, w[:, :, np.newaxis, np.newaxis], b, groups=1)
    return replace(made, order=made.order[0].T)


def matmul(chain: Chain, call: Call) -> Chain:
    """Read MatMul, a dense layer without bias; DataError if the constant comes first."""
    if call.arrays[0] is not None:
        raise call.error(
            "MatMul has its constant first",
            help="values times weights, in this order, are a layer",
        )
    w = call.real(1, "weights").T
    return dense(chain, call, w, np.zeros(w.shape[0] if w.ndim else 1))
