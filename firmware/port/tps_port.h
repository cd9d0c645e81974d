/*
 * tps_port.h -- what the harness asks of the machine below it
 *
 * A device answers over semihosting (semihosting.c), a host over stdin and stdout
 * (firmware/host/stdio.c). None of this is part of the model: a product calls NAME.h and leaves
 * port/ out.
 */
#ifndef TPS_PORT_H
#define TPS_PORT_H

#include <stdint.h>

/* How a harness ends. */
enum tps_port_exit {
    TPS_PORT_END = 0,         /* the command stream ended between two commands */
    TPS_PORT_BAD_COMMAND = 2, /* unknown command, or the stream ended within one */
    TPS_PORT_FAULT = 3        /* the core took a fault */
};

/* Read up to count bytes of the command stream. Returns how many came: fewer only at its end. */
uint32_t tps_port_read(void *bytes, uint32_t count);

/* Append count bytes to the reply stream. */
void tps_port_write(const void *bytes, uint32_t count);

/*
 * Bytes of stack used below `from` since the last call, and a fresh coat of paint for the next one.
 * 0 on a host, which does not paint its stack.
 */
uint32_t tps_port_stack_used(const void *from);

/* The stack pointer in the function this is inlined into, which stays put until that returns. */
static inline const void *tps_port_stack_pointer(void)
{
    const void *sp = 0;
#if defined(__arm__)
    __asm volatile("mov %0, sp" : "=r"(sp));
#elif defined(__riscv)
    __asm volatile("mv %0, sp" : "=r"(sp));
#elif defined(__AVR__)
    __asm volatile("in %A0, 0x3d\n\tin %B0, 0x3e" : "=r"(sp));
#endif
    return sp;
}

/* Serve commands until the stream ends. */
enum tps_port_exit tps_port_serve(void);

#endif
