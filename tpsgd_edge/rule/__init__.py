"""tpSGD in floating point (torch), and the rules that it is compared with.

Importing this package does not load torch. `tpsgd_edge.rule.train` holds the trainer of the
evidence tables.
"""

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.errors import ToolError, how_to_install
from tpsgd_edge.graph import Graph, Weights
from tpsgd_edge.spec import Spec


def pretrain(
    spec: Spec, graph: Graph, x: NDArray[np.float64], y: NDArray[np.generic]
) -> dict[str, Weights]:
    """Initial weights of every layer, trained in floating point as `spec.model.pretrain` says.

    Args:
        x: samples after the data's scaling, shape (n, n_in).
        y: class indices (n,), or label vectors after scaling (n, K).

    Raises:
        ToolError: torch is not installed.
        SpecError: the training diverges.
    """
    try:
        from tpsgd_edge.rule.from_spec import pretrain_network
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ToolError(
            "pre-training needs torch, which is not installed",
            where="[model.pretrain]",
            help=f"{how_to_install('torch')}, or leave the section out",
        ) from error
    return pretrain_network(spec, graph, x, y)
