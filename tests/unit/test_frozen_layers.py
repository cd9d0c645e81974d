"""Layers that do not train, and a budget that is checked before anything runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpsgd_edge import build
from tpsgd_edge.errors import BudgetError, SpecError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.quantize import QuantizedModel
from tpsgd_edge.quantize.model import StoredInit
from tpsgd_edge.reports.costs import layer_costs
from tpsgd_edge.spec import Spec, spec_from_dict
from tpsgd_edge.stages import prepare
from tpsgd_edge.stages.preparation import forward_macs

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(40, 12)), RNG.integers(0, 3, 40)


def make_spec(*trains: bool, folder: Path = Path(), **more: Any) -> Spec:
    names = [f"fc{index}" for index in range(len(trains))]
    layers = [
        {"name": name, "units": 3 if name == names[-1] else 7, "train": train}
        for name, train in zip(names, trains, strict=True)
    ]
    content = {"name": "toy", "model": {"layers": layers}, "data": {"file": "toy.npz"}, **more}
    return spec_from_dict(content, folder=folder)


def model_of(*trains: bool) -> QuantizedModel:
    spec = make_spec(*trains)
    return prepare(spec, dataset_from_arrays(spec, X, Y)).model


def test_weights_of_frozen_layers_are_those_that_training_starts_from() -> None:
    frozen, free = model_of(False, True, True), model_of(True, True, True)
    first, second, _ = frozen.weighted
    assert [layer.trains for layer in frozen.weighted] == [False, True, True]
    assert frozen.trainable == frozen.weighted[1:]
    assert isinstance(first.init, StoredInit)
    assert first.init.w.shape == (7, 12)
    assert np.abs(first.init.w).max() <= 2**first.numbers.weight_bits
    # Random numbers belong to units that learn.
    assert (second.learning.unit_offset, free.weighted[1].learning.unit_offset) == (0, 7)
    assert (frozen.total_units, free.total_units) == (10, 17)


def test_frozen_layers_cost_flash_and_no_ram() -> None:
    spec = make_spec(False, True)
    prepared = prepare(spec, dataset_from_arrays(spec, X, Y))
    frozen, trained = layer_costs(prepared.model, prepared.plan)
    assert (frozen.ram_bytes, frozen.flash_bytes) == (0, 7 * 12 * 2 + 7 * 4)
    assert trained.ram_bytes == 3 * 7 * 2 + 3 * 4
    assert trained.flash_bytes == 0


def test_something_has_to_train() -> None:
    with pytest.raises(SpecError, match="no layer of the model trains"):
        make_spec(False, False)


def test_forward_macs_count_every_step_of_a_sequence() -> None:
    layers = [{"kind": "rnn", "name": "r", "units": 5}, {"name": "out", "units": 3}]
    content = {"name": "toy", "model": {"layers": layers}, "data": {"file": "toy.npz"}}
    spec = spec_from_dict(content, folder=Path())
    x = RNG.normal(size=(20, 4, 2))
    prepared = prepare(spec, dataset_from_arrays(spec, x, RNG.integers(0, 3, 20)))
    assert forward_macs(prepared.model) == 4 * 5 * 7 + 3 * 5


@pytest.mark.slow
def test_a_budget_is_checked_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "toy.npz", x=X, y=Y)
    spec = make_spec(True, True, folder=tmp_path, platform={"name": "cortex-m4f", "ram": 64})

    def opened(*args: object, **kwargs: object) -> None:
        pytest.fail("an emulator was started")

    monkeypatch.setattr("tpsgd_edge.stages.firmware.open_device", opened)
    with pytest.raises(BudgetError, match="more RAM than the budget allows"):
        build(spec, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
