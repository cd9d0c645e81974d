"""A classifier that learns as the device will."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from tpsgd_edge.estimator.base import BaseTPSGD
from tpsgd_edge.estimator.weights import checked_weights, with_class_weights
from tpsgd_edge.graph import Labels


class TPSGDClassifier(ClassifierMixin, BaseTPSGD):  # type: ignore[misc]
    """A network that tells classes apart, trained by the generated C right here.

    What it learns and what it answers is, to the bit, what the firmware would with the same samples
    in the same order. Fitting needs a C compiler, and about half a second for it; what was compiled
    before is kept in the user's cache folder.

    >>> from sklearn.datasets import load_iris
    >>> x, y = load_iris(return_X_y=True)
    >>> classifier = TPSGDClassifier((16,), random_state=1).fit(x, y)
    >>> bool(classifier.score(x, y) > 0.9)
    True

    Args:
        hidden_layer_sizes: units of each hidden layer; () for none.
        activation: of the hidden layers: tanh, sigmoid, relu, relu6, leaky_relu, hard_tanh, elu,
            selu, softplus, hard_sigmoid or linear.
        weights: s16, s8 (one byte a weight), or f32, where everything is binary32.
        activations: s8 or s16.
        loss: of the hidden layers, by name or as the table of a spec; None: the best measured.
            The last layer has softmax cross entropy.
        learning_rate: None: it follows from the data, as in a spec without one.
        epochs: None: as many as 10,000 steps take, at least 10.
        schedule: how `fit` lowers the learning rate: constant, linear, cosine or exponential.
        projection: hadamard, sign, ternary, gaussian or learned.
        scaling: of the inputs: auto, standard, standard_all, unit or none.
        scores: own, or carried: hidden layers learn from the sum of their scores so far, and the
            answer is the sum. None: own.
        class_weight: None; "balanced": classes come equally often in training; or a dict from label
            to weight. It multiplies the weights of samples.
        random_state: an integer is the seed of the spec; else the seed is drawn from it.

    Attributes:
        classes_: the labels, in the order of the outputs.
        n_iter_: epochs so far.
        model_: the `QuantizedModel`.
        project_: the `CProject`: `files` is the text of each file by path.
        state_: the C's state struct after training: all that has been learned.
    """

    def __init__(
        self,
        hidden_layer_sizes: Any = (64,),
        *,
        activation: str = "tanh",
        weights: str = "s16",
        activations: str = "s8",
        loss: Any = None,
        learning_rate: float | None = None,
        epochs: int | None = None,
        schedule: str = "linear",
        projection: str = "sign",
        scaling: str = "auto",
        scores: str | None = None,
        class_weight: Any = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation=activation,
            weights=weights,
            activations=activations,
            loss=loss,
            learning_rate=learning_rate,
            epochs=epochs,
            schedule=schedule,
            projection=projection,
            scaling=scaling,
            random_state=random_state,
        )
        self.scores = scores
        self.class_weight = class_weight

    def _rule(self) -> dict[str, Any]:
        rule = super()._rule()
        return rule if self.scores is None else rule | {"scores": self.scores}

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new model. X has shape (n, n_features), y holds n labels of any kind.

        Args:
            sample_weight: how often each sample is learned, relative to the others, shape (n,); a
                sample of weight 0 is as if it were not there.

        Raises:
            ValueError: samples or labels that are no good.
            DataError: samples of more than 65,535 values.
            SpecError: parameters that are no good.
            ToolError: there is no C compiler.

        Warns:
            TrainingWarning: what was learned is doubtful, and what to try.
        """
        x, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        weights = checked_weights(sample_weight, len(x))
        self.classes_ = _checked_classes(y if weights is None else y[weights > 0])
        kept = slice(None) if weights is None else weights > 0
        x, indices = x[kept], self._indices(y[kept])
        weights = None if weights is None else weights[kept]
        weights = with_class_weights(weights, self.class_weight, self.classes_, indices)
        return self._fit(x, indices, self._labels, weights)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch, from where the model is, at a learning rate that stays.

        After `fit` the learning rate is at the end of its schedule; with schedule="constant" it
        stays there too.

        Args:
            X, y: some samples. Scales are chosen from those of the first call: let there be many.
            classes: all labels that will ever come; needed in the first call.
            sample_weight: as for `fit`.

        Raises:
            ValueError: samples or labels that are no good, no classes in the first call.
        """
        first = not self.__sklearn_is_fitted__()
        if first and classes is None:
            raise ValueError("the first call of partial_fit needs classes: all labels to come")
        x, y = validate_data(self, X, y, reset=first, dtype=np.float32)
        check_classification_targets(y)
        if first:
            self.classes_ = _checked_classes(classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes = {classes} differs from the first call's {self.classes_}")
        if self.class_weight == "balanced":
            raise ValueError('class_weight = "balanced" needs all samples; give partial_fit a dict')
        indices = self._indices(y)
        weights = checked_weights(sample_weight, len(x))
        weights = with_class_weights(weights, self.class_weight, self.classes_, indices)
        return self._partial_fit(x, indices, self._labels, weights)

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable label of each sample, shape (n,)."""
        outputs = self._outputs(X)
        return np.asarray(self.classes_[outputs.argmax(axis=1)])

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Logits, shape (n, n_classes); of two classes their difference, shape (n,)."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """The softmax of the logits, in float64, shape (n, n_classes)."""
        logits = self._logits(X)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def confidence(self, X: Any) -> NDArray[np.float64]:
        """The probability of the label that is predicted, as the device counts it, shape (n,)."""
        values = self._confidences(X)
        return values.astype(np.float64) / (1.0 if values.dtype.kind == "f" else 2**15)

    @property
    def _class_names(self) -> tuple[str, ...]:
        return tuple(str(label) for label in self.classes_)

    @property
    def _labels(self) -> Labels:
        return Labels("class", len(self.classes_))

    def _indices(self, y: NDArray[Any]) -> NDArray[np.int64]:
        known = np.isin(y, self.classes_)
        if not known.all():
            raise ValueError(f"y holds the label {y[~known][0]}, which is not in classes_")
        return np.searchsorted(self.classes_, y).astype(np.int64)

    def _logits(self, X: Any) -> NDArray[np.float64]:
        outputs = self._outputs(X)
        return outputs.astype(np.float64) * self.model_.layers[-1].y_scale


def _checked_classes(labels: Any) -> NDArray[Any]:
    classes = np.unique(labels)
    if len(classes) < 2:
        raise ValueError(f"there is 1 class, {classes[0]}; a classifier needs two or more")
    return classes
