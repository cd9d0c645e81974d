/*
 * echo.c -- frames as a script of operations on standard input says; each payload comes back
 *
 * t and a byte: it came in; s: carry out a request that waits; g: what is to be sent goes to
 * standard output. In the end the counters go to standard error.
 */
#include "tps_frames.h"

#include <stdio.h>
#include <string.h>

#define SIZE 1024

static uint8_t in[SIZE];
static uint8_t out[SIZE];
static struct tps_frames frames;

static void serve(void)
{
    uint32_t count = 0;

    if (!tps_frames_begin(&frames, &count)) {
        return;
    }
    memcpy(out + TPS_FRAME_HEAD, in + TPS_FRAME_HEAD, count);
    if (in[1] == TPS_WIRE_HELLO) {
        for (count = 0; count < 4; count++) {
            out[TPS_FRAME_HEAD + count] = (uint8_t)(frames.next >> (8 * count));
        }
    }
    tps_frames_answer(&frames, in[1] == 2 ? 0x1234 : 0, count);
}

int main(void)
{
    int operation;

    tps_frames_open(&frames, in, sizeof in, out);
    while ((operation = getchar()) != EOF) {
        if (operation == 't') {
            tps_frames_take(&frames, (uint8_t)getchar());
        } else if (operation == 's') {
            serve();
        } else {
            for (int byte; (byte = tps_frames_give(&frames)) >= 0;) {
                putchar(byte);
            }
        }
    }
    fprintf(stderr, "%lu %lu %lu %lu %lu\n", (unsigned long)frames.carried_out,
            (unsigned long)frames.repeated, (unsigned long)frames.refused,
            (unsigned long)frames.dropped, (unsigned long)frames.lost);
    return 0;
}
