"""Reference and device side by side, step by step."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.arithmetic.types import Array
from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.memory.dump import State
from tpsgd_edge.quantize import QuantizedModel, quantize_inputs, quantize_labels
from tpsgd_edge.reference import Reference, answers, trace
from tpsgd_edge.reference.rates import rate_of
from tpsgd_edge.stages.conversions import prove_conversions
from tpsgd_edge.stages.preparation import Prepared, forward_macs
from tpsgd_edge.stages.signals import prove_features
from tpsgd_edge.stages.training import Progress
from tpsgd_edge.toolchain.build import Binary
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import (
    Emulator,
    EmulatorChoice,
    open_device,
    quickest_emulator,
)
from tpsgd_edge.trace import join
from tpsgd_edge.verdict import BAD_LABELS, Verdict, compare, compare_answers, selftest_mismatch

# Steps between two looks at the progress, and the most that a mismatch is noticed late. Fewer where
# these would keep an emulator for minutes, by the multiply-accumulates of their forward passes.
_CHUNK = 250
_CHUNK_MACS = 100_000_000
# Weights times steps that a whole training may have to be proved step by step unasked: about 20 s.
_AFFORDABLE = 100_000_000
_STEPS = 1000
# Steps behind these, with other rates.
_NEW_STEPS = 4
# Test samples that both answer after each chunk, by all functions, and how many different ones.
_QUESTIONS = 32
_QUESTIONS_MACS = 20_000_000
_DIFFERENT_QUESTIONS = 256


def default_steps(prepared: Prepared, *, whole_training: bool = False) -> int:
    """Number of steps to compare if the user gives none.

    1,000, or as many as the spec trains for; with `whole_training` all of these for a small model.
    """
    total = prepared.spec.rule.passes * len(prepared.dataset.x_train)
    weights = sum(layer.n_weights for layer in prepared.model.weighted)
    if whole_training and total * weights <= _AFFORDABLE:
        return total
    return min(_STEPS, total)


def emulator_of_proof(prepared: Prepared, steps: int) -> Emulator | None:
    """The emulator that compares so many steps soonest; None on this computer itself.

    Raises:
        ToolError: none is installed.
    """
    if prepared.platform.is_host:
        return None
    return quickest_emulator(prepared.platform, steps * forward_macs(prepared.model))


def prove_all(
    binaries: tuple[Binary, Binary],
    prepared: Prepared,
    steps: int,
    progress: Progress,
    *,
    emulator: EmulatorChoice = "auto",
    begin: State | None = None,
) -> Verdict:
    """Prove a binary that trains, then one that only predicts, with what the first has learned.

    Args:
        begin: the state to begin with; the first one where not given.
    """
    training, predicting = binaries
    interface = interface_of(prepared.model, prepared.features)
    with open_device(training, interface, emulator=emulator) as device:
        verdict = prove(device, prepared, steps, progress, begin)
        state = device.state()
    if verdict.verdict == "mismatch":
        return verdict
    with open_device(predicting, interface, emulator=emulator) as device:
        predictions = prove_predictions(device, prepared, state, steps)
    return predictions if predictions.verdict == "mismatch" else verdict


def prove(
    device: Device,
    prepared: Prepared,
    steps: int,
    progress: Progress,
    begin: State | None = None,
) -> Verdict:
    """Train both on the same samples and compare every tensor after every step.

    On the way, from their initial state or from `begin` on, both answer some test samples by each
    public function, and the device tests itself. After a mismatch in training both are run again up
    to that step, so that the verdict names the first value. A few steps more follow after
    NAME_set_rate and NAME_restart_schedule.
    """
    questions = _Questions.of(prepared)
    passes = device.selftest()
    verdict = _prove_training(device, prepared, steps, questions, progress, begin)
    progress("comparing", steps, steps)
    if verdict.verdict == "equal":
        verdict = prove_conversions(device, prepared, verdict)
    if verdict.verdict == "equal":
        verdict = prove_features(device, prepared, verdict)
    if verdict.verdict == "mismatch":
        return verdict
    return verdict if passes else selftest_mismatch(steps)


def prove_predictions(device: Device, prepared: Prepared, state: bytes, steps: int) -> Verdict:
    """Compare what firmware says that only predicts, in the initial state and after some steps.

    Args:
        state: the state struct after `steps` training steps.
    """
    model, questions = prepared.model, _Questions.of(prepared)
    reference = Reference(model)
    verdict = questions.ask(device, reference, 0, only_predicts=True)
    if verdict.verdict == "equal":
        reference.load_state(device.interface.layout.read(state))
        device.load_state(state)
        verdict = questions.ask(device, reference, steps, only_predicts=True)
    if verdict.verdict == "equal":
        verdict = prove_conversions(device, prepared, verdict, only_predicts=True)
    if verdict.verdict == "equal":
        verdict = prove_features(device, prepared, verdict, only_predicts=True)
    if verdict.verdict == "equal" and not device.selftest():
        return selftest_mismatch(steps, only_predicts=True)
    return verdict


@dataclass(frozen=True, slots=True)
class _Questions:
    """Test samples that both answer, in the model's formats: some at a time, in turn."""

    x: Array
    labels: Array
    count: int

    @classmethod
    def of(cls, prepared: Prepared) -> Self:
        """Take the questions from the test samples, or else from the training samples."""
        dataset, model = prepared.dataset, prepared.model
        has_tests = len(dataset.x_test) > 0
        x, y = (dataset.x_test, dataset.y_test) if has_tests else (dataset.x_train, dataset.y_train)
        labels = quantize_labels(model, y[:_DIFFERENT_QUESTIONS])
        count = max(2, min(_QUESTIONS, _QUESTIONS_MACS // forward_macs(model)))
        return cls(quantize_inputs(model, x[:_DIFFERENT_QUESTIONS]), labels, count)

    def after(self, steps: int) -> tuple[Array, Array]:
        """Samples and labels that are asked after some training steps."""
        which = (steps + np.arange(self.count)) % len(self.x)
        return self.x[which], self.labels[which]

    def ask(
        self, device: Device, reference: Reference, steps: int, *, only_predicts: bool = False
    ) -> Verdict:
        """Tell whether both say the same after some training steps."""
        x, labels = self.after(steps)
        expected, actual = answers(reference, x, labels), device.answers(x, labels)
        return compare_answers(expected, actual, steps, only_predicts=only_predicts)


def _begun(device: Device, model: QuantizedModel, begin: State | None) -> Reference:
    """The reference, in the same state as the device."""
    reference = Reference(model)
    device.init()
    if begin is not None:
        reference.load_state(begin)
        device.load_state(device.interface.layout.write(begin))
    return reference


def _prove_training(
    device: Device,
    prepared: Prepared,
    steps: int,
    questions: _Questions,
    progress: Progress,
    begin: State | None,
) -> Verdict:
    x, labels = _training_samples(prepared, steps)
    reference = _begun(device, prepared.model, begin)
    answered = questions.ask(device, reference, 0)
    expected, actual = [], []
    chunk = max(1, min(_CHUNK, _CHUNK_MACS // forward_macs(prepared.model)))
    for start in range(0, steps, chunk):
        progress("comparing", start, steps)
        part = slice(start, min(start + chunk, steps))
        expected.append(trace(prepared.model, x[part], labels[part], reference=reference))
        actual.append(device.trace(x[part], labels[part]))
        if not np.array_equal(expected[-1].digests, actual[-1].digests):
            break
        if answered.verdict == "equal":
            answered = questions.ask(device, reference, part.stop)
    verdict = compare(join(expected), join(actual))
    # A bad label that is taken changes the model: what differs afterwards is no fault of its own.
    if verdict.verdict == "equal" or answered.function == BAD_LABELS:
        if "mismatch" in (answered.verdict, verdict.verdict):
            return answered if answered.verdict == "mismatch" else verdict
        return _after_new_rates(device, reference, verdict, x[:_NEW_STEPS], labels[:_NEW_STEPS])
    return with_value(verdict, device, prepared.model, x, labels, begin)


def with_value(
    verdict: Verdict,
    device: Device,
    model: QuantizedModel,
    x: Array,
    labels: Array,
    begin: State | None = None,
) -> Verdict:
    """Add the first value that differs to a mismatch, by a second run up to that step.

    x (n, n_in) and labels are the samples of the first run, in the model's formats.

    A device that does it right this time was wrong all the same.
    """
    if verdict.value is not None:
        return verdict
    upto = slice(0, verdict.step)
    reference = _begun(device, model, begin)
    again = device.trace(x[upto], labels[upto])
    second = compare(trace(model, x[upto], labels[upto], reference=reference), again)
    return verdict if second.verdict == "equal" else second


def _after_new_rates(
    device: Device, reference: Reference, so_far: Verdict, x: Array, labels: Array
) -> Verdict:
    """The verdict with some steps more, at half the rates and with the schedule begun again.

    One step is compared at a time: a difference names its first value at once.
    """
    half = rate_of(reference.model, 0.5)
    for side in (reference, device):
        side.set_rate(half)
        side.restart_schedule()
    for step in range(len(x)):
        part = slice(step, step + 1)
        verdict = compare(
            trace(reference.model, x[part], labels[part], reference=reference),
            device.trace(x[part], labels[part]),
        )
        if verdict.verdict == "mismatch":
            done = so_far.steps + step
            return replace(verdict, steps=done + 1, step=done + 1)
    return so_far


def _training_samples(prepared: Prepared, steps: int) -> tuple[Array, Array]:
    """The samples of the first `steps` training steps, epoch after epoch."""
    dataset, model = prepared.dataset, prepared.model
    order = _training_order(prepared.spec.seed, len(dataset.x_train), steps)
    # Quantize each sample once, whatever the number of epochs.
    used, place = np.unique(order, return_inverse=True)
    x = quantize_inputs(model, dataset.x_train[used])
    labels = quantize_labels(model, dataset.y_train[used])
    return x[place], labels[place]


def _training_order(seed: int, count: int, steps: int) -> NDArray[np.intp]:
    epochs = range(-(-steps // count))
    return np.concatenate([epoch_order(seed, epoch, count) for epoch in epochs])[:steps]
