/*
 * tps_board.h -- what the firmware of a board offers its main program
 *
 * One startup_*.c, one uart_*.c and, where checkpoints are kept, one storage_*.c implement it, with
 * the numbers of tps_board_config.h. A next board of a known kind is one file of numbers.
 */
#ifndef TPS_BOARD_H
#define TPS_BOARD_H

#include <stdint.h>

/* Start clock, pins and receiver of the UART: TPS_BOARD_BAUD, 8 bits, no parity. */
void tps_board_open(void);

/* The next byte that came in, 0 to 255, or -1 where none is there now. Never waits. */
int tps_board_get(void *context);

/* Send a byte, after waiting until the UART takes it. Returns 0. */
int tps_board_put(void *context, uint8_t byte);

/* Sleep until a byte comes in; returns at once where one is there. */
void tps_board_sleep(void);

/* Start from reset. */
_Noreturn void tps_board_restart(void);

/* The main program; it does not return. */
int main(void);

#endif
