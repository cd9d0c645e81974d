/*
 * storage_cfi.c -- parallel NOR flash with Intel's command set: two chips of 16 bits side by side
 *
 * JEDEC JEP137 (command set 0001) and Intel's StrataFlash data sheet. Both chips get each command.
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board_storage.h"

#define BOTH(command) (UINT32_C(command) << 16 | UINT32_C(command))
#define PROGRAM BOTH(0x40)
#define ERASE BOTH(0x20)
#define CONFIRM BOTH(0xD0)
#define CLEAR_STATUS BOTH(0x50)
#define READ_ARRAY BOTH(0xFF)
#define STATUS_READY BOTH(0x80)
#define STATUS_FAILED BOTH(0x3A)

/* Wait for the chips, which then give their data again. Returns 0 where they did what they should.
 */
static int finish(volatile uint32_t *word)
{
    uint32_t status;

    do {
        status = *word;
    } while ((status & STATUS_READY) != STATUS_READY);
    *word = CLEAR_STATUS;
    *word = READ_ARRAY;
    return (status & STATUS_FAILED) != 0;
}

int tps_board_storage_program(void *context, uint32_t block, uint32_t offset, const void *bytes,
                              uint32_t count)
{
    volatile uint32_t *word = (volatile uint32_t *)tps_board_storage_address(block, offset);
    const uint8_t *from = bytes;

    (void)context;
    for (; count > 0; count -= 4, from += 4) {
        *word = PROGRAM;
        *word = tps_board_storage_word(from);
        if (finish(word) != 0) {
            return 1;
        }
        word++;
    }
    return 0;
}

int tps_board_storage_erase(void *context, uint32_t block)
{
    volatile uint32_t *word = (volatile uint32_t *)tps_board_storage_address(block, 0);

    (void)context;
    *word = ERASE;
    *word = CONFIRM;
    return finish(word);
}

#else
typedef int tps_board_is_empty;
#endif
