"""Base of the two estimators: parameters, preparation of a model, training."""

import warnings
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from tpsgd_edge.errors import TrainingWarning
from tpsgd_edge.estimator.library import HostCode, running
from tpsgd_edge.estimator.weights import Weights, weighted_order
from tpsgd_edge.frontend.data import Dataset
from tpsgd_edge.frontend.samples import RawSamples, check_samples
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.graph import Labels
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import Prepared, prepare, render_project
from tpsgd_edge.stages.doubts import doubts
from tpsgd_edge.stages.facts import learned_facts, some_of


class BaseTPSGD(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The parameters, and training and outputs of a model with labels as the device takes them."""

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
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.weights = weights
        self.activations = activations
        self.loss = loss
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.schedule = schedule
        self.projection = projection
        self.scaling = scaling
        self.random_state = random_state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "state_")

    @property
    def _class_names(self) -> tuple[str, ...]:
        """Names for the generated code; label vectors have none."""
        return ()

    def _fit(
        self,
        x: NDArray[np.float32],
        y: NDArray[Any],
        labels: Labels,
        weights: Weights | None = None,
    ) -> Self:
        """Train a new model. `y` holds class indices (n,) or vectors (n, K)."""
        x, y, weights = _weighted(x, y, weights)
        epochs, schedule = _plain(self.epochs), _plain(self.schedule)
        prepared = self._start(x, y, labels, epochs=epochs, schedule=schedule)
        self._train(x, y, epochs=prepared.spec.rule.passes, weights=weights)
        self._warn(prepared.dataset)
        return self

    def _partial_fit(
        self,
        x: NDArray[np.float32],
        y: NDArray[Any],
        labels: Labels,
        weights: Weights | None = None,
    ) -> Self:
        """Train for one epoch, a new model if there is none."""
        x, y, weights = _weighted(x, y, weights)
        if not self.__sklearn_is_fitted__():
            # Nobody knows how many epochs will come, so there is no end to come down to.
            self._start(x, y, labels, epochs=1, schedule="constant")
        return self._train(x, y, epochs=1, weights=weights)

    def _start(
        self, x: NDArray[np.float32], y: NDArray[Any], labels: Labels, *, epochs: Any, schedule: Any
    ) -> Prepared:
        check_samples(RawSamples(x, y, "X, y"))
        # Nothing is held out, and a class may be missing in the first samples.
        dataset = Dataset(
            x_train=x,
            y_train=y,
            x_test=x[:0],
            y_test=y[:0],
            labels=labels,
            class_names=self._class_names,
            input_shape=x.shape[1:],
            source="arrays",
        )
        prepared = prepare(self._spec(dataset, epochs, schedule), dataset)
        code = HostCode(prepared.model, render_project(prepared))
        with running(code) as device:
            state = device.state()
        self.model_, self.project_, self.state_ = code.model, code.project, state
        self.n_iter_ = 0
        return prepared

    def _train(
        self,
        x: NDArray[np.float32],
        y: NDArray[Any],
        *,
        epochs: int,
        weights: Weights | None = None,
    ) -> Self:
        model = self.model_
        inputs, labels = quantize_inputs(model, x), quantize_labels(model, y)
        with running(HostCode(model, self.project_), self.state_) as device:
            for epoch in range(self.n_iter_, self.n_iter_ + epochs):
                order = epoch_order(model.seed, epoch, len(inputs))
                if weights is not None:
                    order = weighted_order(order, weights, model.seed, epoch)
                device.train(inputs, labels, order=order)
            self.state_ = device.state()
        self.n_iter_ += epochs
        return self

    def _warn(self, dataset: Dataset) -> None:
        """Warn of what is doubtful about the answers to the samples that were learned."""
        names = tuple(map(str, getattr(self, "classes_", ())))
        dataset = some_of(replace(dataset, class_names=names))
        with running(HostCode(self.model_, self.project_), self.state_) as device:
            outputs = device.outputs(quantize_inputs(self.model_, dataset.x_train))
        for doubt in doubts(learned_facts(self.model_, dataset, outputs, self.state_)):
            text = f"{doubt.message}; try: {doubt.help}"
            warnings.warn(text, TrainingWarning, stacklevel=4)

    def _outputs(self, X: Any) -> NDArray[np.generic]:
        """Return the device's outputs, shape (n, n_out), in the model's output type."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float32)
        with running(HostCode(self.model_, self.project_), self.state_) as device:
            return device.outputs(quantize_inputs(self.model_, x))

    def _confidences(self, X: Any) -> NDArray[np.generic]:
        """Return the device's confidence in each answer, shape (n,), in its own numbers."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float32)
        with running(HostCode(self.model_, self.project_), self.state_) as device:
            return device.confidences(quantize_inputs(self.model_, x))

    def _spec(self, dataset: Dataset, epochs: Any, schedule: Any) -> Spec:
        is_class = dataset.labels.kind == "class"
        content = {
            "name": "classifier" if is_class else "regressor",
            "seed": _seed(self.random_state),
            "model": {"layers": self._layers(dataset.labels.count)},
            "numbers": {"weights": _plain(self.weights), "activations": _plain(self.activations)},
            "rule": self._rule() | {"epochs": epochs, "schedule": schedule},
            "projection": {"kind": _plain(self.projection)},
            "data": {
                "file": dataset.source,
                "task": "classification" if is_class else "regression",
                "scaling": _plain(self.scaling),
            },
        }
        spec = spec_from_dict(content, source=type(self).__name__)
        for note in spec.notes:
            warnings.warn(note, FutureWarning, stacklevel=5)
        return spec

    def _layers(self, n_out: int) -> list[dict[str, Any]]:
        sizes = np.ravel(self.hidden_layer_sizes).tolist()
        layers = [{"units": units, "activation": _plain(self.activation)} for units in sizes]
        layers.append({"units": n_out})
        return [{"name": f"fc{i}"} | layer for i, layer in enumerate(layers, 1)]

    def _rule(self) -> dict[str, Any]:
        rule = {"learning_rate": _plain(self.learning_rate)}
        return rule if self.loss is None else rule | {"loss": _plain(self.loss)}


def _weighted(
    x: NDArray[np.float32], y: NDArray[Any], weights: Weights | None
) -> tuple[NDArray[np.float32], NDArray[Any], Weights | None]:
    """Without the samples of weight 0, from which nothing may follow."""
    if weights is None:
        return x, y, None
    kept = weights > 0
    return x[kept], y[kept], weights[kept]


def _seed(random_state: Any) -> int:
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**32, dtype=np.uint32))


def _plain(value: Any) -> Any:
    """Python's own value where numpy's was given, as the grid of a search often holds."""
    return value.item() if isinstance(value, np.generic) else value
