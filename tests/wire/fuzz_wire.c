/*
 * fuzz_wire.c -- anything that may come over a wire, for libFuzzer
 *
 * An input is a list of operations: bytes as they come, requests with a right CRC-32 (chance would
 * find none) whose number is the next one, the latest one or any, work of the main loop, and bytes
 * that are sent. Only a training step and the end of a writing may change the model, which stays
 * one that training may have made; all that is sent are whole frames.
 */
#include MODEL_H

#include "tps_crc32.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOINED(a, b) a##b
#define JOIN(a, b) JOINED(a, b)
#define OWN(name) JOIN(MODEL, name)
#define CHECK(is_good)                                                                             \
    do {                                                                                           \
        if (!(is_good)) {                                                                          \
            fprintf(stderr, "line %d: %s\n", __LINE__, #is_good);                                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { TRAIN = 5, END_WRITE = 9 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count);

/* What is known beside the wire. */
struct trial {
    struct OWN(_model) model;
    struct OWN(_model) scratch;
    struct OWN(_wire) wire;
    const uint8_t *input;
    size_t rest;
    uint8_t sent[4096]; /* since the latest 0 */
    uint32_t sent_count;
    uint32_t frames;
};

static uint32_t take(struct trial *trial, uint32_t count)
{
    uint32_t value = 0;

    for (uint32_t i = 0; i < count && trial->rest > 0; i++) {
        value |= (uint32_t)*trial->input++ << (8 * i);
        trial->rest--;
    }
    return value;
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* A frame that was sent is COBS of a body with a right CRC-32. */
static void check_frame(const uint8_t *bytes, uint32_t count)
{
    static uint8_t body[4096];
    uint32_t size = 0;

    for (uint32_t at = 0; at < count;) {
        const uint8_t code = bytes[at++];
        CHECK(code != 0 && at + code - 1 <= count);
        for (uint32_t i = 1; i < code; i++) {
            body[size++] = bytes[at++];
        }
        if (code != 255 && at < count) {
            body[size++] = 0;
        }
    }
    CHECK(size >= 12 && body[0] == TPS_WIRE_VERSION && (body[1] & 0x80) != 0);
    CHECK(get_u32(body + size - 4) == tps_crc32(0, body, size - 4));
}

static void send(struct trial *trial, uint32_t limit)
{
    for (int byte; limit-- > 0 && (byte = OWN(_wire_give)(&trial->wire)) >= 0;) {
        CHECK(trial->sent_count < sizeof trial->sent);
        trial->sent[trial->sent_count++] = (uint8_t)byte;
        if (byte == 0) {
            if (trial->sent_count > 1) {
                check_frame(trial->sent, trial->sent_count - 1);
                trial->frames++;
            }
            trial->sent_count = 0;
        }
    }
}

static void serve(struct trial *trial)
{
    struct OWN(_wire) *wire = &trial->wire;
    const struct OWN(_model) before = trial->model;
    const uint8_t command = wire->request.bytes[1];
    const uint32_t done = wire->frames.carried_out;

    OWN(_wire_serve)(wire);
    CHECK(OWN(_valid)(&trial->model) == 1);
    if (memcmp(&before, &trial->model, sizeof before) != 0) {
        CHECK(wire->frames.carried_out == done + 1);
        CHECK(command == TRAIN || command == END_WRITE);
        CHECK(wire->answer.bytes[2] == TPS_OK && wire->answer.bytes[3] == 0);
        CHECK(command != TRAIN || trial->model.step == before.step + (before.step != UINT32_MAX));
        CHECK(command != END_WRITE || memcmp(&trial->model, &trial->scratch, sizeof before) == 0);
    }
}

/* A body between zeros. */
static void receive(struct trial *trial, const uint8_t *body, uint32_t count)
{
    uint32_t at = 0;

    OWN(_wire_take)(&trial->wire, 0);
    while (at <= count) {
        uint32_t n = 0;
        while (n < 254 && at + n < count && body[at + n] != 0) {
            n++;
        }
        OWN(_wire_take)(&trial->wire, (uint8_t)(n + 1));
        for (uint32_t i = 0; i < n; i++) {
            OWN(_wire_take)(&trial->wire, body[at + i]);
        }
        at += n;
        if (n < 254) {
            at++;
        } else if (at == count) {
            break;
        }
    }
    OWN(_wire_take)(&trial->wire, 0);
}

static void request(struct trial *trial)
{
    static uint8_t body[2048];
    const struct tps_frames *frames = &trial->wire.frames;
    const uint32_t kind = take(trial, 1);
    const uint32_t size = take(trial, 2) % (sizeof body - 12);
    const uint32_t which = take(trial, 1) % 8;
    const uint32_t number = which == 0 ? take(trial, 4) : which == 1 ? frames->last : frames->next;

    body[0] = kind < 250 ? TPS_WIRE_VERSION : 9;
    body[1] = (uint8_t)(kind % 14);
    for (uint32_t i = 0; i < 4; i++) {
        body[4 + i] = (uint8_t)(number >> (8 * i));
    }
    for (uint32_t i = 0; i < size; i++) {
        body[8 + i] = (uint8_t)take(trial, 1);
    }
    const uint32_t crc = tps_crc32(0, body, 8 + size);
    for (uint32_t i = 0; i < 4; i++) {
        body[8 + size + i] = (uint8_t)(crc >> (8 * i));
    }
    receive(trial, body, 12 + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    struct trial *trial = calloc(1, sizeof *trial);

    CHECK(trial != NULL);
    trial->input = input;
    trial->rest = count;
    OWN(_init)(&trial->model);
    OWN(_wire_open)(&trial->wire, NULL, &trial->model);
    trial->wire.scratch = take(trial, 1) % 8 != 0 ? &trial->scratch : NULL;
    while (trial->rest > 0) {
        switch (take(trial, 1) % 6) {
        case 0:
            for (uint32_t n = take(trial, 1); n > 0; n--) {
                OWN(_wire_take)(&trial->wire, (uint8_t)take(trial, 1));
            }
            break;
        case 1:
            send(trial, take(trial, 1));
            break;
        case 2:
            serve(trial);
            break;
        default:
            request(trial);
            serve(trial);
            send(trial, UINT32_MAX);
            break;
        }
    }
    if (getenv("SHOW") != NULL) {
        fprintf(stderr, "%lu frames, step %lu\n", (unsigned long)trial->frames,
                (unsigned long)trial->model.step);
    }
    free(trial);
    return 0;
}
