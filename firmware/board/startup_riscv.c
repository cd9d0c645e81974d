/*
 * startup_riscv.c -- reset of a board with a RISC-V hart in machine mode, and its UART's line
 *
 * Bytes wait in the UART itself. Its interrupt is not taken: it only ends wfi, as the privileged
 * specification promises for interrupts that mie lets through while mstatus.MIE is 0.
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board.h"
#include "tps_board_config.h"
#include "tps_start.h"
#include "tps_uart.h"

/* Platform-level interrupt controller (RISC-V PLIC specification 1.0), context 0: hart 0, machine.
 */
#define PLIC UINT32_C(0x0C000000)
#define PLIC_WORD(offset) (*(volatile uint32_t *)(uintptr_t)(PLIC + (uint32_t)(offset)))
#define PLIC_PRIORITY(source) PLIC_WORD(4u * (source))
#define PLIC_ENABLE(source) PLIC_WORD(0x2000u + 4u * ((source) / 32u))
#define PLIC_THRESHOLD PLIC_WORD(0x200000u)
#define PLIC_CLAIM PLIC_WORD(0x200004u)

void tps_board_reset(void);
_Noreturn void tps_board_main(void);
_Noreturn void tps_board_trap(void);

/* mtvec wants an address that is a multiple of 4. */
__attribute__((aligned(4))) _Noreturn void tps_board_trap(void)
{
    tps_board_restart();
}

/* At the start of flash: the hart begins there, without a stack. */
__attribute__((naked, section(".vectors"), used)) void tps_board_reset(void)
{
    __asm volatile(
        ".option push\n"
        ".option norelax\n"
        "la gp, __global_pointer$\n"
        ".option pop\n"
        "la sp, __stack_top\n"
        "la t0, tps_board_trap\n"
        ".word 0x30529073\n" /* csrw mtvec, t0; assemblers refuse its name without zicsr */
        "j tps_board_main\n");
}

_Noreturn void tps_board_main(void)
{
    tps_start();
    tps_board_restart();
}

_Noreturn void tps_board_restart(void)
{
    for (;;) {
        __asm volatile("la t0, tps_board_reset\n\tjr t0");
    }
}

void tps_board_open(void)
{
    tps_uart_open();
    tps_uart_listen(1);
    PLIC_PRIORITY(TPS_BOARD_UART_INTERRUPT) = 1;
    PLIC_ENABLE(TPS_BOARD_UART_INTERRUPT) |= UINT32_C(1) << (TPS_BOARD_UART_INTERRUPT % 32);
    PLIC_THRESHOLD = 0;
    __asm volatile("li t0, 0x800\n\t"
                   ".word 0x3042A073" /* csrs mie, t0: external interrupts of machine mode */
                   ::
                       : "t0");
}

int tps_board_get(void *context)
{
    (void)context;
    return tps_uart_take();
}

int tps_board_put(void *context, uint8_t byte)
{
    (void)context;
    while (tps_uart_send(byte) != 0) {
    }
    return 0;
}

void tps_board_sleep(void)
{
    const uint32_t source = PLIC_CLAIM;

    if (source != 0) {
        PLIC_CLAIM = source;
    }
    /* Behind the claim, which may have been that of a byte nobody saw: QEMU does not ask again for
     * one that is still there. A byte that comes in before wfi is pending, and ends it. */
    if (!tps_uart_has_byte()) {
        __asm volatile("wfi" ::: "memory");
    }
}

#else
typedef int tps_board_is_empty;
#endif
