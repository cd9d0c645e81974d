/*
 * boot.c -- the C world of a device, and its painted stack
 *
 * For emulators only: without TPS_PORT this file is empty, whoever compiles it.
 */
#ifdef TPS_PORT
#include "tps_boot.h"

#define PAINT UINT32_C(0xC5C5C5C5)

/* An AVR reads its flash by other instructions. */
#ifdef __FLASH
#define IN_FLASH __flash
#else
#define IN_FLASH
#endif

extern const IN_FLASH uint32_t __data_load[];
extern uint32_t __data_start[];
extern uint32_t __data_end[];
extern uint32_t __bss_start[];
extern uint32_t __bss_end[];

/* Room for the frames of the painter and its caller, whose prologues a compiler may run late. */
#define MARGIN 64u

/* volatile, here and below: a compiler must not make a call of memset or memcpy of these loops. */
static void paint_stack(void)
{
    const uintptr_t end = (uintptr_t)tps_port_stack_pointer() - MARGIN;

    for (volatile uint32_t *word = __stack_limit; (uintptr_t)word < end; word++) {
        *word = PAINT;
    }
}

uint32_t tps_port_stack_used(const void *from)
{
    const volatile uint32_t *word = __stack_limit;
    uint32_t used = 0;

    while ((uintptr_t)word < (uintptr_t)__stack_top && *word == PAINT) {
        word++;
    }
    if ((uintptr_t)from > (uintptr_t)word) {
        used = (uint32_t)((uintptr_t)from - (uintptr_t)word);
    }
    paint_stack();
    return used;
}

_Noreturn void tps_port_boot(void)
{
    const IN_FLASH uint32_t *from = __data_load;

    for (volatile uint32_t *word = __data_start; word < __data_end; word++) {
        *word = *from++;
    }
    for (volatile uint32_t *word = __bss_start; word < __bss_end; word++) {
        *word = 0;
    }
    paint_stack();
    tps_port_open();
    tps_port_exit(tps_port_serve());
}

#else
typedef int tps_port_is_empty;
#endif
