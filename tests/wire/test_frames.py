"""Frames: what Python takes apart C has put together, and the other way round."""

import random
import subprocess
import zlib
from collections import namedtuple
from pathlib import Path

import pytest

from tests.unit.test_codegen_builds import compiler
from tests.unit.test_two_models import run
from tests.wire.projects import SANITIZE
from tpsgd_edge.assets import firmware_dir
from tpsgd_edge.link.frames import Frame, Reader, decoded, encoded
from tpsgd_edge.link.messages import BAD_NUMBER, OTHER_VERSION

HERE = Path(__file__).parent
LARGEST = 1024 - 12
Said = namedtuple("Said", "carried_out repeated refused dropped lost")
HELLO = encoded(Frame(1, 7, b""))
SERVE = b"sg"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("echo")
    (folder / "tps_names.h").write_text("/* one model */\n")
    runtime = firmware_dir() / "runtime"
    sources = [HERE / "echo.c", runtime / "tps_frames.c", runtime / "tps_crc32.c"]
    flags = SANITIZE if compiler()[0].endswith("gcc") else ("-O1", "-fno-sanitize=all")
    folders = [f"-I{folder}", f"-I{runtime}"]
    run(*compiler(), "-std=c11", *flags, *folders, *sources, "-o", folder / "echo")
    return folder / "echo"


def came(some: bytes) -> bytes:
    """The operations for bytes that come in."""
    return b"".join(b"t" + bytes([byte]) for byte in some)


def echo(program, script):
    """The frames that a script of operations sends, and the counters in the end."""
    done = subprocess.run([program], input=script, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    reader = Reader()
    frames = list(reader.feed(done.stdout))
    assert reader.damaged == 0
    return frames, Said(*map(int, done.stderr.split()))


def first_number(program):
    frames, _ = echo(program, came(HELLO) + SERVE)
    return int.from_bytes(frames[0].payload, "little")


def payloads():
    """Of every length at which COBS has a corner, without zeros, of zeros only, and mixed."""
    rng = random.Random(1)
    for length in (*range(20), *range(235, 265), *range(490, 520), LARGEST - 1, LARGEST):
        yield bytes(length)
        yield bytes(rng.randrange(1, 256) for _ in range(length))
        yield bytes(rng.choice((0, 1, 255)) for _ in range(length))
        yield bytes(rng.randrange(1, 256) * (rng.random() < 0.99) for _ in range(length))


def test_every_payload_comes_back(program):
    number, wanted, script = first_number(program), [], [came(HELLO), SERVE]
    for i, payload in enumerate(payloads()):
        frame = Frame(3, (number + i) % 2**32, payload)
        script += [came(encoded(frame)), SERVE]
        wanted.append(Frame(131, frame.number, payload))
    frames, said = echo(program, b"".join(script))
    assert frames[1:] == wanted
    assert said == Said(len(wanted) + 1, 0, 0, 0, 0)


def test_a_status_has_two_bytes(program):
    number = first_number(program)
    frames, _ = echo(program, came(HELLO) + SERVE + came(encoded(Frame(2, number, b""))) + SERVE)
    assert frames[1].status == 0x1234


def test_what_is_damaged_is_dropped_and_the_next_frame_is_understood(program):
    number = first_number(program)
    good = encoded(Frame(3, number, b"\0payload\0"))
    for i in range(1, len(good) - 1):
        changed = bytearray(good)
        changed[i] ^= 0x10
        for broken in (bytes(changed), good[:i], good[:1] + good[i + 1 :], b"\x55" * i + good[1:]):
            script = came(HELLO) + SERVE + came(broken) + SERVE + came(b"\0") + SERVE
            frames, said = echo(program, script + came(good) + SERVE)
            assert [frame.number for frame in frames] == [7, number]
            assert (said.carried_out, said.repeated) == (2, 0)
            assert said.dropped >= (broken.strip(b"\0") != b"")


def test_too_long_is_dropped(program):
    number = first_number(program)
    long, good = Frame(3, number, bytes(LARGEST + 1)), Frame(3, number, bytes(LARGEST))
    endless = b"\x02\x01" * 3000
    script = came(encoded(long) + endless) + SERVE + came(encoded(good)) + SERVE
    frames, said = echo(program, came(HELLO) + SERVE + script)
    assert [frame.number for frame in frames] == [7, number]
    assert said.dropped == 2


def test_zeros_are_no_frames(program):
    frames, said = echo(program, came(bytes(50)) + SERVE + came(HELLO) + SERVE)
    assert len(frames) == 1
    assert said == Said(1, 0, 0, 0, 0)


def test_what_comes_while_a_request_waits_is_lost_and_no_more(program):
    """And what began then is no request, though its end comes when one may."""
    number = first_number(program)
    one, two = encoded(Frame(3, number, b"one")), encoded(Frame(3, number + 1, b"two"))
    script = came(HELLO) + SERVE + came(one + two[:9]) + SERVE + came(two[9:]) + SERVE
    frames, said = echo(program, script)
    assert [frame.number for frame in frames] == [7, number]
    assert said == Said(2, 0, 0, 1, 8)
    frames, said = echo(program, script + came(two) + SERVE)
    assert [frame.payload for frame in frames[1:]] == [b"one", b"two"]


def test_an_answer_on_its_way_is_not_changed(program):
    number = first_number(program)
    one, two = encoded(Frame(3, number, b"one")), encoded(Frame(3, number + 1, b"two"))
    # The second request waits until the first answer has gone.
    frames, _ = echo(program, came(HELLO) + SERVE + came(one) + b"s" + came(two) + b"sgsg")
    assert [frame.payload for frame in frames[1:]] == [b"one", b"two"]


def test_versions_and_numbers(program):
    number = first_number(program)
    script = came(HELLO) + SERVE
    for version, wanted in ((0, number), (2, number), (1, number + 1), (1, number - 1)):
        script += came(encoded(Frame(3, wanted % 2**32, b"x", version=version))) + SERVE
    frames, said = echo(program, script)
    statuses = [frame.status for frame in frames[1:]]
    assert statuses == [OTHER_VERSION, OTHER_VERSION, BAD_NUMBER, BAD_NUMBER]
    assert (said.carried_out, said.refused) == (1, 4)
    # Without a hello there is no session, of whatever number.
    frames, said = echo(program, came(encoded(Frame(3, 0, b""))) + SERVE)
    assert (frames[0].status, said.carried_out) == (BAD_NUMBER, 0)


def test_numbers_pass_2_to_the_32(program):
    # A hello whose answer is close to the end, as found by its CRC.
    hello = next(h for h in range(1 << 22) if zlib.crc32(h.to_bytes(4, "little")) > 2**32 - 4096)
    number = zlib.crc32(hello.to_bytes(4, "little"))
    script = came(encoded(Frame(1, hello, b""))) + SERVE
    for i in range(4100):
        script += came(encoded(Frame(3, (number + i) % 2**32, b""))) + SERVE
    frames, said = echo(program, script)
    assert int.from_bytes(frames[0].payload, "little") == number
    assert frames[-1].number < 4096
    assert said.carried_out == 4101


# ------------------------------------------------------------------ in Python


def test_a_reader_takes_bytes_as_they_come():
    frames = [Frame(3, i, payload) for i, payload in enumerate(payloads())]
    line = b"\x07noise" + b"".join(encoded(frame) for frame in frames)
    rng, reader, found = random.Random(2), Reader(), []
    while line:
        count = rng.randrange(1, 700)
        found += reader.feed(line[:count])
        line = line[count:]
    assert found == frames
    assert reader.damaged == 1


def test_a_line_without_zeros_costs_no_memory():
    reader = Reader(largest=1000)
    for _ in range(100):
        assert list(reader.feed(b"\x01" * 999)) == []
    assert len(reader._bytes) <= 1000
    assert list(reader.feed(b"\0" + encoded(Frame(1, 2, b"x")))) == [Frame(1, 2, b"x")]


def test_every_bit_of_a_frame_is_under_its_crc():
    body = encoded(Frame(3, 99, b"payload"))[1:-1]
    for bit in range(8 * len(body)):
        changed = bytearray(body)
        changed[bit // 8] ^= 1 << bit % 8
        assert decoded(bytes(changed)) is None
