/* uart.h -- a console on which nobody types */
#ifndef ZEPHYR_DRIVERS_UART_H
#define ZEPHYR_DRIVERS_UART_H

#include <zephyr/device.h>

static inline int uart_poll_in(const struct device *device, unsigned char *byte)
{
    *byte = 0;
    return device == &zephyr_console_device ? -1 : 0;
}

#endif
