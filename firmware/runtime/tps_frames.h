/*
 * tps_frames.h -- frames of requests and answers on any line (docs/PROTOCOL.md)
 *
 * take puts bytes together, begin looks at a request that is complete, answer adds what belongs
 * around a payload, give takes a frame apart. take and give are for interrupts too.
 */
#ifndef TPS_FRAMES_H
#define TPS_FRAMES_H

#include "tps_compiler.h"
#include "tps_line.h"
#include "tps_names.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes before a payload, and with the CRC-32 behind it. */
#define TPS_FRAME_HEAD 8u
#define TPS_FRAME_AROUND 12u
#define TPS_WIRE_HELLO 1u

/* Begin with nothing; *in has in_size bytes. */
void tps_frames_open(struct tps_frames *frames, uint8_t *in, uint32_t in_size, uint8_t *out);

/* Take a byte that came in. While a request waits, bytes are lost. */
void tps_frames_take(struct tps_frames *frames, uint8_t byte);

/* The next byte to send, or -1. */
int tps_frames_give(struct tps_frames *frames);

/*
 * Whether a request waits that is to be carried out: frames->in has its body, its command is
 * in[1], its payload has *count bytes. What else waits has been dropped or answered.
 */
bool tps_frames_begin(struct tps_frames *frames, uint32_t *count);

/* Answer it, with the first count bytes behind the head of frames->out. */
void tps_frames_answer(struct tps_frames *frames, tps_status status, uint32_t count);

/* Take all that came on a line. */
void tps_frames_receive(struct tps_frames *frames, const struct tps_line *line);

/* Send what the line takes. */
void tps_frames_send(struct tps_frames *frames, const struct tps_line *line);

#endif
