/*
 * tps_board_storage.h -- where the board keeps checkpoints (docs/STORE.md)
 *
 * Each storage_*.c programs and erases its kind of flash; storage.c has the other calls.
 */
#ifndef TPS_BOARD_STORAGE_H
#define TPS_BOARD_STORAGE_H

#include "tps_board_config.h"
#include "tps_storage.h"

extern const struct tps_storage tps_board_storage;

/* The driver's calls, as docs/STORE.md has them. */
int tps_board_storage_program(void *context, uint32_t block, uint32_t offset, const void *bytes,
                              uint32_t count);
int tps_board_storage_erase(void *context, uint32_t block);

/* The address of a byte of the storage. */
static inline uintptr_t tps_board_storage_address(uint32_t block, uint32_t offset)
{
    return (uintptr_t)(TPS_BOARD_STORAGE_BASE + block * TPS_BOARD_STORAGE_BLOCK_SIZE + offset);
}

/* Read bytes that lie in the address space, as all of these storages do. Returns 0. */
static inline int tps_board_storage_read(void *context, uint32_t block, uint32_t offset,
                                         void *bytes, uint32_t count)
{
    const volatile uint8_t *from =
        (const volatile uint8_t *)tps_board_storage_address(block, offset);
    uint8_t *to = bytes;

    (void)context;
    while (count-- > 0) {
        *to++ = *from++;
    }
    return 0;
}

/* The word, lowest byte first, that some bytes are. */
static inline uint32_t tps_board_storage_word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

#endif
