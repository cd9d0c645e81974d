"""docs/ARITHMETIC.md, section 27: averages and messages, in Python, in C and in plain integers."""

import contextlib
import struct
import subprocess
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fleets import model_of, plain_mean, shared
from tests.unit.test_codegen_builds import STRICT, compiler
from tpsgd_edge.errors import DataError, SpecError
from tpsgd_edge.fleet.averaging import (
    AVERAGES,
    averaged,
    device_shares,
    krum_choice,
    mean,
    rounding_words,
    trimmed_mean,
)
from tpsgd_edge.fleet.gateway import gateway_of
from tpsgd_edge.fleet.server import Averaging, Gateway, Server
from tpsgd_edge.fleet.shared import shared_of
from tpsgd_edge.fleet.updates import DIFFERENCE, WHOLE, Message, read, written

KINDS = ("bytes", "words", "maps", "wave_gru")
SEED = 12345
WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wmissing-prototypes".split()
# A server that takes updates from stdin, each behind its length, and answers with its base, all of
# base as a message, what the round has changed, and that again as an update for a server above. A
# round ends with a length of 0. Behind a length with the highest bit set is a message of a server
# above; the answer is whether it was taken, and base.
GATEWAY = """
#include "NAME_fleet.h"
#include <stdio.h>
#include <string.h>
static int32_t base[UPPER_FLEET_VALUES], old[UPPER_FLEET_VALUES], sums[UPPER_FLEET_VALUES];
static int64_t wide[UPPER_FLEET_WIDE_VALUES];
static uint8_t kept[64][UPPER_FLEET_MESSAGE_BYTES], message[UPPER_FLEET_MESSAGE_BYTES];
static uint32_t samples[64];
static struct tps_fleet fleet = {UPPER_FLEET_NAME, SEEDu, base, sums, wide, 0, 0};
static uint32_t put(const int32_t *from, uint32_t n, uint32_t room)
{
    if (n > 0u) { return tps_fleet_write_update(&fleet, from, n, message, room); }
    return tps_fleet_write(&fleet, from, message, room);
}
static void send(const int32_t *from, uint32_t n)
{
    uint32_t bytes = put(from, n, sizeof message);
    if (put(from, n, bytes - 1u) != 0u) { bytes = 0; }
    bytes = bytes == 0 ? 0 : put(from, n, bytes);
    fwrite(&bytes, 4, 1, stdout);
    fwrite(message, 1, bytes, stdout);
}
int main(void)
{
    uint32_t length = 0, many = 0;
    if (fread(base, sizeof base, 1, stdin) != 1) { return 1; }
    while (fread(&length, 4, 1, stdin) == 1) {
        if ((length >> 31) != 0u) {
            length &= 0x7FFFFFFFu;
            if (length > sizeof kept[0]) { return 1; }
            if (fread(kept[0], 1, length, stdin) != length) { return 1; }
            uint32_t is_taken = tps_fleet_take(&fleet, old, kept[0], length);
            fwrite(&is_taken, 4, 1, stdout);
            fwrite(base, sizeof base, 1, stdout);
            continue;
        }
        if (length > 0u) {
            if (fread(kept[many], 1, length, stdin) != length) { return 1; }
            if (tps_fleet_check(&fleet, kept[many], length, &samples[many])) { many++; }
            continue;
        }
        uint8_t shift = tps_fleet_shift(samples, many);
        memcpy(old, base, sizeof base);
        tps_fleet_begin(&fleet);
        for (uint32_t i = 0; i < many; i++) {
            tps_fleet_add(&fleet, kept[i], tps_fleet_share(samples[i], shift));
        }
        tps_fleet_finish(&fleet);
        fwrite(base, sizeof base, 1, stdout);
        send(NULL, 0);
        send(old, 0);
        send(old, tps_fleet_samples(samples, many));
        many = 0;
    }
    return 0;
}
"""


def drawn(own, rng, *, devices: int) -> tuple[np.ndarray, list[Message]]:
    """A base, and updates of all widths, some of which lead out of the ranges."""
    base = rng.integers(own.low, own.high, endpoint=True)
    messages = []
    for _ in range(devices):
        reach = rng.choice([0, 3, 200, 60_000], size=own.count, p=[0.4, 0.3, 0.2, 0.1])
        still = np.repeat(rng.random(len(own.tensors)) < 0.3, [t.count for t in own.tensors])
        values = np.where(still, 0, rng.integers(-reach, reach + 1))
        samples = int(rng.choice([0, 1, 40, 20_000, 2**32 - 1]))
        messages.append(Message(DIFFERENCE, 0, samples, values))
    return base, messages


def gateway(folder, name: str):
    """A program that averages, under sanitizers where there are any."""
    model, own = model_of(name), shared(name)
    for path, text in gateway_of(model, own).items():
        (folder / path).write_text(text)
    upper = model.name.upper()
    head = f"{model.name}_fleet_tensors, {upper}_FLEET_TENSORS, {upper}_FLEET_MODEL_ID"
    text = GATEWAY.replace("UPPER_FLEET_NAME", head).replace("UPPER", upper)
    text = text.replace("NAME", model.name).replace("SEED", str(SEED))
    (folder / "main.c").write_text(text)
    command = compiler()
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags = flags if command[0].endswith(("gcc", "clang")) else ["-fno-sanitize=all"]
    strict = (*STRICT.split(), *WARNINGS)
    build = [*command, *strict, "-std=c11", "-O1", *flags, "-c"]
    build += ["tps_fleet.c", "tps_fleet_message.c"]
    subprocess.run(build, cwd=folder, check=True, timeout=120)
    objects = ("tps_fleet.o", "tps_fleet_message.o")
    link = [*command, "-std=c11", "-O1", *flags, "main.c", *objects, "-o", "gateway"]
    subprocess.run(link, cwd=folder, check=True, timeout=120)
    return folder / "gateway"


@pytest.mark.parametrize("name", KINDS)
def test_server_gateway_and_plain_integers_agree(tmp_path, name):
    own, rng = shared(name), np.random.default_rng(7)
    base, first = drawn(own, rng, devices=5)
    # The second round has updates of both rounds, and a device that does not exist.
    _, second = drawn(own, rng, devices=3)
    second = [Message(DIFFERENCE, place % 2, m.samples, m.values) for place, m in enumerate(second)]
    sent = [[written(own, m) for m in part] for part in (first, second)]
    sent[0].append(b"tF" + bytes(30))
    sent[1].append(written(own, Message(DIFFERENCE, 5, 1, first[0].values)))
    server, plain = Server(own, base, Averaging(), SEED), base.tolist()
    expected, before = b"", base
    for turn, messages in enumerate((first, second)):
        assert server.finish(sent[turn]) == 1
        pairs = [(m.samples, m.values.tolist()) for m in messages]
        plain = plain_mean(plain, own.low.tolist(), own.high.tolist(), pairs, SEED, turn)
        assert server.values.tolist() == plain
        whole = written(own, Message(WHOLE, turn + 1, 0, server.values))
        change = written(own, Message(DIFFERENCE, turn + 1, 0, server.values - before))
        assert (server.message(None), server.message(turn)) == (whole, change)
        expected += server.values.astype("<i4").tobytes()
        every = sum(m.samples for m in messages)
        up = written(own, Message(DIFFERENCE, turn, every, server.values - before))
        expected += b"".join(struct.pack("<I", len(m)) + m for m in (whole, change, up))
        before = server.values
    said = base.astype("<i4").tobytes()
    for part in sent:
        said += b"".join(struct.pack("<I", len(raw)) + raw for raw in part) + bytes(4)
    done = subprocess.run(
        [str(gateway(tmp_path, name))], input=said, capture_output=True, timeout=60, check=True
    )
    assert done.stdout == expected


def test_gateways_and_a_server_come_close_to_one_server():
    own, rng = shared("words"), np.random.default_rng(3)
    base = np.zeros(own.count, np.int64)
    updates = [
        written(own, Message(DIFFERENCE, 0, 10, rng.integers(-900, 900, own.count)))
        for _ in range(12)
    ]
    flat, top = (Server(own, base, Averaging(), SEED) for _ in range(2))
    flat.finish(updates)
    up = []
    for place in range(3):
        gate = Gateway(own, base, Averaging(), SEED, place)
        gate.finish(updates[4 * place : 4 * place + 4])
        up.append(gate.update())
        assert read(own, up[-1]).samples == 40
    top.finish(up)
    # Each of both levels rounds by less than 1, up or down.
    assert np.abs(top.values - flat.values).max() <= 2
    assert np.abs((top.values - flat.values).mean()) < 0.1


def test_nobody_moves_a_value_out_of_its_range():
    own = shared()
    for ends in (own.low, own.high):
        moved = np.stack([2 * ends, ends])
        made = averaged(
            own, ends, moved, np.array([9, 1]), np.zeros(own.count, np.int64), average="mean", cut=0
        )
        assert made.tolist() == ends.tolist()


def test_shares_are_the_largest_that_s32_holds():
    assert device_shares([3, 0, 5]).tolist() == [3, 1, 5]
    assert device_shares([2**13, 2**13]).tolist() == [2**13, 2**13]
    assert device_shares([2**13, 2**13 + 1]).tolist() == [2**12, 2**12]
    most = device_shares([1] * 2**14)
    assert most.sum() * (2**16 - 1) < 2**30
    with pytest.raises(ValueError, match="16,385 devices"):
        device_shares([1] * (2**14 + 1))


def test_the_mean_is_rounded_at_random_without_a_bias():
    words = rounding_words(1, 4, 40_000)
    made = mean(np.array([[7], [0], [-2]]) * np.ones(40_000, np.int64), np.array([1, 2, 1]), words)
    assert set(made.tolist()) == {1, 2}
    assert made.mean() == pytest.approx(1.25, abs=0.01)
    assert rounding_words(1, 5, 40_000).tolist() != words.tolist()


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9), st.integers(0, 4))
def test_a_trimmed_mean_is_one_of_what_is_left(values, cut):
    cut = min(cut, (len(values) - 1) // 2)
    left = sorted(values)[cut : len(values) - cut]
    made = trimmed_mean(np.array(values)[:, None], cut, np.zeros(1, np.int64))
    assert made.tolist() == [sum(left) // len(left)]


def test_a_median_bears_liars_that_move_a_mean():
    own = shared("words")
    base = np.zeros(own.count, np.int64)
    honest, lie = np.full(own.count, 10), np.full(own.count, -5000)
    moved, shares = np.stack([honest] * 4 + [lie]), np.full(5, 8)
    found = {
        way: int(averaged(own, base, moved, shares, base, average=way, cut=1).min())
        for way in AVERAGES
    }
    assert found == {"mean": -992, "median": 10, "trimmed": 10, "krum": 10}


def test_krum_takes_the_device_amid_the_most_others():
    places = np.array([[0, 0], [3, 0], [0, 3], [1, 1], [90, 90]])
    assert krum_choice(places, 1) == 3


def test_krum_with_few_devices_takes_one_of_them():
    for count in (1, 2, 3):
        assert krum_choice(np.arange(2 * count).reshape(count, 2), 1) in range(count)


# ------------------------------------------------------------------ messages


@pytest.mark.parametrize("name", KINDS)
def test_messages_hold_what_was_written(name):
    own, rng = shared(name), np.random.default_rng(2)
    base, messages = drawn(own, rng, devices=4)
    for message in (*messages, Message(WHOLE, 9, 0, base)):
        found = read(own, written(own, message))
        assert (found.kind, found.turn, found.samples) == (
            message.kind,
            message.turn,
            message.samples,
        )
        assert found.values.tolist() == message.values.tolist()


def test_a_row_takes_the_bytes_of_its_widest_difference():
    own = shared("words")
    codes = sum(-(-tensor.rows // 4) for tensor in own.tensors)
    still = np.zeros(own.count, np.int64)
    first = own.tensors[0]
    sizes = []
    for value in (0, -128, 128, -(2**15), 2**15):
        moved = still.copy()
        moved[first.start] = value
        sizes.append(len(written(own, Message(DIFFERENCE, 0, 1, moved))) - 20 - codes)
    assert sizes == [0, *(first.columns * width for width in (1, 2, 2, 4))]


@given(st.binary(max_size=80))
def test_what_is_no_message_is_refused_in_words(raw):
    with pytest.raises(DataError, match="cannot be read"):
        read(shared(), raw)


def sealed(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body))


@given(st.integers(0, 1), st.binary(max_size=400))
def test_any_values_behind_a_good_head_are_read_or_refused(kind, body):
    head = struct.pack("<2sBBIII", b"tF", 1, kind, shared().model, 0, 1)
    with contextlib.suppress(DataError):
        assert read(shared(), sealed(head + body)).values.shape == (shared().count,)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ((b"tX", 1, 1, None), "version 1"),
        ((b"tF", 2, 1, None), "version 2"),
        ((b"tF", 1, 2, None), "kind 2"),
        ((b"tF", 1, 1, 0xDEAD), "model id 0x0000DEAD, expected"),
    ],
)
def test_messages_of_others_are_refused(head, words):
    mark, version, kind, model = head
    own = shared()
    model = own.model if model is None else model
    raw = sealed(struct.pack("<2sBBIII", mark, version, kind, model, 0, 1))
    with pytest.raises(DataError, match=words):
        read(own, raw)


def test_values_that_no_device_can_hold_are_refused():
    own = shared("words")
    place = own.tensors[0].place
    values = own.low.copy()
    raw = bytearray(written(own, Message(WHOLE, 0, 0, values)))
    assert read(own, bytes(raw)).values.tolist() == values.tolist()
    bias = next(tensor for tensor in own.tensors if tensor.type == "s32")
    assert place != bias.place
    values[bias.start] = bias.low - 1
    with pytest.raises(DataError, match="no device can hold"):
        read(own, written(own, Message(WHOLE, 0, 0, values)))


# ------------------------------------------------------------------ what is shared


@pytest.mark.parametrize("name", [*KINDS, "keeps"])
def test_shared_values_go_into_a_state_and_nothing_else_does(name):
    own, rng = shared(name), np.random.default_rng(5)
    state = rng.integers(0, 256, own.layout.size, np.uint8).tobytes()
    values = rng.integers(own.low, own.high, endpoint=True)
    made = own.into(state, values)
    assert own.of(made).tolist() == values.tolist()
    before, after = own.layout.read(state), own.layout.read(made)
    names = {tensor.name for tensor in own.tensors}
    assert {"rng", "step", "start", "rate"}.isdisjoint(names)
    for other in set(before) - names:
        assert before[other].tobytes() == after[other].tobytes()


def test_personal_layers_are_not_shared():
    model = model_of("bytes")
    first, *_, last = [layer.name for layer in model.layers]
    names = {tensor.name for tensor in shared_of(model, (last,)).tensors}
    assert f"{first}.w" in names
    assert f"{last}.w" not in names
    with pytest.raises(SpecError, match="no layer 'x' that learns"):
        shared_of(model, ("x",))
    with pytest.raises(SpecError, match="share nothing"):
        shared_of(model, tuple(layer.name for layer in model.layers))


def test_a_detector_is_not_averaged():
    with pytest.raises(SpecError, match="cannot be averaged"):
        shared_of(model_of("odd"))
