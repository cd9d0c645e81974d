"""The learning rate on the device: its schedule begins again, and a factor scales it."""

import dataclasses

import numpy as np
import pytest

from tests.support.same_training import samples
from tests.support.scalar_model import ScalarModel
from tests.unit.test_reference import lively_net
from tpsgd_edge.codegen.rate import rate_view
from tpsgd_edge.errors import DataError
from tpsgd_edge.frontend.data import dataset_from_arrays
from tpsgd_edge.memory.dump import read_dump
from tpsgd_edge.memory.state import state_layout
from tpsgd_edge.quantize.model import QuantizedModel, Schedule
from tpsgd_edge.reference import Reference
from tpsgd_edge.reference.rates import rate_of
from tpsgd_edge.spec import SCHEDULES, Spec, spec_from_dict
from tpsgd_edge.stages import compile_for_host, prepare, prove, render_project, scratch_project
from tpsgd_edge.stages.preparation import Prepared
from tpsgd_edge.toolchain.interface import interface_of
from tpsgd_edge.toolchain.open_device import open_device
from tpsgd_edge.verdict import Verdict

STEPS = 5


def spec_of(weights: str = "s16", **rule: object) -> Spec:
    return spec_from_dict(
        {
            "name": "net",
            "model": {"layers": [{"name": "h", "units": 4}, {"name": "out", "units": 2}]},
            "rule": {"learning_rate": 0.05, "epochs": 2, "error_gate": "none"} | rule,
            "numbers": {"weights": weights},
            "data": {"file": "net.npz"},
        }
    )


def prepared_of(weights: str = "s16", **rule: object) -> Prepared:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 3))
    spec = spec_of(weights, **rule)
    return prepare(spec, dataset_from_arrays(spec, x, (x[:, 0] > 0).astype(np.int64)))


def verdict_with(prepared: Prepared, old: str, new: str) -> Verdict:
    """What comes of a proof on generated code in which `old` was replaced by `new`."""
    project = render_project(prepared)
    assert project.files["net.c"].count(old) == 1
    files = project.files | {"net.c": project.files["net.c"].replace(old, new)}
    with scratch_project(dataclasses.replace(project, files=files)) as folder:
        binary = compile_for_host(project, folder)
        with open_device(binary, interface_of(prepared.model)) as device:
            return prove(device, prepared, STEPS, lambda *_: None)


def slowing_net() -> QuantizedModel:
    return dataclasses.replace(lively_net(), schedule=Schedule((32768, 0), 2))


def learned(reference: Reference, seed: int) -> list[bool]:
    """Whether anything learned, in each of four steps."""
    changes = []
    for x, label in zip(*samples(reference.model, 4, seed), strict=True):
        reference.train_step(x, label)
        changes.append(bool(reference.changed))
    return changes


@pytest.mark.series(2)
@pytest.mark.parametrize("weights", ["s16", "f32"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_proof_covers_new_rates_for_each_schedule(schedule, weights):
    prepared = prepared_of(schedule=schedule, weights=weights)
    verdict = verdict_with(prepared, "model->rate = rate;", "model->rate = rate;")
    assert (verdict.verdict, verdict.steps) == ("equal", STEPS)


@pytest.mark.parametrize(
    ("schedule", "old", "new", "tensor"),
    [
        ("linear", "model->rate = rate;", "model->rate = rate / 2;", "h.w"),
        ("linear", "model->start = model->step;", "", "h.w"),
        ("constant", "model->start = model->step;", "", "start"),
        ("cosine", "model->step - model->start", "model->step", "h.w"),
        ("exponential", "(factor * model->rate) >> 15", "(uint16_t)factor", "h.w"),
    ],
)
def test_a_proof_finds_code_that_does_something_else_with_rates(schedule, old, new, tensor):
    verdict = verdict_with(prepared_of(schedule=schedule), old, new)
    assert verdict.verdict == "mismatch"
    assert verdict.step is not None
    assert verdict.step > STEPS
    assert verdict.tensor == tensor
    assert verdict.value is not None


def test_a_schedule_that_begins_again_repeats_its_factors_but_no_random_number():
    reference = Reference(slowing_net())
    assert learned(reference, 1) == [True, True, False, False]
    rng = int(reference.state()["rng"])
    reference.restart_schedule()
    assert int(reference.state()["rng"]) == rng
    assert learned(reference, 2) == [True, True, False, False]
    assert int(reference.state()["step"]) == 8
    assert int(reference.state()["start"]) == 4


def test_a_rate_of_zero_stops_learning_until_it_is_set_again():
    reference = Reference(dataclasses.replace(lively_net(), schedule=Schedule((32768,), 1)))
    reference.set_rate(0)
    assert learned(reference, 1) == [False] * 4
    reference.set_rate(32768)
    assert learned(reference, 2) == [True] * 4


def test_rates_agree_with_scalar_loops():
    for seed in range(12):
        model = dataclasses.replace(lively_net(), schedule=Schedule((30000, 20000, 7), 2))
        reference, naive = Reference(model), ScalarModel(model)
        rate = int(np.random.default_rng(seed).integers(2**15 + 1))
        for i, (x, label) in enumerate(zip(*samples(model, 9, seed), strict=True)):
            if i == 5:
                reference.set_rate(rate)
                reference.restart_schedule()
                naive.rate, naive.start = rate, naive.step
            reference.train_step(x, label)
            naive.train_step(x, label)
        for layer, w in zip(model.layers, naive.w, strict=True):
            assert reference.state()[f"{layer.name}.w"].tolist() == w


@pytest.mark.parametrize("rate", [-1, 0.5, 32769, float("nan")])
def test_a_rate_beyond_its_range_is_refused(rate):
    reference = Reference(lively_net())
    with pytest.raises(DataError) as error:
        reference.set_rate(rate)
    assert "whole number in Q15, from 0 to 32,768" in str(error.value)
    assert int(reference.state()["rate"]) == 32768


def test_a_real_rate_beyond_its_range_is_refused():
    reference = Reference(prepared_of(weights="f32").model)
    for rate in (-0.1, 1.1, float("nan")):
        with pytest.raises(DataError) as error:
            reference.set_rate(rate)
        assert "a number from 0 to 1" in str(error.value)


def test_half_a_rate_is_half_in_both_kinds_of_numbers():
    assert rate_of(lively_net(), 0.5) == 16384
    assert rate_of(prepared_of(weights="f32").model, 0.5) == 0.5


@pytest.mark.parametrize(("start", "rate"), [(5, 32768), (0, 32769), (0, 2**32 - 1)])
def test_a_dump_holds_no_rate_and_no_start_that_cannot_be(start, rate):
    model = lively_net()
    reference = Reference(model)
    x, labels = samples(model, 4)
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
    raw = bytearray(state_layout(model).write(reference.state()))
    read_dump(model, bytes(raw), where="dump.bin")
    raw[8:16] = np.array([start, rate], "<u4").tobytes()
    with pytest.raises(DataError) as error:
        read_dump(model, bytes(raw), where="dump.bin")
    assert "rate and the start of its schedule can never be" in str(error.value)
    assert f"step 4, start {start}" in str(error.value)


def test_header_says_what_the_rate_does_over_time():
    pace = rate_view(prepared_of(schedule="linear", final_rate=0.25).model).pace
    assert pace.startswith("The learning rate falls in 32 stages: after ")
    assert "it stays at 26 % of its start, until the schedule is restarted" in pace
    pace = rate_view(prepared_of(schedule="constant").model).pace
    assert pace == "The learning rate stays the same at every step."
