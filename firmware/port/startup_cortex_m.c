/*
 * startup_cortex_m.c -- vector table and reset of the Cortex-M cores
 *
 * For emulators only: without TPS_PORT this file is empty, whoever compiles it.
 */
#ifdef TPS_PORT
#include "tps_boot.h"

/* Coprocessor access control register: CP10 and CP11 are the FPU and MVE. */
#define CPACR (*(volatile uint32_t *)UINT32_C(0xE000ED88))
#define CPACR_CP10_CP11_FULL (UINT32_C(0xF) << 20)

_Noreturn void tps_port_reset(void);

typedef void (*handler)(void);

struct vector_table {
    uint32_t *stack_top;
    handler reset;
    handler faults[14];
};

static void fault(void)
{
    tps_port_exit(TPS_PORT_FAULT);
}

_Noreturn void tps_port_reset(void)
{
#if defined(__ARM_FP)
    CPACR |= CPACR_CP10_CP11_FULL;
    __asm volatile("dsb\n\tisb" ::: "memory");
#endif
    tps_port_boot();
}

extern const struct vector_table tps_port_vectors;
__attribute__((section(".vectors"), used)) const struct vector_table tps_port_vectors = {
    __stack_top,
    tps_port_reset,
    {fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
     fault},
};

#else
typedef int tps_port_is_empty;
#endif
