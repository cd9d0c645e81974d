"""Kinds of layers: all that the generator knows of each, in one table."""

from collections.abc import Mapping

from tpsgd_edge.codegen.kinds.conv2d import CONV2D
from tpsgd_edge.codegen.kinds.dense import DENSE
from tpsgd_edge.codegen.kinds.gru import GRU
from tpsgd_edge.codegen.kinds.join import ADD, CONCAT
from tpsgd_edge.codegen.kinds.kind import Kind
from tpsgd_edge.codegen.kinds.pool import POOL
from tpsgd_edge.codegen.kinds.rnn import RNN
from tpsgd_edge.codegen.kinds.unit import LayerView

__all__ = ["KINDS", "Kind", "LayerView"]

KINDS: Mapping[str, Kind] = {
    "dense": DENSE,
    "conv2d": CONV2D,
    "max_pool": POOL,
    "average_pool": POOL,
    "rnn": RNN,
    "gru": GRU,
    "add": ADD,
    "concat": CONCAT,
}
"""By the kind of the quantized layer."""
