"""One model with its state: outputs and training steps."""

from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.ops import U32_MASK
from tpsgd_edge.arithmetic.random import PHI, Purpose, mix_array, stream, weyl
from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.errors import DataError
from tpsgd_edge.memory.state import rate_type
from tpsgd_edge.quantize.model import DTYPES, QuantizedModel
from tpsgd_edge.reference.backprop import backward_errors
from tpsgd_edge.reference.binary32.gated import Binary32Gated
from tpsgd_edge.reference.carried import answer_of, totals_of
from tpsgd_edge.reference.initial import initial_weights
from tpsgd_edge.reference.integer.detector import IntegerDetector
from tpsgd_edge.reference.integer.gated import IntegerGated
from tpsgd_edge.reference.layer import (
    PROBABILITY,
    DetectorLayer,
    GradientLayer,
    ReferenceLayer,
    WeightedLayer,
    from_quantized,
)
from tpsgd_edge.reference.rates import RATES
from tpsgd_edge.reference.replay import KeptSamples
from tpsgd_edge.reference.samples import checked_labels, checked_sample
from tpsgd_edge.reference.walk import Walk


class Reference:
    """The model as the device must behave, bit for bit.

    Attributes:
        changed: indices, among all layers, of those whose w or b the last `train_step` may have
            changed.
    """

    def __init__(self, model: QuantizedModel) -> None:
        self.model = model
        self.changed: tuple[int, ...] = ()
        layers = tuple(from_quantized(layer, model) for layer in model.layers)
        self._steps = Walk.of(model, layers)
        self._layers = layers
        self._behind = layers[len(model.walk) :]
        # The way of errors down from each layer whose own loss others learn from too.
        self._ways = {way[0]: way for way in model.ways_down}
        # Scores that are carried, of the latest forward pass, by the place of the layer.
        self._totals: dict[int, Array] = {}
        # Where the values that each layer reads stand among the sample and all outputs.
        self._reads = model.edges.places()
        # The dense layers of each layer; a layer with weights is one itself, or made of some.
        self._dense = {
            index: _dense_layers(layer)
            for index, layer in enumerate(layers)
            if model.layers[index].units or model.layers[index].kind == "detector"
        }
        for dense in chain.from_iterable(self._dense.values()):
            dense.set_state(*initial_weights(dense.layer))
        self._trained = {
            index: cast(WeightedLayer, layers[index])
            for index, dense in self._dense.items()
            if model.layers[index].trains
        }
        self._detectors = {
            index: cast(DetectorLayer, layers[index])
            for index, layer in enumerate(model.layers)
            if layer.kind == "detector"
        }
        self._rng = stream(model.seed, Purpose.TRAINING, 0)
        self._step = self._start = 0
        self._rate: int | np.float32 = RATES[model.value_type].one
        # draw(base_l, j) = mix(rng + PHI * (units of earlier layers + j + 1)): one run over all.
        self._total_units = model.total_units
        self._unit_words = weyl(0, self._total_units)
        real = model.value_type == "f32"
        self._kept = None if model.replay is None else KeptSamples(model, model.replay)
        self._gate = float(np.float32(model.gate)) if real and model.gate else model.gate

    def output(self, x: Array) -> Array:
        """The last layer's outputs, in the model's output type.

        Shape (n_out,); (T, n_out) where each step has a label, and so an answer.

        Raises:
            DataError: x has another shape or type than the model's input.
        """
        model = self.model
        steps = range(model.steps - model.answers, model.steps)
        walk = self._walk(checked_sample(model, x), steps)
        answers = [self._narrow(self._finished(values)[-1]) for _, values in walk]
        return np.stack(answers) if model.labels.each_step else answers[0]

    def each_output(self, x: Array) -> Array:
        """The last layer's outputs after each step of a sequence, (T, n_out); T is 1 without.

        Raises:
            DataError: x has another shape or type than the model's input.
        """
        walk = self._walk(checked_sample(self.model, x), range(self.model.steps))
        return np.stack([self._narrow(self._finished(values)[-1]) for _, values in walk])

    def confidence(self, x: Array) -> NDArray[Any]:
        """The probability of the class that the answer to x names (section 19), shape ().

        Of a sequence it is that of the answer at the last step: Q15 in u16, f32 models f32.
        """
        return self.confidence_of(np.atleast_2d(self.output(x))[-1])

    def confidence_of(self, outputs: Array) -> NDArray[Any]:
        """The probability of the class that some outputs (n_out,) name, shape ()."""
        real = self.model.value_type == "f32"
        values = outputs.astype(np.float32 if real else np.int64)
        p = self._probability(values, int(values.argmax()))
        return np.array(p, DTYPES["f32" if real else "u16"])

    def layer_outputs(self, x: Array) -> list[Array]:
        """Outputs (y_count,) of each layer for a sample, of a sequence at its last timestep.

        Raises:
            DataError: x has another shape or type than the model's input.
        """
        (_, values), *_ = self._walk(checked_sample(self.model, x), (self.model.steps - 1,))
        return self._finished(values)[1:]

    def train_step(self, x: Array, label: int | Array) -> Array:
        """One training step; of a sequence one after each of the model's `learning_steps`.

        Of a model that keeps samples, steps on kept ones go before it.

        Args:
            x: one sample, shape (n_in,), in the model's value type; the steps of a sequence
                follow each other.
            label: class index, or label vector of shape (K,) in s16 (f32 models: f32). Where each
                step has a label: classes of shape (T,), or vectors of shape (T, K).

        Returns:
            The outputs at the last step, as they were before what is learned there, (n_out,), in
            the model's output type.

        Raises:
            DataError: sample or label do not fit the model.
        """
        sample, labels = checked_sample(self.model, x), checked_labels(self.model, label)
        changed: set[int] = set()
        if self._kept is not None:
            changed |= self._learn_again(self._kept)
        output, own = self._learn_whole(sample, labels)
        if self._kept is not None:
            self._kept.keep(x, label, self._rng)
        self.changed = tuple(sorted(changed | own))
        return output

    def _learn_again(self, kept: KeptSamples) -> set[int]:
        """Training steps on kept samples; the layers that they may have changed."""
        changed: set[int] = set()
        assert self.model.replay is not None
        for _ in range(self.model.replay.again if kept.count else 0):
            x, label = kept.learned_again(self._rng)
            sample, labels = checked_sample(self.model, x), self._labels_of(label)
            changed |= self._learn_whole(sample, labels)[1]
        return changed

    def _labels_of(self, label: Array) -> list[int | Array]:
        """The labels of a kept sample, which lie in one row."""
        model = self.model
        shape = (-1, model.labels.count) if model.labels.each_step else (-1,)
        rows = label.reshape(shape) if model.labels.kind == "vector" else label
        return checked_labels(model, rows)

    def _learn_whole(self, sample: Array, labels: list[int | Array]) -> tuple[Array, set[int]]:
        """One training step on a sample; the outputs, and the layers that it may have changed."""
        model, steps = self.model, self.model.learning_steps
        if not model.labels.each_step:
            labels = labels * len(steps)
        changed: set[int] = set()
        walk = self._walk(sample, steps)
        for (step, values), own_label in zip(walk, labels, strict=True):
            all_learn = model.labels.each_step or step == steps[-1]
            if all_learn or self._gate is not None:
                values = self._finished(values)
            changed.update(self._learn(values, own_label, all_learn=all_learn))
        return self._narrow(values[-1]), changed

    def set_rate(self, rate: float) -> None:
        """Scale the learning rates of all layers from now on.

        Args:
            rate: a factor in Q15, 0 to 32,768; of f32 models a real number from 0 to 1.

        Raises:
            DataError: the rate lies outside of these bounds.
        """
        self._rate = RATES[self.model.value_type].checked(rate)

    def restart_schedule(self) -> None:
        """Begin the schedule of the learning rate again with the next step."""
        self._start = self._step

    def state(self) -> dict[str, Array]:
        """Copy all tensors of the state, in their shapes and the order of the model's digest."""
        tensors: dict[str, Array] = {}
        for index in self._trained:
            tensors |= {name: t.copy() for name, t in self.layer_tensors(index).items()}
        kept = {name: tensor.copy() for name, tensor in self.kept_samples().items()}
        return {**tensors, **kept, **self.counters()}

    def kept_samples(self) -> dict[str, Array]:
        """The tensors of kept samples, (size, ...), to be read until the next step; or none."""
        return {} if self._kept is None else self._kept.state()

    def counters(self) -> dict[str, Array]:
        """The tensors `rng`, `step`, `start` and `rate`, shape ()."""
        u32, rate = DTYPES["u32"], DTYPES[rate_type(self.model)]
        return {
            "rng": np.array(self._rng, u32),
            "step": np.array(self._step, u32),
            "start": np.array(self._start, u32),
            "rate": np.array(self._rate, rate),
        }

    def layer_tensors(self, index: int) -> dict[str, Array]:
        """Tensors of one layer, each in its shape, to read only and until the next step."""
        tensors: dict[str, Array] = {}
        for dense in self._dense[index]:
            name = dense.layer.name
            tensors |= {f"{name}.w": dense.weights(), f"{name}.b": dense.biases()}
            if dense.layer.has_learning_readout:
                tensors[f"{name}.p"] = dense.readout()
        if index in self._detectors:
            name, own = self.model.layers[index].name, self._detectors[index].own_tensors()
            tensors |= {f"{name}.{role}": tensor for role, tensor in own.items()}
        return tensors

    def load_state(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from `state`, as `state()` gave it.

        Raises:
            DataError: a tensor is missing, or has another shape or type.
        """
        for name, tensor in self.state().items():
            _check_tensor(name, tensor, state.get(name))
        for dense in chain.from_iterable(self._dense[index] for index in self._trained):
            name = dense.layer.name
            dense.set_state(state[f"{name}.w"], state[f"{name}.b"])
            if dense.layer.has_learning_readout:
                dense.set_readout(state[f"{name}.p"])
        for index, detector in self._detectors.items():
            name, roles = self.model.layers[index].name, detector.own_tensors()
            detector.set_own({role: state[f"{name}.{role}"] for role in roles})
        if self._kept is not None:
            self._kept.load(state)
        self._rng, self._step = int(state["rng"]), int(state["step"])
        self._start = int(state["start"])
        self.set_rate(state["rate"].item())

    def _walk(self, x: Array, steps: Container[int]) -> Iterator[tuple[int, list[Array]]]:
        """Some steps of a sequence, each with what the layers that walk make, x first.

        The next step sees what was learned at this one.
        """
        return self._steps.along(x.reshape(self.model.steps, -1), steps)

    def _finished(self, values: Sequence[Array]) -> list[Array]:
        """The sample and the outputs of the layers that walk, and those of all others."""
        values = _forward(self._behind, values, self._reads)
        if self.model.carrying:
            self._totals = totals_of(self.model, self._behind, values)
            values[-1] = answer_of(self.model, values[-1], self._totals)
        return values

    def _read(self, index: int, values: Sequence[Array]) -> Array:
        """Value that a layer with weights reads."""
        (place,) = self._reads[index]
        return values[place]

    def _learn(self, values: Sequence[Array], label: Any, *, all_learn: bool) -> list[int]:
        """One training step; the layers that it may have changed."""
        words = mix_array(np.uint32(self._rng) + self._unit_words)
        changed = self._learn_locally(values, label, words, all_learn=all_learn)
        self._rng = (self._rng + PHI * self._total_units) & U32_MASK
        self._step = min(self._step + 1, U32_MASK)
        return changed

    def _learn_locally(
        self, values: Sequence[Array], label: Any, words: Array, *, all_learn: bool
    ) -> list[int]:
        changed = []
        for index in self._learners(values[-1], label, all_learn=all_learn):
            if index in self._ways:
                changed += self._learn_block(self._ways[index], values, label, words)
                continue
            layer, own = self._trained[index], self._own_words(index, words)
            x, y = self._read(index, values), values[index + 1]
            given = {"total": self._totals[index]} if index in self._totals else {}
            if layer.learn(x, y, label, own, self._decay(), **given):
                changed.append(index)
        return changed

    def _learn_block(
        self, way: Sequence[int], values: Sequence[Array], label: Any, words: Array
    ) -> list[int]:
        """Layers that learn from the loss of the first one, from there down."""
        head, decay = cast(GradientLayer, self._trained[way[0]]), self._decay()
        own = self._own_words(way[0], words)
        e, readout_learned = head.meet_loss(values[way[0] + 1], label, own, decay)
        changed = [way[0]] if readout_learned else []
        for index, errors in backward_errors(self.model, self._layers, values, way, e):
            if index not in self._trained:
                continue
            layer, own = self._trained[index], self._own_words(index, words)
            x, y = self._read(index, values), values[index + 1]
            if cast(GradientLayer, layer).learn_from(errors, x, y, own, decay):
                changed.append(index)
        return changed

    def _decay(self) -> int | np.float32:
        """The factor of all learning rates at this step (section 8)."""
        age = (self._step - self._start) & U32_MASK
        arithmetic = RATES[self.model.value_type]
        decay: int | np.float32 = arithmetic.decay(self.model.schedule, age, self._rate)
        return decay

    def _own_words(self, index: int, words: Array) -> Array:
        """The random words of a layer's units."""
        first = min((d.layer.learning.unit_offset for d in self._dense[index]), default=0)
        count = sum(dense.layer.y_count for dense in self._dense[index])
        return words[first : first + count]

    def _learners(self, outputs: Array, label: Any, *, all_learn: bool) -> Sequence[int]:
        """The layers that learn here: all or those that walk, where the gate lets them."""
        trained, gate = tuple(self._trained), self._gate
        ends = len(self.model.layers) if all_learn else len(self.model.walk)
        passed = {index for way in self._ways.values() for index in way[1:]}
        wanting = [index for index in trained if index < ends and index not in passed]
        if gate is None or self._probability(outputs, label) < gate:
            return wanting
        return [index for index in wanting if index == len(self.model.layers) - 1]

    def _probability(self, outputs: Array, label: int) -> float:
        """Probability of a class by the outputs (K,) of the last layer (sections 6.3, 12)."""
        model = self.model
        return PROBABILITY[model.value_type](outputs, label, model.last.loss.logit_shift)

    def _narrow(self, outputs: Array) -> Array:
        # The activation has saturated them already.
        return outputs.astype(DTYPES[self.model.output_type])


def _dense_layers(layer: ReferenceLayer) -> tuple[WeightedLayer, ...]:
    if isinstance(layer, IntegerGated | Binary32Gated | IntegerDetector):
        return layer.parts
    return (cast(WeightedLayer, layer),)


def _forward(
    layers: Sequence[ReferenceLayer], values: Sequence[Array], reads: Sequence[tuple[int, ...]]
) -> list[Array]:
    """`values`, the sample and some outputs, and those of the layers that come next.

    Args:
        reads: where the inputs of each layer of the model stand among the values.
    """
    # A layer's weights do not change before its own forward pass, so all of these may come
    # before all updates, with an error gate or without.
    values = list(values)
    for layer in layers:
        values.append(layer.forward(*[values[place] for place in reads[len(values) - 1]]))
    return values


def _check_tensor(name: str, own: Array, given: NDArray[Any] | None) -> None:
    if given is None:
        raise DataError(f"the state lacks the tensor '{name}'")
    if given.shape != own.shape or given.dtype != own.dtype:
        raise DataError(
            f"the state's tensor '{name}' does not fit the model",
            found=f"shape {given.shape} of {given.dtype}, expected {own.shape} of {own.dtype}",
        )
