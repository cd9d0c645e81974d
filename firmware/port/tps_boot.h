/*
 * tps_boot.h -- from reset to the harness
 */
#ifndef TPS_BOOT_H
#define TPS_BOOT_H

#include "tps_port.h"

#include <stdint.h>

/* From the linker script. The stack grows down from __stack_top; below __stack_limit it has run
 * over. */
extern uint32_t __stack_limit[];
extern uint32_t __stack_top[];

/* Start the C world: data, zeros, painted stack; then serve the harness and end. */
_Noreturn void tps_port_boot(void);

/* Open the command and the reply stream. */
void tps_port_open(void);

/* End the program with this exit code. */
_Noreturn void tps_port_exit(enum tps_port_exit code);

#endif
