/*
 * tps_uart.h -- one UART: what each uart_*.c implements for its kind of peripheral
 */
#ifndef TPS_UART_H
#define TPS_UART_H

#include <stdint.h>

/* A register of 32 bits at an offset of the UART. */
#define TPS_UART_REGISTER(offset)                                                                  \
    (*(volatile uint32_t *)(uintptr_t)(TPS_BOARD_UART_BASE + (uint32_t)(offset)))

/* Start clock, pins, receiver and transmitter. The receive interrupt stays off. */
void tps_uart_open(void);

/* Let the UART ask for an interrupt when a byte came in (1), or not (0). */
void tps_uart_listen(int on);

/* Whether a byte came in that nobody took yet. */
int tps_uart_has_byte(void);

/* Take the byte that came in, 0 to 255, or -1 where none did. */
int tps_uart_take(void);

/* Send a byte. Returns 0 when it was taken, 1 where the one before is still on its way. */
int tps_uart_send(uint8_t byte);

#endif
