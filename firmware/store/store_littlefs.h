/*
 * store_littlefs.h -- checkpoints in a file of littlefs
 *
 *     static uint8_t page[64];
 *     static struct store_littlefs file;
 *
 *     if (store_littlefs_open(&file, &lfs, "digits", page, sizeof page,
 *                             DIGITS_CHECKPOINT_BYTES, 2) == 0) {
 *         digits_load(&store, &file.storage, &model);
 *     }
 *
 * littlefs spreads wear by itself and keeps the old file until sync, so two checkpoints are enough.
 */
#ifndef STORE_LITTLEFS_H
#define STORE_LITTLEFS_H

#include "lfs.h"
#include "tps_storage.h"

#include <string.h>

struct store_littlefs {
    lfs_t *lfs;
    lfs_file_t file;
    struct tps_storage storage;
};

static int store_littlefs_seek(struct store_littlefs *store, uint32_t block, uint32_t offset)
{
    const uint32_t place = block * store->storage.block_size + offset;
    const lfs_soff_t at = lfs_file_seek(store->lfs, &store->file, (lfs_soff_t)place, LFS_SEEK_SET);

    return at == (lfs_soff_t)place ? 0 : -1;
}

/* What lies behind the end of the file reads as erased. */
static int store_littlefs_read(void *context, uint32_t block, uint32_t offset, void *bytes,
                               uint32_t count)
{
    struct store_littlefs *store = (struct store_littlefs *)context;

    if (store_littlefs_seek(store, block, offset) != 0) {
        return -1;
    }
    const lfs_ssize_t got = lfs_file_read(store->lfs, &store->file, bytes, count);
    if (got < 0) {
        return -1;
    }
    memset((uint8_t *)bytes + got, 0xFF, count - (uint32_t)got);
    return 0;
}

static int store_littlefs_program(void *context, uint32_t block, uint32_t offset, const void *bytes,
                                  uint32_t count)
{
    struct store_littlefs *store = (struct store_littlefs *)context;

    if (store_littlefs_seek(store, block, offset) != 0) {
        return -1;
    }
    return lfs_file_write(store->lfs, &store->file, bytes, count) == (lfs_ssize_t)count ? 0 : -1;
}

/* A file is written over. */
static int store_littlefs_erase(void *context, uint32_t block)
{
    (void)context;
    (void)block;
    return 0;
}

static int store_littlefs_sync(void *context)
{
    struct store_littlefs *store = (struct store_littlefs *)context;

    return lfs_file_sync(store->lfs, &store->file);
}

/* Open or create a file for so many checkpoints. Returns 0, or what littlefs says. */
static inline int store_littlefs_open(struct store_littlefs *store, lfs_t *lfs, const char *path,
                                      uint8_t *page, uint32_t page_size, uint32_t checkpoint_bytes,
                                      uint32_t count)
{
    const struct tps_storage storage = {
        .context = store,
        .read = store_littlefs_read,
        .program = store_littlefs_program,
        .erase = store_littlefs_erase,
        .sync = store_littlefs_sync,
        .page = page,
        .program_size = 1,
        .page_size = page_size,
        .block_size = TPS_STORAGE_ROUND(checkpoint_bytes, page_size),
        .block_count = count,
        .resumes = 0,
    };

    store->storage = storage;
    store->lfs = lfs;
    return lfs_file_open(lfs, &store->file, path, LFS_O_RDWR | LFS_O_CREAT);
}

#endif
