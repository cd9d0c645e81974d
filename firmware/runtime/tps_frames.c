/*
 * tps_frames.c -- frames of requests and answers on any line (docs/PROTOCOL.md)
 *
 * The interrupt that takes bytes owns the buffer of the request until is_full is set, the main loop
 * from then on until it clears is_full. The fences keep compilers from moving writes across.
 */
#include "tps_frames.h"

#include "tps_crc32.h"

#include <stdatomic.h>

enum { IDLE, FRAME_BEGIN, BODY, FRAME_END };

static uint32_t word_at(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static void set_word(uint8_t *bytes, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
}

void tps_frames_open(struct tps_frames *frames, uint8_t *in, uint32_t in_size, uint8_t *out)
{
    *frames = (struct tps_frames){.in = in, .in_size = in_size, .out = out, .offered = -1};
}

/* Begin another body. Whether its first bytes were lost is the interrupt's to say. */
static void restart(struct tps_frames *frames)
{
    frames->in_count = 0;
    frames->in_left = 0;
    frames->in_zero = 0;
}

static void store(struct tps_frames *frames, uint8_t byte)
{
    if (frames->in_count == frames->in_size) {
        frames->in_skips = 1;
    } else {
        frames->in[frames->in_count++] = byte;
    }
}

/* A frame ends; one that holds nothing is none. */
static void end_frame(struct tps_frames *frames)
{
    if (frames->in_skips == 0 && frames->in_left == 0 && frames->in_count >= TPS_FRAME_AROUND) {
        atomic_signal_fence(memory_order_release);
        frames->is_full = 1;
        return;
    }
    frames->dropped += frames->in_skips != 0 || frames->in_left != 0 || frames->in_zero != 0 ||
                       frames->in_count != 0;
    frames->in_skips = 0;
    restart(frames);
}

void tps_frames_take(struct tps_frames *frames, uint8_t byte)
{
    if (frames->is_full != 0) {
        /* A request whose begin is lost is not taken for one when it ends. */
        frames->in_skips = byte != 0;
        frames->lost += byte != 0;
    } else if (byte == 0) {
        end_frame(frames);
    } else if (frames->in_left == 0) {
        if (frames->in_zero != 0) {
            store(frames, 0);
        }
        frames->in_left = (uint8_t)(byte - 1);
        frames->in_zero = byte != 0xFF;
    } else {
        store(frames, byte);
        frames->in_left--;
    }
}

/* The code of the block that begins here: one more than its bytes other than 0. */
static uint8_t next_code(struct tps_frames *frames)
{
    const uint8_t *from = frames->sent + frames->sent_at;
    const uint32_t rest = frames->sent_count - frames->sent_at;
    uint8_t count = 0;

    while (count < 254 && count < rest && from[count] != 0) {
        count++;
    }
    frames->out_left = count;
    frames->out_zero = count < 254 && count < rest;
    return (uint8_t)(count + 1);
}

/* Leave a block behind whose bytes went, with the 0 that it stands for. */
static void end_block(struct tps_frames *frames)
{
    if (frames->out_left != 0) {
        return;
    }
    if (frames->out_zero == 0 && frames->sent_at == frames->sent_count) {
        frames->out_phase = FRAME_END;
    }
    frames->sent_at += frames->out_zero;
    frames->out_zero = 0;
}

int tps_frames_give(struct tps_frames *frames)
{
    uint8_t byte = 0;

    if (frames->out_phase == IDLE) {
        return -1;
    }
    if (frames->out_phase == FRAME_BEGIN) {
        frames->out_phase = BODY;
        frames->out_left = 0;
    } else if (frames->out_phase == FRAME_END) {
        frames->out_phase = IDLE;
    } else if (frames->out_left == 0) {
        byte = next_code(frames);
        end_block(frames);
    } else {
        byte = frames->sent[frames->sent_at++];
        frames->out_left--;
        end_block(frames);
    }
    return byte;
}

static void send(struct tps_frames *frames, uint8_t *body, uint32_t count)
{
    set_word(body + count - 4, tps_crc32(0, body, count - 4));
    frames->sent = body;
    frames->sent_count = count;
    frames->sent_at = 0;
    atomic_signal_fence(memory_order_release);
    frames->out_phase = FRAME_BEGIN;
}

static void set_head(const struct tps_frames *frames, uint8_t *body, tps_status status)
{
    body[0] = TPS_WIRE_VERSION;
    body[1] = (uint8_t)(frames->in[1] | 0x80);
    body[2] = (uint8_t)status;
    body[3] = (uint8_t)(status >> 8);
    set_word(body + 4, word_at(frames->in + 4));
}

static void refuse(struct tps_frames *frames, tps_status status)
{
    frames->refused++;
    set_head(frames, frames->refusal, status);
    send(frames, frames->refusal, sizeof frames->refusal);
}

/* Be ready for the next request: its buffer is the interrupt's again. */
static void release(struct tps_frames *frames)
{
    restart(frames);
    atomic_signal_fence(memory_order_release);
    frames->is_full = 0;
}

/* Whether a request whose CRC-32 is right is to be carried out; else it has been answered. */
static bool is_next(struct tps_frames *frames, uint32_t crc)
{
    const uint32_t number = word_at(frames->in + 4);

    if (frames->in[0] != TPS_WIRE_VERSION) {
        refuse(frames, TPS_WIRE_OTHER_VERSION);
        return false;
    }
    if (frames->has_session != 0 && number == frames->last && crc == frames->last_crc) {
        frames->repeated++;
        send(frames, frames->out, frames->out_count);
        return false;
    }
    if (frames->in[1] == TPS_WIRE_HELLO) {
        /* From both histories, so that no number of an older session is the next one. */
        frames->next = tps_crc32(frames->next, frames->in + 4, 4);
        frames->has_session = 1;
    } else if (frames->has_session == 0 || number != frames->next) {
        refuse(frames, TPS_WIRE_BAD_NUMBER);
        return false;
    } else {
        frames->next++;
    }
    frames->last = number;
    frames->last_crc = crc;
    return true;
}

bool tps_frames_begin(struct tps_frames *frames, uint32_t *count)
{
    /* An answer that is still on its way is not changed. */
    if (frames->is_full == 0 || frames->out_phase != IDLE) {
        return false;
    }
    atomic_signal_fence(memory_order_acquire);
    *count = frames->in_count - TPS_FRAME_AROUND;
    const uint32_t crc = word_at(frames->in + TPS_FRAME_HEAD + *count);
    const bool is_good = crc == tps_crc32(0, frames->in, TPS_FRAME_HEAD + *count);
    if (is_good && is_next(frames, crc)) {
        return true;
    }
    frames->dropped += !is_good;
    release(frames);
    return false;
}

void tps_frames_answer(struct tps_frames *frames, tps_status status, uint32_t count)
{
    frames->carried_out++;
    frames->out_count = count + TPS_FRAME_AROUND;
    set_head(frames, frames->out, status);
    send(frames, frames->out, frames->out_count);
    release(frames);
}

void tps_frames_receive(struct tps_frames *frames, const struct tps_line *line)
{
    /* What follows a request stays where it is, and bytes without end keep nobody here. */
    for (uint32_t i = 0; i < frames->in_size && frames->is_full == 0; i++) {
        const int byte = line->get(line->context);
        if (byte < 0) {
            return;
        }
        tps_frames_take(frames, (uint8_t)byte);
    }
}

void tps_frames_send(struct tps_frames *frames, const struct tps_line *line)
{
    for (;;) {
        if (frames->offered < 0) {
            frames->offered = (int16_t)tps_frames_give(frames);
        }
        if (frames->offered < 0 || line->put(line->context, (uint8_t)frames->offered) != 0) {
            return;
        }
        frames->offered = -1;
    }
}
