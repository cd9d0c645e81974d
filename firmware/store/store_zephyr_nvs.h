/*
 * store_zephyr_nvs.h -- checkpoints in entries of Zephyr's NVS, one entry for each page
 *
 *     static uint8_t page[256];
 *     static uint8_t copy[256];
 *     static struct store_zephyr_nvs nvs;
 *
 *     store_zephyr_nvs_open(&nvs, &fs, 0x100, page, copy, sizeof page, DIGITS_CHECKPOINT_BYTES, 2);
 *     digits_load(&store, &nvs.storage, &model);
 *
 * fs is mounted. Entries have ids from the first one on: pages of a checkpoint times checkpoints.
 * An entry is written whole or not at all, and NVS spreads wear by itself.
 */
#ifndef STORE_ZEPHYR_NVS_H
#define STORE_ZEPHYR_NVS_H

#include "tps_storage.h"

#include <errno.h>
#include <string.h>
#include <zephyr/fs/nvs.h>

struct store_zephyr_nvs {
    struct nvs_fs *fs;
    uint16_t first;
    uint8_t *copy;
    struct tps_storage storage;
};

static uint16_t store_zephyr_nvs_id(const struct store_zephyr_nvs *nvs, uint32_t block,
                                    uint32_t offset)
{
    const uint32_t pages = nvs->storage.block_size / nvs->storage.page_size;

    return (uint16_t)(nvs->first + block * pages + offset / nvs->storage.page_size);
}

/* NVS reads entries from their begin on. What was never written reads as erased. */
static int store_zephyr_nvs_read(void *context, uint32_t block, uint32_t offset, void *bytes,
                                 uint32_t count)
{
    const struct store_zephyr_nvs *nvs = (const struct store_zephyr_nvs *)context;
    const uint32_t page = nvs->storage.page_size;
    uint8_t *to = (uint8_t *)bytes;

    while (count > 0) {
        const uint32_t begin = offset % page;
        const uint32_t part = count < page - begin ? count : page - begin;
        const ssize_t got =
            nvs_read(nvs->fs, store_zephyr_nvs_id(nvs, block, offset), nvs->copy, page);
        if (got < 0 && got != -ENOENT) {
            return -1;
        }
        if (got < (ssize_t)page) {
            memset(nvs->copy + (got < 0 ? 0 : got), 0xFF, page - (size_t)(got < 0 ? 0 : got));
        }
        memcpy(to, nvs->copy + begin, part);
        to += part;
        offset += part;
        count -= part;
    }
    return 0;
}

static int store_zephyr_nvs_program(void *context, uint32_t block, uint32_t offset,
                                    const void *bytes, uint32_t count)
{
    const struct store_zephyr_nvs *nvs = (const struct store_zephyr_nvs *)context;

    /* 0 where the entry has these bytes already. */
    return nvs_write(nvs->fs, store_zephyr_nvs_id(nvs, block, offset), bytes, count) < 0 ? -1 : 0;
}

/* Entries are written over. */
static int store_zephyr_nvs_erase(void *context, uint32_t block)
{
    (void)context;
    (void)block;
    return 0;
}

/* nvs_write returns when the entry is in the flash. */
static int store_zephyr_nvs_sync(void *context)
{
    (void)context;
    return 0;
}

/* page and copy are page_size bytes each, no more than an entry can have. */
static inline void store_zephyr_nvs_open(struct store_zephyr_nvs *nvs, struct nvs_fs *fs,
                                         uint16_t first, uint8_t *page, uint8_t *copy,
                                         uint32_t page_size, uint32_t checkpoint_bytes,
                                         uint32_t count)
{
    const struct tps_storage storage = {
        .context = nvs,
        .read = store_zephyr_nvs_read,
        .program = store_zephyr_nvs_program,
        .erase = store_zephyr_nvs_erase,
        .sync = store_zephyr_nvs_sync,
        .page = page,
        .program_size = 1,
        .page_size = page_size,
        .block_size = TPS_STORAGE_ROUND(checkpoint_bytes, page_size),
        .block_count = count,
        .resumes = 0,
    };

    nvs->storage = storage;
    nvs->fs = fs;
    nvs->first = first;
    nvs->copy = copy;
}

#endif
