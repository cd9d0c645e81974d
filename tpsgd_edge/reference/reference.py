"""One model with its state: outputs and training steps."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import U32_MASK
from tpsgd_edge.arithmetic.random import PHI, Purpose, mix_array, stream, weyl
from tpsgd_edge.errors import DataError
from tpsgd_edge.quantize.model import DTYPES, QuantizedDense, QuantizedModel
from tpsgd_edge.reference.initial import initial_weights
from tpsgd_edge.reference.layer import PROBABILITY, Array, TrainedLayer, prepare


class Reference:
    """The model as the device must behave, bit for bit.

    Attributes:
        changed: indices, among all layers, of those whose w or b the last `train_step` may have
            changed.
    """

    def __init__(self, model: QuantizedModel) -> None:
        self.model = model
        self.changed: tuple[int, ...] = ()
        self._layers = tuple(prepare(layer, model) for layer in model.layers)
        self._trained = {
            index: cast(TrainedLayer, layer)
            for index, layer in enumerate(self._layers)
            if isinstance(model.layers[index], QuantizedDense)
        }
        for layer in self._trained.values():
            layer.set_state(*initial_weights(layer.layer))
        self._rng = stream(model.seed, Purpose.TRAINING, 0)
        self._step = 0
        # draw(base_l, j) = mix(rng + PHI * (units of earlier layers + j + 1)): one run over all.
        self._total_units = model.total_units
        self._unit_words = weyl(0, self._total_units)
        real = model.value_type == "f32"
        self._wide = np.dtype(np.float32 if real else np.int64)
        self._gate = float(np.float32(model.gate)) if real and model.gate else model.gate

    def output(self, x: Array) -> Array:
        """The last layer's outputs, shape (n_out,), in the model's output type.

        Raises:
            DataError: x has another shape or type than the model's input.
        """
        return self._narrow(self._forward(self._checked(x))[-1])

    def train_step(self, x: Array, label: int | Array) -> Array:
        """One training step; the outputs as they were before it, in the model's output type.

        Args:
            x: one sample, shape (n_in,), in the model's value type.
            label: class index, or label vector of shape (K,) in s16 (f32 models: f32).

        Raises:
            DataError: sample or label do not fit the model.
        """
        wide_label = self._checked_label(label)
        values = self._forward(self._checked(x))
        words = mix_array(np.uint32(self._rng) + self._unit_words)
        changed = []
        for index in self._learners(values[-1], wide_label):
            layer = self._trained[index]
            first = layer.layer.unit_offset
            own = words[first : first + layer.layer.y_count]
            if layer.learn(values[index], values[index + 1], wide_label, own, self._step):
                changed.append(index)
        self.changed = tuple(changed)
        self._rng = (self._rng + PHI * self._total_units) & U32_MASK
        self._step = min(self._step + 1, U32_MASK)
        return self._narrow(values[-1])

    def state(self) -> dict[str, Array]:
        """Copies of all tensors of the state, by name, in the order of the model's digest."""
        tensors = {}
        for layer in self._trained.values():
            tensors[f"{layer.layer.name}.w"] = layer.weights().copy()
            tensors[f"{layer.layer.name}.b"] = layer.biases().copy()
        return {**tensors, **self.counters()}

    def counters(self) -> dict[str, Array]:
        """The tensors `rng` and `step`, shape ()."""
        u32 = DTYPES["u32"]
        return {"rng": np.array(self._rng, u32), "step": np.array(self._step, u32)}

    def layer_tensors(self, index: int) -> dict[str, Array]:
        """The tensors of one layer that is trained, to read only, until the next step."""
        layer = self._trained[index]
        name = layer.layer.name
        return {f"{name}.w": layer.weights(), f"{name}.b": layer.biases()}

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state`, as `state()` gave it.

        Raises:
            DataError: a tensor is missing, or has another shape or type.
        """
        for name, tensor in self.state().items():
            _check_tensor(name, tensor, state.get(name))
        for layer in self._trained.values():
            name = layer.layer.name
            layer.set_state(state[f"{name}.w"], state[f"{name}.b"])
        self._rng, self._step = int(state["rng"]), int(state["step"])

    def _forward(self, x: Array) -> list[Array]:
        # A layer's weights do not change before its own forward pass, so all of these may come
        # before all updates, with an error gate or without.
        values = [x]
        for layer in self._layers:
            values.append(layer.forward(values[-1]))
        return values

    def _learners(self, outputs: Array, label: Any) -> Sequence[int]:
        """The layers that learn from this sample."""
        trained, gate = tuple(self._trained), self._gate
        if gate is None or PROBABILITY[self.model.value_type](outputs, label) < gate:
            return trained
        return trained[-1:]

    def _narrow(self, outputs: Array) -> Array:
        # The activation has saturated them already.
        return outputs.astype(DTYPES[self.model.output_type])

    def _checked(self, x: Array) -> Array:
        expected = DTYPES[self.model.value_type]
        if x.shape != (self.model.n_in,) or x.dtype != expected:
            raise DataError(
                "the sample does not fit the model",
                where=f"model '{self.model.name}'",
                found=f"shape {x.shape} of {x.dtype}, expected ({self.model.n_in},) of {expected}",
            )
        return x.astype(self._wide)

    def _checked_label(self, label: int | Array) -> int | Array:
        labels, where = self.model.labels, f"model '{self.model.name}'"
        if labels.kind == "class":
            index = int(label)
            if not 0 <= index < labels.count:
                found = f"label {index}, expected 0 to {labels.count - 1}"
                raise DataError("the label is out of range", where=where, found=found)
            return index
        vector = np.asarray(label)
        expected = DTYPES["f32" if self.model.value_type == "f32" else "s16"]
        if vector.shape != (labels.count,) or vector.dtype != expected:
            raise DataError(
                "the label does not fit the model",
                where=where,
                found=f"shape {vector.shape} of {vector.dtype}, "
                f"expected ({labels.count},) of {expected}",
            )
        return vector.astype(self._wide)


def _check_tensor(name: str, own: Array, given: NDArray[Any] | None) -> None:
    if given is None:
        raise DataError(f"the state lacks the tensor '{name}'")
    if given.shape != own.shape or given.dtype != own.dtype:
        raise DataError(
            f"the state's tensor '{name}' does not fit the model",
            found=f"shape {given.shape} of {given.dtype}, expected {own.shape} of {own.dtype}",
        )
