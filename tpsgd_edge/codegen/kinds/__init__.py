"""Kinds of layers: all that the generator knows of each, in one table.

To add a kind:

1. Write its kernels, `codegen_templates/tps_NAME.h.j2` and `tps_NAME.c.j2`, with its struct in the
   header; pass each name that a linker sees through `linked`.
2. Write `codegen/kinds/NAME.py`. A frozen dataclass has the facts of the kernels (types, suffixes,
   which of them a model needs), and a function makes it from the model or returns None. Further
   functions make a `LayerView` of a layer's constants and an `OperationView` of its calls;
   arguments come from `codegen/calls.py`.
3. Put them into a `Kind`, and that into `KINDS` under the kind of the quantized layer. `norm.py` is
   the shortest example, `dense.py` one that learns.
4. If its kernels work in memory of their own, add their sizes to `memory/scratch.py` and a model to
   `tests/unit/test_scratch.py`.
"""

from collections.abc import Mapping

from tpsgd_edge.codegen.kinds.conv2d import CONV2D
from tpsgd_edge.codegen.kinds.dense import DENSE
from tpsgd_edge.codegen.kinds.detector import DETECTOR
from tpsgd_edge.codegen.kinds.gru import GRU
from tpsgd_edge.codegen.kinds.join import ADD, CONCAT
from tpsgd_edge.codegen.kinds.kind import KernelFiles, Kind
from tpsgd_edge.codegen.kinds.lstm import LSTM
from tpsgd_edge.codegen.kinds.memory import MEMORY
from tpsgd_edge.codegen.kinds.norm import NORM
from tpsgd_edge.codegen.kinds.pool import POOL
from tpsgd_edge.codegen.kinds.rnn import RNN
from tpsgd_edge.codegen.kinds.unit import LayerView

__all__ = ["FILES", "KINDS", "KernelFiles", "Kind", "LayerView"]

KINDS: Mapping[str, Kind] = {
    "dense": DENSE,
    "conv2d": CONV2D,
    "max_pool": POOL,
    "average_pool": POOL,
    "rnn": RNN,
    "gru": GRU,
    "lstm": LSTM,
    "memory": MEMORY,
    "norm": NORM,
    "detector": DETECTOR,
    "add": ADD,
    "concat": CONCAT,
}
"""By the kind of the quantized layer."""

FILES = tuple(dict.fromkeys(kind.files for kind in KINDS.values() if kind.files is not None))
"""Files of kernels: kinds share some."""
