/* flash.c -- simulated flash that loses power in the middle of an operation */
#include "flash.h"

#include <stdlib.h>
#include <string.h>

uint32_t flash_draw(struct flash *flash, uint32_t below)
{
    flash->random = flash->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((flash->random >> 33) % below);
}

static void violate(struct flash *flash, const char *what)
{
    if (flash->violations++ == 0) {
        flash->violation = what;
    }
}

static bool is_inside(struct flash *flash, uint32_t block, uint32_t offset, uint32_t count)
{
    const bool is_good = block < flash->storage.block_count &&
                         offset <= flash->storage.block_size &&
                         count <= flash->storage.block_size - offset;
    if (!is_good) {
        violate(flash, "bytes outside of a block");
    }
    return is_good;
}

/* Whether power fails in this operation. */
static bool is_cut(struct flash *flash)
{
    return flash->operations++ == flash->cut_at;
}

enum fault { NONE, REFUSES, SAYS_NOTHING };

/* An operation that power does not cut off can fail all the same: it is done in part, or not. */
static enum fault fault_of(struct flash *flash)
{
    if (flash->faults == 0 || flash_draw(flash, flash->faults) != 0) {
        return NONE;
    }
    return flash_draw(flash, 2) ? REFUSES : SAYS_NOTHING;
}

static int read(void *context, uint32_t block, uint32_t offset, void *bytes, uint32_t count)
{
    struct flash *flash = context;
    if (!is_inside(flash, block, offset, count)) {
        return -1;
    }
    const uint32_t at = flash->starts[block] + offset;
    if (flash->fails_to_read && count > 0) {
        const uint32_t unit = flash->storage.program_size;
        for (uint32_t i = at / unit; i <= (at + count - 1) / unit; i++) {
            if (flash->poison[i]) {
                return -1;
            }
        }
    }
    uint8_t *to = bytes;
    for (uint32_t i = 0; i < count; i++) {
        to[i] = flash->bytes[at + i] ^ (uint8_t)~flash->erased_as;
    }
    return 0;
}

/* What a program that is cut off leaves: some bits cleared, from its begin on or anywhere. */
static void tear_program(struct flash *flash, uint8_t *to, const uint8_t *from, uint32_t count)
{
    const uint32_t whole = flash_draw(flash, count + 1);
    const uint32_t mode = flash_draw(flash, 3);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t some = (uint8_t)flash_draw(flash, 256);
        if (mode == 0) {
            to[i] &= i < whole ? from[i] : 0xFF;
        } else if (mode == 1) {
            to[i] &= i < whole ? from[i] : i == whole ? (uint8_t)(from[i] | some) : 0xFF;
        } else {
            to[i] &= (uint8_t)(from[i] | some);
        }
    }
}

static int program(void *context, uint32_t block, uint32_t offset, const void *bytes,
                   uint32_t count)
{
    struct flash *flash = context;
    uint8_t *from = flash->cells;
    const uint32_t unit = flash->storage.program_size;
    const uint32_t page = flash->storage.page_size;

    if (!is_inside(flash, block, offset, count)) {
        return -1;
    }
    if (count == 0 || offset % unit != 0 || count % unit != 0 || offset % page + count > page) {
        violate(flash, "a program of no whole units of one page");
    }
    if (bytes != flash->storage.page) {
        violate(flash, "a program from elsewhere than the page");
    }
    for (uint32_t i = 0; i < count && i < page; i++) {
        from[i] = ((const uint8_t *)bytes)[i] ^ (uint8_t)~flash->erased_as;
    }
    for (uint32_t done = 0; done < count; done += unit) {
        const uint32_t at = flash->starts[block] + offset + done;
        if (flash->taken[at / unit]) {
            violate(flash, "a unit is programmed twice");
        }
        for (uint32_t i = 0; i < unit; i++) {
            if (from[done + i] & ~flash->bytes[at + i]) {
                violate(flash, "a program sets bits");
            }
        }
        flash->taken[at / unit] = 1;
        if (is_cut(flash)) {
            tear_program(flash, flash->bytes + at, from + done, unit);
            bool reads_erased = true;
            for (uint32_t i = 0; i < unit; i++) {
                reads_erased = reads_erased && flash->bytes[at + i] == 0xFF;
            }
            flash->taken[at / unit] = flash->is_strict || !reads_erased;
            flash->poison[at / unit] = 1;
            longjmp(flash->power_off, 1);
        }
        const enum fault fault = fault_of(flash);
        if (fault != NONE) {
            tear_program(flash, flash->bytes + at, from + done, unit);
            if (fault == REFUSES) {
                return -1;
            }
            continue;
        }
        for (uint32_t i = 0; i < unit; i++) {
            flash->bytes[at + i] &= from[done + i];
        }
    }
    return 0;
}

/* What an erase that is cut off leaves: bits set, or first cleared, from its begin on or anywhere.
 */
static void tear_erase(struct flash *flash, uint8_t *to, uint32_t count)
{
    const uint32_t whole = flash_draw(flash, count + 1);
    const uint32_t mode = flash_draw(flash, 4);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t some = (uint8_t)flash_draw(flash, 256);
        switch (mode) {
        case 0:
            to[i] = i < whole ? 0xFF : to[i];
            break;
        case 1:
            to[i] |= some;
            break;
        case 2: /* cleared before it is erased */
            to[i] = i < whole ? 0 : to[i];
            break;
        default:
            to[i] = i < whole ? some : to[i];
            break;
        }
    }
}

static int erase(void *context, uint32_t block)
{
    struct flash *flash = context;
    if (!is_inside(flash, block, 0, 0)) {
        return -1;
    }
    const uint32_t at = flash->starts[block];
    const uint32_t count = flash->sectors[block];
    const uint32_t unit = flash->storage.program_size;
    flash->erased[block]++;
    if (is_cut(flash)) {
        tear_erase(flash, flash->bytes + at, count);
        /* A block whose erase was cut off takes no program before another erase. */
        memset(flash->taken + at / unit, 1, count / unit);
        longjmp(flash->power_off, 1);
    }
    const enum fault fault = fault_of(flash);
    if (fault != NONE) {
        if (flash_draw(flash, 2)) {
            tear_erase(flash, flash->bytes + at, count);
        }
        return fault == REFUSES ? -1 : 0;
    }
    memset(flash->bytes + at, 0xFF, count);
    memset(flash->taken + at / unit, 0, count / unit);
    memset(flash->poison + at / unit, 0, count / unit);
    return 0;
}

static int sync(void *context)
{
    struct flash *flash = context;
    if (is_cut(flash)) {
        longjmp(flash->power_off, 1);
    }
    return fault_of(flash) == REFUSES ? -1 : 0;
}

bool flash_make(struct flash *flash, uint32_t unit, uint32_t page, uint32_t block, uint32_t count,
                const uint32_t *sectors)
{
    memset(flash, 0, sizeof *flash);
    for (uint32_t i = 0; i < count && i < MAX_BLOCKS; i++) {
        flash->starts[i] = flash->size;
        flash->sectors[i] = sectors != NULL ? sectors[i] : block;
        flash->size += flash->sectors[i];
    }
    flash->units = flash->size / unit;
    flash->bytes = malloc(flash->size);
    flash->taken = calloc(flash->units, 1);
    flash->poison = calloc(flash->units, 1);
    flash->cells = malloc(page);
    flash->erased_as = 0xFF;
    uint8_t *buffer = malloc(page);
    if (count > MAX_BLOCKS || !flash->bytes || !flash->taken || !flash->poison || !flash->cells ||
        !buffer) {
        return false;
    }
    memset(flash->bytes, 0xFF, flash->size);
    flash->cut_at = UINT64_MAX;
    flash->random = 1;
    flash->storage = (struct tps_storage){
        .context = flash,
        .read = read,
        .program = program,
        .erase = erase,
        .sync = sync,
        .page = buffer,
        .program_size = unit,
        .page_size = page,
        .block_size = block,
        .block_count = count,
    };
    return true;
}

struct snapshot flash_snapshot(const struct flash *flash)
{
    struct snapshot snapshot = {malloc(flash->size + 2 * (size_t)flash->units)};
    if (!snapshot.all) {
        abort();
    }
    flash_keep(flash, snapshot);
    return snapshot;
}

void flash_keep(const struct flash *flash, struct snapshot to)
{
    memcpy(to.all, flash->bytes, flash->size);
    memcpy(to.all + flash->size, flash->taken, flash->units);
    memcpy(to.all + flash->size + flash->units, flash->poison, flash->units);
}

void flash_restore(struct flash *flash, struct snapshot from)
{
    memcpy(flash->bytes, from.all, flash->size);
    memcpy(flash->taken, from.all + flash->size, flash->units);
    memcpy(flash->poison, from.all + flash->size + flash->units, flash->units);
}
