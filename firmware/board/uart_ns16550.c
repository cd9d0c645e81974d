/*
 * uart_ns16550.c -- a UART like National Semiconductor's 16550A, with registers of one byte
 *
 * Data sheet PC16550D, section 8.
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board_config.h"
#include "tps_uart.h"

#define BYTE(offset) (*(volatile uint8_t *)(uintptr_t)(TPS_BOARD_UART_BASE + (uint32_t)(offset)))
#define DATA BYTE(0)
#define DIVISOR_LOW BYTE(0)  /* while LCR_DIVISOR is set */
#define DIVISOR_HIGH BYTE(1) /* while LCR_DIVISOR is set */
#define IER BYTE(1)
#define FCR BYTE(2)
#define LCR BYTE(3)
#define LSR BYTE(5)

#define IER_RECEIVED 0x01u
#define FCR_CLEAR_AND_ENABLE 0x07u
#define LCR_8_BITS 0x03u
#define LCR_DIVISOR 0x80u
#define LSR_RECEIVED 0x01u
#define LSR_CAN_SEND 0x20u
#define DIVISOR ((TPS_BOARD_UART_CLOCK / 16 + TPS_BOARD_BAUD / 2) / TPS_BOARD_BAUD)

void tps_uart_open(void)
{
    IER = 0;
    LCR = LCR_DIVISOR;
    DIVISOR_LOW = (uint8_t)(DIVISOR & 0xFFu);
    DIVISOR_HIGH = (uint8_t)(DIVISOR >> 8);
    LCR = LCR_8_BITS;
    FCR = FCR_CLEAR_AND_ENABLE;
}

void tps_uart_listen(int on)
{
    IER = on ? IER_RECEIVED : 0;
}

int tps_uart_has_byte(void)
{
    return (LSR & LSR_RECEIVED) != 0;
}

int tps_uart_take(void)
{
    return tps_uart_has_byte() ? (int)DATA : -1;
}

int tps_uart_send(uint8_t byte)
{
    if ((LSR & LSR_CAN_SEND) == 0) {
        return 1;
    }
    DATA = byte;
    return 0;
}

#else
typedef int tps_board_is_empty;
#endif
