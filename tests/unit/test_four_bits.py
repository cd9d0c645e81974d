"""Weights of 4 bits: who may have them, their scale, and how they lie in flash."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.random.networks import network, project_of, samples_of
from tests.support.frozen import freeze, in_four_bits
from tpsgd_edge.errors import SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.quantize.model import QuantizedModel
from tpsgd_edge.quantize.restore import real_weights
from tpsgd_edge.quantize.scales import nearest_scale
from tpsgd_edge.reports.costs import layer_costs
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import prepare

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(40, 48)), RNG.integers(0, 3, 40)
FROZEN = {"name": "a", "units": 7, "train": False, "weights": "s4"}
MAP = {"name": "a", "filters": 4, "train": False, "weights": "s4"}
OUT = {"name": "out", "units": 3}


def make_spec(*layers: dict[str, Any], **more: Any) -> Spec:
    content = {"name": "toy", "model": {"layers": list(layers)}, "data": {"file": "toy.npz"}}
    return spec_from_dict(content | more, folder=Path())


def model_of(*layers: dict[str, Any], **more: Any) -> QuantizedModel:
    spec = make_spec(*layers, **more)
    return prepare(spec, dataset_from_arrays(spec, X, Y)).model


@pytest.mark.parametrize("activations", ["s8", "s16"])
def test_a_dense_layer_that_does_not_train_may_have_them(activations):
    model = model_of(FROZEN, OUT, numbers={"activations": activations})
    first = model.weighted[0]
    assert (first.weight_type, first.numbers.weight_bits, first.init.w.dtype) == ("s4", 3, np.int8)
    assert (first.init.w.min() >= -8, first.init.w.max() <= 7) == (True, True)
    assert len(np.unique(first.init.w)) > 8
    # The same bound as of any weights, for wb = 3.
    reach = {"s8": 48 * 8 * 2**7 + 2**27, "s16": 48 * 8 * 2**15 + 2**35}[activations]
    assert first.numbers.accumulator.high == reach


def test_real_weights_are_those_of_the_layer_in_16_bits_give_or_take_half_a_step():
    four, sixteen = (
        model_of(layer, OUT) for layer in (FROZEN, FROZEN | {"weights": "s16", "weight_range": 4.0})
    )
    scale = four.weighted[0].numbers.weight_scale
    state = {f"out.{name}": np.zeros(1) for name in "wb"}
    w, exact = (real_weights(model, state)["a"].w for model in (four, sixteen))
    cut = np.abs(exact) > 7.5 * scale
    assert cut.mean() < 0.1
    assert np.abs(w - exact)[~cut].max() <= scale / 2 + 1e-3


@pytest.mark.parametrize(
    ("layers", "more", "words"),
    [
        (
            [FROZEN | {"train": True}, OUT],
            {},
            "layer 'a' learns, which weights of 4 bits cannot\n"
            "  where: spec, [model], layer 'a', weights\n"
            '  found: weights = "s4", train = true\n'
            '  help:  set train = false, or set weights = "s8"',
        ),
        (
            [FROZEN | {"kind": "rnn"}, OUT],
            {},
            "layer 'a' cannot have weights of 4 bits: its kind is rnn\n"
            "  where: spec, [model], layer 'a', weights\n"
            '  found: weights = "s4", kind = "rnn"\n'
            '  help:  use kind = "dense", "conv1d" or "conv2d", or set weights = "s8"',
        ),
        (
            [MAP | {"kind": "conv2d", "groups": 2}, OUT],
            {},
            "layer 'a' has groups, for which no kernel reads 4 bits\n"
            "  where: spec, [model], layer 'a', weights\n"
            '  found: weights = "s4", groups = 2\n'
            '  help:  leave groups out, or set weights = "s8"',
        ),
        (
            [{"name": "low", "units": 5, "error": "passed"}, FROZEN, OUT],
            {},
            "layer 'a' passes errors on, for which no kernel reads 4 bits",
        ),
        (
            [FROZEN, OUT],
            {"numbers": {"weights": "f32"}},
            "f32 and integer layers cannot be mixed",
        ),
        (
            [{"name": "a", "units": 7, "train": False}, OUT],
            {"numbers": {"weights": "s4"}},
            'weights of 4 bits do not learn: set weights = "s4" in those layers alone that have '
            "train = false",
        ),
        (
            [FROZEN | {"weights": "s3"}, OUT],
            {},
            "allowed: s16, s8, f32, s4",
        ),
    ],
)
def test_what_cannot_be_had_is_refused(layers, more, words):
    with pytest.raises(SpecError) as refused:
        make_spec(*layers, **more)
    assert words in str(refused.value)


def test_the_scale_leaves_the_least_squares():
    w = np.random.default_rng(1).normal(size=(40, 50))
    scale = nearest_scale(w, 3)

    def left(scale: float) -> float:
        whole = [max(-8, min(7, int(np.floor(value / scale + 0.5)))) for value in w.ravel()]
        return float(sum((v - scale * n) ** 2 for v, n in zip(w.ravel(), whole, strict=True)))

    largest = np.abs(w).max() / 7
    assert scale < 0.8 * largest
    assert left(scale) <= min(left(largest * part / 64) for part in range(8, 65)) * (1 + 1e-12)
    assert nearest_scale(0 * w, 3) == 1.0


def test_integers_of_a_file_stay_what_they_are_where_they_fit():
    w = 0.25 * np.arange(-5, 6).reshape(1, -1)
    assert nearest_scale(w, 3, 0.25) == 0.25
    # Integers up to 8 do not fit: they are weights as any others.
    assert nearest_scale(1.6 * w, 3, 0.25) == nearest_scale(1.6 * w, 3)


def unpacked(data: bytes, n_out: int, n_in: int) -> list[list[int]]:
    """Rows of weights, as section 31 says where they lie."""
    rows = []
    for n in range(-(-n_out // 2)):
        pair = data[n * n_in : (n + 1) * n_in]
        rows.append([(byte & 15) - 8 for byte in pair])
        rows.append([(byte >> 4) - 8 for byte in pair])
    assert n_out % 2 == 0 or rows[-1] == [-8] * n_in
    return rows[:n_out]


@pytest.mark.parametrize("n_out", [4, 5])
def test_two_rows_share_bytes_of_flash(n_out):
    model = network(3, value_type="s8", n_in=9, hidden=[n_out], weight_types=["s8", "s8"])
    frozen = freeze(model, [False, True])
    first = in_four_bits(np.random.default_rng(1), frozen.weighted[0])
    model = replace(frozen, layers=(first, *frozen.layers[1:]))
    text = project_of(model, *samples_of(model, 1)).files["net_tps_data.c"]
    found = re.search(
        rf"TPS_FLASH uint8_t tps_{first.name}_w\[(\d+)\] = {{(.*?)}}", text, re.DOTALL
    )
    data = bytes(int(number) for number in re.findall(r"\d+", found[2]))
    assert int(found[1]) == len(data) == first.weight_bytes == (n_out + 1) // 2 * 9
    assert unpacked(data, n_out, 9) == first.init.w.tolist()


def test_they_take_half_the_flash():
    def flash(weights: str) -> int:
        spec = make_spec(FROZEN | {"weights": weights}, OUT)
        ready = prepare(spec, dataset_from_arrays(spec, X, Y))
        return layer_costs(ready.model, ready.plan)[0].flash_bytes

    biases = 7 * 4
    assert [flash(weights) - biases for weights in ("s16", "s8", "s4")] == [672, 336, 192]


def test_code_for_other_weights_knows_nothing_of_them():
    model = network(3, value_type="s8", n_in=9, hidden=[5], weight_types=["s8", "s8"])
    project = project_of(model, *samples_of(model, 1))
    assert not [name for name, text in project.files.items() if "s4" in text]
