/* lfs.h -- what of littlefs store_littlefs.h calls, as its documentation has it, with one file in
 * RAM */
#ifndef LFS_H
#define LFS_H

#include <stdint.h>
#include <string.h>

typedef uint32_t lfs_size_t;
typedef int32_t lfs_ssize_t;
typedef int32_t lfs_soff_t;

enum lfs_open_flags { LFS_O_RDWR = 3, LFS_O_CREAT = 0x0100 };
enum lfs_whence_flags { LFS_SEEK_SET = 0, LFS_SEEK_CUR = 1, LFS_SEEK_END = 2 };

/* The file as it is, and as it was at the latest sync: what a loss of power leaves. */
typedef struct lfs {
    uint8_t now[4096];
    uint8_t synced[4096];
    lfs_size_t size;
    lfs_size_t synced_size;
} lfs_t;

typedef struct lfs_file {
    lfs_size_t position;
} lfs_file_t;

static inline int lfs_file_open(lfs_t *lfs, lfs_file_t *file, const char *path, int flags)
{
    (void)path;
    memcpy(lfs->now, lfs->synced, sizeof lfs->now);
    lfs->size = lfs->synced_size;
    file->position = 0;
    return flags == (LFS_O_RDWR | LFS_O_CREAT) ? 0 : -22;
}

static inline lfs_soff_t lfs_file_seek(lfs_t *lfs, lfs_file_t *file, lfs_soff_t off, int whence)
{
    (void)lfs;
    if (whence != LFS_SEEK_SET || off < 0) {
        return -22;
    }
    file->position = (lfs_size_t)off;
    return off;
}

static inline lfs_ssize_t lfs_file_read(lfs_t *lfs, lfs_file_t *file, void *buffer, lfs_size_t size)
{
    const lfs_size_t left = file->position < lfs->size ? lfs->size - file->position : 0;
    const lfs_size_t count = size < left ? size : left;

    memcpy(buffer, lfs->now + file->position, count);
    file->position += count;
    return (lfs_ssize_t)count;
}

static inline lfs_ssize_t lfs_file_write(lfs_t *lfs, lfs_file_t *file, const void *buffer,
                                         lfs_size_t size)
{
    if (file->position + size > sizeof lfs->now) {
        return -28;
    }
    memcpy(lfs->now + file->position, buffer, size);
    file->position += size;
    lfs->size = file->position > lfs->size ? file->position : lfs->size;
    return (lfs_ssize_t)size;
}

static inline int lfs_file_sync(lfs_t *lfs, lfs_file_t *file)
{
    (void)file;
    memcpy(lfs->synced, lfs->now, sizeof lfs->now);
    lfs->synced_size = lfs->size;
    return 0;
}

#endif
