"""Logits of any size: the last layer's unit follows from the data (section 6.3 of ARITHMETIC)."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.resolved import resolved
from tpsgd_edge.frontend.network import build_graph
from tpsgd_edge.graph import Weights
from tpsgd_edge.quantize import quantize, quantize_inputs
from tpsgd_edge.quantize.last_layer import clipped_share, logit_scale
from tpsgd_edge.reference import Reference
from tpsgd_edge.spec import spec_from_dict

CLASSES = 5
LARGEST = 2**15 * logit_scale(0)


def made(size, *, was_trained=True, loss=None, classes=CLASSES):
    """Samples, a net whose largest logit is `size`, and its quantized model."""
    rng = np.random.default_rng(int(size))
    layers = [{"name": "a", "units": 9}, {"name": "b", "units": classes, "activation": "linear"}]
    rule = {"learning_rate": 1e-3} | ({} if loss is None else {"output_loss": loss})
    data = {"file": "x.npz", "scaling": "none"}
    spec = spec_from_dict({"name": "net", "model": {"layers": layers}, "data": data, "rule": rule})
    x = rng.normal(size=(200, 6)).astype(np.float32)
    w, v = rng.normal(size=(9, 6)), rng.normal(size=(classes, 9))
    hidden = np.tanh(x @ w.T)
    v *= size / np.abs(hidden @ v.T).max()
    logits = hidden @ v.T
    spec, dataset = resolved(spec, x, np.arange(200) % classes)
    graph = build_graph(spec, dataset)
    if was_trained:
        zeros = np.zeros
        weights = {"a": Weights(w, zeros(9)), "b": Weights(v, zeros(classes))}
        graph = replace(graph, weights=weights)
    return x, logits, quantize(spec, graph, dataset)


@pytest.mark.parametrize(
    ("size", "shift"), [(1, 0), (59, 0), (60, 1), (100, 1), (1000, 5), (5000, 7), (2e4, 9)]
)
def test_a_trained_net_keeps_its_answers_whatever_its_logits_are(size, shift):
    x, logits, model = made(size)
    assert model.last.loss.logit_shift == shift
    assert model.last.y_scale == logit_scale(shift)
    reference = Reference(model)
    outputs = np.array([reference.output(row) for row in quantize_inputs(model, x)])
    assert clipped_share(model, outputs) == 0
    difference = outputs * model.last.y_scale - logits
    assert np.sqrt(np.mean(difference**2)) < 0.03 * np.sqrt(np.mean(logits**2))
    # Classes are the same where they are not even within that.
    two = np.sort(logits, axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] > 0.1 * size
    assert clear.sum() > 50
    assert (outputs.argmax(axis=1) == logits.argmax(axis=1))[clear].all()


@pytest.mark.parametrize("size", [10, 200, 3000])
def test_probabilities_are_those_of_the_logits(size):
    x, _, model = made(size)
    reference = Reference(model)
    for row in quantize_inputs(model, x)[:40]:
        y = reference.output(row) * model.last.y_scale
        p = np.exp(y - y.max()) / np.exp(y - y.max()).sum()
        assert reference.confidence(row) / 2**15 == pytest.approx(p.max(), abs=0.01)


def test_logits_that_fit_keep_their_unit():
    for size, was_trained in ((LARGEST / 1.5 - 1, True), (1.0, False)):
        assert made(size, was_trained=was_trained)[2].last.loss.logit_shift == 0


def test_outputs_that_are_compared_with_labels_have_room_for_what_a_trained_net_says():
    _, logits, model = made(700, loss="l2")
    assert model.last.y_scale * 2**15 == 1024 >= np.abs(logits).max()
    assert made(1, loss="l2")[2].last.y_scale * 2**15 == 2


def test_what_stands_at_an_end_is_counted():
    model = made(10)[2]
    outputs = np.zeros((10, CLASSES), np.int16)
    assert clipped_share(model, outputs) == 0
    outputs[3, 2], outputs[4, 0] = 32767, -32768
    assert clipped_share(model, outputs) == pytest.approx(0.2)
