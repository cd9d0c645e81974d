/*
 * trials.c -- power fails in every operation of many saves, and what is loaded afterwards
 *
 *   trials KIND UNIT PAGE BLOCK COUNT SECTORS STATE SAVES WAYS FLASH SEED
 *
 * KIND     cuts: power fails in every operation of every save, from the same flash each time
 *          walk: power fails in some operations, one after the other
 *          fail: operations fail, or do something else and say nothing
 *          rot:  bits of the newest checkpoint change by themselves
 *          fuzz: arbitrary bytes
 *          wear: nothing fails
 * UNIT, PAGE, BLOCK and COUNT are those of struct tps_storage
 * SECTORS  bytes that the erase of each block erases, 16384,65536; or - for BLOCK
 * STATE    bytes of a state
 * WAYS     mixtures for each cut or rotten checkpoint; rounds of the others
 * FLASH    1: a unit whose program was cut off, and that reads as erased, takes another one
 *          3: ... and an erase leaves zeros
 *          0: it takes none, and resumes is 0
 *          2: ... and it does not even read
 *
 * Prints one line of NAME=NUMBER; all that begin with bad_ must be 0.
 */
#include "flash.h"
#include "tps_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID 0x12345678u

struct tally {
    uint64_t operations;
    uint64_t cuts;
    uint64_t newer; /* loads that gave the model whose save was under way */
    uint64_t same;  /* ... and the one before */
    uint64_t older; /* of these, those that said so */
    uint64_t none;  /* loads of nothing, before the first save was done */
    uint64_t damaged;
    uint64_t bad_lost;   /* older than the latest that was saved, or nothing */
    uint64_t bad_mixed;  /* a state that nobody saved */
    uint64_t bad_silent; /* an older one, or none, and no word of it */
    uint64_t bad_after;  /* a save or load that fails afterwards */
};

struct trial {
    struct flash flash;
    struct tps_store_model model;
    struct tps_store store;
    struct tally tally;
    uint8_t *saved; /* all states, one after the other */
    uint8_t *loaded;
    uint32_t saves;
};

/* The state of a save: what differs in many bytes, and begins with its number. */
static const uint8_t *state_of(const struct trial *trial, uint32_t save)
{
    return trial->saved + (size_t)save * trial->model.bytes;
}

static tps_status load(struct trial *trial)
{
    memset(&trial->store, 0xA5, sizeof trial->store);
    memset(trial->loaded, 0x5A, trial->model.bytes);
    return tps_store_load(&trial->store, &trial->flash.storage, &trial->model, trial->loaded);
}

static tps_status save(struct trial *trial, uint32_t number)
{
    return tps_store_save(&trial->store, &trial->flash.storage, &trial->model,
                          state_of(trial, number), number);
}

static bool is_loaded(const struct trial *trial, uint32_t number)
{
    return memcmp(trial->loaded, state_of(trial, number), trial->model.bytes) == 0 &&
           trial->store.step == number;
}

/* Save, with power failing at an operation of it. Returns whether power failed. */
static bool save_with_cut(struct trial *trial, uint32_t number, uint64_t cut)
{
    trial->flash.cut_at = trial->flash.operations + cut;
    if (setjmp(trial->flash.power_off) != 0) {
        trial->flash.cut_at = UINT64_MAX;
        trial->tally.cuts++;
        return true;
    }
    if (save(trial, number) != TPS_OK) {
        trial->tally.bad_after++;
    }
    trial->flash.cut_at = UINT64_MAX;
    return false;
}

/* Whether a save that was begun after `done`, up to `number`, was loaded; they go round. */
static bool is_newer(const struct trial *trial, uint32_t number, uint32_t done)
{
    for (uint32_t i = 0; i < trial->saves && number != done; i++) {
        if (is_loaded(trial, number)) {
            return true;
        }
        number = (number + trial->saves - 1) % trial->saves;
    }
    return false;
}

/* Load after a save of `number` was cut off; `done` is the latest that was saved, or UINT32_MAX. */
static bool check_load(struct trial *trial, uint32_t number, uint32_t done)
{
    struct tally *tally = &trial->tally;
    const tps_status status = load(trial);
    const bool has_loaded = status == TPS_OK || status == TPS_STORE_OLDER;

    if (has_loaded && done != UINT32_MAX ? is_newer(trial, number, done)
                                         : has_loaded && is_loaded(trial, number)) {
        tally->newer++;
        return true;
    }
    if (has_loaded && done != UINT32_MAX && is_loaded(trial, done)) {
        tally->same++;
        tally->older += status == TPS_STORE_OLDER;
        return false;
    }
    if (has_loaded) {
        for (uint32_t i = 0; i < trial->saves; i++) {
            if (is_loaded(trial, i)) {
                tally->bad_lost++;
                return false;
            }
        }
        tally->bad_mixed++;
    } else if (done != UINT32_MAX) {
        tally->bad_lost++;
    } else {
        tally->none++;
        tally->bad_silent += status != TPS_STORE_EMPTY && status != TPS_STORE_DAMAGED;
    }
    return false;
}

/* After a cut life goes on: another save is done, and found. */
static void check_after(struct trial *trial, uint32_t number)
{
    if (save(trial, number) != TPS_OK) {
        trial->tally.bad_after++;
    } else if (load(trial) != TPS_OK || !is_loaded(trial, number)) {
        trial->tally.bad_after++;
    }
}

static void try_cuts(struct trial *trial, uint32_t ways)
{
    struct snapshot before = flash_snapshot(&trial->flash);

    load(trial);
    for (uint32_t number = 0; number + 1 < trial->saves; number++) {
        const uint32_t done = number > 0 ? number - 1 : UINT32_MAX;
        const struct tps_store kept = trial->store;
        const uint64_t start = trial->flash.operations;
        flash_keep(&trial->flash, before);
        if (save(trial, number) != TPS_OK) {
            trial->tally.bad_after++;
        }
        const uint64_t count = trial->flash.operations - start;
        trial->tally.operations += count;
        for (uint64_t cut = 0; cut < count; cut++) {
            for (uint32_t way = 0; way < ways; way++) {
                flash_restore(&trial->flash, before);
                trial->store = kept;
                if (!save_with_cut(trial, number, cut)) {
                    trial->tally.bad_after++;
                }
                check_load(trial, number, done);
                check_after(trial, number + 1);
            }
        }
        flash_restore(&trial->flash, before);
        trial->store = kept;
        /* Sometimes the next save is the first one after a start, too. */
        if (flash_draw(&trial->flash, 8) == 0) {
            load(trial);
        }
        save(trial, number);
    }
    free(before.all);
}

static void walk(struct trial *trial, uint32_t ways)
{
    uint32_t done = UINT32_MAX;

    load(trial);
    for (uint32_t round = 0; round < ways; round++) {
        for (uint32_t number = 0; number < trial->saves; number++) {
            const uint64_t start = trial->flash.operations;
            /* Seldom, in the first operations, or anywhere. */
            const uint32_t reach = flash_draw(&trial->flash, 2) ? 4 : trial->model.bytes;
            const bool is_cut = save_with_cut(trial, number, flash_draw(&trial->flash, reach));
            trial->tally.operations += trial->flash.operations - start;
            if (is_cut) {
                if (check_load(trial, number, done)) {
                    done = number;
                }
            } else {
                done = number;
                if (flash_draw(&trial->flash, 4) == 0 && load(trial) != TPS_OK) {
                    trial->tally.bad_after++;
                }
            }
        }
    }
}

/* One operation in eight does not do what it should. What was saved stays, until more is saved. */
static void fail(struct trial *trial, uint32_t ways)
{
    struct tally *tally = &trial->tally;
    uint32_t done = UINT32_MAX;

    load(trial);
    for (uint32_t round = 0; round < ways; round++) {
        for (uint32_t number = 0; number < trial->saves; number++) {
            const uint64_t start = trial->flash.operations;
            trial->flash.faults = flash_draw(&trial->flash, 4) ? trial->model.bytes : 8;
            const tps_status status = save(trial, number);
            trial->flash.faults = 0;
            tally->operations += trial->flash.operations - start;
            if (status == TPS_OK) {
                done = number;
                tally->newer++;
            } else {
                tally->cuts++;
                tally->bad_after += status != TPS_STORE_FAILED;
            }
            if (flash_draw(&trial->flash, 4) == 0) {
                /* All was written of a save whose sync, or whose reading back, failed. */
                const struct tps_store kept = trial->store;
                if (check_load(trial, number, done)) {
                    done = trial->store.step;
                } else if (flash_draw(&trial->flash, 2)) {
                    trial->store = kept;
                }
            }
        }
    }
    trial->flash.violations = 0;
}

static void wear(struct trial *trial)
{
    load(trial);
    for (uint32_t number = 0; number < trial->saves; number++) {
        if (save(trial, number) != TPS_OK) {
            trial->tally.bad_after++;
        }
    }
}

static void rot(struct trial *trial, uint32_t ways)
{
    struct snapshot before = flash_snapshot(&trial->flash);

    load(trial);
    for (uint32_t number = 0; number < trial->saves; number++) {
        if (save(trial, number) != TPS_OK) {
            trial->tally.bad_after++;
        }
        const struct tps_store kept = trial->store;
        flash_keep(&trial->flash, before);
        for (uint32_t way = 0; way < ways; way++) {
            const uint32_t bytes = 36 + trial->model.bytes;
            uint8_t *slot = trial->flash.bytes + trial->flash.starts[kept.block] + kept.offset;
            const uint32_t flips = 1 + flash_draw(&trial->flash, 4);
            bool changed = false;
            uint8_t *was = malloc(bytes);
            memcpy(was, slot, bytes);
            for (uint32_t i = 0; i < flips; i++) {
                slot[flash_draw(&trial->flash, bytes)] ^=
                    (uint8_t)(1u << flash_draw(&trial->flash, 8));
            }
            changed = memcmp(was, slot, bytes) != 0;
            free(was);
            const tps_status status = load(trial);
            trial->tally.operations++;
            if (!changed) {
                trial->tally.bad_silent += status != TPS_OK || !is_loaded(trial, number);
            } else if (status == TPS_STORE_OLDER && number > 0 && is_loaded(trial, number - 1)) {
                trial->tally.older++;
            } else if (number == 0 && status == TPS_STORE_DAMAGED) {
                trial->tally.damaged++;
            } else if (status == TPS_OK) {
                trial->tally.bad_silent++;
            } else {
                trial->tally.bad_lost++;
            }
            if (changed && (trial->store.damaged == 0 || trial->store.damaged_block != kept.block ||
                            trial->store.damaged_offset != kept.offset)) {
                trial->tally.bad_silent++;
            }
            check_after(trial, number);
            flash_restore(&trial->flash, before);
            trial->store = kept;
        }
    }
    free(before.all);
}

/* CRC-32 bit by bit: not the code that is tried. */
static uint32_t slow_crc(uint32_t crc, const uint8_t *bytes, size_t count)
{
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
        }
    }
    return ~crc;
}

static void write_word(uint8_t *to, uint32_t word)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(word >> 8 * i);
    }
}

/* A header with a good CRC, and anything in its fields. */
static void forge(struct flash *flash, uint8_t *to, const struct tps_store_model *model)
{
    write_word(to, 0x74537074u);
    write_word(to + 4, flash_draw(flash, 4) ? 1 : flash_draw(flash, 1u << 30));
    write_word(to + 8,
               flash_draw(flash, 4) ? flash_draw(flash, 9) : 4 * flash_draw(flash, 1u << 30));
    write_word(to + 12, flash_draw(flash, 4) ? model->id : flash_draw(flash, 1u << 30));
    write_word(to + 16, flash_draw(flash, 1u << 30));
    write_word(to + 20, flash_draw(flash, 4) ? model->bytes : 4 * flash_draw(flash, 1u << 30));
    write_word(to + 24, flash_draw(flash, 2) ? 0 : flash_draw(flash, 1u << 30));
    write_word(to + 28, slow_crc(0, to, 28));
}

static void change(struct trial *trial)
{
    struct flash *flash = &trial->flash;
    const uint32_t slot = (36 + trial->model.bytes + flash->storage.page_size - 1) /
                          flash->storage.page_size * flash->storage.page_size;
    uint8_t *at = flash->bytes + flash_draw(flash, flash->size);
    uint8_t *page = flash->bytes + flash_draw(flash, flash->size / slot) * slot;
    const uint32_t left = (uint32_t)(flash->bytes + flash->size - at);

    switch (flash_draw(flash, 6)) {
    case 0:
        *at ^= (uint8_t)(1u << flash_draw(flash, 8));
        break;
    case 1:
        memset(at, (int)flash_draw(flash, 256), flash_draw(flash, left < 400 ? left : 400));
        break;
    case 2: /* a slot, or a part of one, where another was */
        memmove(page, flash->bytes + flash_draw(flash, flash->size / slot) * slot,
                flash_draw(flash, slot + 1));
        break;
    case 3:
        forge(flash, page, &trial->model);
        break;
    case 4:
        for (uint32_t i = 0; i < 300 && i < left; i++) {
            at[i] = (uint8_t)flash_draw(flash, 256);
        }
        break;
    default:
        memset(page, 0xFF, slot);
        break;
    }
}

/* Whether what was loaded lies somewhere with a good CRC, found without the code that is tried. */
static bool is_backed(const struct trial *trial)
{
    const uint8_t *slot =
        trial->flash.bytes + trial->flash.starts[trial->store.block] + trial->store.offset;
    const uint32_t n = trial->model.bytes;
    uint8_t crc[4];

    write_word(crc, slow_crc(slow_crc(0, slot, 28), slot + 32, n));
    return memcmp(slot, "tpSt\1\0\0\0", 8) == 0 && memcmp(crc, slot + 32 + n, 4) == 0 &&
           memcmp(trial->loaded, slot + 32, n) == 0;
}

static void fuzz(struct trial *trial, uint32_t ways)
{
    load(trial);
    for (uint32_t round = 0; round < ways; round++) {
        for (uint32_t i = flash_draw(&trial->flash, 6); i > 0; i--) {
            change(trial);
        }
        memset(trial->flash.taken, 0, trial->flash.units);
        const tps_status status = load(trial);
        trial->tally.operations++;
        if (status == TPS_OK || status == TPS_STORE_OLDER) {
            trial->tally.same++;
            trial->tally.bad_mixed += !is_backed(trial);
        } else {
            trial->tally.none++;
        }
        /* What is erased reads as erased; what is not may set bits: that is not tried here. */
        trial->flash.violations = 0;
        const tps_status saved = save(trial, round % trial->saves);
        if (saved == TPS_OK && (load(trial) < TPS_OK || !is_loaded(trial, round % trial->saves))) {
            /* Numbers beyond half of all may make another one newer. */
            trial->tally.older++;
            trial->tally.bad_mixed += !is_backed(trial);
        }
        trial->flash.violations = 0;
        if (round % 500 == 0) {
            memset(trial->flash.bytes, 0xFF, trial->flash.size);
        }
    }
}

static uint32_t number(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

static bool make(struct trial *trial, char **words)
{
    uint32_t sectors[MAX_BLOCKS] = {0};
    uint32_t count = number(words[5]);

    if (strcmp(words[6], "-") != 0) {
        char *rest = words[6];
        for (uint32_t i = 0; i < count && i < MAX_BLOCKS; i++) {
            sectors[i] = (uint32_t)strtoul(rest, &rest, 10);
            rest += *rest == ',';
        }
    }
    if (!flash_make(&trial->flash, number(words[2]), number(words[3]), number(words[4]), count,
                    sectors[0] ? sectors : NULL)) {
        return false;
    }
    trial->model = (struct tps_store_model){ID, number(words[7])};
    trial->saves = number(words[8]) + 1;
    trial->flash.storage.resumes = (number(words[10]) & 1) != 0;
    trial->flash.is_strict = (number(words[10]) & 1) == 0;
    trial->flash.fails_to_read = number(words[10]) == 2;
    trial->flash.erased_as = number(words[10]) == 3 ? 0 : 0xFF;
    trial->flash.random = number(words[11]);
    trial->saved = malloc((size_t)trial->saves * trial->model.bytes);
    trial->loaded = malloc(trial->model.bytes);
    if (!trial->saved || !trial->loaded) {
        return false;
    }
    /* As weights do: most stay, some change a little. */
    for (size_t i = 0; i < (size_t)trial->saves * trial->model.bytes; i++) {
        const bool is_first = i < trial->model.bytes;
        trial->saved[i] = is_first || flash_draw(&trial->flash, 4) == 0
                              ? (uint8_t)flash_draw(&trial->flash, 256)
                              : trial->saved[i - trial->model.bytes];
    }
    return true;
}

int main(int count, char **words)
{
    static struct trial trial;

    if (count != 12 || !make(&trial, words)) {
        return 2;
    }
    const uint32_t ways = number(words[9]);
    if (strcmp(words[1], "cuts") == 0) {
        try_cuts(&trial, ways);
    } else if (strcmp(words[1], "walk") == 0) {
        walk(&trial, ways);
    } else if (strcmp(words[1], "fail") == 0) {
        fail(&trial, ways);
    } else if (strcmp(words[1], "wear") == 0) {
        wear(&trial);
    } else if (strcmp(words[1], "rot") == 0) {
        rot(&trial, ways);
    } else {
        fuzz(&trial, ways);
    }
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    for (uint32_t i = 0; i < trial.flash.storage.block_count; i++) {
        least = trial.flash.erased[i] < least ? trial.flash.erased[i] : least;
        most = trial.flash.erased[i] > most ? trial.flash.erased[i] : most;
    }
    const struct tally *t = &trial.tally;
#define LINE(name) printf(#name "=%llu ", (unsigned long long)t->name)
    LINE(operations);
    LINE(cuts);
    LINE(newer);
    LINE(same);
    LINE(older);
    LINE(none);
    LINE(damaged);
    LINE(bad_lost);
    LINE(bad_mixed);
    LINE(bad_silent);
    LINE(bad_after);
    printf("bad_flash=%llu least_erased=%u most_erased=%u\n",
           (unsigned long long)trial.flash.violations, least, most);
    if (trial.flash.violation != NULL) {
        fprintf(stderr, "%s\n", trial.flash.violation);
    }
    return 0;
}
