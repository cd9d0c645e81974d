/*
 * startup_cortex_m.c -- vectors, reset and the UART's interrupt of a board with a Cortex-M
 *
 * Bytes that come in while the model trains wait in a ring. Where it is full, the interrupt is off
 * until one was fetched, so that a line with flow control loses nothing.
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board.h"
#include "tps_board_config.h"
#include "tps_start.h"
#include "tps_uart.h"

/* Armv7-M Architecture Reference Manual, B3.2 and B3.4; Armv6-M has the same but for the CPACR. */
#define CPACR (*(volatile uint32_t *)UINT32_C(0xE000ED88))
#define CPACR_CP10_CP11_FULL (UINT32_C(0xF) << 20)
#define AIRCR (*(volatile uint32_t *)UINT32_C(0xE000ED0C))
#define AIRCR_RESET UINT32_C(0x05FA0004)
#define NVIC_ISER ((volatile uint32_t *)UINT32_C(0xE000E100))

/* A power of two: 255 bytes wait at most. */
#define RING_SIZE 256u

static volatile uint8_t ring[RING_SIZE];
static volatile uint8_t ring_first; /* the next that is fetched */
static volatile uint8_t ring_end;   /* where the next one goes */
static volatile uint8_t is_held;    /* the ring was full, and the interrupt is off */

typedef void (*handler)(void);

_Noreturn void tps_board_reset(void);

static void fault(void)
{
    tps_board_restart();
}

/* Move what came in into the ring; where that is full, let no more interrupts ask for it. */
static void receive(void)
{
    while ((uint8_t)(ring_end + 1u) != ring_first) {
        const int byte = tps_uart_take();

        if (byte < 0) {
            return;
        }
        ring[ring_end] = (uint8_t)byte;
        ring_end = (uint8_t)(ring_end + 1u);
    }
    is_held = 1;
    tps_uart_listen(0);
}

struct vector_table {
    uint32_t *stack_top;
    handler reset;
    handler faults[14];
    handler interrupts[TPS_BOARD_UART_INTERRUPT + 1];
};

extern const struct vector_table tps_board_vectors;
__attribute__((section(".vectors"), used)) const struct vector_table tps_board_vectors = {
    __stack_top,
    tps_board_reset,
    {fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
     fault},
    {[TPS_BOARD_UART_INTERRUPT] = receive},
};

_Noreturn void tps_board_reset(void)
{
#if defined(__ARM_FP)
    CPACR |= CPACR_CP10_CP11_FULL;
    __asm volatile("dsb\n\tisb" ::: "memory");
#endif
    tps_start();
    tps_board_restart();
}

_Noreturn void tps_board_restart(void)
{
    __asm volatile("dsb" ::: "memory");
    for (;;) {
        AIRCR = AIRCR_RESET;
    }
}

void tps_board_open(void)
{
    tps_uart_open();
    tps_uart_listen(1);
    NVIC_ISER[TPS_BOARD_UART_INTERRUPT / 32] = UINT32_C(1) << (TPS_BOARD_UART_INTERRUPT % 32);
}

int tps_board_get(void *context)
{
    int byte;

    (void)context;
    if (ring_first == ring_end) {
        return -1;
    }
    byte = ring[ring_first];
    ring_first = (uint8_t)(ring_first + 1u);
    if (is_held) {
        /* A byte that came in while the interrupt was off may never ask for one. */
        __asm volatile("cpsid i" ::: "memory");
        is_held = 0;
        tps_uart_listen(1);
        receive();
        __asm volatile("cpsie i" ::: "memory");
    }
    return byte;
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
    /* A byte that comes in between the question and wfi ends wfi, although it is not served yet. */
    __asm volatile("cpsid i" ::: "memory");
    if (ring_first == ring_end) {
        __asm volatile("wfi" ::: "memory");
    }
    __asm volatile("cpsie i" ::: "memory");
}

#else
typedef int tps_board_is_empty;
#endif
