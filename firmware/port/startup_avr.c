/*
 * startup_avr.c -- entry of an AVR core, and the harness's streams by simavr
 * (firmware/host/simavr.c)
 *
 * For emulators only: without TPS_PORT this file is empty, whoever compiles it.
 */
#ifdef TPS_PORT
#include "tps_boot.h"

#define REGISTER(address) (*(volatile uint8_t *)(address))
#define GPIOR0 REGISTER(0x3E)
#define GPIOR1 REGISTER(0x4A)
#define GPIOR2 REGISTER(0x4B)

enum operation { READ = 1, WRITE = 2, END = 3 };

/* The layout is known to firmware/host/simavr.c. */
static struct {
    uint16_t bytes;
    uint32_t count;
} request;

void tps_port_reset(void);

/* At address 0, where the core begins, in place of a table of vectors: interrupts stay off. The
 * stack pointer names the next free byte; gcc wants a zero in r1. */
__attribute__((naked, section(".vectors"), used)) void tps_port_reset(void)
{
    __asm volatile("cli\n\t"
                   "clr r1\n\t"
                   "ldi r28, lo8(__stack_top - 1)\n\t"
                   "ldi r29, hi8(__stack_top - 1)\n\t"
                   "out 0x3e, r29\n\t"
                   "out 0x3d, r28\n\t"
                   "jmp tps_port_boot");
}

/* The emulator reads the request, and what it names, when the operation is written. */
static uint32_t ask(enum operation operation, const void *bytes, uint32_t count)
{
    request.bytes = (uint16_t)(uintptr_t)bytes;
    request.count = count;
    GPIOR1 = (uint8_t)((uintptr_t)&request & 0xFFu);
    GPIOR2 = (uint8_t)((uintptr_t)&request >> 8);
    __asm volatile("" ::: "memory");
    GPIOR0 = (uint8_t)operation;
    __asm volatile("" ::: "memory");
    return request.count;
}

void tps_port_open(void)
{
}

uint32_t tps_port_read(void *bytes, uint32_t count)
{
    return ask(READ, bytes, count);
}

void tps_port_write(const void *bytes, uint32_t count)
{
    (void)ask(WRITE, bytes, count);
}

_Noreturn void tps_port_exit(enum tps_port_exit code)
{
    for (;;) {
        (void)ask(END, 0, (uint32_t)code);
    }
}

#else
typedef int tps_port_is_empty;
#endif
