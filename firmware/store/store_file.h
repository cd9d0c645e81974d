/*
 * store_file.h -- checkpoints in a file
 *
 *     static uint8_t page[256];
 *     static struct store_file file;
 *
 *     if (store_file_open(&file, "digits.bin", page, sizeof page, DIGITS_CHECKPOINT_BYTES, 3)) {
 *         digits_load(&store, &file.storage, &model);
 *     }
 *
 * Needs POSIX: pread, pwrite, fsync. A place that was never written reads as erased.
 */
#ifndef STORE_FILE_H
#define STORE_FILE_H

#include "tps_storage.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

struct store_file {
    int descriptor;
    struct tps_storage storage;
};

static off_t store_file_place(const struct store_file *file, uint32_t block, uint32_t offset)
{
    return (off_t)block * (off_t)file->storage.block_size + (off_t)offset;
}

static int store_file_read(void *context, uint32_t block, uint32_t offset, void *bytes,
                           uint32_t count)
{
    const struct store_file *file = (const struct store_file *)context;
    const ssize_t got =
        pread(file->descriptor, bytes, count, store_file_place(file, block, offset));

    if (got < 0) {
        return -1;
    }
    memset((uint8_t *)bytes + got, 0xFF, count - (size_t)got);
    return 0;
}

static int store_file_program(void *context, uint32_t block, uint32_t offset, const void *bytes,
                              uint32_t count)
{
    const struct store_file *file = (const struct store_file *)context;
    const ssize_t put =
        pwrite(file->descriptor, bytes, count, store_file_place(file, block, offset));

    return put == (ssize_t)count ? 0 : -1;
}

/* A file is written over. */
static int store_file_erase(void *context, uint32_t block)
{
    (void)context;
    (void)block;
    return 0;
}

static int store_file_sync(void *context)
{
    const struct store_file *file = (const struct store_file *)context;

    return fsync(file->descriptor);
}

/* Open or create a file for so many checkpoints of one model. */
static inline bool store_file_open(struct store_file *file, const char *path, uint8_t *page,
                                   uint32_t page_size, uint32_t checkpoint_bytes, uint32_t count)
{
    const struct tps_storage storage = {
        .context = file,
        .read = store_file_read,
        .program = store_file_program,
        .erase = store_file_erase,
        .sync = store_file_sync,
        .page = page,
        .program_size = 1,
        .page_size = page_size,
        .block_size = TPS_STORAGE_ROUND(checkpoint_bytes, page_size),
        .block_count = count,
        .resumes = 0,
    };

    file->storage = storage;
    file->descriptor = open(path, O_RDWR | O_CREAT, 0644);
    return file->descriptor >= 0;
}

#endif
