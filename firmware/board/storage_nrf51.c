/*
 * storage_nrf51.c -- pages of an nRF51's own flash, by its non-volatile memory controller
 *
 * nRF51 Series Reference Manual 3.0, chapter 6. The core stands still while a word is programmed or
 * a page is erased.
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board_storage.h"

#define READY (*(volatile uint32_t *)UINT32_C(0x4001E400))
#define CONFIG (*(volatile uint32_t *)UINT32_C(0x4001E504))
#define ERASE_PAGE (*(volatile uint32_t *)UINT32_C(0x4001E508))

enum { READ_ONLY = 0, WRITE = 1, ERASE = 2 };

static void set_config(uint32_t config)
{
    CONFIG = config;
    while (READY == 0) {
    }
}

int tps_board_storage_program(void *context, uint32_t block, uint32_t offset, const void *bytes,
                              uint32_t count)
{
    volatile uint32_t *word = (volatile uint32_t *)tps_board_storage_address(block, offset);
    const uint8_t *from = bytes;

    (void)context;
    set_config(WRITE);
    for (; count > 0; count -= 4, from += 4) {
        *word++ = tps_board_storage_word(from);
        while (READY == 0) {
        }
    }
    set_config(READ_ONLY);
    return 0;
}

int tps_board_storage_erase(void *context, uint32_t block)
{
    (void)context;
    set_config(ERASE);
    ERASE_PAGE = (uint32_t)tps_board_storage_address(block, 0);
    while (READY == 0) {
    }
    set_config(READ_ONLY);
    return 0;
}

#else
typedef int tps_board_is_empty;
#endif
