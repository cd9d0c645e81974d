"""Linear models of ai.onnx.ml: LinearClassifier and LinearRegressor, each one dense layer."""

import numpy as np

from tpsgd_edge.arithmetic.types import Real
from tpsgd_edge.frontend.imports.call import Call
from tpsgd_edge.frontend.imports.chain import Chain
from tpsgd_edge.frontend.imports.tail import class_names
from tpsgd_edge.frontend.imports.weighted import dense

# What leaves the largest score the largest. Of SOFTMAX_ZERO that does not hold for scores of 0.
_KEEPS_ORDER = ("NONE", "SOFTMAX", "LOGISTIC")


def linear_classifier(chain: Chain, call: Call) -> Chain:
    """Read a LinearClassifier: a score for each class.

    Where two classes have the probabilities sigmoid(-z) and sigmoid(z), the scores are -z / 2 and
    z / 2, whose softmax these are.

    Raises:
        DataError: a post_transform that changes the order of the classes.
    """
    names = class_names(call)
    w, b = _coefficients(chain, call)
    # It says how scores came about, and changes none of them.
    call.integer("multi_class", 0)
    transform = call.text("post_transform", "NONE")
    if transform not in _KEEPS_ORDER:
        raise _unlike(call, f"post_transform = {transform[:20]}")
    if len(w) == 1 and len(names) == 2:
        w, b = np.concatenate([-w, w]), np.concatenate([-b, b])
    if len(names) not in (0, len(w)):
        raise _unlike(call, f"{len(names)} classes, {len(w)} rows of coefficients")
    is_mirrored = len(w) == 2 and (w[0] == -w[1]).all() and b[0] == -b[1]
    half = 0.5 if is_mirrored and transform == "LOGISTIC" else 1.0
    return dense(chain, call, half * w, half * b)


def linear_regressor(chain: Chain, call: Call) -> Chain:
    """Read a LinearRegressor: a value for each target.

    Raises:
        DataError: other numbers of targets and rows, or a post_transform.
    """
    w, b = _coefficients(chain, call)
    targets, transform = call.integer("targets", 1), call.text("post_transform", "NONE")
    if targets != len(w) or transform != "NONE":
        raise _unlike(call, f"{targets} targets, {len(w)} rows, post_transform = {transform[:20]}")
    return dense(chain, call, w, b)


def _coefficients(chain: Chain, call: Call) -> tuple[Real, Real]:
    """Weights (rows, inputs) and biases."""
    n_in = chain.order.shape[-1] if chain.order.ndim == 2 else 0
    given = [call.node.attributes.get(name, ()) for name in ("coefficients", "intercepts")]
    w, b = (np.array(part, np.float64) for part in given if isinstance(part, tuple))
    if n_in < 1 or w.size == 0 or w.size % n_in:
        raise _unlike(call, f"{w.size} coefficients for values of shape {chain.order.shape}")
    rows = call.finite(w, "coefficients").reshape(-1, n_in)
    if b.size not in (0, len(rows)):
        raise _unlike(call, f"{b.size} intercepts for {len(rows)} rows of coefficients")
    return rows, call.finite(b, "intercepts") if b.size else np.zeros(len(rows))


def _unlike(call: Call, found: str) -> Exception:
    return call.error(
        f"{call.node.op} is of a kind that is no dense layer",
        found=found,
        help="a row of coefficients and an intercept for each class or target; post_transform "
        "NONE, SOFTMAX or LOGISTIC",
    )
