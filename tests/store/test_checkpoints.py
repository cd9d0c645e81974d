"""Checkpoints on the host: docs/STORE.md in Python, and the commands that read them."""

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.golden.projects import prepared
from tests.random.networks import state_bytes
from tpsgd_edge.cli import run
from tpsgd_edge.errors import DataError
from tpsgd_edge.memory import model_id, state_layout
from tpsgd_edge.memory.checkpoint import OVERHEAD, checkpoint, headers, newest
from tpsgd_edge.quantize import quantize_inputs, quantize_labels
from tpsgd_edge.reference import Reference
from tpsgd_edge.stages.export import read_state

ROOT = Path(__file__).parent.parent.parent
GOLDEN = ROOT / "tests" / "golden"
ID, STATE = 0x1234ABCD, bytes(range(50))
STEPS = 12


def area(*checkpoints: bytes, slot: int = 128, count: int = 8) -> bytes:
    """A storage with checkpoints in its first slots."""
    slots = [*(one.ljust(slot, b"\xff") for one in checkpoints), b"\xff" * (count * slot)]
    return b"".join(slots)[: count * slot]


def test_a_checkpoint_has_the_bytes_of_the_contract():
    """The table of docs/STORE.md, row by row."""
    text = (ROOT / "docs" / "STORE.md").read_text(encoding="utf-8")
    layout = text.partition("## Layout")[2].partition("A **slot**")[0]
    rows = re.findall(r"^\| (\d+|32 \+ n) \| (\d+|n) \|", layout, re.MULTILINE)
    assert rows == [
        *((str(at), "4") for at in range(0, 32, 4)),
        ("32", "n"),
        ("32 + n", "4"),
    ]
    raw = checkpoint(STATE, model_id=ID, step=77, sequence=9)
    assert raw[:4] == bytes.fromhex("74 70 53 74") == b"tpSt"
    assert struct.unpack("<6I", raw[4:28]) == (1, 9, ID, 77, len(STATE), 0)
    assert struct.unpack("<I", raw[28:32]) == (zlib.crc32(raw[:28]),)
    assert raw[32:82] == STATE
    assert struct.unpack("<I", raw[82:]) == (zlib.crc32(raw[:28] + STATE),)
    assert len(raw) == len(STATE) + OVERHEAD


def test_the_newest_whole_one_is_found_wherever_it_lies():
    old, new = (checkpoint(STATE, model_id=ID, step=n, sequence=n) for n in (4, 5))
    other = checkpoint(STATE, model_id=ID + 1, step=6, sequence=6)
    longer = checkpoint(STATE + b"!", model_id=ID, step=7, sequence=7)
    for raw in (
        *(area(new, old), area(old, new, other), b"abc" + new, new, area(other, old, new)),
        *(area(new, longer), area(longer, old, new)),
    ):
        found = newest(raw, ID, len(STATE), where="flash")
        assert (found.sequence, found.step, found.state) == (5, 5, STATE)
        assert raw[found.offset :].startswith(new)
    torn = area(old, new[:-10])
    assert newest(torn, ID, len(STATE), where="flash").sequence == 4


def test_a_storage_that_is_cut_off_anywhere_gives_what_is_whole():
    """A copy that ends in the middle of a header, a state or a sum is no crash."""
    first, second = (checkpoint(STATE, model_id=ID, step=n, sequence=n) for n in (4, 5))
    raw = first + second
    for end in range(len(raw) + 1):
        if end < len(first):
            with pytest.raises(DataError):
                newest(raw[:end], ID, len(STATE), where="flash")
        else:
            expected = 5 if end == len(raw) else 4
            assert newest(raw[:end], ID, len(STATE), where="flash").sequence == expected


def test_numbers_go_on_behind_the_largest():
    last, next_ = (checkpoint(STATE, model_id=ID, step=n, sequence=n) for n in (2**32 - 1, 0))
    for raw in (area(last, next_), area(next_, last)):
        assert newest(raw, ID, len(STATE), where="flash").sequence == 0


@given(st.binary(max_size=300), st.integers(0, 400), st.integers(0, 3))
def test_arbitrary_bytes_give_no_state(noise, at, what):
    """Whatever is written over a storage: no state that was not saved whole."""
    good = area(*(checkpoint(STATE, model_id=ID, step=n, sequence=n) for n in (1, 2)))
    raw = (good[:at] + noise + good[at + len(noise) :], noise, noise + good, good[at:])[what]
    try:
        found = newest(raw, ID, len(STATE), where="flash")
    except DataError:
        return
    assert found.state == STATE


@pytest.mark.parametrize("byte", range(len(STATE) + OVERHEAD))
def test_each_byte_of_a_checkpoint_counts(byte):
    raw = bytearray(checkpoint(STATE, model_id=ID, step=1))
    raw[byte] ^= 0x10
    assert [h.state for h in headers(bytes(raw))] in ([], [None])


def broken(byte: int) -> bytes:
    raw = bytearray(checkpoint(STATE, model_id=ID, step=8, sequence=3))
    raw[byte] ^= 1
    return bytes(raw)


def of_format(version: int) -> bytes:
    raw = checkpoint(STATE, model_id=ID, step=1)
    fields = raw[:4] + struct.pack("<I", version) + raw[8:28]
    return fields + struct.pack("<I", zlib.crc32(fields)) + raw[32:]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            area(),
            "there is no checkpoint in these bytes\n  where: flash.bin\n"
            "  found: 1,024 bytes, all of them erased\n"
            "  help:  read the storage that NAME_save writes to, from the begin of its first block",
        ),
        (
            b"some other bytes",
            "there is no checkpoint in these bytes\n  where: flash.bin\n"
            "  found: 16 bytes, and no header of a checkpoint\n"
            "  help:  read the storage that NAME_save writes to, from the begin of its first block",
        ),
        (
            area(b"", checkpoint(STATE, model_id=0xAB, step=1)),
            "the checkpoints are of another model\n  where: flash.bin, at byte 128\n"
            "  found: model id 0x000000AB, this spec makes 0x1234ABCD\n"
            "  help:  use the spec and the data that the firmware was built from, or carry it over:"
            " tpsgd-edge migrate OLD.toml NEW.toml DUMP",
        ),
        (
            area(of_format(2)),
            "the checkpoints are of another format\n  where: flash.bin, at byte 0\n"
            "  found: version 2; this tpsgd-edge reads version 1\n"
            "  help:  use the tpsgd-edge that the firmware was built with",
        ),
        (
            area(checkpoint(STATE, model_id=1, step=1), broken(40)),
            "no checkpoint in these bytes is whole\n  where: flash.bin, at byte 128\n"
            "  found: checkpoint 3, step 8, whose CRC-32 is not that of its 50 bytes of state; "
            "1 such in all\n"
            "  help:  read the whole storage, its blocks in order; what is damaged there is lost",
        ),
    ],
    ids=["erased", "bytes", "another model", "another format", "damaged"],
)
def test_what_is_no_checkpoint_of_the_model_is_said_in_words(raw, message):
    with pytest.raises(DataError) as caught:
        newest(raw, ID, len(STATE), where="flash.bin")
    assert caught.value.message() == message


@pytest.fixture(scope="module")
def trained():
    """The golden model, and its state after some steps, as bytes of the struct."""
    ready = prepared("classes")
    reference = Reference(ready.model)
    x = quantize_inputs(ready.model, ready.dataset.x_train[:STEPS])
    labels = quantize_labels(ready.model, ready.dataset.y_train[:STEPS])
    for sample, label in zip(x, labels, strict=True):
        reference.train_step(sample, int(label))
    return ready, state_bytes(ready.model, reference.state())


def saved(ready, raw: bytes, **fields: int) -> bytes:
    """A checkpoint of a state struct."""
    used = state_layout(ready.model).used_bytes
    return checkpoint(raw[:used], model_id=model_id(ready.model), step=STEPS, **fields)


def test_a_dump_a_checkpoint_and_a_storage_give_one_state(trained, tmp_path):
    ready, raw = trained
    file = tmp_path / "dump.bin"
    states = []
    for content in (raw, saved(ready, raw), area(saved(ready, raw, sequence=8), slot=512)):
        file.write_bytes(content)
        states.append(read_state(ready, file))
    assert [knows for _, knows in states] == [False, True, True]
    for state, _ in states[1:]:
        for name, tensor in states[0][0].items():
            assert np.array_equal(state[name], tensor), name


def test_a_model_id_that_was_given_counts_for_checkpoints_too(trained, tmp_path):
    ready, raw = trained
    (tmp_path / "flash.bin").write_bytes(saved(ready, raw))
    with pytest.raises(DataError, match="the dump is of another model"):
        read_state(ready, tmp_path / "flash.bin", model=1)


@pytest.fixture
def flash(trained, tmp_path, monkeypatch):
    """A copy of a storage, in a folder beside the spec."""
    ready, raw = trained
    monkeypatch.chdir(tmp_path)
    for name in ("classes.toml", "classes.csv"):
        (tmp_path / name).write_bytes((GOLDEN / name).read_bytes())
    torn = saved(ready, raw, sequence=2)[:-1]
    Path("flash.bin").write_bytes(area(saved(ready, raw), torn, slot=512))
    return "flash.bin"


def test_verify_goes_on_from_a_checkpoint(flash, capsys):
    assert run(["verify", "classes.toml", "--steps", "30", "--weights-in", flash]) == 0
    assert "equal" in capsys.readouterr().out


def test_simulate_goes_on_from_a_checkpoint(flash, trained, capsys):
    ready, _ = trained
    words = ["simulate", "classes.toml", "--epochs", "1", "--weights-in", flash]
    assert run([*words, "--weights-out", "out.bin"]) == 0
    assert "hidden layers as they came" in capsys.readouterr().out
    state, _ = read_state(ready, Path("out.bin"))
    assert int(state["step"]) == STEPS + len(ready.dataset.x_train)


def test_export_reads_a_checkpoint(flash, capsys):
    pytest.importorskip("onnx")
    assert run(["export", "classes.toml", "--weights", flash]) == 0
    out = capsys.readouterr().out
    assert f"{STEPS} steps" in out
    assert "not checked" not in out


def test_a_mismatch_is_shown_again_from_the_same_state(flash):
    from dataclasses import replace

    from tpsgd_edge.pipeline import verify
    from tpsgd_edge.spec import load_spec
    from tpsgd_edge.verdict import selftest_mismatch

    result = verify(load_spec(Path("classes.toml")), steps=3, weights_in=Path(flash))
    wrong = replace(result, verdict=selftest_mismatch(3))
    assert wrong.mismatch.splitlines()[-1].endswith("--weights-in flash.bin --steps 3")


@pytest.mark.parametrize("command", ["verify", "simulate"])
def test_commands_refuse_what_is_of_another_model(flash, capsys, command):
    words = [command, "classes.toml", "--set", "seed=8", "--weights-in", flash]
    assert run(words) == 2
    error = capsys.readouterr().err
    assert "the checkpoints are of another model\n  where: flash.bin, at byte 512" in error
    assert "tpsgd-edge migrate OLD.toml NEW.toml DUMP" in error
