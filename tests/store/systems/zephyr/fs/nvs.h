/* nvs.h -- what of Zephyr's NVS store_zephyr_nvs.h calls, as its documentation has it, in RAM */
#ifndef ZEPHYR_FS_NVS_H
#define ZEPHYR_FS_NVS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct device;

struct nvs_fs {
    const struct device *flash_device;
    long offset;
    uint16_t sector_size;
    uint16_t sector_count;
    uint8_t entries[64][256];
    size_t sizes[64];
};

static inline int nvs_mount(struct nvs_fs *fs)
{
    return fs->flash_device != NULL && fs->sector_count >= 2 ? 0 : -EINVAL;
}

static inline ssize_t nvs_write(struct nvs_fs *fs, uint16_t id, const void *data, size_t len)
{
    const size_t at = (size_t)(id - 0x100);

    if (at >= 64 || len > 256) {
        return -EINVAL;
    }
    if (fs->sizes[at] == len && memcmp(fs->entries[at], data, len) == 0) {
        return 0;
    }
    memcpy(fs->entries[at], data, len);
    fs->sizes[at] = len;
    return (ssize_t)len;
}

/* The size of the entry, also where that is more than was asked for. */
static inline ssize_t nvs_read(struct nvs_fs *fs, uint16_t id, void *data, size_t len)
{
    const size_t at = (size_t)(id - 0x100);

    if (at >= 64 || fs->sizes[at] == 0) {
        return -ENOENT;
    }
    memcpy(data, fs->entries[at], len < fs->sizes[at] ? len : fs->sizes[at]);
    return (ssize_t)fs->sizes[at];
}

#endif
