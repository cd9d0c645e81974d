"""Samples that are kept: which ones, which of them come again, and what is refused in words."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.random.networks import network
from tests.support.kinds import CLASSES, begun, net
from tpsgd_edge.errors import BudgetError, DataError, SpecError
from tpsgd_edge.memory import model_id, state_layout
from tpsgd_edge.memory.dump import read_dump
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.quantize.model import QuantizedModel, Replay
from tpsgd_edge.reference import Reference
from tpsgd_edge.reports.costs import check_budget, kept_bytes
from tpsgd_edge.spec import load_spec
from tpsgd_edge.stages import on_host, prepare, render_project
from tpsgd_edge.stages.migration import migrate_state
from tpsgd_edge.toolchain.sizes import Flash, Ram, Sizes

U32 = 2**32
EXAMPLES = Path(__file__).parents[2] / "examples"


def mixed(h: int) -> int:
    """Section 3, once more."""
    h ^= h >> 16
    h = h * 0x7FEB352D % U32
    h ^= h >> 15
    h = h * 0x846CA68B % U32
    return h ^ h >> 16


def drawn(base: int, number: int) -> int:
    return mixed((base + 0x9E3779B9 * (number + 1)) % U32)


def base_of(seed: int, rng: int) -> int:
    start = mixed((mixed((seed + 0x9E3779B9 * 6) % U32) + 0x9E3779B9) % U32)
    return mixed((rng + start) % U32)


class Story:
    """Which samples are kept, by section 24 in single numbers: `slots` holds samples' numbers."""

    def __init__(self, size: int, *, is_balanced: bool) -> None:
        self.size, self.is_balanced = size, is_balanced
        self.slots: list[int] = []
        self.labels: list[int] = []
        self.seen: dict[int, int] = {}

    def keep(self, number: int, label: int, base: int) -> None:
        key = label if self.is_balanced else 0
        self.seen[key] = self.seen.get(key, 0) + 1
        slot = self.slot(label, key, base)
        if slot == len(self.slots):
            self.slots.append(number)
            self.labels.append(label)
        elif slot is not None:
            self.slots[slot], self.labels[slot] = number, label

    def slot(self, label: int, key: int, base: int) -> int | None:
        if len(self.slots) < self.size:
            return len(self.slots)
        pick = drawn(base, 1) * self.seen[key] // U32
        if not self.is_balanced:
            return pick if pick < self.size else None
        places = [i for i, own in enumerate(self.labels) if own == label]
        most = max(self.labels.count(k) for k in range(CLASSES))
        if len(places) + 1 < most:
            largest = next(k for k in range(CLASSES) if self.labels.count(k) == most)
            theirs = [i for i, own in enumerate(self.labels) if own == largest]
            return theirs[drawn(base, 1) * most // U32]
        return places[pick] if pick < len(places) else None


def small(keep: str, size: int = 5, again: int = 1, **changes: Any) -> QuantizedModel:
    replay = {"size": size, "keep": keep, "again": again}
    return prepare(net(replay=replay, **changes)).model


@pytest.mark.parametrize("keep", ["reservoir", "balanced"])
def test_the_kept_samples_are_those_of_the_contract(keep):
    prepared = prepare(net(replay={"size": 4, "keep": keep}))
    model = prepared.model
    x = quantize_inputs(model, prepared.dataset.x_train)
    # One class for long, then others: a class with few takes the place of one with most. Two tie
    # when the third one comes.
    labels = np.array([0] * 40 + [1] * 30 + [2] * 20 + [0, 1, 2] * 10, np.uint16)
    reference, story = Reference(model), Story(4, is_balanced=keep == "balanced")
    held = []
    for number, label in enumerate(labels):
        before, again = reference.state(), len(story.slots) > 0
        reference.train_step(x[number % len(x)], label)
        after = reference.state()
        assert int(after["step"]) - int(before["step"]) == 1 + again
        story.keep(number, int(label), base_of(model.seed, int(after["rng"])))
        n = len(story.slots)
        assert int(after["replay.kept"]) == n
        assert after["replay.label"][:n].tolist() == story.labels
        assert np.array_equal(after["replay.x"][:n], x[np.array(story.slots) % len(x)])
        held.append(tuple(story.slots))
    assert len(set(held)) > 15, "samples were replaced"
    if keep == "balanced":
        assert sorted(story.labels.count(k) for k in range(CLASSES)) == [1, 1, 2]


@pytest.mark.parametrize("again", [1, 3])
def test_a_step_learns_from_kept_samples_and_then_from_the_new_one(again):
    """The same net without a replay, which is given those samples, learns the same."""
    model = small("reservoir", again=again)
    x = np.random.default_rng(2).integers(-100, 100, (30, 6)).astype(np.int8)
    labels = (np.arange(30) % CLASSES).astype(np.uint16)
    keeping, plain = Reference(model), Reference(replace(model, replay=None))
    for sample, label in zip(x, labels, strict=True):
        state = keeping.state()
        output = keeping.train_step(sample, label)
        for _ in range(again if int(state["replay.kept"]) else 0):
            base = base_of(model.seed, int(plain.state()["rng"]))
            slot = drawn(base, 0) * int(state["replay.kept"]) // U32
            plain.train_step(state["replay.x"][slot], state["replay.label"][slot])
        assert np.array_equal(output, plain.train_step(sample, label))
        for name, tensor in plain.state().items():
            assert np.array_equal(tensor, keeping.state()[name]), name


def test_a_counter_of_samples_stays_at_its_end():
    model = small("reservoir")
    reference, x = Reference(model), np.zeros(6, np.int8)
    for _ in range(6):
        reference.train_step(x, np.uint16(1))
    state = reference.state() | {"replay.seen": np.array(U32 - 2, np.uint32)}
    reference.load_state(state)
    seen = []
    for _ in range(3):
        reference.train_step(x, np.uint16(1))
        seen.append(int(reference.state()["replay.seen"]))
    assert seen == [U32 - 1] * 3


def test_what_is_refused_changes_nothing_and_nothing_is_learned_again_before_it():
    prepared = prepare(net(formats=("f32", "s8"), replay={"size": 4}))
    model = prepared.model
    x = quantize_inputs(model, prepared.dataset.x_train)
    labels = quantize_labels(model, prepared.dataset.y_train)
    bad = np.full((1, 6), np.inf, np.float32)
    with on_host(prepared) as device:
        device.train(x, labels)
        before = device.state()
        assert device.train(bad, labels[:1]) == 1
        assert device.train(x[:1], np.array([CLASSES], np.uint16)) == 1
        assert device.state() == before
    reference = Reference(model)
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, label)
    assert state_layout(model).write(reference.state()) == before
    with pytest.raises(DataError):
        reference.train_step(bad[0], labels[0])
    assert state_layout(model).write(reference.state()) == before


def test_a_sequence_with_labels_at_each_step_is_kept_whole():
    drawn_nets = (network(seed, recurrent=True) for seed in range(40))
    model = next(m for m in drawn_nets if m.labels.each_step and m.labels.kind == "class")
    model = replace(model, replay=Replay(3, is_balanced=False, again=1))
    shapes = {t.name: t.shape for t in state_layout(model).tensors}
    assert shapes["replay.label"] == (3, model.steps)
    assert shapes["replay.x"] == (3, model.n_inputs)


class TestSpec:
    @pytest.mark.parametrize(
        ("replay", "is_class", "is_balanced"),
        [
            ({"size": CLASSES}, True, True),
            ({"size": CLASSES - 1}, True, False),
            ({"size": 9}, False, False),
            ({"size": 9, "keep": "reservoir"}, True, False),
        ],
    )
    def test_what_is_kept_follows_from_labels_and_room(self, replay, is_class, is_balanced):
        model = prepare(net(is_class=is_class, replay=replay)).model
        assert model.replay is not None
        assert model.replay.is_balanced == is_balanced

    @pytest.mark.parametrize(
        ("replay", "is_class", "words"),
        [
            ({"size": 2, "keep": "balanced"}, True, "there is not room for a sample of each class"),
            ({"size": 9, "keep": "balanced"}, False, "a sample has not one class here"),
            ({"keep": "balanced"}, True, "'keep' says nothing where size = 0"),
            ({"again": 2}, True, "'again' says nothing where size = 0"),
            ({"size": 65536}, True, "at least 0, at most 65,535"),
        ],
    )
    def test_what_cannot_be_is_refused_in_words(self, replay, is_class, words):
        with pytest.raises(SpecError) as caught:
            prepare(net(is_class=is_class, replay=replay))
        assert words in caught.value.message()

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ("replay.size=9", "a detector of anomalies keeps no samples"),
            ('drift.watch="accuracy"', "a detector of anomalies watches its scores itself"),
        ],
    )
    def test_detectors_of_anomalies_have_none_of_it(self, change, words):
        spec = load_spec(EXAMPLES / "digits_anomaly.toml", [change, "platform.name=host"])
        with pytest.raises(SpecError) as caught:
            render_project(prepare(spec))
        assert words in caught.value.message()

    def test_the_schedule_counts_steps_on_kept_samples(self):
        plain, keeping = prepare(net()).model, small("reservoir", again=2)
        assert keeping.schedule.segment_steps == pytest.approx(
            3 * plain.schedule.segment_steps, abs=3
        )


class TestState:
    def test_ids_of_models_without_a_replay_are_those_of_old_and_others_differ(self):
        plain, keeping = prepare(net()).model, small("reservoir")
        without = replace(keeping, replay=None)
        assert model_id(replace(without, schedule=plain.schedule)) == model_id(plain)
        ids = {model_id(small("reservoir", size)) for size in (5, 6)}
        assert len(ids | {model_id(plain), model_id(small("balanced"))}) == 4
        assert model_id(small("reservoir", again=2)) == model_id(keeping)

    @pytest.mark.parametrize(
        ("tensor", "value"), [("kept", 6), ("kept", 1), ("label", CLASSES), ("seen", 1)]
    )
    def test_damaged_samples_are_no_dump(self, tensor, value):
        way = begun(net(replay={"size": 5, "keep": "reservoir"}))
        state = dict(way.reference.state())
        changed = state[f"replay.{tensor}"].copy()
        changed[...] = value
        raw = state_layout(way.prepared.model).write({**state, f"replay.{tensor}": changed})
        with pytest.raises(DataError, match="kept samples that can never be"):
            read_dump(way.prepared.model, raw, where="dump")

    def test_other_firmware_begins_with_nothing_kept(self):
        way = begun(net(replay={"size": 5}))
        new = prepare(net(formats=("s8", "s8"), replay={"size": 5})).model
        made = migrate_state(way.prepared.model, dict(way.reference.state()), new).state
        assert int(way.reference.state()["replay.kept"]) == 3
        assert int(made["replay.kept"]) == 0
        assert int(made["step"]) == int(way.reference.state()["step"])

    def test_the_budget_names_it_where_it_is_the_largest_part(self):
        prepared = prepare(net(replay={"size": 400}, platform={"ram": "1K"}))
        kept = kept_bytes(prepared.plan)
        assert kept == 400 * (6 + 2) + 4 * CLASSES + 4
        sizes = Sizes(Ram(kept + 200, 100, 50), Flash(100, 100), 0, 0)
        with pytest.raises(BudgetError) as caught:
            check_budget(prepared.spec, sizes, (), kept)
        assert "replay takes 3,216 bytes: a smaller [replay] size" in caught.value.message()
