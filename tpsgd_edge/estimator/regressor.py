"""A regressor that learns as the device will."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import validate_data

from tpsgd_edge.estimator.base import BaseTPSGD
from tpsgd_edge.estimator.weights import checked_weights
from tpsgd_edge.graph import Labels
from tpsgd_edge.quantize.samples import read_outputs


class TPSGDRegressor(RegressorMixin, MultiOutputMixin, BaseTPSGD):  # type: ignore[misc]
    """A network that predicts real values, one or several, trained by the generated C right here.

    What it learns and what it answers is, to the bit, what the firmware would with the same samples
    in the same order. Fitting needs a C compiler, and about half a second for it; what was compiled
    before is kept in the user's cache folder.

    >>> from sklearn.datasets import make_regression
    >>> x, y = make_regression(200, 4, n_informative=2, random_state=1)
    >>> regressor = TPSGDRegressor((16,), random_state=1).fit(x, y)
    >>> bool(regressor.score(x, y) > 0.9)
    True

    Args:
        hidden_layer_sizes: units of each hidden layer; () for none.
        activation: of the hidden layers: tanh, sigmoid, relu, relu6, leaky_relu, hard_tanh, elu,
            selu, softplus, hard_sigmoid or linear.
        weights: s16, s8 (one byte a weight), or f32, where everything is binary32.
        activations: s8 or s16.
        loss: of the hidden layers, by name or as the table of a spec; None: the best measured.
            The last layer has l2.
        learning_rate: None: it follows from the data, as in a spec without one.
        epochs: None: as many as 10,000 steps take, at least 10.
        schedule: how `fit` lowers the learning rate: constant, linear, cosine or exponential.
        projection: hadamard, sign, ternary, gaussian or learned.
        scaling: of the inputs: auto, standard, standard_all, unit or none. Values to
            predict are always standardised.
        random_state: an integer is the seed of the spec; else the seed is drawn from it.

    Attributes:
        n_iter_: epochs so far.
        model_: the `QuantizedModel`.
        project_: the `CProject`: `files` is the text of each file by path.
        state_: the C's state struct after training: all that has been learned.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new model. X has shape (n, n_features), y (n,) or (n, n_outputs).

        Args:
            sample_weight: how often each sample is learned, relative to the others, shape (n,); a
                sample of weight 0 is as if it were not there.

        Raises:
            ValueError: samples or values that are no good.
            DataError: samples of more than 65,535 values.
            SpecError: parameters that are no good.
            ToolError: there is no C compiler.
        """
        x, vectors = self._samples(X, y, first=True)
        weights = checked_weights(sample_weight, len(x))
        return self._fit(x, vectors, Labels("vector", vectors.shape[1]), weights)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch, from where the model is, at a learning rate that stays.

        Scales are chosen from the samples of the first call: let there be many. After `fit` the
        learning rate is at the end of its schedule; with schedule="constant" it stays there too.

        Raises:
            ValueError: samples or values that are no good.
        """
        x, vectors = self._samples(X, y, first=not self.__sklearn_is_fitted__())
        weights = checked_weights(sample_weight, len(x))
        return self._partial_fit(x, vectors, Labels("vector", vectors.shape[1]), weights)

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Values, shape (n,) or (n, n_outputs) as in training."""
        outputs = self._outputs(X)
        values = read_outputs(self.model_, outputs)
        return values[:, 0] if self._y_ndim == 1 else values

    def _samples(
        self, X: Any, y: Any, *, first: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Checked samples, and their values as vectors, shape (n, n_outputs)."""
        x, y = validate_data(
            self,
            X,
            y,
            reset=first,
            dtype=np.float32,
            multi_output=True,
            y_numeric=True,
            # One sample has no spread to choose scales from.
            ensure_min_samples=2 if first else 1,
        )
        vectors = y.reshape(len(y), -1).astype(np.float64)
        if first:
            self._y_ndim = y.ndim
        elif vectors.shape[1] != self.model_.labels.count:
            raise ValueError(
                f"y has {vectors.shape[1]} values for each sample; the model learned "
                f"{self.model_.labels.count}"
            )
        return x, vectors
