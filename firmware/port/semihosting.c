/*
 * semihosting.c -- the harness's streams as two files of the debugger or emulator
 *
 * commands.bin is read, replies.bin is written, both in the folder that the emulator runs in. They
 * may be pipes, of which a read returns what has come so far, and nothing at their end alone.
 *
 * For emulators only: without TPS_PORT this file is empty, whoever compiles it.
 */
#ifdef TPS_PORT
#include "semihosting.h"

#include "tps_boot.h"
#include "tps_port.h"

static uint32_t commands;
static uint32_t replies;

#if defined(__arm__)
#define CALL "bkpt 0xab\n\tbx lr"
#elif defined(__riscv)
/* The shifts around ebreak mark a call; all three must be uncompressed and in one page. */
#define CALL                                                                                       \
    ".option push\n\t.option norvc\n\t"                                                            \
    "slli zero, zero, 0x1f\n\tebreak\n\tsrai zero, zero, 7\n\tret\n\t"                             \
    ".option pop"
#else
#error "semihosting is known for Arm and RISC-V only"
#endif

#define UNUSED __attribute__((unused))

/* The arguments are where the call wants them: in the first two registers. */
__attribute__((naked, noinline, aligned(16))) uint32_t
tps_semihosting_call(uint32_t operation UNUSED, const void *arguments UNUSED)
{
    __asm volatile(CALL);
}

static uint32_t open_file(const char *name, uint32_t length, uint32_t mode)
{
    const uint32_t arguments[3] = {(uint32_t)(uintptr_t)name, mode, length};
    return tps_semihosting_call(SYS_OPEN, arguments);
}

void tps_port_open(void)
{
    static const char commands_name[] = "commands.bin";
    static const char replies_name[] = "replies.bin";

    commands = open_file(commands_name, sizeof commands_name - 1, SYS_OPEN_RB);
    replies = open_file(replies_name, sizeof replies_name - 1, SYS_OPEN_WB);
}

uint32_t tps_port_read(void *bytes, uint32_t count)
{
    uint32_t missing = count;
    uint32_t before;

    do {
        const uintptr_t rest = (uintptr_t)bytes + (count - missing);
        const uint32_t arguments[3] = {commands, (uint32_t)rest, missing};

        before = missing;
        missing = tps_semihosting_call(SYS_READ, arguments);
    } while (missing > 0 && missing < before);
    return count - missing;
}

void tps_port_write(const void *bytes, uint32_t count)
{
    const uint32_t arguments[3] = {replies, (uint32_t)(uintptr_t)bytes, count};
    (void)tps_semihosting_call(SYS_WRITE, arguments);
}

_Noreturn void tps_port_exit(enum tps_port_exit code)
{
    const uint32_t arguments[2] = {ADP_STOPPED_APPLICATION_EXIT, (uint32_t)code};

    for (;;) {
        (void)tps_semihosting_call(SYS_EXIT_EXTENDED, arguments);
    }
}

#else
typedef int tps_port_is_empty;
#endif
