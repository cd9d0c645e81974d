"""What a device says of a storage that Python filled: the C against the host's own reader."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.store.test_checkpoints import of_format
from tests.unit.test_codegen_builds import compiler
from tools.power_cuts import RUNTIME
from tpsgd_edge.errors import DataError
from tpsgd_edge.memory.checkpoint import checkpoint, headers, newest

ROOT = Path(__file__).parent.parent.parent
ID, STATE = 0x1234ABCD, bytes(range(50))
OK, OLDER, EMPTY, OTHER_MODEL, OTHER_FORMAT, DAMAGED, BAD_SIZES = 0, 32, 33, 34, 35, 36, 37
# Reads a storage from a file: the size of unit, page and block, and their number are arguments.
_MAIN = """
#include "tps_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t cells[1 << 16];
static uint32_t block_size;

static int get(void *context, uint32_t block, uint32_t offset, void *bytes, uint32_t count)
{
    (void)context;
    memcpy(bytes, cells + block * block_size + offset, count);
    return 0;
}

static int set(void *context, uint32_t block, uint32_t offset, const void *bytes, uint32_t count)
{
    (void)context;
    memcpy(cells + block * block_size + offset, bytes, count);
    return 0;
}

static int erase(void *context, uint32_t block)
{
    (void)context;
    memset(cells + block * block_size, 0xFF, block_size);
    return 0;
}

static int sync_all(void *context)
{
    (void)context;
    return 0;
}

int main(int count, char **words)
{
    static uint8_t page[1 << 12];
    static uint8_t state[50];
    const struct tps_store_model model = {0x1234ABCD, sizeof state};
    struct tps_storage storage = {
        .read = get, .program = set, .erase = erase, .sync = sync_all, .page = page,
        .program_size = (uint32_t)atol(words[2]), .page_size = (uint32_t)atol(words[3]),
        .block_size = (uint32_t)atol(words[4]), .block_count = (uint32_t)atol(words[5]),
    };
    struct tps_store store;
    FILE *file = fopen(words[1], "rb");

    block_size = storage.block_size;
    if (count != 6 || !file || fread(cells, 1, sizeof cells, file) == 0) {
        return 2;
    }
    const long status = (long)tps_store_load(&store, &storage, &model, state);
    printf("%ld %lu %lu\\n", status, (unsigned long)store.sequence, (unsigned long)store.step);
    fwrite(state, sizeof state, 1, stdout);
    const long saved = (long)tps_store_save(&store, &storage, &model, state, 99);
    printf("\\n%ld %lu\\n", saved, (unsigned long)store.sequence);
    return 0;
}
"""


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """A function from a storage to status, number, step, state; status and number of a save."""
    folder = tmp_path_factory.mktemp("device")
    (folder / "tps_names.h").write_text("/* one model */\n")
    (folder / "main.c").write_text(_MAIN)
    runtime = ROOT / "firmware" / "runtime"
    sources = [str(runtime / name) for name in RUNTIME]
    sanitize = "undefined,address" if shutil.which("gcc") else ""
    flags = [f"-fsanitize={sanitize}"] if sanitize else ["-fno-sanitize=all"]
    words = [*compiler(), "-std=c11", *flags, f"-I{folder}", f"-I{runtime}", "main.c", *sources]
    subprocess.run([*words, "-o", "device"], cwd=folder, check=True, timeout=300)

    def load(raw: bytes, unit: int = 4, page: int = 32, block: int = 128, count: int = 8):
        (folder / "flash.bin").write_bytes(raw)
        numbers = map(str, (unit, page, block, count))
        out = subprocess.run(
            ["./device", "flash.bin", *numbers], cwd=folder, capture_output=True, check=True
        ).stdout
        head, _, rest = out.partition(b"\n")
        state, tail = rest[:50], rest[51:]
        return (*map(int, head.split()), state, *map(int, tail.split()))

    return load


def area(*checkpoints: bytes, slot: int = 128, count: int = 8) -> bytes:
    slots = [*(one.ljust(slot, b"\xff") for one in checkpoints), b"\xff" * (count * slot)]
    return b"".join(slots)[: count * slot]


def of(sequence: int, model: int = ID, state: bytes = STATE) -> bytes:
    return checkpoint(state, model_id=model, step=sequence % 1000, sequence=sequence)


def spoilt(raw: bytes, byte: int) -> bytes:
    return raw[:byte] + bytes([raw[byte] ^ 4]) + raw[byte + 1 :]


CASES = {
    "erased": (area(), EMPTY, 0),
    "zeros": (bytes(1024), EMPTY, 0),
    "one": (area(of(3)), OK, 3),
    "two": (area(of(3), of(4)), OK, 4),
    "around": (area(of(9), of(10), of(5), of(6)), OK, 10),
    "torn at the end": (area(of(3), of(4)[:-2]), OLDER, 3),
    "torn in the header": (area(of(3), of(4)[:20]), OLDER, 3),
    "damaged": (area(of(3), spoilt(of(4), 50)), OLDER, 3),
    "nothing whole": (area(spoilt(of(3), 40), spoilt(of(4), 50)), DAMAGED, 0),
    "bytes": (area(b"some bytes"), DAMAGED, 0),
    "another model": (area(of(3, ID + 1)), OTHER_MODEL, 0),
    "another length": (area(of(3, ID, STATE[:40])), OTHER_MODEL, 0),
    "another format": (area(of_format(2)), OTHER_FORMAT, 0),
    "another model too": (area(of(3), of(9, ID + 1), b"", of(2)), OK, 3),
    "another and a damaged one": (area(of(7, ID + 1), spoilt(of(3), 50)), DAMAGED, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_a_device_tells_what_else_is_there(device, name):
    raw, status, sequence = CASES[name]
    found, number, step, state, saved, next_ = device(raw)
    assert (found, number, step) == (status, sequence, sequence)
    if status in (OK, OLDER):
        assert state == STATE
        assert newest(raw, ID, len(STATE), where="flash").sequence == sequence
    else:
        with pytest.raises(DataError):
            newest(raw, ID, len(STATE), where="flash")
    # The next one has a number that no header there has, of whatever model.
    assert saved == OK
    assert next_ > max([0, *(header.sequence for header in headers(raw))])


def test_numbers_go_on_behind_the_largest_on_a_device(device):
    last = 2**32 - 1
    for raw in (area(of(last), of(0)), area(of(0), b"", of(last))):
        assert device(raw)[:2] == (OK, 0)
        assert device(raw)[5] == 1
    assert device(area(of(last - 1), of(last)))[:2] == (OK, last)
    assert device(area(of(last - 1), of(last)))[4:] == (OK, 0)


@pytest.mark.parametrize(
    ("unit", "page", "block", "count", "is_good"),
    [
        (4, 32, 128, 2, True),
        (1, 86, 86, 2, True),
        (4, 32, 64, 4, True),
        (4, 32, 32, 6, True),
        (4, 32, 128, 1, False),
        (4, 32, 64, 3, False),
        (0, 32, 128, 2, False),
        (4, 0, 128, 2, False),
        (4, 32, 0, 2, False),
        (4, 16, 128, 2, False),
        (3, 32, 128, 2, False),
        (4, 32, 100, 4, False),
        (4, 64, 32, 9, False),
        (64, 64, 128, 0, False),
    ],
)
def test_a_device_refuses_sizes_that_no_storage_has(device, unit, page, block, count, is_good):
    found = device(b"\xff" * 4096, unit, page, block, count)
    assert found[0] == (EMPTY if is_good else BAD_SIZES)
    assert found[4] == (OK if is_good else BAD_SIZES)
