/*
 * semihosting.h -- calls from the core to the debugger or emulator
 *
 * "Semihosting for AArch32 and AArch64", Arm, release 3.0, and the RISC-V semihosting
 * specification 1.0.
 */
#ifndef TPS_SEMIHOSTING_H
#define TPS_SEMIHOSTING_H

#include <stdint.h>

enum tps_semihosting_operation {
    SYS_OPEN = 0x01,         /* {name, mode, length of name} -> handle, or -1 */
    SYS_WRITE = 0x05,        /* {handle, bytes, count} -> bytes not written */
    SYS_READ = 0x06,         /* {handle, bytes, count} -> bytes not read */
    SYS_EXIT_EXTENDED = 0x20 /* {reason, exit code} */
};

/* Modes of SYS_OPEN, as of fopen. */
enum { SYS_OPEN_RB = 1, SYS_OPEN_WB = 5 };

/* The reason "application exit" of SYS_EXIT_EXTENDED. */
#define ADP_STOPPED_APPLICATION_EXIT UINT32_C(0x20026)

/* One call with its block of arguments. Returns what the operation says. */
uint32_t tps_semihosting_call(uint32_t operation, const void *arguments);

#endif
