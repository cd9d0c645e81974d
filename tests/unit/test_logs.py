"""Logs that generated code writes, and what `replay` makes of them."""

import json
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.support.logged import ALL, KINDS, STEPS, Logged, compiled, spec_of, trained
from tpsgd_edge import replay
from tpsgd_edge.cli.commands import cli
from tpsgd_edge.errors import DataError
from tpsgd_edge.memory.log import BEGIN_BYTES, DIGEST_BYTES, read_log
from tpsgd_edge.quantize import quantize_inputs
from tpsgd_edge.reference import Reference
from tpsgd_edge.stages import prepare, render_project


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Logged]:
    """Make programs, each once."""

    @cache
    def make(kind: str = "classes", body: str = ALL, every: int = 10) -> Logged:
        folder = tmp_path_factory.mktemp("log")
        spec = spec_of(kind, folder, every)
        return Logged(spec, compiled(spec, folder, body))

    return make


def replayed(made: Logged, raw: bytes, folder: Path, **options: Any) -> Any:
    """What replay says of a log."""
    (folder / "device.log").write_bytes(raw)
    return replay(made.spec, folder / "device.log", **options)


# ------------------------------------------------------------------ what the device did


@pytest.mark.series(2)
@pytest.mark.parametrize("kind", KINDS)
def test_a_log_makes_the_same_weights_again(kind, logged, tmp_path):
    told = replayed(logged(kind), logged(kind).log(), tmp_path).replay
    assert told.difference is None
    assert (told.sessions, told.steps, told.compared, told.unchecked) == (1, STEPS, 3, 5)
    # Every step of a sequence counts as one of the model's.
    each = 4 if kind == "each step" else 1
    assert [step for step, _ in told.curve] == list(range(0, each * STEPS + 1, each))
    assert told.damage == ()


def test_records_are_as_long_as_the_header_says(logged):
    raw = logged().log()
    header = render_project(prepare(logged().spec)).files["net_log.h"]
    says = {  # the numbers that are defined
        words[1]: int(words[2])
        for words in map(str.split, header.splitlines())
        if words[:1] == ["#define"] and len(words) == 3
    }
    assert says["NET_LOG_EVERY"] == 10
    assert says["NET_LOG_BEGIN_BYTES"] == BEGIN_BYTES
    assert says["NET_LOG_DIGEST_BYTES"] == DIGEST_BYTES
    assert len(raw) == BEGIN_BYTES + STEPS * says["NET_LOG_STEP_BYTES"] + 3 * DIGEST_BYTES


def test_a_device_that_learned_otherwise_is_found_at_its_step(logged, tmp_path):
    # The device's weights lose a bit after 12 steps.
    body = trained(0, 12) + "model.fc1_w[0] ^= 1;" + trained(12, STEPS)
    made = logged(body=body, every=1)
    found = replayed(made, made.log(), tmp_path)
    assert not found.is_equal
    assert (found.replay.difference.first, found.replay.difference.last) == (13, 13)
    assert found.replay.compared == 12
    made = logged(body=body)
    found = replayed(made, made.log(), tmp_path)
    assert (found.replay.difference.first, found.replay.difference.last) == (11, 20)


def test_rates_and_schedules_are_done_again(logged, tmp_path):
    change = "(void)net_log_set_rate(&log, &model, 1000u); net_log_restart_schedule(&log, &model);"
    body = trained(0, 12) + change + trained(12, STEPS) + "net_log_digest(&log, &model);"
    made = logged(body=body)
    told = replayed(made, made.log(), tmp_path).replay
    assert told.difference is None
    assert (told.compared, told.unchecked) == (4, 0)
    raw = made.log()
    without = raw.index(b"R" + struct.pack("<I", 1000) + b"B")
    for cut in (slice(without, without + 5), slice(without + 5, without + 6)):
        changed = bytearray(raw)
        del changed[cut]
        assert "CRC differs" in replayed(made, bytes(changed), tmp_path).replay.damage[0]


def test_a_rate_that_is_refused_is_not_written_down(logged):
    body = "(void)net_log_set_rate(&log, &model, 32769u);"
    assert len(logged(body=body).log()) == BEGIN_BYTES


def test_a_step_that_is_refused_is_not_written_down(logged):
    body = "(void)net_log_train_step(&log, &model, x[0], 3);"
    assert len(logged(body=body).log()) == BEGIN_BYTES


def test_a_device_that_went_back_to_what_it_had_saved(logged, tmp_path):
    again = "model = saved; (void)net_log_begin(&log, &model);"
    body = trained(0, 13) + "saved = model;" + trained(13, 20) + again + trained(20, STEPS)
    made = logged(body=body)
    told = replayed(made, made.log(), tmp_path).replay
    assert told.difference is None
    assert (told.sessions, told.steps) == (2, 13 + 15)
    assert told.curve[-1][0] == 28
    assert told.compared == 3


def test_a_device_that_began_again(logged, tmp_path):
    body = trained(0, 13) + "net_init(&model); (void)net_log_begin(&log, &model);" + trained(0, 10)
    told = replayed(logged(body=body), logged(body=body).log(), tmp_path).replay
    assert told.difference is None
    assert (told.sessions, told.steps, told.compared) == (2, 10, 2)


def test_the_state_at_the_end_begins_the_next_log(logged, tmp_path):
    made, out = logged(body=trained(0, 12)), tmp_path / "weights.bin"
    replayed(made, made.log(), tmp_path, weights_out=out)
    later = trained(0, 12) + "(void)net_log_begin(&log, &model);" + trained(12, STEPS)
    raw = logged(body=later).log()
    second = raw[raw.rindex(b"tpSl") :]
    with pytest.raises(DataError, match="begins with a model that nothing here leads to") as caught:
        replayed(made, second, tmp_path)
    assert "--weights-in" in str(caught.value)
    told = replayed(made, second, tmp_path, weights_in=out).replay
    assert told.difference is None
    assert (told.steps, told.curve[0][0], told.curve[-1][0]) == (23, 12, STEPS)


def test_in_a_long_log_the_steepest_step_of_a_steep_stretch_is_found(logged, tmp_path):
    times, body = 12, f"for (int k = 0; k < 12; k++) {{ {ALL} }}"
    made = logged(body=body, every=100)
    told = replayed(made, made.log(), tmp_path).replay
    prepared = prepare(made.spec)
    model, data = prepared.model, prepared.dataset
    x, x_test = quantize_inputs(model, data.x_train), quantize_inputs(model, data.x_test)
    reference, scores = Reference(model), []
    for step in range(times * STEPS + 1):
        answers = [int(np.argmax(reference.output(one))) for one in x_test]
        scores.append(float(np.mean(answers == data.y_test)))
        reference.train_step(x[step % STEPS], int(data.y_train[step % STEPS]))
    changes = np.abs(np.diff(scores))
    ends = [step for step, _ in told.curve]
    assert len(ends) == 101
    assert [value for _, value in told.curve] == [scores[step] for step in ends]
    assert told.turns
    for turn in told.turns:
        assert (turn.before, turn.after) == (scores[turn.step - 1], scores[turn.step])
        end = next(step for step in ends if step >= turn.step)
        first = ends[ends.index(end) - 1]
        assert changes[turn.step - 1] == changes[first:end].max()


# ------------------------------------------------------------------ logs with holes


def test_a_log_that_is_cut_anywhere_tells_all_that_is_whole(logged, tmp_path):
    made = logged()
    raw, form = made.log(), log_format_of(made)
    whole = read_log(raw, form, where="log")[0]
    starts = [record.at for record in whole.records]
    for length in range(BEGIN_BYTES, len(raw)):
        (session,) = read_log(raw[:length], form, where="log")
        there = sum(start < length for start in starts)
        is_cut = length not in (*starts, len(raw))
        assert len(session.records) == there - is_cut
        assert ("cut off" in session.damage) == is_cut
    told = replayed(made, raw[:-3], tmp_path).replay
    assert (told.steps, told.unchecked) == (STEPS - 1, 4)
    assert "cut off" in told.damage[0]


def test_every_byte_that_changes_is_found(logged):
    made = logged()
    raw, form = made.log(), log_format_of(made)
    last = read_log(raw, form, where="log")[0]
    checked = last.records[last.checked - 1].at + DIGEST_BYTES
    for at in range(BEGIN_BYTES, checked):
        changed = bytearray(raw)
        changed[at] ^= 0x11
        (session,) = read_log(bytes(changed), form, where="log")
        assert session.damage, at
        # Where no record begins, nobody knows which of those before was damaged.
        assert "begins no" not in session.damage or len(session.records) == session.checked
        good = zip(session.records[: session.checked], last.records, strict=False)
        assert all(same_record(*pair) for pair in good)


def same_record(one: Any, other: Any) -> bool:
    """Whether a record is that of the log before it was changed."""
    return (one.kind, one.at, one.step, one.digest) == (
        other.kind,
        other.at,
        other.step,
        other.digest,
    ) and all(np.array_equal(getattr(one, part), getattr(other, part)) for part in ("x", "label"))


def test_a_write_that_fails_stops_the_log_and_not_the_training(logged, tmp_path):
    again = "writes = 1000; (void)net_log_begin(&log, &model);" + trained(20, STEPS)
    made = logged(body=trained(0, 20) + again)
    for writes in (30, 31, 32):
        told = replayed_in_part(made, made.log(str(writes)), tmp_path)
        assert told == "nothing here leads to"
    behind = logged(body=trained(0, 20) + 'printf("%08lx", (unsigned long)net_digest(&model));')
    assert behind.log("5")[-8:] == behind.log()[-8:]


def test_a_log_with_a_hole_takes_nothing_more_until_it_begins_anew(logged):
    made = logged(body=trained(0, 20) + "writes = 1000;" + trained(20, STEPS))
    begun = made.log("30")
    assert begun == made.log()[: len(begun)]
    # A beginning and nine samples, whose parts are three writes each, and the kind of one more.
    assert len(begun) == BEGIN_BYTES + 9 * 9 + 1


def replayed_in_part(made: Logged, raw: bytes, folder: Path) -> str:
    """What is said of a log whose second session begins with steps that the first one lacks."""
    with pytest.raises(DataError) as caught:
        replayed(made, raw, folder)
    return "nothing here leads to" if "nothing here leads to" in str(caught.value) else ""


def log_format_of(made: Logged) -> Any:
    from tpsgd_edge.memory.log import log_format

    return log_format(prepare(made.spec).model)


def changed_head(raw: bytes, word: int, value: int) -> bytes:
    """The log with one word of its beginning replaced, and a CRC that is right."""
    words = list(struct.unpack_from("<8I", raw))
    words[word] = value
    head = struct.pack("<8I", *words)
    return head + struct.pack("<I", zlib.crc32(head)) + raw[BEGIN_BYTES:]


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (1, "the log is of another format"),
        (2, "the log is of another model"),
        (3, "the samples in the log have another size"),
        (4, "the samples in the log have another size"),
    ],
)
def test_a_log_of_something_else_is_refused(word, says, logged, tmp_path):
    with pytest.raises(DataError, match=says):
        replayed(logged(), changed_head(logged().log(), word, 77), tmp_path)


@pytest.mark.parametrize("raw", [b"", b"tpSl", b"tpSl" + bytes(60), bytes(1000)])
def test_bytes_that_are_no_log_are_refused(raw, logged, tmp_path):
    with pytest.raises(DataError, match="there is no log in these bytes"):
        replayed(logged(), raw, tmp_path)


# ------------------------------------------------------------------ the command


def test_the_command_tells_the_verdict_and_the_turns(logged, tmp_path):
    body = trained(0, 12) + "model.fc1_w[0] ^= 1;" + trained(12, STEPS)
    made = logged(body=body)
    (tmp_path / "device.log").write_bytes(made.log())
    toml = made.spec.folder / "net.toml"
    toml.write_text(
        'name = "net"\nmodel.layers = [{name = "fc1", units = 5}, {name = "out", units = 3}]\n'
        'data.file = "own.npz"\nplatform.name = "host"\nfirmware.log = 10\n'
    )
    plot = tmp_path / "plot.svg"
    command = ["replay", str(toml), str(tmp_path / "device.log")]
    done = CliRunner().invoke(cli, [*command, "--plot", str(plot)], standalone_mode=False)
    text = done.return_value.text
    assert done.return_value.is_mismatch
    assert "mismatch in steps 11 to 20: the device's digest is 0x" in text
    assert "1 digest before: equal" in text
    assert "Accuracy on the test set: " in text
    assert "  step " in text
    assert plot.read_text().startswith("<?xml")
    document = json.loads(
        CliRunner().invoke(cli, [*command, "--json"], standalone_mode=False).return_value.text
    )
    assert document["verdict"] == "mismatch"
    turn = document["turns"][0]
    curve = {point["step"]: point["accuracy"] for point in document["curve"]}
    assert (curve[turn["step"] - 1], curve[turn["step"]]) == (turn["before"], turn["after"])
    changes = [abs(turn["after"] - turn["before"]) for turn in document["turns"]]
    assert changes == sorted(changes, reverse=True)
