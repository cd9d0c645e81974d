"""Layers on maps: their shapes, their counts, and what is impossible."""

from typing import Any

import numpy as np
import pytest

from tpsgd_edge.errors import DataError, SpecError, TpsgdError
from tpsgd_edge.graph import (
    Dense,
    Graph,
    Labels,
    Pool,
    Weights,
    conv2d,
    pool,
    seen_through,
    window_bounds,
)

CLASSES = Labels("class", 10)


@pytest.mark.parametrize(
    ("settings", "y_shape", "padding"),
    [
        ({}, (26, 24, 8), (0, 0)),
        ({"kernel": (5, 3)}, (24, 24, 8), (0, 0)),
        ({"kernel": (28, 26)}, (1, 1, 8), (0, 0)),
        ({"stride": (2, 3)}, (13, 8, 8), (0, 0)),
        ({"padding": "same"}, (28, 26, 8), (1, 1)),
        ({"padding": "same", "kernel": (4, 5)}, (28, 26, 8), (1, 2)),
        ({"padding": "same", "stride": (2, 3)}, (14, 9, 8), (0, 0)),
        ({"padding": "same", "kernel": (1, 1), "stride": (3, 30)}, (10, 1, 8), (0, 0)),
        ({"padding": (1, 0, 2, 0)}, (29, 24, 8), (1, 0)),
        ({"padding": (1, 2, 1, 1), "stride": (2, 2)}, (14, 14, 8), (1, 2)),
    ],
)
def test_output_maps(settings, y_shape, padding):
    layer = conv2d("conv1", (28, 26, 4), filters=8, **settings)
    assert (layer.y_shape, layer.padding) == (y_shape, padding)


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("length", [3, 4, 9])
def test_same_padding_leaves_no_input_unread_that_a_window_could_reach(kernel, stride, length):
    layer = conv2d(
        "c", (length, 3, 1), filters=1, kernel=(kernel, 1), stride=(stride, 1), padding="same"
    )
    rows, top = layer.y_shape[0], layer.padding[0]
    below = (rows - 1) * stride - top + kernel - length
    assert rows == -(-length // stride)
    if kernel >= stride:
        assert 0 <= below - top <= 1 or (top, below) == (0, 0)


def test_padding_is_smaller_than_the_kernel():
    message = error_of(lambda: conv2d("conv1", (8, 8, 1), filters=2, padding=(0, 3, 0, 0)))
    assert "the padding of layer 'conv1' is not smaller than its kernel" in message
    assert "padding = [0, 3, 0, 0] for a kernel of 3 x 3" in message


def test_counts_of_every_kind():
    layer = conv2d("conv1", (28, 28, 4), filters=8, kernel=(5, 3), groups=2, target_pool=3)
    assert (layer.kind, layer.fan_in, layer.n_in, layer.n_out) == ("conv2d", 30, 30, 8)
    assert (layer.x_count, layer.y_count, layer.n_target) == (3136, 24 * 26 * 8, 72)
    pooled = pool("pool1", "average", layer.y_shape, (2, 2), (2, 3))
    assert (pooled.kind, pooled.y_shape) == ("average_pool", (12, 9, 8))
    assert (pooled.x_count, pooled.y_count) == (layer.y_count, 12 * 9 * 8)
    dense = Dense("fc", 7, 3, "tanh")
    assert (dense.kind, dense.x_count, dense.y_count, dense.n_target) == ("dense", 7, 3, 3)


def test_depthwise_filters_see_one_channel_each():
    layer = conv2d("conv1", (8, 8, 6), filters=12, groups="depthwise")
    assert (layer.groups, layer.n_in) == (6, 9)


@pytest.mark.parametrize(
    ("target_pool", "windows"),
    [(1, (1, 1)), (2, (2, 2)), (3, (3, 3)), (5, (3, 5)), (99, (3, 6)), ("position", (3, 6))],
)
def test_windows_never_outnumber_the_rows(target_pool, windows):
    layer = conv2d("conv1", (5, 8, 1), filters=2, target_pool=target_pool)
    assert layer.y_shape[:2] == (3, 6)
    assert layer.windows == windows


def test_a_loss_sees_the_map_behind_a_max_pool_without_overlaps():
    layer = conv2d("conv1", (9, 10, 1), filters=2, target_pool=3)
    behind = pool("pool1", "max", layer.y_shape, (2, 2), (3, 2))
    seen = seen_through(layer, behind, 3)
    assert (seen.seen_shape, seen.windows, seen.n_target) == ((2, 4, 2), (2, 3), 12)
    assert seen.target_area == 2 * 4 * 2 / 12
    assert seen_through(layer, behind, "position").windows == (2, 4)
    for other in (
        pool("pool1", "max", layer.y_shape, (3, 2), (2, 2)),
        pool("pool1", "average", layer.y_shape, (2, 2), (2, 2)),
        Dense("fc", layer.y_count, 10, "linear"),
    ):
        assert seen_through(layer, other, 3) is layer


@pytest.mark.parametrize(("length", "windows"), [(7, 3), (24, 5), (3, 3), (9, 1)])
def test_windows_cover_a_map_without_gaps(length, windows):
    bounds = window_bounds(length, windows)
    sizes = np.diff(bounds)
    assert (bounds[0], bounds[-1], len(sizes)) == (0, length, windows)
    assert sizes.min() >= length // windows
    assert sizes.max() <= -(-length // windows)


def error_of(make: Any, kind: type[TpsgdError] = SpecError) -> str:
    with pytest.raises(kind) as error:
        make()
    return str(error.value)


def test_a_kernel_larger_than_its_input():
    message = error_of(lambda: conv2d("conv1", (4, 28, 1), filters=2, kernel=(5, 5)))
    assert message == (
        "the kernel of layer 'conv1' is larger than its input\n"
        "  where: [model], layer 'conv1'\n"
        "  found: a kernel of 5 x 5 on a map of 4 x 28 x 1\n"
        '  help:  choose a smaller kernel, or padding = "same"'
    )
    sequence = error_of(lambda: conv2d("conv1", (1, 28, 1), filters=2))
    assert 'use kind = "conv1d"' in sequence
    vector = error_of(lambda: conv2d("conv1", (1, 1, 28), filters=2))
    assert "for samples that are images set data.input_shape" in vector
    padded = error_of(lambda: conv2d("conv1", (4, 4, 1), filters=2, kernel=(8, 3), padding="same"))
    assert "larger than its input" in padded
    assert padded.endswith("help:  choose a smaller kernel")


def test_groups_that_do_not_divide():
    message = error_of(lambda: conv2d("conv1", (8, 8, 4), filters=6, groups=3))
    assert "the groups of layer 'conv1' do not divide its input channels" in message
    assert "found: 3 groups, 4 input channels" in message
    message = error_of(lambda: conv2d("conv1", (8, 8, 4), filters=6, groups="depthwise"))
    assert "do not divide its filters" in message


def test_pooling_larger_than_the_map():
    message = error_of(lambda: pool("pool1", "max", (3, 8, 4), (4, 2), (1, 1)))
    assert "the windows of layer 'pool1' are larger than its input" in message
    assert "a size of 4 x 2 on a map of 3 x 8 x 4" in message


def test_the_last_layer_is_dense():
    layer = conv2d("conv1", (3, 3, 1), filters=10)
    message = error_of(lambda: Graph("net", (layer,), CLASSES, {}))
    assert "the last layer 'conv1' is not dense" in message


def test_layers_that_do_not_fit_each_other():
    first = conv2d("conv1", (8, 8, 1), filters=2)
    wrong = pool("pool1", "max", (3, 12, 2), (2, 2), (2, 2))
    last = Dense("fc", wrong.y_count, 10, "linear")
    message = error_of(lambda: Graph("net", (first, wrong, last), CLASSES, {}))
    assert "layer 'pool1' reads another map than layer 'conv1' makes" in message
    message = error_of(lambda: Graph("net", (first, last), CLASSES, {}))
    assert "found: 72 outputs meet 12 inputs" in message
    flat = conv2d("conv2", (1, 1, 72), filters=3, kernel=(1, 1))
    Graph("net", (first, flat, Dense("fc", 3, 10, "linear")), CLASSES, {})


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: Dense("fc1", 60_000, 10_000, "tanh"), "too many weights"),
        (lambda: conv2d("fc1", (6000, 6000, 1), filters=9), "too many outputs"),
        (lambda: Pool("fc1", "max", (9000, 9000, 1), (1, 1, 1), (9, 9), (1, 1)), "too many inputs"),
    ],
)
def test_sizes_that_no_microcontroller_has(layer, words):
    made = layer()
    last = Dense("fc", made.y_count, 10, "linear")
    message = error_of(lambda: Graph("net", (made, last), CLASSES, {}))
    assert f"layer 'fc1' has {words}" in message
    assert "67,108,864 are allowed" in message


def test_filters_are_rows():
    layer = conv2d("conv1", (8, 8, 2), filters=4)
    last = Dense("fc", layer.y_count, 10, "linear")
    good = Weights(np.zeros((4, 18)), np.zeros(4))
    graph = Graph("net", (layer, last), CLASSES, {"conv1": good})
    assert graph.weighted == (layer, last)
    assert graph.n_inputs == 128
    bad = Weights(np.zeros((4, 9)), np.zeros(4))
    message = error_of(lambda: Graph("net", (layer, last), CLASSES, {"conv1": bad}), DataError)
    assert "found: shape (4, 9), expected (4, 18)" in message
