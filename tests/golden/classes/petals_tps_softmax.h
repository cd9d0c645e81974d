/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_softmax.h -- probabilities from scores in units of 1/256 of a factor of two
 *
 * ARITHMETIC.md of tpsgd-edge, section 6.3. Probabilities are Q15, 0 to 32768.
 */
#ifndef PETALS_TPS_SOFTMAX_H
#define PETALS_TPS_SOFTMAX_H

#include "petals_tps_compiler.h"
#include "petals_tps_names.h"

#include <stdint.h>

/* round(32768 * 2^(-i / 64)) */
extern const TPS_FLASH uint16_t tps_exp2_table[64];

/* What all probabilities of one softmax share. */
struct tps_softmax {
    int32_t max;         /* the largest score */
    uint32_t reciprocal; /* 2^31 / sum of powers, rounded down */
};

/* 2^(-distance / 256) in Q15. */
static inline uint32_t tps_power(uint32_t distance)
{
    const uint32_t halvings = distance >> 8;
    return halvings > 15 ? 0 : (uint32_t)tps_exp2_table[(distance & 255) >> 2] >> halvings;
}

/* Requires scores in the range of int16_t, 1 <= count <= 65535. */
struct tps_softmax tps_softmax_s32(const int32_t *scores, uint16_t count);
struct tps_softmax tps_softmax_s16(const int16_t *scores, uint16_t count);

/* Probability of one of the scores. */
static inline int32_t tps_probability(const struct tps_softmax *softmax, int32_t score)
{
    return (int32_t)((tps_power((uint32_t)(softmax->max - score)) * softmax->reciprocal) >> 16);
}

#endif
