/*
 * storage_memory.c -- flash simulated in memory that an emulator keeps in a file
 *
 * It does what NOR flash does: programs clear bits only, erasing sets all bits of a block.
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board_storage.h"

int tps_board_storage_program(void *context, uint32_t block, uint32_t offset, const void *bytes,
                              uint32_t count)
{
    volatile uint8_t *to = (volatile uint8_t *)tps_board_storage_address(block, offset);
    const uint8_t *from = bytes;

    (void)context;
    while (count-- > 0) {
        *to = (uint8_t)(*to & *from++);
        to++;
    }
    return 0;
}

int tps_board_storage_erase(void *context, uint32_t block)
{
    volatile uint8_t *to = (volatile uint8_t *)tps_board_storage_address(block, 0);

    (void)context;
    for (uint32_t i = 0; i < TPS_BOARD_STORAGE_BLOCK_SIZE; i++) {
        *to++ = 0xFF;
    }
    return 0;
}

#else
typedef int tps_board_is_empty;
#endif
