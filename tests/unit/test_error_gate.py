"""When hidden layers learn only from samples that the net is not sure of."""

from pathlib import Path
from typing import Any

import pytest

from tpsgd_edge.spec import error_gate, load_spec
from tpsgd_edge.stages import prepare

EXAMPLES = Path(__file__).parents[2] / "examples"


def gate(example: str, *changes: str, kind: Any = "class") -> float | None:
    return error_gate(load_spec(EXAMPLES / f"{example}.toml", changes), kind)


def test_dense_classifiers_have_one() -> None:
    assert gate("digits") == 0.9
    assert gate("digits", 'projection.kind="gaussian"', "rule.loss=l2") == 0.9


@pytest.mark.parametrize("example", ["fashion_cnn", "har_conv1d", "fashion_rows_rnn"])
def test_maps_and_sequences_have_none(example: str) -> None:
    assert gate(example) is None


@pytest.mark.parametrize(
    "change",
    [
        "rule=backprop",
        "rule.output_loss=l2",
        'model.layers=[{name="a",units=8,train=false},{name="out",units=10}]',
        'model.pretrain={method="backprop"}',
        "rule.error_gate=none",
        "numbers.weights=f32",
    ],
)
def test_what_has_none(change: str) -> None:
    assert gate("digits", change) is None


def test_label_vectors_have_none() -> None:
    assert gate("diabetes", kind="vector") is None


def test_what_is_asked_for_counts() -> None:
    assert gate("digits", "rule.error_gate=0.5") == 0.5
    assert gate("fashion_cnn", "rule.error_gate=0.5") == 0.5


def test_it_reaches_the_device() -> None:
    model = prepare(load_spec(EXAMPLES / "digits.toml")).model
    assert model.gate == round(0.9 * 2**15)
    assert prepare(load_spec(EXAMPLES / "digits.toml", ["rule.error_gate=none"])).model.gate is None
