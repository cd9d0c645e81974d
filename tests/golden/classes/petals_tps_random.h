/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_random.h -- counter-based random numbers
 *
 * ARITHMETIC.md of tpsgd-edge, section 3. Unsigned arithmetic wraps modulo 2^32 on purpose.
 */
#ifndef PETALS_TPS_RANDOM_H
#define PETALS_TPS_RANDOM_H

#include "petals_tps_compiler.h"

#include <stdint.h>

/* 2^32 / golden ratio: steps of a Weyl sequence. */
#define TPS_PHI UINT32_C(0x9E3779B9)

/* A bijection of 32 bits with low bias: C. Wellons' "lowbias32". */
TPS_ONCE uint32_t tps_mix(uint32_t h)
{
    h ^= h >> 16;
    h *= UINT32_C(0x7FEB352D);
    h ^= h >> 15;
    h *= UINT32_C(0x846CA68B);
    h ^= h >> 16;
    return h;
}

/* Random word number i of the stream that starts at base. */
static inline uint32_t tps_draw(uint32_t base, uint32_t i)
{
    return tps_mix(base + TPS_PHI * (i + 1));
}

/*
 * v / 2^shift, rounded up or down at random so that the mean is exact.
 * Requires 1 <= shift <= 30 and v < 2^31 - 2^shift.
 */
static inline int32_t tps_random_round(int32_t v, uint8_t shift, uint32_t word)
{
    return (v + (int32_t)(word >> (32 - shift))) >> shift;
}

#endif
