/* device.h -- what of Zephyr's devices an example uses, as its documentation has it */
#ifndef ZEPHYR_DEVICE_H
#define ZEPHYR_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

struct device {
    const char *name;
};

static const struct device zephyr_console_device = {"console"};
static const struct device storage_partition_device = {"flash"};

#define DT_CHOSEN(node) node
#define DEVICE_DT_GET(node) DEVICE_OF(node)
#define DEVICE_OF(node) (&node##_device)

static inline bool device_is_ready(const struct device *device)
{
    return device->name != NULL;
}

#endif
