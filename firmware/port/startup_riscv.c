/*
 * startup_riscv.c -- entry of a RISC-V core in machine mode
 *
 * For emulators only: without TPS_PORT this file is empty, whoever compiles it.
 */
#ifdef TPS_PORT
#include "tps_boot.h"

void tps_port_reset(void);
_Noreturn void tps_port_trap(void);

/* mtvec wants an address that is a multiple of 4. */
__attribute__((aligned(4))) _Noreturn void tps_port_trap(void)
{
    tps_port_exit(TPS_PORT_FAULT);
}

/* At the start of flash: the core begins there, without a stack. */
__attribute__((naked, section(".vectors"), used)) void tps_port_reset(void)
{
    __asm volatile(
        ".option push\n"
        ".option norelax\n"
        "la gp, __global_pointer$\n"
        ".option pop\n"
        "la sp, __stack_top\n"
        "la t0, tps_port_trap\n"
        ".word 0x30529073\n" /* csrw mtvec, t0; assemblers refuse its name without zicsr */
        "j tps_port_boot\n");
}

#else
typedef int tps_port_is_empty;
#endif
