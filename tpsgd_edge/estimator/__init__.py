"""scikit-learn estimators that train with the generated C on this computer."""

from tpsgd_edge.errors import ToolError, how_to_install

try:
    import sklearn as _  # noqa: F401
except ModuleNotFoundError as error:
    raise ToolError(
        "the estimators need scikit-learn, which is not installed",
        help=how_to_install("sklearn"),
    ) from error

from tpsgd_edge.estimator.classifier import TPSGDClassifier
from tpsgd_edge.estimator.regressor import TPSGDRegressor

__all__ = ["TPSGDClassifier", "TPSGDRegressor"]
