/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_ranges.h -- whether numbers that come from outside are such as training makes
 *
 * ARITHMETIC.md of tpsgd-edge, section 13.
 */
#ifndef PETALS_TPS_RANGES_H
#define PETALS_TPS_RANGES_H

#include <stdint.h>

static inline int tps_within_s8(const int8_t *values, uint32_t n, int32_t lo, int32_t hi)
{
    for (uint32_t i = 0; i < n; i++) {
        if (values[i] < lo || values[i] > hi) {
            return 0;
        }
    }
    return 1;
}

static inline int tps_within_s16(const int16_t *values, uint32_t n, int32_t lo, int32_t hi)
{
    for (uint32_t i = 0; i < n; i++) {
        if (values[i] < lo || values[i] > hi) {
            return 0;
        }
    }
    return 1;
}

static inline int tps_within_s32(const int32_t *values, uint32_t n, int32_t lo, int32_t hi)
{
    for (uint32_t i = 0; i < n; i++) {
        if (values[i] < lo || values[i] > hi) {
            return 0;
        }
    }
    return 1;
}

/* Not where one is no number. */
static inline int tps_within_f32(const float *values, uint32_t n, float lo, float hi)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!(values[i] >= lo && values[i] <= hi)) {
            return 0;
        }
    }
    return 1;
}

#endif
