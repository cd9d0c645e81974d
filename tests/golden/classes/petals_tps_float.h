/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_float.h -- binary32 as the standard has it
 *
 * ARITHMETIC.md of tpsgd-edge, sections 12 and 21: every operation once, in the order written,
 * never fused and never wider. Compilers that would do so are told not to, or stop here.
 */
#ifndef PETALS_TPS_FLOAT_H
#define PETALS_TPS_FLOAT_H

/* gcc fuses unless it is told -std=c11, and does not know the pragma of the standard. */
#if !defined(__GNUC__) || defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif !defined(__STRICT_ANSI__)
#pragma GCC optimize("fp-contract=off")
#endif
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#error "f32 arithmetic is exact only without -ffast-math and what it consists of"
#endif
/* 16 widens only formats that are narrower than float. */
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16
#error "f32 arithmetic is exact only where float is not computed wider: -msse2 -mfpmath=sse on x86"
#endif

#define TPS_FLOAT_MAX 0x1.fffffep127f

/* v limited to [lo, hi]; lo where v is no number, so that tables are never left. */
static inline float tps_clip_f32(float v, float lo, float hi)
{
    return v > lo ? (v < hi ? v : hi) : lo;
}

#endif
