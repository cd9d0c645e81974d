"""Gateways between devices and server: plain integers, Python, C, and the command."""

import json
import struct
import subprocess
import zlib

import numpy as np
import pytest

from tests.support.fleets import model_of, plain_gateway_seed, plain_mean, shared, spec_for
from tests.unit.test_fleet import call
from tests.unit.test_fleet_averaging import KINDS, SEED, drawn, gateway
from tpsgd_edge.errors import DataError, MismatchError, SpecError
from tpsgd_edge.fleet.accidents import Accidents, fate, liars, lied
from tpsgd_edge.fleet.gateway import gateway_view
from tpsgd_edge.fleet.member import Member
from tpsgd_edge.fleet.partition import divided, parse_partition
from tpsgd_edge.fleet.plan import Fleet
from tpsgd_edge.fleet.server import Averaging, Gateway, Server
from tpsgd_edge.fleet.shared import shared_of
from tpsgd_edge.fleet.simulation import simulate_fleet
from tpsgd_edge.fleet.updates import DIFFERENCE, WHOLE, Message, read, written
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.stages import on_host, prepare
from tpsgd_edge.toolchain.gateway_library import GatewayLibrary, compile_gateway

UNEVEN = parse_partition("dirichlet:0.5")

# ------------------------------------------------------------------ the command's rounds


class Plain:
    """Two levels of plain integers: what devices sent in, the server's values out."""

    def __init__(self, own, base, gateways: int, seed: int) -> None:
        self.own, self.base, self.gateways, self.seed = own, base.tolist(), gateways, seed

    def _mean(self, pairs, seed: int, turn: int) -> list[int]:
        low, high = self.own.low.tolist(), self.own.high.tolist()
        return plain_mean(self.base, low, high, pairs, seed, turn) if pairs else self.base

    def finish(self, updates, turn: int) -> int:
        """Make a round of updates (place, bytes); the bytes that gateways send."""
        up, size = [], 0
        for number in range(self.gateways):
            came = [
                read(self.own, raw) for place, raw in updates if place % self.gateways == number
            ]
            pairs = [(one.samples, one.values.tolist()) for one in came]
            made = self._mean(pairs, plain_gateway_seed(self.seed, number), turn)
            moved = np.array(made) - np.array(self.base)
            if pairs:
                up.append((sum(n for n, _ in pairs), moved.tolist()))
                size += len(written(self.own, Message(DIFFERENCE, turn, up[-1][0], moved)))
        self.base = self._mean(up, self.seed, turn)
        return size


@pytest.mark.parametrize(
    ("gateways", "accidents"),
    [(2, Accidents()), (3, Accidents(drop=0.6)), (2, Accidents(drop=0.2, slow=0.4, lie=0.2))],
)
def test_the_rounds_are_those_of_plain_integers(tmp_path, gateways, accidents):
    spec, count = spec_for(tmp_path), 5
    fleet = Fleet(count, 5, partition=UNEVEN, accidents=accidents, gateways=gateways)
    result = simulate_fleet(spec, fleet)
    dataset, parts = divided(spec, UNEVEN, count)
    prepared = prepare(spec, dataset)
    model, own = prepared.model, shared_of(prepared.model)
    x, labels = quantize_inputs(model, dataset.x_train), quantize_labels(model, dataset.y_train)
    with on_host(prepared) as device:
        first = device.state()
        plain = Plain(own, own.of(first), gateways, model.seed)
        members = [Member(own, place, model.seed, first) for place in range(count)]
        late = []
        for turn in range(5):
            luck, now, begin = fate(accidents, model.seed, turn, count), late, plain.base
            late, sent = [], 0
            for place, (member, part) in enumerate(zip(members, parts, strict=True)):
                if place in luck.dropped:
                    continue
                member.take(written(own, Message(WHOLE, turn, 0, np.array(begin))))
                raw = member.learn(device, x[part.train], labels[part.train], epochs=1)
                raw = lied(own, raw) if place in liars(accidents, model.seed, count) else raw
                sent += len(raw)
                (late if place in luck.slow else now).append((place, raw))
            up = sent, plain.finish(now, turn)
            assert (result.rounds[turn + 1].up, result.rounds[turn + 1].above.up) == up
    assert result.values.tolist() == plain.base


def test_one_gateway_of_all_devices_is_a_server_with_its_seed(tmp_path):
    """The server above has one update to average, and takes it as it is."""
    found = simulate_fleet(spec_for(tmp_path), Fleet(4, 3, partition=UNEVEN, gateways=1))
    plain = simulate_fleet(spec_for(tmp_path), Fleet(4, 3, partition=UNEVEN))
    own, spec = found.shared, spec_for(tmp_path)
    dataset, parts = divided(spec, UNEVEN, 4)
    prepared = prepare(spec, dataset)
    model = prepared.model
    x, labels = quantize_inputs(model, dataset.x_train), quantize_labels(model, dataset.y_train)
    with on_host(prepared) as device:
        first = device.state()
        seed = plain_gateway_seed(model.seed, 0)
        server = Server(own, own.of(first), Averaging(), seed)
        members = [Member(own, place, model.seed, first) for place in range(4)]
        for _ in range(3):
            updates = []
            for member, part in zip(members, parts, strict=True):
                member.take(server.message(member.heard))
                updates.append(member.learn(device, x[part.train], labels[part.train], epochs=1))
            server.finish(updates)
    assert found.values.tolist() == server.values.tolist()
    # Only the roundings differ from a fleet without a gateway.
    assert found.values.tolist() != plain.values.tolist()
    assert found.rounds[1].up == plain.rounds[1].up


def test_bytes_of_both_hops_are_counted(tmp_path):
    fleet = Fleet(6, 3, gateways=2)
    result = simulate_fleet(spec_for(tmp_path), fleet)
    own = result.shared
    values = sum(
        tensor.count * {"s8": 1, "s16": 2, "s32": 4}[tensor.type] for tensor in own.tensors
    )
    # In the first round all are told all values: six devices, and two gateways.
    first, whole = result.rounds[1], 20 + values
    assert (first.down, first.above.down) == (6 * whole, 2 * whole)
    for one in result.rounds[2:]:
        assert one.down == 3 * one.above.down
        assert 0 < one.above.up < one.up
    assert result.above.up == sum(one.above.up for one in result.rounds)
    nobody = simulate_fleet(
        spec_for(tmp_path), Fleet(6, 2, gateways=2, accidents=Accidents(drop=1))
    )
    assert (nobody.up, nobody.above.up) == (0, 0)
    assert nobody.values.tolist() == own.of(nobody.state).tolist()


def test_robust_averages_at_gateways_bear_liars(tmp_path):
    def score(average) -> float:
        fleet = Fleet(
            10, 12, accidents=Accidents(lie=0.2), averaging=Averaging(average), gateways=2
        )
        return simulate_fleet(spec_for(tmp_path), fleet).rounds[-1].scores.whole

    assert score("mean") < 0.6
    assert score("median") > 0.8


def test_gateways_without_enough_devices_are_refused(tmp_path):
    spec = spec_for(tmp_path, people=True)
    with pytest.raises(SpecError, match="more gateways than devices") as caught:
        simulate_fleet(spec, Fleet(10, 1, partition=parse_partition("by:person"), gateways=7))
    assert caught.value.found == "6 devices, 7 gateways"
    with pytest.raises(SpecError, match="with 2 of the devices cannot tell a liar"):
        simulate_fleet(spec, Fleet(5, 1, averaging=Averaging("median"), gateways=2))
    simulate_fleet(spec, Fleet(6, 1, averaging=Averaging("median"), gateways=2))


@pytest.mark.parametrize(
    ("name", "words"), [("update", "made another update"), ("message", "took other values over")]
)
def test_a_gateway_in_c_that_does_something_else_is_found(tmp_path, monkeypatch, name, words):
    right = getattr(GatewayLibrary, name)
    monkeypatch.setattr(GatewayLibrary, name, lambda twin: right(twin)[:-1])
    with pytest.raises(MismatchError, match=words) as caught:
        simulate_fleet(spec_for(tmp_path), Fleet(4, 2, gateways=2))
    assert caught.value.where == "gateway 0, round 0"


# ------------------------------------------------------------------ C and Python


@pytest.mark.parametrize("name", KINDS)
def test_a_gateway_in_c_takes_sends_and_refuses_what_one_in_python_does(tmp_path, name):
    own, rng, model = shared(name), np.random.default_rng(11), model_of(name)
    base, _ = drawn(own, rng, devices=0)
    library, view = compile_gateway(tmp_path), gateway_view(model, own)
    above = Server(own, base, Averaging(), model.seed)
    both = Gateway(own, base, Averaging(), model.seed, 4), GatewayLibrary(library, view, base, 4)
    for turn in range(4):
        raw = above.message(both[0].heard)
        assert raw[3] == (WHOLE if turn == 0 else DIFFERENCE)
        both[0].take(raw)
        assert both[1].take(raw)
        assert both[1].message() == both[0].message(None) == above.message(None)
        _, messages = drawn(own, rng, devices=3 if turn != 2 else 0)
        # Of this round, of the one before, and too old.
        updates = [
            written(own, Message(DIFFERENCE, max(0, turn - age), one.samples, one.values))
            for age, one in enumerate(messages)
        ]
        updates += [bytes(5)]
        assert both[0].finish(updates) == both[1].finish(updates)
        update = both[0].update()
        assert both[1].update() == update
        assert (update is None) == (turn == 2)
        (change,) = drawn(own, rng, devices=1)[1]
        above.finish([written(own, Message(DIFFERENCE, turn, 9, change.values))])


@pytest.mark.parametrize(
    ("counts", "samples"),
    [
        ([0, 0], 0),
        ([7, 2**14], 7 + 2**14),
        ([2**31, 2**31 - 1], 2**32 - 1),
        ([2**31, 2**31], 2**32 - 1),
        ([2**32 - 1] * 3, 2**32 - 1),
    ],
)
def test_samples_of_a_gateway_saturate(tmp_path, counts, samples):
    own = shared()
    view, moved = gateway_view(model_of("bytes"), own), np.ones(own.count, np.int64)
    updates = [written(own, Message(DIFFERENCE, 0, count, moved)) for count in counts]
    base = own.low + 1
    both = (
        Gateway(own, base, Averaging(), view.seed, 0),
        GatewayLibrary(compile_gateway(tmp_path), view, base, 0),
    )
    for one in both:
        assert one.finish(updates) == 0
        assert read(own, one.update()).samples == samples
    assert both[0].update() == both[1].update()


def test_a_gateway_refuses_what_it_cannot_follow(tmp_path):
    own = shared()
    base = own.low + 5
    python = Gateway(own, base, Averaging(), SEED, 0)
    view = gateway_view(model_of("bytes"), own)
    twin = GatewayLibrary(compile_gateway(tmp_path), view, base, 0)
    still = np.zeros(own.count, np.int64)
    for message, words in (
        (Message(DIFFERENCE, 0, 0, still), "did not come"),
        (Message(DIFFERENCE, 1, 0, still), "round 1; the last one that came is None"),
    ):
        assert not twin.take(written(own, message))
        with pytest.raises(DataError, match=words):
            python.take(written(own, message))
    for one in (python, twin):
        one.take(written(own, Message(WHOLE, 6, 0, base)))
        one.finish([])
    for message, words in (
        (Message(DIFFERENCE, 8, 0, still), "round 8; the last one that came is 6"),
        (Message(DIFFERENCE, 7, 0, still - 6), "no device can hold"),
        (Message(DIFFERENCE, 7, 0, own.high - base + 1), "no device can hold"),
    ):
        assert not twin.take(written(own, message))
        with pytest.raises(DataError, match=words):
            python.take(written(own, message))
    last = written(own, Message(DIFFERENCE, 7, 0, own.high - base))
    assert twin.take(last)
    python.take(last)
    assert python.values.tolist() == own.high.tolist()
    assert twin.message() == python.message(None)


@pytest.mark.parametrize("name", ["bytes", "wave_gru"])
def test_damaged_messages_from_above_move_nothing(tmp_path, name):
    """The C under sanitizers: cut, of another model, too long, out of range, with wild codes."""
    own, rng = shared(name), np.random.default_rng(4)
    base, _ = drawn(own, rng, devices=0)
    other = np.clip(base + 3, own.low, own.high)
    good = written(own, Message(WHOLE, 1, 0, other))
    body = written(own, Message(DIFFERENCE, 2, 0, base - other))[:-4]

    def sealed(raw: bytes) -> bytes:
        return raw + struct.pack("<I", zlib.crc32(raw))

    bad = [b"", good[:-1], good[:4] + b"1" + good[5:], sealed(good[:-4] + b"0"), sealed(body)]
    bad += [sealed(good[:size]) for size in range(16, 40)]
    bad += [sealed(good[:16] + b"\x80" * (len(good) - 20))]
    bad += [sealed(body[:16] + rng.bytes(size)) for size in (0, 1, 7, 60, 300) for _ in range(9)]
    last = sealed(body)
    # Behind the good message and an empty round a change of it is taken; what is wild still not.
    frames = [*((raw, False) for raw in bad), (good, True), (b"", None)]
    frames += [*((raw, False) for raw in (*bad[:4], *bad[-40:])), (last, True)]
    said, expected, values = base.astype("<i4").tobytes(), b"", base
    for raw, is_taken in frames:
        if is_taken is None:
            said += bytes(4)
            whole = written(own, Message(WHOLE, 2, 0, other))
            change = written(own, Message(DIFFERENCE, 2, 0, other * 0))
            expected += other.astype("<i4").tobytes()
            # Where nobody learned anything the program writes no update, but the change again.
            expected += b"".join(struct.pack("<I", len(m)) + m for m in (whole, change, change))
            continue
        values = (base if raw is last else other) if is_taken else values
        said += struct.pack("<I", len(raw) | 1 << 31) + raw
        expected += struct.pack("<I", is_taken) + values.astype("<i4").tobytes()
    done = subprocess.run(
        [str(gateway(tmp_path, name))], input=said, capture_output=True, timeout=60, check=True
    )
    assert done.stdout == expected


# ------------------------------------------------------------------ the command


def test_the_command_says_both_hops(tmp_path, capsys):
    arguments = ("--devices", "6", "--rounds", "2", "--gateways", "2")
    assert call(tmp_path, *arguments, "--baselines") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "net: 6 devices at 2 gateways, even, 2 rounds of 1 epoch, mean" in said
    assert "server up server down" in said
    assert "every gateway ran in C too: every update of it equal, bit for bit" in said
    assert call(tmp_path, *arguments, "--average", "median", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["gateways"] == 2
    hops = [one["bytes"]["gateways"] for one in document["rounds"]]
    assert document["bytes"]["gateways"] == {
        way: sum(one[way] for one in hops) for way in ("down", "up")
    }
    assert hops[1]["up"] > 0


def test_the_command_writes_no_c_for_robust_averages(tmp_path, capsys):
    where = str(tmp_path / "gateway")
    assert call(tmp_path, "--rounds", "1", "--average", "krum", "--gateway", where) == 2
    said = capsys.readouterr().err
    assert "a gateway in C has the weighted mean only" in said
    assert not (tmp_path / "gateway").exists()
