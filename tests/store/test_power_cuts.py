"""Power fails in every operation of a save: a load gives the save before, or the one cut off."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tools.power_cuts import FLASHES, RESUMES, STATES, STRICT, UNREADABLE, ZEROS, Flash, build, run

ROOT = Path(__file__).parent.parent.parent
SMALL, LARGE = STATES
# Slots of some blocks each, with one block left over.
LONG_SLOTS = Flash("slots of three blocks", 4, 32, 64, 10)
FLAGS = {"resumes": RESUMES, "strict": STRICT, "unreadable": UNREADABLE, "zeros": ZEROS}
BAD = ("bad_lost", "bad_mixed", "bad_silent", "bad_after", "bad_flash")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The trials, under sanitizers where a compiler brings them."""
    gcc = shutil.which("gcc")
    flags = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    strict = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror")
    folder = tmp_path_factory.mktemp("trials")
    return build(folder, (gcc,), (*flags, *strict)) if gcc else build(folder)


@pytest.fixture(scope="module")
def quick_program(tmp_path_factory):
    """The trials as fast as they get, for many."""
    return build(tmp_path_factory.mktemp("quick-trials"))


def wrong(counts: dict[str, int]) -> dict[str, int]:
    """What did not end as promised."""
    return {name: counts[name] for name in BAD if counts[name]}


@pytest.mark.series(6)
@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("flash", [*FLASHES, LONG_SLOTS], ids=lambda flash: flash.name)
def test_a_cut_costs_no_more_than_the_save_that_was_under_way(program, flash, flag):
    counts = run(program, "cuts", flash, state=SMALL, saves=25, flag=FLAGS[flag])
    assert wrong(counts) == {}
    assert counts["cuts"] == counts["operations"] * flash.ways
    assert counts["cuts"] == counts["same"] + counts["newer"] + counts["none"]
    assert counts["same"] > counts["newer"] >= 24 or flash.ways > 1
    # Mostly there is something to see of a save that was cut off.
    assert counts["older"] > 0.9 * counts["same"]


@pytest.mark.series(1)
@pytest.mark.parametrize("flash", FLASHES, ids=lambda flash: flash.name)
def test_a_state_of_some_kilobytes(program, flash):
    counts = run(program, "cuts", flash, state=LARGE, saves=2, flag=RESUMES)
    assert wrong(counts) == {}
    assert counts["cuts"] > 1000 or flash.ways > 1


@pytest.mark.sampled(2)
@pytest.mark.slow
@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("flash", FLASHES, ids=lambda flash: flash.name)
def test_a_thousand_saves(quick_program, flash, flag):
    counts = run(quick_program, "cuts", flash, state=SMALL, saves=1000, flag=FLAGS[flag])
    assert wrong(counts) == {}
    assert counts["cuts"] > 30_000


@pytest.mark.series(5)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("count", [2, 3, 5])
def test_cuts_one_after_the_other(program, count, flag, seed):
    flash = Flash("small", 4, 64, 1024, count, ways=3)
    counts = run(program, "walk", flash, state=SMALL, saves=300, flag=FLAGS[flag], seed=seed)
    assert wrong(counts) == {}
    assert counts["cuts"] > 300


@pytest.mark.series(3)
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("flag", ["resumes", "strict", "zeros"])
def test_operations_that_fail_or_do_nothing(program, count, flag):
    flash = Flash("small", 4, 64, 1024, count, ways=3)
    counts = run(program, "fail", flash, state=SMALL, saves=1000, flag=FLAGS[flag])
    assert wrong(counts) == {}
    assert counts["cuts"] > 1000 < counts["newer"]


@pytest.mark.parametrize("flash", [*FLASHES, LONG_SLOTS], ids=lambda flash: flash.name)
def test_a_checkpoint_that_rots_is_not_taken_and_is_named(program, flash):
    flash = replace(flash, ways=15)
    counts = run(program, "rot", flash, state=SMALL, saves=40, flag=RESUMES)
    assert wrong(counts) == {}
    assert counts["older"] > 500
    assert counts["damaged"] > 5


@pytest.mark.series(1)
@pytest.mark.parametrize("seed", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("flash", [FLASHES[1], LONG_SLOTS], ids=lambda flash: flash.name)
def test_arbitrary_bytes_are_taken_only_with_their_crc(program, flash, seed):
    flash = replace(flash, ways=4000)
    counts = run(program, "fuzz", flash, state=SMALL, saves=20, flag=RESUMES, seed=seed)
    assert wrong(counts) == {}
    assert counts["same"] > 1000


@pytest.mark.parametrize("flash", FLASHES, ids=lambda flash: flash.name)
@pytest.mark.parametrize("state", STATES)
def test_wear_is_spread(program, flash, state):
    saves = 1000
    counts = run(program, "wear", flash, state=state, saves=saves, flag=RESUMES)
    assert wrong(counts) == {}
    slot = -(-(state + 36) // flash.page) * flash.page
    in_block, blocks = max(1, flash.block // slot), -(-slot // flash.block)
    groups = flash.count // blocks
    assert counts["most_erased"] == -(-(saves + 1) // (in_block * groups))
    assert counts["most_erased"] - counts["least_erased"] <= 1


# What the trials must notice: one thing each that keeps a promise.
FAULTS = {
    "the newest is erased": (
        "tps_store.c",
        "if (store->group + 1 == store->held)",
        "if (false)",
        "fail",
        RESUMES,
    ),
    "a slot is taken as it is": (
        "tps_store.c",
        "tps_slot_is_erased(ring, *slot)",
        "true",
        "walk",
        RESUMES,
    ),
    "flash that does not allow it is gone on in": (
        "tps_store.c",
        "storage->resumes != 0 ? slot % ring.slots + 1 : ring.slots",
        "slot % ring.slots + 1",
        "walk",
        STRICT,
    ),
    "a number is used twice": ("tps_store.c", "    store->next++;\n", "", "walk", RESUMES),
    "numbers begin again": (
        "tps_store.c",
        "store->next = header.sequence + 1;",
        "store->next = header.sequence;",
        "walk",
        RESUMES,
    ),
    "a state is not looked at": (
        "tps_slots.c",
        "get_u32(page) == crc",
        "crc == crc",
        "walk",
        RESUMES,
    ),
    "a header is not looked at": (
        "tps_slots.c",
        "header->crc != tps_crc32(0, bytes, TPS_SLOT_HEADER_CRC)",
        "false",
        "rot",
        RESUMES,
    ),
    "an older one is no news": (
        "tps_store.c",
        "is_first && !is_followed(&ring, slot)",
        "is_first",
        "rot",
        RESUMES,
    ),
    "nothing is read back": (
        "tps_store.c",
        "!tps_slot_is_whole(&ring, slot, header.crc, NULL)",
        "false",
        "fail",
        RESUMES,
    ),
    "any newest will do": ("tps_store.c", "key < best", "key > 0", "walk", RESUMES),
    "padding is no unit": (
        "tps_store.c",
        "while (writer->fill % storage->program_size != 0)",
        "while (false)",
        "walk",
        RESUMES,
    ),
}


@pytest.mark.series(2)
@pytest.mark.parametrize("name", FAULTS)
def test_the_trials_find_a_store_that_is_wrong(tmp_path, monkeypatch, name):
    path, old, new, kind, flag = FAULTS[name]
    runtime = tmp_path / "runtime"
    shutil.copytree(ROOT / "firmware" / "runtime", runtime)
    text = (runtime / path).read_text()
    assert text.count(old) == 1
    (runtime / path).write_text(text.replace(old, new))
    monkeypatch.setattr("tools.power_cuts.firmware_dir", lambda: tmp_path)
    program = build(tmp_path)
    flash = Flash("small", 4, 64, 1024, 2, ways=5)
    assert wrong(run(program, kind, flash, state=SMALL, saves=300, flag=flag)), name
