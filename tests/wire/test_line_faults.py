"""A line that fails: no call waits beyond its limit, and weights are those of whole steps."""

import struct
import time
from dataclasses import replace

import pytest

from tests.unit.test_codegen_builds import compiler
from tools import line_faults
from tools.line_devices import FaultyLine, Process, double, flip
from tools.line_faults import HANG, KINDS, SAMPLES, Tally, bench_in, trial
from tpsgd_edge.errors import LinkError
from tpsgd_edge.link import LinkedDevice
from tpsgd_edge.link.messages import BAD_BLOCK, Command


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return bench_in(tmp_path_factory.mktemp("device"), *compiler(), "-O1", "-fno-sanitize=all")


@pytest.fixture(scope="module")
def frames(bench):
    return bench.frames()


@pytest.mark.sampled(2)
@pytest.mark.series(6)
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_whatever_happens_to_a_frame(bench, frames, kind, place):
    """Frames of all parts of a run, and of both directions."""
    number = (place * frames // 4 + 7 * KINDS.index(kind)) % frames
    tally = Tally()
    for fault in kind.faults(1) or [None]:
        trial(bench, kind, number, fault, tally)
    assert (tally.hangs, tally.wrong) == (0, 0)
    assert tally.done + tally.told == tally.runs > 0
    # What happens to one frame alone keeps nobody from the end.
    assert kind.event is not None or tally.done == tally.runs


@pytest.mark.series(1)
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_line_on_which_many_frames_suffer(bench, share):
    """What comes through is right all the same, or is told."""

    def each(rng):
        if rng.random() > share:
            return None
        return rng.choice((flip(rng.random()), double(0.01), lambda _: []))

    with Process(bench.program, bench.folder) as process:
        with FaultyLine(process.port, each=each) as line:
            tally = Tally()
            bench.run(line.port, tally)
        assert tally.hangs == 0
        assert bench.is_right(process.port, done=False)


@pytest.mark.parametrize("direction", [0, 1])
def test_a_training_step_whose_answer_is_lost_for_good_is_done_once(bench, direction):
    """The session is lost as well: the count of steps alone says what became of it."""
    with Process(bench.program, bench.folder) as process, bench.open(process.port) as device:
        device.train(bench.x[0], bench.y[0])
        lost = device._session.ask
        calls = []

        def ask(command, payload=b""):
            calls.append(command)
            if len(calls) == 1:
                # Carried out, or not, before the device forgets the session.
                if direction:
                    lost(command, payload)
                return None
            return lost(command, payload)

        device._session.ask = ask
        answer = device.train(bench.x[1], bench.y[1])
        assert answer.step == 2
        assert (answer.label is None) is bool(direction)
        assert device.greet().digest == bench.digests[2]


def test_a_device_that_was_reset_is_no_place_to_go_on_unseen(bench):
    with Process(bench.program, bench.folder) as process:

        def reset(line):
            process.reset()
            line.reconnect()

        # A hello and its answer come before, and two frames for each sample.
        line = FaultyLine(process.port, 2 + 2 * SAMPLES, event=reset)
        with line, bench.open(line.port) as device:
            for i in range(SAMPLES):
                device.train(bench.x[i], bench.y[i])
            with pytest.raises(LinkError, match="the device was reset, or learns by itself") as e:
                device.train(bench.x[SAMPLES], bench.y[SAMPLES])
            assert "it stood at step 4, and stands at step 0 now" in str(e.value)
            # It goes on from where it stands, and nothing was done twice.
            assert device.train(bench.x[0], bench.y[0]).step == 1
            assert device.greet().digest == bench.digests[1]


def test_weights_go_on_coming_in_after_another_computer_spoke(bench):
    """Blocks that came are still there in another session."""
    with Process(bench.program, bench.folder) as process:
        with FaultyLine(process.port) as line, bench.open(line.port) as device:
            frames_before = line.frames
            device.push(bench.state)
            whole = line.frames - frames_before

            def stop(_stage, came, _total):
                if came >= 384:
                    raise KeyboardInterrupt

            with pytest.raises(KeyboardInterrupt):
                device.push(bench.states[1], stop)
        with FaultyLine(process.port) as line, bench.open(line.port) as device:
            frames_before = line.frames
            assert device.hello.digest == bench.digests[SAMPLES]
            device.push(bench.states[1])
            assert device.hello.digest == bench.digests[1]
            # Of four blocks, one was left.
            assert whole - (line.frames - frames_before) == 6


def test_no_read_is_longer_than_a_block(bench):
    with Process(bench.program, bench.folder) as process, bench.open(process.port) as device:
        block = device.hello.block
        assert len(bench.state) > 2 * block
        good = device._ask(Command.READ, struct.pack("<II", 0, block))
        assert (good.status, good.payload[4:]) == (0, bench.states[0][:block])
        assert device._ask(Command.READ, struct.pack("<II", 0, block + 1)).status == BAD_BLOCK


def test_the_table_finds_a_device_that_learns_twice(bench, monkeypatch):
    """Else its zeros would say nothing."""
    kind = KINDS[0]
    train = LinkedDevice.train

    def twice(device, x, y):
        train(device, x, y)
        return train(device, x, y)

    monkeypatch.setattr(LinkedDevice, "train", twice)
    tally = Tally()
    trial(bench, kind, 3, flip(0.5), tally)
    assert tally.wrong == 1


def test_the_table_finds_calls_that_hang(bench, monkeypatch):
    monkeypatch.setattr(line_faults, "HANG", 1.0)
    monkeypatch.setattr(LinkedDevice, "log", lambda _: time.sleep(1.1))
    tally = Tally()
    trial(bench, replace(KINDS[0], name="x"), 1000, None, tally)
    assert tally.hangs == 1
    assert HANG > 1


def test_the_tool_prints_a_table_and_fails_where_it_must(monkeypatch, capsys, bench):
    monkeypatch.setattr(line_faults, "bench_in", lambda _: bench)
    monkeypatch.setattr(line_faults, "KINDS", KINDS[:1])
    monkeypatch.setattr("sys.argv", ["line_faults.py", "--places", "1", "--every", "40"])
    assert line_faults.main() == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].startswith("| what happens to a frame |")
    assert rows[2].startswith("| one bit flipped | 2 | 2 | 0 | 0 | 0 |")
    monkeypatch.setattr(bench, "is_right", lambda *_, **__: False, raising=False)
    assert line_faults.main() == 1
