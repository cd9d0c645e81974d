/*
 * storage.c -- the calls of a board's storage, those of its driver among them
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board_storage.h"

static uint8_t page[64];

/* Each call of these drivers ends when the bytes lie there. */
static int sync(void *context)
{
    (void)context;
    return 0;
}

const struct tps_storage tps_board_storage = {
    .read = tps_board_storage_read,
    .program = tps_board_storage_program,
    .erase = tps_board_storage_erase,
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
