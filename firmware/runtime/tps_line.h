/*
 * tps_line.h -- a line to a computer: two calls that you write, and what is known of its frames
 *
 * docs/PROTOCOL.md of tpsgd-edge is the contract. The same text in every project of this version:
 * the models of a firmware share it.
 */
#ifndef TPS_LINE_H
#define TPS_LINE_H

#include <stdint.h>

#include "tps_status.h"

/* The protocol that is spoken; the first 8 bytes of later ones will lie as in this one. */
#define TPS_WIRE_VERSION 1

/* Labels of samples that nobody knows the class of. */
#define TPS_WIRE_NO_LABEL 0xFFFFu

/* What a computer is answered, beside what calls of the model return. */
enum {
    TPS_WIRE_OTHER_VERSION = 64, /* a request of another TPS_WIRE_VERSION */
    TPS_WIRE_BAD_COMMAND = 65,   /* there is none of this number */
    TPS_WIRE_BAD_LENGTH = 66,    /* more or fewer bytes than the command takes */
    TPS_WIRE_BAD_NUMBER = 67,    /* of no session, or out of turn */
    TPS_WIRE_NOT_HERE = 68,      /* this firmware does not do that, or has nothing to do it in */
    TPS_WIRE_BAD_BLOCK = 69,     /* not the next bytes of a state */
    TPS_WIRE_BAD_STATE = 70,     /* of another model, or not whole */
};

#ifdef __cplusplus
extern "C" {
#endif

struct tps_line {
    /* For the calls: a handle, a base address. */
    void *context;
    /* The next byte that came in, or -1 where none is there. Must not wait. */
    int (*get)(void *context);
    /*
     * Send a byte. Returns 0 when it was taken; else it is offered again in the next poll. May
     * wait, and then so does whoever polls.
     */
    int (*put)(void *context, uint8_t byte);
};

/* What is known of the frames on a line. */
struct tps_frames {
    uint8_t *in;          /* the body that comes in */
    uint8_t *out;         /* the latest answer */
    const uint8_t *sent;  /* the body that goes out */
    uint32_t in_size;     /* of the buffer */
    uint32_t in_count;    /* bytes that are there */
    uint32_t out_count;   /* bytes of the latest answer */
    uint32_t sent_count;  /* bytes of the body that goes out */
    uint32_t sent_at;     /* ... that went */
    uint32_t last;        /* number of the latest request */
    uint32_t last_crc;    /* ... and its CRC-32 */
    uint32_t next;        /* number of the next one */
    uint32_t carried_out; /* requests */
    uint32_t repeated;    /* ... that were answered from memory */
    uint32_t refused;     /* ... that were of no session, or of another version */
    uint32_t dropped;     /* frames */
    uint32_t lost;        /* bytes that came while a request waited */
    int16_t offered;      /* a byte that the line has not taken yet, or -1 */
    uint8_t in_left;      /* bytes to the next code */
    uint8_t in_zero;      /* whether a 0 stands before that */
    uint8_t in_skips;     /* whether what comes up to the next 0 is dropped */
    uint8_t out_left;     /* the same of what goes out */
    uint8_t out_zero;
    uint8_t has_session;
    volatile uint8_t out_phase;
    volatile uint8_t is_full; /* whether a request waits */
    uint8_t refusal[12];      /* the answer to what is refused: the latest other one is kept */
};

/* A sample that was learned from, or whose label is known. */
struct tps_wire_entry {
    uint16_t label;
    uint16_t answer;
    uint16_t confidence;
    uint16_t is_trained;
};

#ifdef __cplusplus
}
#endif

#endif
