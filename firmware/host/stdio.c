/*
 * stdio.c -- the harness as a program of the host: commands on stdin, replies on stdout
 */
#include "tps_port.h"

#include <stdio.h>

uint32_t tps_port_read(void *bytes, uint32_t count)
{
    /* Whoever asks for more has been given time to answer: replies must not wait in a buffer. */
    (void)fflush(stdout);
    return (uint32_t)fread(bytes, 1, count, stdin);
}

void tps_port_write(const void *bytes, uint32_t count)
{
    (void)fwrite(bytes, 1, count, stdout);
}

uint32_t tps_port_stack_used(const void *from)
{
    (void)from;
    return 0;
}

int main(void)
{
    return (int)tps_port_serve();
}
