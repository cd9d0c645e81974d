/* flash_map.h -- a storage partition of 16 KB */
#ifndef ZEPHYR_STORAGE_FLASH_MAP_H
#define ZEPHYR_STORAGE_FLASH_MAP_H

#include <zephyr/device.h>

#define FIXED_PARTITION_DEVICE(label) (&label##_device)
#define FIXED_PARTITION_OFFSET(label) 0x70000
#define FIXED_PARTITION_SIZE(label) 16384u

#endif
