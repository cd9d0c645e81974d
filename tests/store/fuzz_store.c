/*
 * fuzz_store.c -- a storage that holds anything, for libFuzzer: load, save, and load again
 *
 * The first bytes of an input choose the sizes of a storage, the rest is what lies in it. Where a
 * slot begins with the magic number, its sums are made right, each as a bit of the input says:
 * chance would find no CRC-32. Each call must stay inside of a block, what is loaded must be a
 * whole checkpoint of the model, and no save may touch the block of the newest one.
 */
#include "tps_crc32.h"
#include "tps_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(is_good)                                                                             \
    do {                                                                                           \
        if (!(is_good)) {                                                                          \
            fprintf(stderr, "line %d: %s\n", __LINE__, #is_good);                                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count);

struct trial {
    struct tps_storage storage;
    uint8_t *cells;
    size_t kept_from; /* the newest whole checkpoint: no save erases or programs it */
    size_t kept_to;   /* the same: there is none */
    uint32_t fails;   /* a bit for each call: whether it fails */
};

static uint32_t get_u32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void set_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

/* Where a call goes, which must be inside of a block; NULL where the call is to fail. */
static uint8_t *place(struct trial *trial, uint32_t block, uint32_t offset, uint32_t count)
{
    const struct tps_storage *storage = &trial->storage;
    const uint32_t fails = trial->fails & 1;

    CHECK(block < storage->block_count);
    CHECK(offset <= storage->block_size && count <= storage->block_size - offset);
    trial->fails = trial->fails >> 1 | fails << 31;
    return fails ? NULL : trial->cells + (size_t)block * storage->block_size + offset;
}

static void check_kept(const struct trial *trial, uint32_t block, uint32_t offset, uint32_t count)
{
    const size_t from = (size_t)block * trial->storage.block_size + offset;

    CHECK(from >= trial->kept_to || from + count <= trial->kept_from);
}

static int get(void *context, uint32_t block, uint32_t offset, void *bytes, uint32_t count)
{
    const uint8_t *from = place(context, block, offset, count);

    if (from != NULL) {
        memcpy(bytes, from, count);
    }
    return from == NULL;
}

static int set(void *context, uint32_t block, uint32_t offset, const void *bytes, uint32_t count)
{
    struct trial *trial = context;
    uint8_t *to = place(trial, block, offset, count);

    CHECK(offset % trial->storage.program_size == 0 && count % trial->storage.program_size == 0);
    CHECK(count <= trial->storage.page_size && bytes == trial->storage.page);
    check_kept(trial, block, offset, count);
    for (uint32_t i = 0; to != NULL && i < count; i++) {
        to[i] &= ((const uint8_t *)bytes)[i];
    }
    return to == NULL;
}

static int erase(void *context, uint32_t block)
{
    struct trial *trial = context;
    uint8_t *to = place(trial, block, 0, trial->storage.block_size);

    check_kept(trial, block, 0, trial->storage.block_size);
    if (to != NULL) {
        memset(to, 0xFF, trial->storage.block_size);
    }
    return to == NULL;
}

static int sync_all(void *context)
{
    return place(context, 0, 0, 0) == NULL;
}

/* Make the sums of slots right that begin as one does. */
static void mend(const struct trial *trial, const struct tps_store_model *model, uint32_t bits)
{
    const struct tps_storage *storage = &trial->storage;
    const uint32_t size = storage->block_count * storage->block_size;

    for (uint32_t at = 0; size - at >= TPS_SLOT_HEADER_BYTES; at += storage->page_size) {
        uint8_t *slot = trial->cells + at;
        if (get_u32(slot) != TPS_SLOT_MAGIC) {
            continue;
        }
        const uint32_t kind = bits & 7;
        bits = bits >> 3 | bits << 29;
        if ((kind & 1) == 0) {
            set_u32(slot + 4, TPS_STORE_VERSION);
            set_u32(slot + 12, model->id);
            set_u32(slot + 20, model->bytes);
        }
        if ((kind & 2) == 0) {
            set_u32(slot + 28, tps_crc32(0, slot, 28));
        }
        if ((kind & 4) == 0 && size - at >= TPS_SLOT_HEADER_BYTES + model->bytes + 4) {
            uint8_t *state = slot + TPS_SLOT_HEADER_BYTES;
            set_u32(state + model->bytes, tps_crc32(get_u32(slot + 28), state, model->bytes));
        }
    }
}

/* What was loaded is a whole checkpoint that lies where the store says. */
static void check_loaded(struct trial *trial, const struct tps_store *store,
                         const struct tps_store_model *model, const uint8_t *state)
{
    const struct tps_storage *storage = &trial->storage;
    const size_t at = (size_t)store->block * storage->block_size + store->offset;
    const uint8_t *slot = trial->cells + at;
    const uint32_t end = TPS_SLOT_HEADER_BYTES + model->bytes;

    CHECK(at + end + 4 <= (size_t)storage->block_count * storage->block_size);
    CHECK(get_u32(slot) == TPS_SLOT_MAGIC && get_u32(slot + 4) == TPS_STORE_VERSION);
    CHECK(get_u32(slot + 8) == store->sequence && get_u32(slot + 12) == model->id);
    CHECK(get_u32(slot + 16) == store->step && get_u32(slot + 20) == model->bytes);
    CHECK(get_u32(slot + 28) == tps_crc32(0, slot, 28));
    CHECK(memcmp(slot + TPS_SLOT_HEADER_BYTES, state, model->bytes) == 0);
    CHECK(get_u32(slot + end) == tps_crc32(get_u32(slot + 28), state, model->bytes));
    trial->kept_from = at;
    trial->kept_to = at + end + 4;
}

static void run(struct trial *trial, const struct tps_store_model *model, uint32_t fails)
{
    struct tps_store store;
    uint8_t *state = malloc(model->bytes), *saved = malloc(model->bytes);

    CHECK(state != NULL && saved != NULL);
    memset(saved, 0x5C, model->bytes);
    trial->kept_from = trial->kept_to = 0;
    trial->fails = fails;
    const tps_status status = tps_store_load(&store, &trial->storage, model, state);
    CHECK(status == TPS_OK || (status >= TPS_STORE_OLDER && status <= TPS_STORE_BAD_SIZES));
    if (status == TPS_OK || status == TPS_STORE_OLDER) {
        check_loaded(trial, &store, model, state);
        /* A test asks whether its seeds are found. */
        if (getenv("SHOW") != NULL) {
            fprintf(stderr, "loaded a checkpoint\n");
        }
    }
    for (uint32_t i = 0; i < 3; i++) {
        const tps_status done = tps_store_save(&store, &trial->storage, model, saved, i);
        CHECK(done == TPS_OK || done == TPS_STORE_FAILED || done == TPS_STORE_BAD_SIZES);
        CHECK((done == TPS_STORE_BAD_SIZES) == (status == TPS_STORE_BAD_SIZES));
        if (done == TPS_OK) {
            CHECK(store.step == i);
            check_loaded(trial, &store, model, saved);
        }
    }
    trial->fails = 0;
    trial->kept_from = trial->kept_to = 0;
    const tps_status last = tps_store_load(&store, &trial->storage, model, state);
    if (last == TPS_OK || last == TPS_STORE_OLDER) {
        check_loaded(trial, &store, model, state);
    }
    free(state);
    free(saved);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    static const uint32_t units[] = {1, 4, 8, 32, 3, 0};
    struct trial trial = {.cells = NULL};
    struct tps_store_model model;

    if (count < 16) {
        return 0;
    }
    trial.storage = (struct tps_storage){&trial, get, set, erase, sync_all, NULL, 0, 0, 0, 0, 0};
    trial.storage.program_size = units[input[0] % 6];
    trial.storage.page_size = trial.storage.program_size * (1 + input[1] % 64u);
    trial.storage.block_size = trial.storage.page_size * (1 + input[2] % 16u) + (input[3] == 255);
    trial.storage.block_count = input[3] % 12u;
    trial.storage.resumes = input[4] & 1;
    model.id = get_u32(input + 4);
    model.bytes = input[8] * (input[9] % 8u) + 1;
    const size_t size = (size_t)trial.storage.block_count * trial.storage.block_size;
    trial.cells = malloc(size + 1);
    trial.storage.page = malloc(trial.storage.page_size + 1);
    CHECK(trial.cells != NULL && trial.storage.page != NULL);
    memset(trial.cells, 0xFF, size);
    memcpy(trial.cells, input + 16, count - 16 < size ? count - 16 : size);
    if (trial.storage.page_size > 0) {
        mend(&trial, &model, get_u32(input + 10));
    }
    /* Half of all inputs have calls that fail. */
    run(&trial, &model, input[14] & 1 ? (uint32_t)input[15] << (input[14] >> 4) : 0);
    free(trial.storage.page);
    free(trial.cells);
    return 0;
}
