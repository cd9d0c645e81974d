/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_f32.h -- elementary functions in binary32
 *
 * ARITHMETIC.md of tpsgd-edge, section 12.
 */
#ifndef PLANE_TPS_F32_H
#define PLANE_TPS_F32_H

#include "plane_tps_float.h"

#include <stdint.h>

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2)
#error "the float vectors of MVE flush subnormal numbers to zero: compile with +nomve.fp"
#endif

/*
 * Computers with vector units work on eight numbers at once. NEON of 32-bit cores flushes subnormal
 * numbers to zero, and is left out.
 */
#if defined(__GNUC__) && (defined(__SSE2__) || (defined(__ARM_NEON) && defined(__aarch64__)))
#define TPS_EIGHTS

typedef float tps_eight __attribute__((vector_size(32)));

/* The next eight numbers, from any address. */
#define TPS_EIGHT(name, from)                                                                      \
    tps_eight name;                                                                                \
    __builtin_memcpy(&name, from, sizeof name)
#endif

#define TPS_LOG2E 0x1.715476p+0f

/* Whether all values are what the arithmetic is proved for: no NaN, |v| <= 2^20. */
static inline int tps_all_proved_f32(const float *values, uint32_t n)
{
#ifdef TPS_EIGHTS
    uint32_t others = 0;
    for (uint32_t i = 0; i < n; i++) {
        others += values[i] >= -0x1p20f ? 0 : 1;
        others += values[i] <= 0x1p20f ? 0 : 1;
    }
    return others == 0;
#else
    for (uint32_t i = 0; i < n; i++) {
        if (!(values[i] >= -0x1p20f && values[i] <= 0x1p20f)) {
            return 0;
        }
    }
    return 1;
#endif
}

/* 2^x for x in [-126, 126], beyond that the value at the end. */
static inline float tps_exp2_f32(float x)
{
    x = tps_clip_f32(x, -126.0f, 126.0f);
    int32_t whole = (int32_t)x; /* rounds towards zero */
    if ((float)whole > x) {
        whole--;
    }
    const float f = x - (float)whole;
    float p = 0x1.d52664p-10f;
    p = 0x1.2d5c5ep-7f + f * p;
    p = 0x1.c7f4aep-5f + f * p;
    p = 0x1.ebf194p-3f + f * p;
    p = 0x1.62e43ep-1f + f * p;
    p = 1.0f + f * p;
    const union {
        uint32_t bits;
        float value;
    } power = {.bits = (uint32_t)(whole + 127) << 23};
    return power.value * p;
}

static inline float tps_tanh_f32(float z)
{
    return 1.0f - 2.0f / (tps_exp2_f32(z * (2 * TPS_LOG2E)) + 1.0f);
}

static inline float tps_sigmoid_f32(float z)
{
    return 1.0f / (1.0f + tps_exp2_f32(-z * TPS_LOG2E));
}

#ifdef TPS_EIGHTS

/* tps_exp2_f32 for x in [-126, 126] without a branch: compilers vectorize loops over it. */
static inline float tps_exp2_within_f32(float x)
{
    int32_t whole = (int32_t)x;
    whole -= (float)whole > x;
    const float f = x - (float)whole;
    float part = 0x1.2d5c5ep-7f + f * 0x1.d52664p-10f;
    part = 0x1.ebf194p-3f + f * (0x1.c7f4aep-5f + f * part);
    part = 1.0f + f * (0x1.62e43ep-1f + f * part);
    const union {
        uint32_t bits;
        float value;
    } power = {.bits = (uint32_t)(whole + 127) << 23};
    return power.value * part;
}

/* tps_tanh_f32 and tps_sigmoid_f32 of many z: limits and powers are loops of their own. */
static inline void tps_all_tanh_f32(float *z, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        z[i] = tps_clip_f32(z[i] * (2 * TPS_LOG2E), -126.0f, 126.0f);
    }
    for (uint32_t i = 0; i < n; i++) {
        z[i] = 1.0f - 2.0f / (tps_exp2_within_f32(z[i]) + 1.0f);
    }
}

static inline void tps_all_sigmoid_f32(float *z, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        z[i] = tps_clip_f32(-z[i] * TPS_LOG2E, -126.0f, 126.0f);
    }
    for (uint32_t i = 0; i < n; i++) {
        z[i] = 1.0f / (1.0f + tps_exp2_within_f32(z[i]));
    }
}
#endif

static inline float tps_relu_f32(float z)
{
    return z > 0.0f ? z : 0.0f;
}

static inline float tps_relu6_f32(float z)
{
    return z > 0.0f ? (z > 6.0f ? 6.0f : z) : 0.0f;
}

static inline float tps_leaky_relu_f32(float z, float slope)
{
    return z > 0.0f ? z : z * slope;
}

static inline float tps_hard_tanh_f32(float z)
{
    return tps_clip_f32(z, -1.0f, 1.0f);
}

static inline float tps_linear_f32(float z)
{
    return z;
}

static inline float tps_sum_of_lanes_f32(const float lane[8])
{
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/*
 * The FPU of Cortex-M4F, M7 and M33 has 32 registers, which one instruction loads eight at a time.
 * Its vmla rounds the product, then the sum, as every function here does.
 */
#if defined(__ARM_FP) && (__ARM_FP & 4) && defined(__thumb2__) && !defined(__ARM_FEATURE_MVE) &&   \
    defined(__GNUC__)
#define TPS_VFP

/* lanes += w x and lanes + 8 += v x. Requires n > 0, a multiple of 8. */
static inline void tps_add_lanes_vfp(const float *w, const float *v, const float *x, uint32_t n,
                                     float lanes[16])
{
    __asm__ volatile("vldmia %[lanes], {s0-s15}\n"
                     "1:\n\t"
                     "vldmia %[x]!, {s16-s23}\n\t"
                     "vldmia %[w]!, {s24-s31}\n\t"
                     "vmla.f32 s0, s16, s24\n\t"
                     "vmla.f32 s1, s17, s25\n\t"
                     "vmla.f32 s2, s18, s26\n\t"
                     "vmla.f32 s3, s19, s27\n\t"
                     "vmla.f32 s4, s20, s28\n\t"
                     "vmla.f32 s5, s21, s29\n\t"
                     "vmla.f32 s6, s22, s30\n\t"
                     "vmla.f32 s7, s23, s31\n\t"
                     "vldmia %[v]!, {s24-s31}\n\t"
                     "vmla.f32 s8, s16, s24\n\t"
                     "vmla.f32 s9, s17, s25\n\t"
                     "vmla.f32 s10, s18, s26\n\t"
                     "vmla.f32 s11, s19, s27\n\t"
                     "vmla.f32 s12, s20, s28\n\t"
                     "vmla.f32 s13, s21, s29\n\t"
                     "vmla.f32 s14, s22, s30\n\t"
                     "vmla.f32 s15, s23, s31\n\t"
                     "subs %[n], %[n], #8\n\t"
                     "bne 1b\n\t"
                     "vstmia %[lanes], {s0-s15}"
                     : [w] "+r"(w), [v] "+r"(v), [x] "+r"(x), [n] "+r"(n)
                     : [lanes] "r"(lanes)
                     : "cc", "memory", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9",
                       "s10", "s11", "s12", "s13", "s14", "s15", "s16", "s17", "s18", "s19", "s20",
                       "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28", "s29", "s30", "s31");
}

/* w += step x. Requires n > 0, a multiple of 8. */
static inline void tps_add_scaled_vfp(float *w, const float *x, float step, uint32_t n)
{
    const union {
        float value;
        uint32_t bits;
    } factor = {.value = step};
    __asm__ volatile("vmov s16, %[step]\n"
                     "1:\n\t"
                     "vldmia %[x]!, {s0-s7}\n\t"
                     "vldmia %[w], {s8-s15}\n\t"
                     "vmla.f32 s8, s0, s16\n\t"
                     "vmla.f32 s9, s1, s16\n\t"
                     "vmla.f32 s10, s2, s16\n\t"
                     "vmla.f32 s11, s3, s16\n\t"
                     "vmla.f32 s12, s4, s16\n\t"
                     "vmla.f32 s13, s5, s16\n\t"
                     "vmla.f32 s14, s6, s16\n\t"
                     "vmla.f32 s15, s7, s16\n\t"
                     "vstmia %[w]!, {s8-s15}\n\t"
                     "subs %[n], %[n], #8\n\t"
                     "bne 1b"
                     : [w] "+r"(w), [x] "+r"(x), [n] "+r"(n)
                     : [step] "r"(factor.bits)
                     : "cc", "memory", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9",
                       "s10", "s11", "s12", "s13", "s14", "s15", "s16");
}
#endif

#ifdef TPS_EIGHTS

/*
 * Where the eights of x begin that are not all 0, in eights; returns how many. Others add nothing
 * to lanes that begin with 0: these are never -0. Small layers are not worth the question.
 */
static inline uint32_t tps_eights_f32(const float *x, uint32_t n, uint32_t rows, uint32_t *eights)
{
    const int is_small = n < 256 || rows < 32;
    uint32_t count = 0;
    /* Compilers ask for a first one, whether there are eights or not. */
    eights[0] = 0;
    for (uint32_t i = 0; i + 8 <= n; i += 8) {
        uint64_t bits[4];
        __builtin_memcpy(bits, x + i, sizeof bits);
        eights[count] = i;
        count += is_small || (bits[0] | bits[1] | bits[2] | bits[3]) != 0;
    }
    return count;
}

/* sum[r] = w[r] x for four rows of w: side by side they hide the latency of an addition. */
static inline void tps_dot_four_f32(const float *w, const float *x, uint32_t n,
                                    const uint32_t *eights, uint32_t count, float sum[4])
{
    const uint32_t whole = n & ~UINT32_C(7);
    float lanes[4][8];
    tps_eight a = {0.0f}, b = a, c = a, d = a;
    for (uint32_t k = 0; k != count; k++) {
        const uint32_t i = eights[k];
        TPS_EIGHT(input, x + i);
        TPS_EIGHT(first, w + i);
        TPS_EIGHT(second, w + n + i);
        TPS_EIGHT(third, w + 2 * n + i);
        TPS_EIGHT(fourth, w + 3 * n + i);
        a += first * input;
        b += second * input;
        c += third * input;
        d += fourth * input;
    }
    __builtin_memcpy(lanes[0], &a, sizeof a);
    __builtin_memcpy(lanes[1], &b, sizeof b);
    __builtin_memcpy(lanes[2], &c, sizeof c);
    __builtin_memcpy(lanes[3], &d, sizeof d);
    for (uint32_t r = 0; r < 4; r++, w += n) {
        for (uint32_t m = 0; m < n - whole; m++) {
            lanes[r][m] += w[whole + m] * x[whole + m];
        }
        sum[r] = tps_sum_of_lanes_f32(lanes[r]);
    }
}
#endif

/* sum of w[i] * x[i] in eight lanes, so that a vector unit can follow the order. */
static inline float tps_dot_f32(const float *w, const float *x, uint32_t n)
{
    float lane[8] = {0.0f};
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (uint32_t m = 0; m < 8; m++) {
            lane[m] += w[i + m] * x[i + m];
        }
    }
    for (uint32_t m = 0; m < (n & 7); m++) {
        lane[m] += w[i + m] * x[i + m];
    }
    return tps_sum_of_lanes_f32(lane);
}

/* The same for two rows of w: each input is loaded once. */
static inline void tps_dot_two_f32(const float *w, const float *x, uint32_t n, float sum[2])
{
    const float *v = w + n;
    float lanes[16] = {0.0f};
    float *const other = lanes + 8;
#ifdef TPS_VFP
    const uint32_t whole = n & ~UINT32_C(7);
    if (whole != 0) {
        tps_add_lanes_vfp(w, v, x, whole, lanes);
        w += whole;
        v += whole;
        x += whole;
    }
#else
    for (uint32_t left = n; left >= 8; left -= 8, w += 8, v += 8, x += 8) {
        for (uint32_t m = 0; m < 8; m++) {
            const float input = x[m];
            lanes[m] += w[m] * input;
            other[m] += v[m] * input;
        }
    }
#endif
    for (uint32_t m = 0; m < (n & 7); m++) {
        lanes[m] += w[m] * x[m];
        other[m] += v[m] * x[m];
    }
    sum[0] = tps_sum_of_lanes_f32(lanes);
    sum[1] = tps_sum_of_lanes_f32(other);
}

#endif
