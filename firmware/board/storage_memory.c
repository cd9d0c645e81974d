/*
 * storage_memory.c -- flash simulated in memory that an emulator keeps in a file
 *
 * It does what NOR flash does: programs clear bits only, erasing sets all bits of a block.
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board_storage.h"

static uint8_t page[64];

static int program(void *context, uint32_t block, uint32_t offset, const void *bytes,
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

static int erase(void *context, uint32_t block)
{
    volatile uint8_t *to = (volatile uint8_t *)tps_board_storage_address(block, 0);

    (void)context;
    for (uint32_t i = 0; i < TPS_BOARD_STORAGE_BLOCK_SIZE; i++) {
        *to++ = 0xFF;
    }
    return 0;
}

static int sync(void *context)
{
    (void)context;
    return 0;
}

const struct tps_storage tps_board_storage = {
    .read = tps_board_storage_read,
    .program = program,
    .erase = erase,
    .sync = sync,
    .page = page,
    .program_size = 4,
    .page_size = sizeof page,
    .block_size = TPS_BOARD_STORAGE_BLOCK_SIZE,
    .block_count = TPS_BOARD_STORAGE_BLOCK_COUNT,
    .resumes = 1,
};

#else
typedef int tps_board_is_empty;
#endif
