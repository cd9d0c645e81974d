/* kernel.h -- nothing of Zephyr's kernel is used */
#ifndef ZEPHYR_KERNEL_H
#define ZEPHYR_KERNEL_H
#endif
