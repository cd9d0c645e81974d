/*
 * uart_nrf51.c -- the UART of an nRF51, on the pins of the micro:bit's USB interface
 *
 * nRF51 Series Reference Manual 3.0, chapter 29.
 *
 * Without TPS_BOARD this file is empty, whoever compiles it.
 */
#ifdef TPS_BOARD
#include "tps_board_config.h"
#include "tps_uart.h"

#define START_RX TPS_UART_REGISTER(0x000)
#define START_TX TPS_UART_REGISTER(0x008)
#define RX_READY TPS_UART_REGISTER(0x108)
#define TX_READY TPS_UART_REGISTER(0x11C)
#define INTENSET TPS_UART_REGISTER(0x304)
#define INTENCLR TPS_UART_REGISTER(0x308)
#define ENABLE TPS_UART_REGISTER(0x500)
#define PSEL_TXD TPS_UART_REGISTER(0x50C)
#define PSEL_RXD TPS_UART_REGISTER(0x514)
#define RXD TPS_UART_REGISTER(0x518)
#define TXD TPS_UART_REGISTER(0x51C)
#define BAUDRATE TPS_UART_REGISTER(0x524)

#define GPIO_OUTSET (*(volatile uint32_t *)UINT32_C(0x50000508))
#define GPIO_DIRSET (*(volatile uint32_t *)UINT32_C(0x50000518))

#define INT_RX_READY (UINT32_C(1) << 2)
#define ENABLED 4u
#define TXD_PIN 24u
#define RXD_PIN 25u
/* The register holds the rate as a share of the clock in 2^-32; the lowest 12 bits are 0. */
#define RATE                                                                                       \
    ((uint32_t)((((uint64_t)TPS_BOARD_BAUD << 32) / TPS_BOARD_UART_CLOCK + 0x800u) & ~0xFFFull))

static int is_sending;

void tps_uart_open(void)
{
    GPIO_OUTSET = UINT32_C(1) << TXD_PIN;
    GPIO_DIRSET = UINT32_C(1) << TXD_PIN;
    PSEL_TXD = TXD_PIN;
    PSEL_RXD = RXD_PIN;
    BAUDRATE = RATE;
    ENABLE = ENABLED;
    RX_READY = 0;
    TX_READY = 0;
    START_RX = 1;
    START_TX = 1;
}

void tps_uart_listen(int on)
{
    if (on) {
        INTENSET = INT_RX_READY;
    } else {
        INTENCLR = INT_RX_READY;
    }
}

int tps_uart_has_byte(void)
{
    return RX_READY != 0;
}

int tps_uart_take(void)
{
    if (!tps_uart_has_byte()) {
        return -1;
    }
    /* Before the byte is fetched, which lets the next one of six move up and say so. */
    RX_READY = 0;
    return (int)(RXD & 0xFFu);
}

int tps_uart_send(uint8_t byte)
{
    if (is_sending && TX_READY == 0) {
        return 1;
    }
    TX_READY = 0;
    is_sending = 1;
    TXD = byte;
    return 0;
}

#else
typedef int tps_board_is_empty;
#endif
