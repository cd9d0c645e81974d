"""RAM that is kept: a model is whole only if it is, bit for bit, the one that was sealed."""

import pytest

from tests.store.projects import STORED, stored_project, write_sources
from tests.store.test_stored_projects import STORAGE
from tests.unit.test_codegen_builds import compiler
from tests.unit.test_two_models import run

# Counts, of what a training step may leave when it is cut off after any store of a byte, from the
# begin or from the end on, how much is taken for whole that is not, or not taken though it is.
_MAIN = """
#include "MODEL_store.h"

#include <stdio.h>
#include <string.h>

#define BLOCKS 9
STORAGE
static struct MODEL_model model, before, after, ram;
static struct tps_store store, kept;

int main(void)
{
    unsigned long cuts = 0, wrong = 0, bits = 0;
    const size_t bytes = MODEL_UPPER_STATE_BYTES;

    memset(cells, 0xFF, sizeof cells);
    printf("zeros %d\\n", MODEL_is_whole(&store, &model));
    memset(&model, 0xFF, sizeof model);
    memset(&store, 0xFF, sizeof store);
    printf("ones %d\\n", MODEL_is_whole(&store, &model));
    MODEL_load(&store, &flash, &model);
    for (int step = 0; step < 4; step++) {
        before = model;
        MODEL_seal(&store, &before);
        kept = store;
        /* A step of training: on samples of the self-test, which begins with the initial state. */
        MODEL_selftest(&after);
        for (size_t cut = 0; cut <= bytes; cut++) {
            for (int from_end = 0; from_end < 2; from_end++) {
                uint8_t *raw = (uint8_t *)&ram;
                ram = from_end ? before : after;
                memcpy(raw + cut, (uint8_t *)(from_end ? &after : &before) + cut, bytes - cut);
                const bool is_same = memcmp(raw, &before, bytes) == 0;
                wrong += MODEL_is_whole(&store, &ram) != is_same;
                cuts++;
            }
        }
        model = after;
        model.step += (uint32_t)step;
        printf("trained %d\\n", MODEL_is_whole(&store, &model));
    }
    MODEL_seal(&store, &model);
    for (size_t i = 0; i < bytes; i++) {
        ((uint8_t *)&model)[i] ^= (uint8_t)(1 << i % 8);
        bits += MODEL_is_whole(&store, &model);
        ((uint8_t *)&model)[i] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t i = 0; i < sizeof store; i++) {
        ((uint8_t *)&store)[i] ^= 16;
        bits += MODEL_is_whole(&store, &model);
        ((uint8_t *)&store)[i] ^= 16;
    }
    printf("whole %d\\n", MODEL_is_whole(&store, &model));
    MODEL_save(&store, &flash, &model);
    printf("saved %d\\n", MODEL_is_whole(&store, &model));
    printf("cuts %lu wrong %lu bits %lu\\n", cuts, wrong, bits);
    return 0;
}
"""


@pytest.mark.series(2)
@pytest.mark.parametrize("name", STORED)
def test_what_a_step_that_was_cut_off_leaves_is_not_whole(tmp_path, name):
    sources = write_sources(name, tmp_path)
    model = stored_project(name).name
    text = _MAIN.replace("STORAGE", STORAGE).replace("MODEL_UPPER", model.upper())
    (tmp_path / "main.c").write_text(text.replace("MODEL", model))
    flags = ("-O1", "-std=c11", "-fno-sanitize=all")
    run(*compiler(), *flags, "main.c", *sources, "-o", "program", cwd=tmp_path)
    lines = run(tmp_path / "program").splitlines()
    assert lines[:2] == ["zeros 0", "ones 0"]
    assert lines[2:8] == [*["trained 0"] * 4, "whole 1", "saved 0"]
    _, cuts, _, wrong, _, bits = lines[8].split()
    assert int(cuts) > 500
    assert (wrong, bits) == ("0", "0")
