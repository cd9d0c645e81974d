"""A computer and a device on a good line: what the device computes is what the reference does."""

import struct
import zlib

import numpy as np
import pytest

from tests.wire.projects import LIMITS, WIRED, built, device_of, wired
from tools.line_devices import Process
from tpsgd_edge.errors import LinkError
from tpsgd_edge.link import Limits, LinkedDevice
from tpsgd_edge.link.frames import Frame
from tpsgd_edge.link.line import Line
from tpsgd_edge.link.linked import digest_of
from tpsgd_edge.link.messages import (
    BAD_BLOCK,
    BAD_NUMBER,
    BAD_STATE,
    Command,
    Hello,
    Kind,
    number_of,
)
from tpsgd_edge.memory import digest_order, model_id, state_layout
from tpsgd_edge.quantize.model import DTYPES
from tpsgd_edge.reference import Reference
from tpsgd_edge.trace import digest


def raw(model, x, labels):
    """The bytes of a sample and its label on the wire."""
    labels = labels.astype("<u2") if model.labels.kind == "class" else labels
    label = np.atleast_1d(labels).tobytes()
    return label.ljust(-(-len(label) // 4) * 4, b"\0") + x.tobytes()


def digest_now(model, reference):
    state = reference.state()
    return digest(state[name] for name in digest_order(model))


@pytest.fixture(scope="module")
def petals(tmp_path_factory):
    """A folder with a device that saves."""
    folder = tmp_path_factory.mktemp("petals")
    built("classes", folder, has_store=True)
    return folder


@pytest.mark.series(4)
@pytest.mark.parametrize("name", WIRED)
def test_the_device_learns_what_the_reference_learns(tmp_path, name):
    """Every kind of label, number and sequence goes over the line as the device reads it."""
    own = wired(name)
    model, reference = own.model, Reference(own.model)
    outputs = DTYPES[model.output_type]
    with device_of(name, tmp_path) as (_, device):
        hello = device.hello
        assert (hello.name, hello.model_id) == (own.project.name, model_id(model))
        assert hello.digest == digest_now(model, reference)
        assert hello.state_bytes == state_layout(model).used_bytes
        for x, label in zip(own.x[:6], own.labels[:6], strict=True):
            answer = device._answer(device._ask(Command.PREDICT, x.tobytes()), "")
            expected = np.ravel(reference.each_output(x))[-model.answers * model.n_out :]
            assert np.array_equal(answer.outputs, expected.astype(outputs))
            answer = device._answer(device._ask(Command.TRAIN, raw(model, x, label)), "")
            expected = np.ravel(reference.train_step(x, label))
            assert np.array_equal(answer.outputs, expected.astype(outputs))
            assert device.greet().digest == digest_now(model, reference)
        assert device.hello.step == int(reference.state()["step"])
        assert device.selftest()
        assert device.greet().digest == digest_now(model, reference)


def test_raw_samples_of_the_data_file_are_taken(petals):
    from tests.golden.projects import prepared

    ready = prepared("classes")
    data, model = ready.dataset, ready.model
    reference = Reference(model)
    with device_of("classes", petals) as (_, device):
        for x, y in zip(data.x_train[:5], data.y_train[:5], strict=True):
            answer = device.train(x, y)
        for x, label in zip(wired("classes").x[:5], wired("classes").labels[:5], strict=True):
            outputs = reference.train_step(x, label)
        assert answer.step == 5
        assert device.greet().digest == digest_now(model, reference)
        assert answer.label == int(np.argmax(answer.outputs))
        assert 0 < answer.confidence <= 1
        assert outputs is not None
        log = device.log()
        assert (log.first, log.next) == (0, 5)
        assert [entry.label for entry in log.entries] == [int(y) for y in data.y_train[:5]]
        assert log.entries[-1].answer == answer.label
        assert log.entries[-1].confidence == answer.confidence
        assert all(entry.is_trained for entry in log.entries)
        device.score(x=data.x_train[0], y=data.y_train[0])
        assert not device.log(5).entries[0].is_trained
        counts = device.statistics()
        assert (counts.step, counts.logged, counts.trained) == (5, 6, 5)
        assert (counts.repeated, counts.dropped, counts.lost) == (0, 0, 0)
        # Two hellos, five steps, two looks at the log, a score: no session was lost.
        assert counts.carried_out == 10


def test_a_log_forgets_the_oldest_and_says_so(petals):
    data = wired("classes")
    with device_of("classes", petals) as (_, device):
        for i in range(20):
            payload = raw(data.model, data.x[i % len(data.x)], data.labels[i % len(data.x)])
            device._ask(Command.SCORE, payload)
        log = device.log(0)
        assert (log.first, log.next, len(log.entries)) == (4, 20, 16)
        wanted = [int(data.labels[i % len(data.x)]) for i in range(4, 20)]
        assert [entry.label for entry in log.entries] == wanted
        assert device.log(18).entries == log.entries[-2:]
        assert device.log(20).entries == ()
        # A number that is still to come is one of before a reset.
        assert device.log(21).first == 4


def test_weights_go_and_come_back(petals):
    data = wired("classes")
    with device_of("classes", petals) as (_, device):
        first = device.pull()
        assert len(first) == state_layout(data.model).size
        assert digest_of(data.model, first) == device.hello.digest
        device._ask(Command.TRAIN, raw(data.model, data.x[0], data.labels[0]))
        later = device.pull()
        assert later != first
        assert device.push(first).step == 0
        assert device.pull() == first
        assert device.push(later).step == 1
        assert device.statistics().came == 0


def test_a_checkpoint_survives_a_reset(petals):
    data = wired("classes")
    with device_of("classes", petals) as (process, device):
        assert Kind.SAVES in device.hello.kind
        device._ask(Command.TRAIN, raw(data.model, data.x[0], data.labels[0]))
        saved = device.greet()
        assert device.checkpoint() == 1
        device._ask(Command.TRAIN, raw(data.model, data.x[1], data.labels[1]))
        process.reset()
        with LinkedDevice.open(process.port, data.model, limits=LIMITS) as again:
            assert (again.hello.step, again.hello.digest) == (1, saved.digest)
    (petals / "checkpoints.bin").unlink()


def test_a_pseudo_terminal_is_a_line_too(petals):
    data = wired("classes")
    with device_of("classes", petals, "pty") as (process, device):
        assert process.port.startswith("/dev/")
        assert device.selftest()
        device._ask(Command.TRAIN, raw(data.model, data.x[0], data.labels[0]))
        assert digest_of(data.model, device.pull()) == device.hello.digest


def test_weights_of_two_moments_are_read_again(petals):
    data = wired("classes")
    payload = raw(data.model, data.x[0], data.labels[0])
    with device_of("classes", petals) as (_, device):
        learns = iter((True, False, False, True, True, True))

        def progress(*_):
            if next(learns):
                assert device._session.ask(Command.TRAIN, payload).status == 0

        state = device.pull(progress)
        assert digest_of(data.model, state) == device.greet().digest
        assert device.hello.step == 1
        next(learns)
        with pytest.raises(LinkError, match="the weights that were read are not of one moment"):
            device.pull(progress)


def test_weights_that_a_reset_undid_are_told(petals, monkeypatch):
    data = wired("classes")
    with device_of("classes", petals) as (_, device):
        first = device.pull()
        device._ask(Command.TRAIN, raw(data.model, data.x[0], data.labels[0]))
        # The session is lost in front of the end, as by a reset.
        ask = device._session.ask

        def lost(command, *rest):
            return None if command == Command.END_WRITE else ask(command, *rest)

        monkeypatch.setattr(device._session, "ask", lost)
        with pytest.raises(LinkError, match="the device was reset while weights came in"):
            device.push(first)


def test_a_late_answer_is_not_taken_for_another_one():
    from tpsgd_edge.link.session import Session

    class LateLine:
        port = "late"

        def send(self, frame):
            hello = bytes(52) + b"name"
            late = (Frame(129, (frame.number + 1) % 2**32, b""), Frame(130, frame.number, b""))
            self.frames = iter((*late, Frame(129, frame.number, hello)))

        def receive(self, _limit):
            return next(self.frames)

    assert Session(LateLine(), LIMITS).begin().name == "name"


# ------------------------------------------------------------------ single frames


@pytest.fixture
def line(petals):
    with Process(petals / "device", petals) as process, Line(process.port) as line:
        yield line


def ask(line, command, number, payload=b"", version=1):
    line.send(Frame(command, number, payload, version=version))
    return line.receive(LIMITS.answer)


def greeted(line, number=77):
    return Hello.read(ask(line, Command.HELLO, number).payload)


def test_a_repeated_request_is_answered_from_memory(line):
    data = wired("classes")
    number = greeted(line).next
    payload = raw(data.model, data.x[0], data.labels[0])
    first = ask(line, Command.TRAIN, number, payload)
    for _ in range(3):
        assert ask(line, Command.TRAIN, number, payload) == first
    assert greeted(line, 78).step == 1
    # A hello too: the same session, not another one.
    assert greeted(line, 78) == greeted(line, 78)
    # Another request of the same number is none of this session.
    number = greeted(line, 79).next
    first = ask(line, Command.TRAIN, number, payload)
    other = raw(data.model, data.x[1], data.labels[1])
    assert ask(line, Command.TRAIN, number, other).status == BAD_NUMBER
    assert ask(line, Command.TRAIN, number, payload) == first
    assert greeted(line, 80).step == 2


def test_what_is_out_of_turn_is_refused_and_changes_nothing(line):
    data = wired("classes")
    payload = raw(data.model, data.x[0], data.labels[0])
    assert ask(line, Command.TRAIN, 0, payload).status == BAD_NUMBER
    number = greeted(line).next
    first = ask(line, Command.TRAIN, number, payload)
    for wrong in (number + 2, number - 1, number + 2**31):
        assert ask(line, Command.TRAIN, wrong % 2**32, payload).status == BAD_NUMBER
    # The latest answer is still there for who asks again.
    assert ask(line, Command.TRAIN, number, payload) == first
    assert ask(line, Command.STATISTICS, number + 1).status == 0
    # Numbers of an older session are no numbers of the next one, though the same hello comes again.
    again = greeted(line, 77)
    assert again.next != number
    assert ask(line, Command.TRAIN, number, payload).status == BAD_NUMBER
    assert greeted(line, 81).step == 1


@pytest.mark.parametrize(
    ("command", "payload", "status"),
    [
        (0, b"", 65),
        (13, b"", 65),
        (127, b"", 65),
        (Command.PREDICT, b"12", 66),
        (Command.PREDICT, b"1234", 66),
        (Command.TRAIN, b"1234123", 1),
        (Command.TRAIN, b"\x03\0\0\0abc", 1),
        (Command.TRAIN, b"12341234", 66),
        (Command.READ, struct.pack("<II", 0, 129), BAD_BLOCK),
        (Command.READ, struct.pack("<II", 124, 1), BAD_BLOCK),
        (Command.READ, struct.pack("<II", 2**32 - 4, 8), BAD_BLOCK),
        (Command.READ, struct.pack("<II", 124, 0), 0),
        (Command.BEGIN_WRITE, struct.pack("<III", 1, 124, 0), BAD_STATE),
        (Command.WRITE, struct.pack("<I", 0) + b"12", BAD_BLOCK),
        (Command.WRITE, struct.pack("<I", 0), 66),
        (Command.END_WRITE, b"", BAD_STATE),
        (Command.LOG, b"", 66),
    ],
)
def test_requests_that_a_device_refuses(line, command, payload, status):
    before = greeted(line)
    answer = ask(line, command, before.next, payload)
    assert answer.status == status
    tells = command == Command.WRITE and status == BAD_BLOCK
    assert len(answer.payload) == (4 if tells or answer.status == 0 else 0)
    assert greeted(line, 78).digest == before.digest


def test_another_version_is_told_which_one_the_device_speaks(line):
    answer = ask(line, Command.HELLO, 5, version=2)
    assert (answer.version, answer.status) == (1, 64)
    assert greeted(line).step == 0


def test_a_session_tells_of_another_version(line, monkeypatch):
    from tpsgd_edge.link import session

    monkeypatch.setattr(session, "Frame", lambda *words: Frame(*words, version=2))
    with pytest.raises(LinkError, match="speaks another version of the protocol") as caught:
        session.Session(line, LIMITS).begin()
    assert "version 1, this tpsgd-edge speaks version" in str(caught.value)


def test_weights_are_replaced_only_when_all_of_them_are_right(line):
    model = wired("classes").model
    layout = state_layout(model)
    with_step = Reference(model)
    with_step.train_step(wired("classes").x[0], wired("classes").labels[0])
    state = layout.write(with_step.state())[: layout.used_bytes]
    hello = greeted(line)
    number = iter(range(hello.next, hello.next + 100))

    def write(crc, blocks, model_id=hello.model_id):
        begun = ask(
            line, Command.BEGIN_WRITE, next(number), struct.pack("<3I", model_id, len(state), crc)
        )
        for offset, block in blocks:
            answer = ask(line, Command.WRITE, next(number), struct.pack("<I", offset) + block)
        return begun, answer, ask(line, Command.END_WRITE, next(number))

    crc, half = zlib.crc32(state), 64
    # Not all of it; then the rest: the device says what it has, in another session too.
    assert write(crc, [(0, state[:half])])[2].status == BAD_STATE
    begun, answer, ended = write(crc, [(0, state[:half]), (half, state[half:])])
    assert number_of(begun.payload) == half
    assert (number_of(answer.payload), ended.status) == (len(state), 0)
    assert struct.unpack("<II", ended.payload) == (1, digest_of(model, state))
    # A block out of turn says what is wanted, and is not taken.
    begun, answer, ended = write(crc, [(0, state[:half]), (half + 1, state[half + 1 :])])
    assert (answer.status, number_of(answer.payload)) == (BAD_BLOCK, half)
    assert ended.status == BAD_STATE
    # Another CRC, the end of which is wrong: all comes again.
    wrong = write(crc ^ 1, [(0, state[:half]), (half, state[half:])])
    assert (number_of(wrong[0].payload), wrong[2].status) == (0, BAD_STATE)
    # Values that no model has, with a right CRC.
    impossible = bytearray(state)
    impossible[12:16] = struct.pack("<I", 2**31)
    blocks = [(0, bytes(impossible[:half])), (half, bytes(impossible[half:]))]
    assert write(zlib.crc32(impossible), blocks)[2].status == BAD_STATE
    # Nothing follows the end.
    blocks = [(0, state[:half]), (half, state[half:]), (len(state), b"more")]
    assert write(crc, blocks)[1].status == BAD_BLOCK
    # A self-test takes the scratch.
    write(crc, [(0, state[:half])])
    assert ask(line, Command.SELFTEST, next(number)).status == 0
    answer = ask(line, Command.WRITE, next(number), struct.pack("<I", half) + state[half:])
    assert answer.status == BAD_BLOCK
    now = greeted(line, 79)
    assert (now.step, now.digest) == (1, digest_of(model, state))


def test_a_spec_of_another_model_is_told_so(petals):
    told = pytest.raises(LinkError, match="the device has another model")
    with Process(petals / "device", petals) as process, told as caught:
        LinkedDevice.open(process.port, wired("bytes").model, limits=LIMITS)
    assert "'petals' with id 0x10546960, this spec makes 'bytes'" in str(caught.value)


def test_nobody_there_is_told_within_the_limit():
    import socket

    with socket.create_server(("localhost", 0)) as silent:
        port = f"socket://localhost:{silent.getsockname()[1]}"
        limits = Limits(answer=0.05, tries=3)
        with pytest.raises(LinkError, match="the device does not answer") as caught:
            LinkedDevice.open(port, wired("classes").model, limits=limits)
        heard = silent.accept()[0].recv(1000)
    # The same bytes, three times.
    assert heard == 3 * heard[: len(heard) // 3]
    assert "nothing within 0.05 s, 3 times" in str(caught.value)
    with pytest.raises(LinkError, match="the port cannot be opened"):
        LinkedDevice.open(port, wired("classes").model)
