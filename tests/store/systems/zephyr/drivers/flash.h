/* flash.h -- a flash of pages of 4 KB */
#ifndef ZEPHYR_DRIVERS_FLASH_H
#define ZEPHYR_DRIVERS_FLASH_H

#include <zephyr/device.h>

struct flash_pages_info {
    long start_offset;
    size_t size;
    unsigned index;
};

static inline int flash_get_page_info_by_offs(const struct device *device, long offset,
                                              struct flash_pages_info *info)
{
    info->size = 4096;
    info->start_offset = offset / 4096 * 4096;
    info->index = (unsigned)(offset / 4096);
    return device == &storage_partition_device ? 0 : -1;
}

#endif
