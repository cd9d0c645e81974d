/*
 * hearing.h -- features of a stream, for harness.c
 */
#ifndef TPS_PORT_HEARING_H
#define TPS_PORT_HEARING_H

#include "model_port.h"
#include "tps_port.h"

#include <stdint.h>

/* Hear the next count blocks; 0 of them begin a new stream. Returns 0 where there are fewer, or the
 * model hears nothing. */
static inline int tps_port_hear(uint32_t count)
{
#ifdef MODEL_HAS_SIGNAL
/* In a section of its own, for its size belongs to the model, not to the harness. */
#if defined(__ELF__)
    __attribute__((section(".bss.tps_port_signal")))
#endif
    static model_signal_t signal;
    static struct {
        _Alignas(4) int16_t samples[MODEL_N_BLOCK];
    } block;
    static struct {
        uint32_t is_complete;
        _Alignas(4) int16_t features[MODEL_N_FEATURES];
    } reply;

    if (count == 0) {
        signal.heard = 0;
    }
    while (count-- > 0) {
        if (tps_port_read(&block, sizeof block) != sizeof block) {
            return 0;
        }
        for (uint32_t i = 0; i < MODEL_N_FEATURES; i++) {
            reply.features[i] = 0;
        }
        reply.is_complete = model_hear(&signal, block.samples, reply.features);
        tps_port_write(&reply, sizeof reply);
    }
    return 1;
#else
    (void)count;
    return 0;
#endif
}

#endif
