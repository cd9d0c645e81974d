"""scikit-learn estimators that train with the generated C on this computer."""

from tpsgd_edge.errors import ToolError

try:
    import sklearn as _  # noqa: F401
except ModuleNotFoundError as error:
    raise ToolError(
        "the estimators need scikit-learn, which is not installed",
        help="pip install 'tpsgd-edge[sklearn]'",
    ) from error

from tpsgd_edge.estimator.classifier import TPSGDClassifier
from tpsgd_edge.estimator.regressor import TPSGDRegressor

__all__ = ["TPSGDClassifier", "TPSGDRegressor"]
