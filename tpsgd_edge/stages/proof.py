"""Reference and device side by side, step by step."""

import numpy as np
from numpy.typing import NDArray

from tpsgd_edge.frontend.split import epoch_order
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.reference import Reference, trace
from tpsgd_edge.stages.firmware import forward_macs
from tpsgd_edge.stages.prepare import Prepared
from tpsgd_edge.stages.training import Array, Progress
from tpsgd_edge.toolchain.device import Device
from tpsgd_edge.trace import join
from tpsgd_edge.verify import Verdict, compare

# Steps between two looks at the progress, and the most that a mismatch is noticed late. Fewer where
# these would keep an emulator for minutes, by the multiply-accumulates of their forward passes.
_CHUNK = 250
_CHUNK_MACS = 100_000_000
# Weights times steps that a whole training may have to be proved step by step unasked: about 20 s.
_AFFORDABLE = 100_000_000
_STEPS = 1000


def default_steps(prepared: Prepared, *, whole_training: bool = False) -> int:
    """How many steps to compare where the user does not say.

    1,000, or as many as the spec trains for; with `whole_training` all of these for a small model.
    """
    total = prepared.spec.rule.passes * len(prepared.dataset.x_train)
    weights = sum(layer.n_weights for layer in prepared.model.weighted)
    if whole_training and total * weights <= _AFFORDABLE:
        return total
    return min(_STEPS, total)


def prove(device: Device, prepared: Prepared, steps: int, progress: Progress) -> Verdict:
    """Train both on the same samples and compare every tensor after every step.

    After a mismatch both are run again up to that step, so that the verdict names the first value.
    """
    x, labels = _training_samples(prepared, steps)
    reference = Reference(prepared.model)
    device.init()
    expected, actual = [], []
    chunk = max(1, min(_CHUNK, _CHUNK_MACS // forward_macs(prepared.model)))
    for start in range(0, steps, chunk):
        progress("comparing", start, steps)
        part = slice(start, min(start + chunk, steps))
        expected.append(trace(prepared.model, x[part], labels[part], reference=reference))
        actual.append(device.trace(x[part], labels[part]))
        if not np.array_equal(expected[-1].digests, actual[-1].digests):
            break
    progress("comparing", steps, steps)
    verdict = compare(join(expected), join(actual))
    if verdict.step is None or verdict.value is not None:
        return verdict
    upto = slice(0, verdict.step)
    device.init()
    again = device.trace(x[upto], labels[upto])
    return compare(trace(prepared.model, x[upto], labels[upto]), again)


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
