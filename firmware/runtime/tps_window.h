/*
 * tps_window.h -- a window of one channel of a signal
 *
 * ARITHMETIC.md of tpsgd-edge, section 28, is the contract of this and of what is made of windows.
 */
#ifndef TPS_WINDOW_H
#define TPS_WINDOW_H

#include <stdint.h>

struct tps_window {
    const int16_t *sample; /* the first one */
    uint32_t stride;       /* from a sample to the next: channels lie side by side */
    uint8_t log_size;      /* 2^log_size samples */
    int8_t up;             /* what brings the samples to 16 bits, without their mean */
    int32_t total;         /* sum of the samples */
};

static inline int32_t tps_window_sample(const struct tps_window *window, uint32_t i)
{
    return window->sample[i * window->stride];
}

/* A sample less the mean, times the size: below 2^27. */
static inline int32_t tps_window_moved(const struct tps_window *window, uint32_t i)
{
    return tps_window_sample(window, i) * (INT32_C(1) << window->log_size) - window->total;
}

/* The same, as large as 16 bits hold. */
static inline int32_t tps_window_full(const struct tps_window *window, uint32_t i)
{
    const int32_t moved = tps_window_moved(window, i);

    return window->up < 0 ? moved >> -window->up : moved * (INT32_C(1) << window->up);
}

/* v, or -1 - v: as many bits as v has without its sign. */
static inline uint32_t tps_magnitude_bits(int32_t v)
{
    return (uint32_t)(v ^ (v >> 31));
}

/* The bit length of v: 0 for 0, 1 for 1, 2 for 2 and 3, ... */
static inline uint8_t tps_bit_length(uint32_t v)
{
    uint8_t bits = 0;

    while (v != 0) {
        v >>= 1;
        bits++;
    }
    return bits;
}

/* The window that begins at a sample. Requires 4 <= log_size <= 11. */
static inline struct tps_window tps_window_at(const int16_t *sample, uint32_t stride,
                                              uint8_t log_size)
{
    struct tps_window window = {sample, stride, log_size, 0, 0};
    const uint32_t size = UINT32_C(1) << log_size;
    uint32_t reach = 0;

    for (uint32_t i = 0; i < size; i++) {
        window.total += tps_window_sample(&window, i);
    }
    for (uint32_t i = 0; i < size; i++) {
        reach |= tps_magnitude_bits(tps_window_moved(&window, i));
    }
    window.up = (int8_t)(15 - tps_bit_length(reach));
    return window;
}

#endif
