/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_fixed.h -- rounding and saturating
 *
 * Every rounding and every saturation of the integer kernels is one of these.
 * ARITHMETIC.md of tpsgd-edge, section 1, is the contract.
 */
#ifndef PETALS_TPS_FIXED_H
#define PETALS_TPS_FIXED_H

#include "petals_tps_compiler.h"

#include <stdint.h>

_Static_assert((-1 >> 1) == -1, "needs an arithmetic right shift");
_Static_assert((int8_t)0x80 == -128, "needs two's complement");

/* Computers with vector units take other ways to the same numbers. */
#if defined(__SSE2__) || defined(__ARM_NEON)
#define TPS_VECTORS
#endif

/* Armv6-M has eight registers for most things. */
#if defined(__thumb__) && !defined(__thumb2__)
#define TPS_FEW_REGISTERS
#endif

static inline int32_t tps_clip(int32_t v, int32_t lo, int32_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* v limited to [-2^bits, 2^bits - 1]. Requires v < 2^31 - 2^bits. */
static inline int32_t tps_limit(int32_t v, int bits)
{
    const int32_t max = (INT32_C(1) << bits) - 1;
#ifdef TPS_FEW_REGISTERS
    return ((uint32_t)v + (UINT32_C(1) << bits)) >> (bits + 1) == 0 ? v : (v >> 31) ^ max;
#else
    return tps_clip(v, -max - 1, max);
#endif
}

static inline int8_t tps_sat_s8(int32_t v)
{
    return (int8_t)tps_clip(v, INT8_MIN, INT8_MAX);
}

static inline int16_t tps_sat_s16(int32_t v)
{
    return (int16_t)tps_clip(v, INT16_MIN, INT16_MAX);
}

/*
 * floor(v / 2^shift + 1/2): nearest, ties towards plus infinity.
 * Requires shift <= 30 and v <= INT32_MAX - 2^(shift - 1).
 */
static inline int32_t tps_rshift_round(int32_t v, uint8_t shift)
{
    return shift == 0 ? v : (v + (INT32_C(1) << (shift - 1))) >> shift;
}

/*
 * v * mult / 2^shift, rounded, limited to [lo, hi].
 * Requires |v| < 2^47, mult <= 2^15, 1 <= shift <= 62, lo and hi of 16 bits.
 */
static inline int32_t tps_requantize(int64_t v, uint16_t mult, uint8_t shift, int32_t lo,
                                     int32_t hi)
{
    const int64_t rounded = (v * mult + (INT64_C(1) << (shift - 1))) >> shift;
    return (int32_t)(rounded < lo ? lo : rounded > hi ? hi : rounded);
}

/* v * mult / 2^shift for v of 32 bits: for nearly all shifts half a product is enough. */
struct tps_scaling {
    int32_t mult; /* mult * 2^15 */
    int32_t half;
    uint8_t shift; /* beyond 2^17 */
};

static inline int tps_scales_s32(uint8_t shift)
{
    return shift >= 18 && shift <= 47;
}

static inline struct tps_scaling tps_scaling(uint16_t mult, uint8_t shift)
{
    return (struct tps_scaling){(int32_t)mult << 15, INT32_C(1) << (shift - 18),
                                (uint8_t)(shift - 17)};
}

/* floor(v * mult / 2^shift + 1/2). Requires tps_scales_s32(shift). */
static inline int32_t tps_scaled(int32_t v, struct tps_scaling by)
{
    /* floor(v * mult / 2^17); the floor of a floor is the floor. */
#ifdef TPS_FEW_REGISTERS
    const int32_t mult = by.mult >> 15;
    const int32_t low = (int32_t)(((uint32_t)v & 0xFFFF) * (uint32_t)mult >> 16);
    const int32_t upper = ((v >> 16) * mult + low) >> 1;
#else
    const int32_t upper = (int32_t)((v * (int64_t)by.mult) >> 32);
#endif
    return (upper + by.half) >> by.shift;
}

/* tps_requantize of 32 bits. */
static inline int32_t tps_requantize_s32(int32_t v, uint16_t mult, uint8_t shift, int32_t lo,
                                         int32_t hi)
{
    return tps_scales_s32(shift) ? tps_clip(tps_scaled(v, tps_scaling(mult, shift)), lo, hi)
                                 : tps_requantize(v, mult, shift, lo, hi);
}

#endif
