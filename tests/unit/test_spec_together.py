"""Specs whose sections ask for what does not go together, and the words that they end in."""

from typing import Any

import pytest

from tests.support.wrong_specs import changed, error_of
from tpsgd_edge.errors import SpecError
from tpsgd_edge.spec import check_labels_kind, spec_from_dict


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            [("rule.output_loss", "projected_l2")],
            "the last layer 'fc2' cannot have the loss 'projected_l2'\n"
            "  where: digits.toml, [rule], output_loss, for layer 'fc2'",
        ),
        (
            [("model.layers.1.loss", "projected_l2")],
            "the last layer 'fc2' cannot have the loss 'projected_l2'\n"
            "  where: digits.toml, [model], layer 'fc2'",
        ),
        (
            [("rule.loss", "softmax_cross_entropy")],
            "the hidden layer 'fc1' cannot have the loss 'softmax_cross_entropy'\n"
            "  where: digits.toml, [rule], loss, for layer 'fc1'",
        ),
        (
            [("rule.output_loss", "softmax_cross_entropy"), ("model.layers.1.activation", "tanh")],
            "the loss 'softmax_cross_entropy' of layer 'fc2' needs the activation 'linear'",
        ),
        (
            [("data.task", "classification"), ("model.layers.1.activation", "relu")],
            'found: activation = "relu"',
        ),
        (
            [("rule.loss", "cross_entropy")],
            "the loss 'cross_entropy' of layer 'fc1' needs the activation 'sigmoid'",
        ),
        (
            [("data.task", "regression"), ("rule.output_loss", "softmax_cross_entropy")],
            "the loss 'softmax_cross_entropy' of layer 'fc2' needs classes",
        ),
        (
            [("data.task", "regression"), ("rule.loss", "projected_cross_entropy")],
            'help:  use "projected_l2" for real values',
        ),
        (
            [("rule.error_gate", 0.7), ("rule.output_loss", "l2")],
            "an error gate needs the output loss 'softmax_cross_entropy'",
        ),
        (
            [("rule.error_gate", 0.7), ("data.task", "regression")],
            "found: the last layer has the loss 'l2'",
        ),
        (
            [("model.layers.0.weights", "f32")],
            "f32 and integer layers cannot be mixed\n"
            "  where: digits.toml, [model] and [numbers]\n"
            "  found: fc1 f32, fc2 s16",
        ),
        (
            [("rule.loss", {"kind": "custom"})],
            "a custom loss needs an expression",
        ),
        (
            [("rule.loss", {"kind": "l2", "expression": "r"})],
            "'expression' goes with the loss 'custom', not with 'l2'",
        ),
        (
            [("rule.loss", {"kind": "l2", "delta": 0.5})],
            "'delta' goes with the loss 'huber' or 'epsilon_insensitive', not with 'l2'",
        ),
        (
            [("projection", {"kind": "gaussian", "storage": "packed"})],
            '2 bits hold sign and ternary entries; use storage = "s8" or "seed"',
        ),
        (
            [("data.test_labels_file", "y.gz")],
            "test_labels_file goes with a test_file",
        ),
        (
            [("data.file", "fashion-mnist"), ("data.test_file", "t.npz")],
            'file = "fashion-mnist" brings its own labels and test set',
        ),
        (
            [("model.weights_file", "w.npz"), ("model.pretrain", {})],
            "weights come from one place only, not from weights_file and pretrain",
        ),
    ],
)
def test_what_does_not_go_together(changes: list[tuple[str, Any]], words: str) -> None:
    assert words in error_of(*changes)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            {"kind": "conv2", "name": "conv1", "filters": 3},
            "unknown value of 'kind'\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            '  found: kind = "conv2"\n'
            "  help:  did you mean 'conv2d'? allowed: dense, adaptor, conv2d, conv1d, rnn, gru, "
            "lstm, memory, detector, max_pool, avg_pool, global_avg_pool, norm, add, "
            "concat, attention, flatten",
        ),
        (
            {"kind": 3, "name": "conv1"},
            "unknown value of 'kind'\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            '  found: kind = "3"\n'
            "  help:  allowed: dense, adaptor, conv2d, conv1d, rnn, gru, lstm, memory, "
            "detector, max_pool, "
            "avg_pool, global_avg_pool, norm, add, concat, attention, flatten",
        ),
        (
            {"kind": "conv2d", "name": "conv1"},
            "'filters' is missing\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  help:  add filters = 32",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "kernal": 3},
            "unknown key 'kernal'\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  help:  did you mean 'kernel'?",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 0},
            "'filters' is out of range\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  found: filters = 0\n"
            "  help:  allowed: at least 1, at most 65,535",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "padding": "sane"},
            '\'padding\' is "valid", "same" or numbers of zeros: '
            "1, [1, 2] for rows and columns, or [above, left, below, right]\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            '  found: padding = "sane"',
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "kernel": [3, 0]},
            "'kernel' looks like 3, or [3, 5] for rows and columns; 1 to 65,535\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  found: kernel = a list of 2",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "stride": True},
            "'stride' looks like 3, or [3, 5] for rows and columns; 1 to 65,535\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  found: stride = true",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "groups": "deepwise"},
            "'groups' is a number from 1 to 65,535, or \"depthwise\"\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            '  found: groups = "deepwise"',
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "target_pool": 0},
            "'target_pool' is a number from 1 to 65,535, or \"position\"\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  found: target_pool = 0",
        ),
        (
            {"kind": "conv1d", "name": "conv1", "filters": 3, "kernel": [3, 3]},
            "'kernel' must be a whole number\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            "  found: kernel = a list of 2",
        ),
        (
            {"kind": "max_pool", "size": "2"},
            "'size' looks like 3, or [3, 5] for rows and columns; 1 to 65,535\n"
            "  where: digits.toml, [model], layers[0]\n"
            '  found: size = "2"',
        ),
        (
            {"kind": "flatten", "units": 3},
            "unknown key 'units'\n"
            "  where: digits.toml, [model], layers[0]\n"
            "  help:  known: from, name, kind",
        ),
        (
            {"kind": "max_pool", "name": "fc2"},
            "layer names must differ; used twice: fc2\n  where: digits.toml",
        ),
        (
            {"kind": "max_pool", "name": "Pool"},
            "'Pool' is not a lower-case C name: a letter, then up to 30 letters, digits or "
            "underscores, such as 'pool'\n  where: digits.toml, [model], layer 'Pool'",
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "weights": "f32"},
            "f32 and integer layers cannot be mixed\n"
            "  where: digits.toml, [model] and [numbers]\n"
            "  found: conv1 f32, fc2 s16\n"
            '  help:  set numbers.weights = "f32" for the whole model, or "s16" or "s8" here',
        ),
        (
            {"kind": "conv2d", "name": "conv1", "filters": 3, "loss": "softmax_cross_entropy"},
            "the hidden layer 'conv1' cannot have the loss 'softmax_cross_entropy'\n"
            "  where: digits.toml, [model], layer 'conv1'\n"
            '  help:  use loss = "projected_cross_entropy", its kin for hidden layers',
        ),
    ],
)
def test_layers_on_maps(layer: dict[str, Any], message: str) -> None:
    assert error_of(("model.layers.0", layer)) == message


@pytest.mark.parametrize("kind", ["max_pool", "global_avg_pool", "flatten"])
def test_the_last_layer_must_be_dense(kind: str) -> None:
    assert error_of(("model.layers.1", {"kind": kind})) == (
        "the last layer must be dense: it gives one output for each class or label value\n"
        "  where: digits.toml, [model], layers[1]\n"
        f'  found: kind = "{kind}"\n'
        '  help:  end the layers with { name = "out", units = 10 }'
    )


@pytest.mark.parametrize("shape", [3, [28, 28], [28, 28, 0], [1.0, 2, 3], "28", [True, 1, 1]])
def test_input_shapes(shape: object) -> None:
    message = error_of(("data.input_shape", shape))
    assert "'input_shape' looks like [28, 28, 1]: height, width, channels" in message


def test_losses_are_judged_again_when_the_data_tell_the_labels() -> None:
    spec = spec_from_dict(changed(("model.layers.1.activation", "tanh")))
    check_labels_kind(spec, "vector")
    with pytest.raises(SpecError, match="needs the activation 'linear'"):
        check_labels_kind(spec, "class")


def test_long_and_odd_values_are_shown_short() -> None:
    assert "a number of" in error_of(("seed", 10**400))
    assert "..." in error_of(("numbers.weights", "x" * 1000))
    assert len(error_of(("platform.ram", ["x"] * 1000))) < 500
