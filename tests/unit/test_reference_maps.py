"""Convolution and pooling in the reference: scalar loops, numbers worked out by hand."""

import dataclasses
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.map_models import chain, conv, pool, small
from tests.support.maps import MapShape, conv_plan
from tests.support.models import ACTIVATIONS, VALUE_TYPES, loss_choices, random_model
from tests.support.parts import altered
from tests.support.same_training import assert_same_training, samples
from tests.support.scalar import PHI, stream
from tpsgd_edge.memory.state import digest_order
from tpsgd_edge.quantize.model import (
    QuantizedConv2d,
    QuantizedModel,
    QuantizedPool,
    Requantize,
    StoredInit,
)
from tpsgd_edge.reference import Reference, trace
from tpsgd_edge.reference.binary32 import conv2d as binary32_conv2d
from tpsgd_edge.reference.integer import conv2d as integer_conv2d
from tpsgd_edge.reference.integer.walk import clipped_walks
from tpsgd_edge.reference.layer import UNTRAINED, WEIGHTED, from_quantized
from tpsgd_edge.reference.maps import TargetMap, patch_index, target_areas, target_of_seen

# ------------------------------------------------------------------ against scalar loops


CASES = [
    (value_type, label_kind, activation, loss)
    for value_type, label_kind, activation in product(VALUE_TYPES, ("class", "vector"), ACTIVATIONS)
    for loss in loss_choices(label_kind, activation, is_last=False)
]


@pytest.mark.series(30)
@pytest.mark.parametrize(("value_type", "label_kind", "activation", "loss"), CASES)
def test_convolutions_train_as_scalar_loops_do(value_type, label_kind, activation, loss):
    last = "softmax_cross_entropy" if label_kind == "class" else "l2"
    model = small(
        chain(conv(3, windows=(2, 2)), pool("max"), conv(2, (2, 1))),
        value_type=value_type,
        label_kind=label_kind,
        hidden=[],
        activations=[activation, activation, "linear"],
        losses=[loss, loss, last],
        weight_types=["s8", "s16", "s16"],
        lively=True,
    )
    assert_same_training(model, steps=4)


SHAPES = {
    "one filter at one place": chain(conv(1, (6, 5))),
    "one weight, many places": chain(conv(1, (1, 1), windows=(3, 3)), x_shape=(9, 7, 1)),
    "padding": chain(conv(2, before=(1, 1), after=(1, 1), windows=(6, 5))),
    "padding on one side": chain(conv(2, (3, 2), before=(2, 0), after=(0, 1), windows=(3, 2))),
    "more padding than map": chain(conv(2, before=(2, 1), after=(2, 1)), x_shape=(1, 1, 2)),
    "strides": chain(conv(3, stride=(2, 1), windows=(2, 3)), conv(2, (1, 2), stride=(1, 2))),
    "groups": chain(conv(6, groups=2, windows=(3, 1)), x_shape=(5, 4, 4)),
    "depthwise, then pointwise": chain(
        conv(4, groups=4, before=(1, 1), after=(1, 1)), conv(3, (1, 1)), x_shape=(5, 4, 4)
    ),
    "depthwise, two filters a channel": chain(conv(6, (2, 2), groups=3), x_shape=(4, 4, 3)),
    "one row": chain(
        conv(3, (1, 3), before=(0, 1), after=(0, 1)), pool("average", (1, 2)), x_shape=(1, 9, 2)
    ),
    "windows of unlike size": chain(conv(2, (1, 1), windows=(4, 3))),
    "targets behind a pool": chain(
        conv(3, windows=(2, 1), pool_kernel=(2, 2)), pool("max"), conv(2, (1, 1), windows=(2, 1))
    ),
    "targets behind a pool that leaves units out": chain(
        conv(2, (1, 1), windows=(2, 2), pool_kernel=(1, 2), pool_stride=(3, 2))
    ),
    "overlapping pools": chain(pool("max", (3, 2), (1, 1)), pool("average", (2, 3), (1, 1))),
    "pools that leave rows out": chain(pool("average", (1, 2), (3, 2)), conv(2, (1, 1))),
    "global average": chain(conv(4, (2, 2)), pool("average", (5, 4))),
}


@pytest.mark.parametrize("value_type", VALUE_TYPES)
@pytest.mark.parametrize("plans", SHAPES.values(), ids=SHAPES)
def test_all_shapes_train_as_scalar_loops_do(plans, value_type):
    for seed in range(3):
        model = small(plans, seed, value_type=value_type, max_width=5, lively=True)
        assert_same_training(model, steps=4, seed=seed)


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_random_models_train_as_scalar_loops_do(seed):
    model = random_model(np.random.default_rng(seed), maps=True, max_width=6)
    assert_same_training(model, steps=4, seed=seed)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(VALUE_TYPES))
def test_gated_models_train_as_scalar_loops_do(seed, value_type):
    model = small(
        chain(conv(2, windows=(2, 1)), pool("max")),
        seed,
        value_type=value_type,
        label_kind="class",
        hidden=[],
        activations=["tanh", "linear"],
        losses=["l2", "softmax_cross_entropy"],
        gate=True,
        lively=True,
    )
    assert_same_training(model, steps=6, seed=seed)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_updates_do_not_depend_on_the_size_of_the_pieces(value_type, monkeypatch):
    model = small(chain(conv(3), conv(4, (2, 2))), value_type=value_type, lively=True)
    for size in (1, 50, 200):
        monkeypatch.setattr(integer_conv2d, "_PIECE", size)
        monkeypatch.setattr(binary32_conv2d, "_PIECE", size)
        assert_same_training(model, steps=3)


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_a_dense_layer_is_a_convolution_of_a_map_of_one_value_a_channel(value_type):
    dense = random_model(
        np.random.default_rng(8), value_type=value_type, n_in=7, hidden=[6], lively=True
    )
    geometry = conv_plan((1, 1, 7), 6, (1, 1))
    layer = dataclasses.replace(dense.layers[0], shape=geometry)
    on_map = dataclasses.replace(dense, layers=(layer, dense.layers[1]))
    x, labels = samples(dense, 6)
    assert np.array_equal(trace(dense, x, labels).digests, trace(on_map, x, labels).digests)


# ------------------------------------------------------------------ clipped sums


@given(st.integers(0, 2**32 - 1))
def test_clipped_walks_agree_with_scalar_loops(seed):
    rng = np.random.default_rng(seed)
    rows, n = rng.integers(1, 6, 2)
    counts = rng.integers(1, 12, rows)
    low, high = -8, 7
    start = rng.integers(low, high + 1, (rows, n))
    reach = rng.integers(1, 30)
    changes = rng.integers(-reach, reach + 1, (counts.sum(), n))
    first = np.cumsum(counts) - counts
    end = clipped_walks(start, changes, first, low, high)
    for row in range(rows):
        w = start[row]
        for change in changes[first[row] : first[row] + counts[row]]:
            w = np.clip(w + change, low, high)
        assert np.array_equal(end[row], w)


def test_a_clip_in_the_middle_is_not_made_up_for():
    changes = np.array([[5], [5], [-4], [-100], [3]])
    first = np.array([0])
    assert clipped_walks(np.array([[0]]), changes[:3], first, -8, 7).tolist() == [[3]]
    assert clipped_walks(np.array([[0]]), changes, first, -8, 7).tolist() == [[-5]]


@pytest.mark.parametrize("weight_type", ["s8", "s16"])
@pytest.mark.parametrize("value_type", ["s8", "s16"])
def test_clips_between_positions_train_as_scalar_loops_do(value_type, weight_type, monkeypatch):
    lost = 0

    def spy(start, changes, first, low, high):
        nonlocal lost
        end = clipped_walks(start, changes, first, low, high)
        total = start + np.add.reduceat(changes, first, axis=0)
        lost += int((end != np.clip(total, low, high)).sum())
        return end

    monkeypatch.setattr(integer_conv2d, "clipped_walks", spy)
    model = small(
        chain(conv(3, before=(1, 1), after=(1, 1), windows=(6, 5)), conv(2, windows=(4, 3))),
        value_type=value_type,
        label_kind="class",
        weight_types=[weight_type] * 2 + ["s8"],
        hidden=[],
        activations=["linear", "tanh", "linear"],
        losses=["projected_l2", "projected_l2", "l2"],
        dead_zone=False,
        lively=True,
    )
    layers = tuple(
        altered(layer, rate=Requantize(32768, 10), bias_one=2**28) for layer in model.layers
    )
    assert_same_training(dataclasses.replace(model, layers=layers), steps=12)
    assert lost > 10


# ------------------------------------------------------------------ numbers worked out by hand


def test_patches_on_numbers_worked_out_by_hand():
    # Map 2 x 3 of two channels, two groups; index 12 stands for a zero.
    geometry = conv_plan((2, 3, 2), 2, (2, 2), stride=(1, 2), before=(1, 0), groups=2)
    assert geometry.y_shape == (2, 1, 2)
    assert patch_index(geometry).tolist() == [
        [[12, 12, 0, 2], [12, 12, 1, 3]],
        [[0, 2, 6, 8], [1, 3, 7, 9]],
    ]


def test_target_windows_on_numbers_worked_out_by_hand():
    # Rows 0-0, 1-2, 3-4 and columns 0-1, 2-4 of a map of 5 x 5.
    geometry = conv_plan((5, 5, 1), 1, (1, 1), windows=(3, 2))
    owner = target_of_seen(geometry).reshape(5, 5)
    assert owner[:, 0].tolist() == [0, 2, 2, 4, 4]
    assert owner[0].tolist() == [0, 0, 1, 1, 1]
    assert target_areas(geometry).tolist() == [2, 3, 4, 6, 4, 6]


def test_behind_a_pool_the_first_of_the_largest_units_has_the_error():
    geometry = conv_plan((2, 5, 1), 1, (1, 1), windows=(1, 1), pool_kernel=(2, 2))
    target = TargetMap.of(geometry)
    y = np.array([[-3, -3, 1, 7, 9], [-3, -4, 7, 2, 9]]).ravel()
    assert target.members(y).ravel().tolist() == [-3, 7]
    assert target.spread(np.array([5]), y).tolist() == [5, 0, 0, 5, 0, 0, 0, 0, 0, 0]


def pooled(mode: str, value_type: str, x_shape: MapShape, kernel, x) -> list[float]:
    model = small(chain(pool(mode, kernel), x_shape=x_shape), value_type=value_type)
    values = np.array(x, np.float32 if value_type == "f32" else np.int64)
    return from_quantized(model.layers[0], model).forward(values).tolist()


def test_pools_on_numbers_worked_out_by_hand():
    x = [1, -5, 2, 3, 0, -6, -2, -7]  # 2 x 2 x 2
    assert pooled("max", "s8", (2, 2, 2), (2, 2), x) == [2, 3]
    # Channel sums 1 and -15; A = 8192: 1/4 becomes 0, -15/4 becomes -4.
    assert pooled("average", "s8", (2, 2, 2), (2, 2), x) == [0, -4]
    assert pooled("average", "f32", (2, 2, 2), (2, 2), x) == [0.25, -3.75]
    # Ties of the rounding go upwards: 10/4 and -10/4.
    assert pooled("average", "s8", (1, 4, 2), (1, 4), [1, -1, 2, -2, 3, -3, 4, -4]) == [3, -2]


def test_an_average_stays_in_the_range_of_its_type():
    # A of three values is 10923, a little above 2^15 / 3.
    assert pooled("average", "s16", (1, 3, 1), (1, 3), [-32768] * 3) == [-32768]
    assert pooled("average", "s16", (1, 3, 1), (1, 3), [32767] * 3) == [32767]


@pytest.mark.parametrize("x", [[0.0, -0.0, -1.0], [-0.0, 0.0, -1.0], [-1.0, -0.0, 0.0]])
def test_of_two_zeros_the_first_is_the_largest(x):
    first = next(value for value in x if value == 0)
    (largest,) = pooled("max", "f32", (1, 3, 1), (1, 3), x)
    assert np.signbit(largest) == np.signbit(first)


def test_a_weight_of_negative_zero_survives_where_no_unit_learns():
    model = small(chain(conv(2)), value_type="f32", stored_weights=False, dead_zone=False)
    layer = model.layers[0]
    w = np.full((2, layer.n_in), -0.0, np.float32)
    init = StoredInit(w, np.zeros(2, np.float32))
    layer = altered(layer, init=init, dead_zone=1e6)
    reference = Reference(dataclasses.replace(model, layers=(layer, *model.layers[1:])))
    reference.train_step(*(part[0] for part in samples(model, 1)))
    assert np.signbit(reference.state()["conv1.w"]).all()
    assert 0 not in reference.changed


# ------------------------------------------------------------------ state


def map_net(value_type="s8", **wanted) -> QuantizedModel:
    plans = chain(conv(3, windows=(2, 2)), pool("max"), conv(4, (1, 1), windows=(2, 1)))
    wish = {
        "label_kind": "class",
        "label_count": 4,
        "hidden": [],
        "activations": ["tanh", "tanh", "linear"],
        "losses": ["projected_cross_entropy"] * 2 + ["softmax_cross_entropy"],
        "stored_weights": False,
        "dead_zone": False,
        "gate": False,
        "lively": True,
    }
    return small(plans, value_type=value_type, **{**wish, **wanted})


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_pools_have_no_state_and_units_of_maps_draw_each_their_own(value_type):
    model = map_net(value_type)
    reference, (x, labels) = Reference(model), samples(model, 5)
    changed = set()
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
        changed |= set(reference.changed)
    state = reference.state()
    names = [name for layer in ("conv1", "conv3", "fc4") for name in (f"{layer}.w", f"{layer}.b")]
    assert tuple(state) == digest_order(model) == (*names, "rng", "step", "start", "rate")
    assert [state[name].shape for name in names[:4]] == [(3, 18), (3,), (4, 3), (4,)]
    assert changed == {0, 2, 3}
    units = 4 * 3 * 3 + 2 * 1 * 4 + 4
    assert int(state["rng"]) == (stream(model.seed, 0, 0) + 5 * units * PHI) % 2**32


@pytest.mark.parametrize("value_type", VALUE_TYPES)
def test_state_can_be_saved_and_loaded(value_type):
    model = map_net(value_type)
    x, labels = samples(model, 6)
    first, second = Reference(model), Reference(model)
    trace(model, x[:3], labels[:3], reference=first)
    second.load_state(first.state())
    whole = trace(model, x, labels)
    rest = trace(model, x[3:], labels[3:], reference=second)
    assert np.array_equal(whole.digests[3:], rest.digests)


KINDS_OF_MAPS = ("dense", "conv2d", "max_pool", "average_pool")


def test_every_kind_and_format_is_in_the_tables():
    seen = set()
    for value_type in VALUE_TYPES:
        model = small(chain(conv(1), pool("max"), pool("average", (1, 1))), value_type=value_type)
        seen |= {(layer.kind, value_type) for layer in model.layers}
    assert seen == {key for key in (*WEIGHTED, *UNTRAINED) if key[0] in KINDS_OF_MAPS}


def test_random_models_hold_every_kind_and_shape():
    convs: list[QuantizedConv2d] = []
    pools: list[QuantizedPool] = []
    for seed in range(300):
        model = random_model(np.random.default_rng(seed), maps=None)
        assert model.layers[-1].kind == "dense"
        convs += [layer for layer in model.layers if layer.kind == "conv2d"]
        pools += [layer for layer in model.layers if isinstance(layer, QuantizedPool)]
    shapes = [layer.shape for layer in convs]
    assert {g.kernel for g in shapes} == set(product((1, 2, 3), repeat=2))
    assert {g.stride for g in shapes} == set(product((1, 2), repeat=2))
    assert {g.padding for g in shapes} >= set(product((0, 1, 2), repeat=2))
    assert any(1 < g.groups < g.x_shape[2] for g in shapes)
    assert any(1 < g.groups == g.x_shape[2] for g in shapes)
    assert any(g.x_shape[0] == 1 < g.x_shape[1] for g in shapes)
    assert any(1 < g.windows[0] < g.y_shape[0] for g in shapes)
    assert {layer.mode for layer in pools} == {"max", "average"}
    assert any(layer.kernel == layer.x_shape[:2] != (1, 1) for layer in pools)
