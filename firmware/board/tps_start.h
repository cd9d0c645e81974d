/*
 * tps_start.h -- from reset to the main program, the same on all cores
 */
#ifndef TPS_START_H
#define TPS_START_H

#include "tps_board.h"

#include <stdint.h>

/* From the linker script. */
extern const uint32_t __data_load[];
extern uint32_t __data_start[];
extern uint32_t __data_end[];
extern uint32_t __bss_start[];
extern uint32_t __bss_end[];
extern uint32_t __stack_top[];

/* Give the static data their first values, and run the main program. */
static inline void tps_start(void)
{
    const uint32_t *from = __data_load;

    /* volatile: a compiler must not make a call of memcpy or memset of these loops. */
    for (volatile uint32_t *word = __data_start; word < __data_end; word++) {
        *word = *from++;
    }
    for (volatile uint32_t *word = __bss_start; word < __bss_end; word++) {
        *word = 0;
    }
    (void)main();
}

#endif
