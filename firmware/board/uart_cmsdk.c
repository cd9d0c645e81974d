/*
 * uart_cmsdk.c -- the APB UART of Arm's Cortex-M System Design Kit (DDI 0479, section 4.3)
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board_config.h"
#include "tps_uart.h"

#define DATA TPS_UART_REGISTER(0x00)
#define STATE TPS_UART_REGISTER(0x04)
#define CTRL TPS_UART_REGISTER(0x08)
#define INTCLEAR TPS_UART_REGISTER(0x0C)
#define BAUDDIV TPS_UART_REGISTER(0x10)

#define STATE_TX_FULL (UINT32_C(1) << 0)
#define STATE_RX_FULL (UINT32_C(1) << 1)
#define CTRL_TX (UINT32_C(1) << 0)
#define CTRL_RX (UINT32_C(1) << 1)
#define CTRL_RX_INTERRUPT (UINT32_C(1) << 3)
#define INT_RX (UINT32_C(1) << 1)

void tps_uart_open(void)
{
    BAUDDIV = (TPS_BOARD_UART_CLOCK + TPS_BOARD_BAUD / 2) / TPS_BOARD_BAUD;
    CTRL = CTRL_TX | CTRL_RX;
}

void tps_uart_listen(int on)
{
    CTRL = on ? CTRL | CTRL_RX_INTERRUPT : CTRL & ~CTRL_RX_INTERRUPT;
    if (!on) {
        /* Of a byte that came in just before: nothing else takes its request back. */
        INTCLEAR = INT_RX;
    }
}

int tps_uart_has_byte(void)
{
    return (STATE & STATE_RX_FULL) != 0;
}

int tps_uart_take(void)
{
    /* Before the byte is fetched: the next one may come at once, and asks anew. */
    INTCLEAR = INT_RX;
    return tps_uart_has_byte() ? (int)(DATA & 0xFFu) : -1;
}

int tps_uart_send(uint8_t byte)
{
    if ((STATE & STATE_TX_FULL) != 0) {
        return 1;
    }
    DATA = byte;
    return 0;
}

#else
typedef int tps_board_is_empty;
#endif
