"""Fleets on this computer: who has which samples, rounds, accidents, and the command."""

import json

import numpy as np
import pytest

from tests.support.fleets import spec_for
from tpsgd_edge.cli import run
from tpsgd_edge.errors import DataError, MismatchError, SpecError
from tpsgd_edge.fleet.accidents import Accidents, fate, liars
from tpsgd_edge.fleet.averaging import AVERAGES
from tpsgd_edge.fleet.member import Member
from tpsgd_edge.fleet.partition import divided, parse_partition
from tpsgd_edge.fleet.plan import Fleet
from tpsgd_edge.fleet.server import Averaging, Server
from tpsgd_edge.fleet.shared import shared_of
from tpsgd_edge.fleet.simulation import simulate_fleet
from tpsgd_edge.frontend.groups import load_grouped
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.spec import spec_from_dict
from tpsgd_edge.spec.toml import spec_content, toml_text
from tpsgd_edge.stages import on_host, prepare

EVEN = parse_partition("even")


def parts_of(spec, text: str, devices: int):
    return divided(spec, parse_partition(text), devices)


# ------------------------------------------------------------------ who has which samples


@pytest.mark.parametrize("text", ["even", "classes:1", "classes:3", "dirichlet:0.3", "by:person"])
def test_each_sample_belongs_to_one_device(tmp_path, text):
    dataset, parts = parts_of(spec_for(tmp_path, people=True), text, 6)
    assert len(parts) == 6
    for own, whole in (("train", dataset.x_train), ("test", dataset.x_test)):
        places = np.concatenate([getattr(part, own) for part in parts])
        assert sorted(places.tolist()) == list(range(len(whole)))
    assert all(len(part.train) for part in parts)


def test_devices_have_as_many_classes_as_was_said(tmp_path):
    dataset, parts = parts_of(spec_for(tmp_path), "classes:2", 4)
    for part in parts:
        assert len(set(dataset.y_train[part.train])) == 2
        assert set(dataset.y_test[part.test]) <= set(dataset.y_train[part.train])


def test_the_lower_the_number_of_dirichlet_the_more_uneven(tmp_path):
    spec = spec_for(tmp_path)

    def spread(text: str) -> float:
        _, parts = parts_of(spec, text, 4)
        return float(np.std([len(part.train) for part in parts]))

    assert spread("dirichlet:0.1") > 2 * spread("dirichlet:100")


def test_by_a_column_each_device_has_one_of_its_values(tmp_path):
    spec = spec_for(tmp_path, people=True)
    dataset, parts = parts_of(spec, "by:person", 10)
    archive = np.load(tmp_path / "data.npz")
    for part in parts:
        for part_x, places in ((dataset.x_train, part.train), (dataset.x_test, part.test)):
            for row in part_x[places]:
                where = int(np.flatnonzero((archive["x"] == row).all(axis=1))[0])
                assert str(archive["person"][where]) == part.name
    assert len(parts_of(spec, "by:person", 4)[1]) == 4


def test_a_column_of_a_table_is_no_input(tmp_path):
    rows = [f"{i % 4},{i},{(i * 7) % 5},p{i // 10}" for i in range(40)]
    (tmp_path / "net.csv").write_text("a,b,y,person\n" + "\n".join(rows) + "\n")
    layers = [{"name": "out", "units": 5}]
    content = {"name": "net", "model": {"layers": layers}, "data": {"file": "net.csv", "y": "y"}}
    spec = spec_from_dict(content, tmp_path, "net.toml")
    dataset, own, judged = load_grouped(spec, "person")
    assert dataset.x_train.shape[1] == 2
    assert own.tolist() == [f"p{int(b) // 10}" for b in dataset.x_train[:, 1]]
    assert judged.tolist() == [f"p{int(b) // 10}" for b in dataset.x_test[:, 1]]
    with pytest.raises(DataError, match="no column 'who'"):
        load_grouped(spec, "who")


def test_groups_of_an_npz_come_from_arrays_of_their_own(tmp_path):
    spec = spec_for(tmp_path)
    with pytest.raises(DataError, match="no array 'person'"):
        load_grouped(spec, "person")
    archive = dict(np.load(tmp_path / "data.npz"))
    both = {"x_train": archive["x"], "y_train": archive["y"], "x_test": archive["x"][:9]}
    both |= {"y_test": archive["y"][:9], "person_train": archive["y"]}
    np.savez(tmp_path / "data.npz", **both, person_test=np.arange(9))
    dataset, own, judged = load_grouped(spec, "person")
    assert own.tolist() == dataset.y_train.astype(str).tolist()
    assert judged.tolist() == [str(i) for i in range(9)]
    np.savez(tmp_path / "data.npz", **both, person_test=np.arange(8))
    with pytest.raises(DataError, match="one entry for each sample"):
        load_grouped(spec, "person")
    np.savez(tmp_path / "data.npz", **both | {"person_train": archive["x"]})
    with pytest.raises(DataError, match="one entry for each sample"):
        load_grouped(spec, "person")


@pytest.mark.parametrize("text", ["evn", "classes", "classes:0", "dirichlet:0", "by:", "even:2"])
def test_other_partitions_are_refused(text):
    with pytest.raises(SpecError, match="no such partition"):
        parse_partition(text)


def test_more_devices_than_samples_are_refused(tmp_path):
    with pytest.raises(DataError, match="fewer samples than devices"):
        parts_of(spec_for(tmp_path), "even", 1000)


def test_values_are_not_divided_by_classes(tmp_path):
    draw = np.random.default_rng(1)
    np.savez(tmp_path / "data.npz", x=draw.normal(size=(40, 3)), y=draw.normal(size=40))
    layers = [{"name": "out", "units": 1}]
    content = {"name": "net", "model": {"layers": layers}, "data": {"file": "data.npz"}}
    spec = spec_from_dict(content, tmp_path, "net.toml")
    with pytest.raises(DataError, match="cannot be divided by their classes"):
        parts_of(spec, "classes:2", 4)
    result = simulate_fleet(spec, Fleet(devices=3, rounds=1))
    assert result.metric == "r2"


# ------------------------------------------------------------------ rounds


def test_a_fleet_learns_what_no_device_can_alone(tmp_path):
    fleet = Fleet(4, 20, partition=parse_partition("classes:1"), has_baselines=True)
    result = simulate_fleet(spec_for(tmp_path), fleet)
    alone, central = result.baselines
    assert alone.scores.whole < 0.4
    assert central.scores.whole > 0.8
    assert result.rounds[-1].scores.whole > 0.8
    assert result.rounds[0].scores.whole < 0.6


def test_the_rounds_are_those_of_members_and_a_server(tmp_path):
    """What the loop does, written down once more."""
    spec = spec_for(tmp_path)
    result = simulate_fleet(spec, Fleet(3, 2, epochs=2))
    dataset, parts = divided(spec, EVEN, 3)
    prepared = prepare(spec, dataset)
    model, own = prepared.model, shared_of(prepared.model)
    x, labels = quantize_inputs(model, dataset.x_train), quantize_labels(model, dataset.y_train)
    with on_host(prepared) as device:
        first = device.state()
        server = Server(own, own.of(first), Averaging(), model.seed)
        members = [Member(own, place, model.seed, first) for place in range(3)]
        for turn in range(2):
            updates = []
            for member, part in zip(members, parts, strict=True):
                member.take(server.message(None if turn == 0 else turn - 1))
                updates.append(member.learn(device, x[part.train], labels[part.train], epochs=2))
            server.finish(updates)
            assert result.rounds[turn + 1].up == sum(map(len, updates))
    assert result.values.tolist() == server.values.tolist()


def test_a_message_of_changes_needs_the_one_before(tmp_path):
    prepared = prepare(spec_for(tmp_path))
    own = shared_of(prepared.model)
    state = bytes(own.layout.size)
    server = Server(own, own.of(state), Averaging(), 1)
    server.finish([])
    member = Member(own, 0, 1, state)
    with pytest.raises(DataError, match="before it has heard"), on_host(prepared) as device:
        member.learn(device, np.zeros((0, 8)), np.zeros(0), epochs=1)
    with pytest.raises(DataError, match="did not come"):
        member.take(server.message(0))
    member.take(server.message(None))
    assert member.heard == 1
    for _ in range(2):
        server.finish([])
    with pytest.raises(DataError, match="round 3; the last one that came is 1"):
        member.take(server.message(2))


def test_each_pass_has_an_order_of_its_own(tmp_path):
    """In all rounds, and other ones on other devices."""
    own = shared_of(prepare(spec_for(tmp_path)).model)
    orders, state = [], bytes(own.layout.size)

    class Recorder:
        load_state = staticmethod(lambda state: None)
        state = staticmethod(lambda: state)
        train = staticmethod(lambda x, labels, *, order: orders.append(tuple(order)))

    for place in range(2):
        member = Member(own, place, 1, state)
        for _ in range(2):
            member.train(Recorder, np.zeros((20, 8)), np.zeros(20), epochs=2)
    assert len(set(orders)) == 8
    assert all(sorted(order) == list(range(20)) for order in orders)


def test_dropped_slow_and_lying_devices_are_counted(tmp_path):
    fleet = Fleet(10, 6, accidents=Accidents(drop=0.3, slow=0.3))
    result = simulate_fleet(spec_for(tmp_path), fleet)
    lucks = [fate(fleet.accidents, 1, turn, 10) for turn in range(6)]
    late = [len(luck.slow) for luck in lucks]
    assert sum(late) > 0
    assert [one.late for one in result.rounds[1:]] == late
    came = [10 - len(luck.dropped) - len(luck.slow) for luck in lucks]
    expected = [now + before for now, before in zip(came, [0, *late[:-1]], strict=True)]
    assert [one.taken for one in result.rounds[1:]] == expected
    assert not any(one.refused for one in result.rounds)
    # An update that is late is sent once, and its bytes are counted when it is.
    sent = [10 - len(luck.dropped) for luck in lucks]
    assert result.updates == sum(sent)
    mean = result.up / result.updates
    assert [one.up / mean for one in result.rounds[1:]] == pytest.approx(sent, rel=0.1)
    assert len(liars(Accidents(lie=0.3), 1, 10)) == 3
    many = [len(fate(Accidents(drop=0.3), 1, turn, 1000).dropped) for turn in range(5)]
    assert sum(many) / 5000 == pytest.approx(0.3, abs=0.03)


def test_robust_averages_bear_liars_and_a_mean_does_not(tmp_path):
    def score(average) -> float:
        accidents = Accidents(lie=0.2)
        fleet = Fleet(10, 12, accidents=accidents, averaging=Averaging(average))
        return simulate_fleet(spec_for(tmp_path), fleet).rounds[-1].scores.whole

    found = {average: score(average) for average in AVERAGES}
    assert found.pop("mean") < 0.6
    assert min(found.values()) > 0.8


def test_personal_layers_stay_at_home(tmp_path):
    fleet = Fleet(4, 8, partition=parse_partition("classes:1"), personal=("b",))
    whole = simulate_fleet(spec_for(tmp_path), Fleet(4, 8, partition=fleet.partition))
    result = simulate_fleet(spec_for(tmp_path), fleet)
    assert {tensor.name for tensor in result.shared.tensors} == {"a.w", "a.b"}
    assert result.up < whole.up
    # One class each: a net of one's own knows nothing else.
    assert result.rounds[-1].scores.mean_own == 1
    assert result.rounds[-1].scores.whole < 0.5


def test_the_same_fleet_is_the_same_and_another_seed_another(tmp_path):
    spec = spec_for(tmp_path)
    first, again = (simulate_fleet(spec, Fleet(3, 2)) for _ in range(2))
    assert first.to_json() == again.to_json()
    assert first.state == again.state
    other = simulate_fleet(spec.model_copy(update={"seed": 2}), Fleet(3, 2))
    assert other.state != first.state


@pytest.mark.slow
@pytest.mark.emulator
def test_devices_on_an_emulated_core_send_the_same_updates(tmp_path):
    spec = spec_for(tmp_path, platform="cortex-m4f")
    result = simulate_fleet(spec, Fleet(3, 2, emulated=2))
    assert result.values.tolist() == simulate_fleet(spec, Fleet(3, 2)).values.tolist()
    with pytest.raises(SpecError, match="need a platform of devices"):
        simulate_fleet(spec_for(tmp_path), Fleet(3, 1, emulated=1))


@pytest.mark.emulator
def test_an_emulated_core_that_learns_something_else_is_found(tmp_path, monkeypatch):
    spec = spec_for(tmp_path, platform="cortex-m4f")
    learn = Member.learn

    def wrong(member, learner, x, labels, *, epochs):
        update = learn(member, learner, x, labels, epochs=epochs)
        return update[:-1] if "Stream" in type(learner).__name__ else update

    monkeypatch.setattr(Member, "learn", wrong)
    with pytest.raises(MismatchError, match="device 0 on cortex-m4f, round 0"):
        simulate_fleet(spec, Fleet(3, 1, emulated=1))


# ------------------------------------------------------------------ the command


def call(folder, *arguments: str) -> int:
    spec = spec_for(folder)
    path = folder / "net.toml"
    path.write_text(toml_text(spec_content(spec)))
    return run(["fleet", str(path), *arguments])


def test_the_command_prints_rounds_and_writes_what_was_learned(tmp_path, capsys):
    out, gateway = tmp_path / "state.bin", tmp_path / "gateway"
    arguments = ("--devices", "4", "--rounds", "3", "--partition", "classes:2", "--baselines")
    assert call(tmp_path, *arguments, "--out", str(out), "--gateway", str(gateway)) == 0
    said = capsys.readouterr().out
    assert "net: 4 devices, classes:2, 3 rounds of 1 epoch, mean" in said
    assert "central" in said
    assert (gateway / "net_fleet.h").is_file()
    expected = simulate_fleet(
        spec_for(tmp_path), Fleet(4, 3, partition=parse_partition("classes:2"))
    )
    assert out.read_bytes() == expected.state
    assert call(tmp_path, *arguments, "--gateway", str(gateway)) == 0


def test_the_command_speaks_json(tmp_path, capsys):
    options = ("--average", "krum", "--lie", "0.2", "--drop", "0.1", "--slow", "0.1", "--json")
    assert call(tmp_path, "--devices", "5", "--rounds", "2", "--personal", "b", *options) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["round"] for one in document["rounds"]] == [0, 1, 2]
    assert document["personal"] == ["b"]
    assert document["bytes"]["up"] == sum(one["bytes"]["up"] for one in document["rounds"])
    assert document["average"] == "krum"


def test_the_command_refuses_in_words(tmp_path, capsys):
    assert call(tmp_path, "--partition", "dirichlet:0") == 2
    assert "no such partition" in capsys.readouterr().err
    assert call(tmp_path, "--personal", "a", "--personal", "b", "--rounds", "1") == 2
    assert "share nothing" in capsys.readouterr().err
    assert call(tmp_path, "--out", str(tmp_path / "data.npz")) == 2
    assert "data.npz" in capsys.readouterr().err
