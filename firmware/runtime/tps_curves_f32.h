/*
 * tps_curves_f32.h -- activations in binary32 beside those of tps_f32.h
 *
 * ARITHMETIC.md of tpsgd-edge, section 12: every operation once, in the order written.
 */
#ifndef TPS_CURVES_F32_H
#define TPS_CURVES_F32_H

#include "tps_f32.h"

#define TPS_SELU_SCALE 0x1.0cfabep+0f
#define TPS_SELU_REACH 0x1.c212ccp+0f /* its scale times its alpha */

static inline float tps_elu_f32(float z, float alpha)
{
    return z > 0.0f ? z : alpha * (tps_exp2_f32(z * TPS_LOG2E) - 1.0f);
}

static inline float tps_celu_f32(float z, float alpha)
{
    return z > 0.0f ? z : tps_elu_f32(z / alpha, alpha);
}

static inline float tps_selu_f32(float z)
{
    return z > 0.0f ? z * TPS_SELU_SCALE : tps_elu_f32(z, TPS_SELU_REACH);
}

static inline float tps_hard_sigmoid_f32(float z, float alpha, float beta)
{
    return tps_clip_f32(alpha * z + beta, 0.0f, 1.0f);
}

/* max(z, 0) + ln(1 + u) with u = e^-|z|. */
static inline float tps_softplus_f32(float z)
{
    const float u = tps_exp2_f32(-(z < 0.0f ? -z : z) * TPS_LOG2E);
    float p = -0x1.18f998p-7f;
    p = 0x1.6a33e2p-5f + u * p;
    p = -0x1.b9c4c8p-4f + u * p;
    p = 0x1.6ba9f2p-3f + u * p;
    p = -0x1.f5c086p-3f + u * p;
    p = 0x1.54bf80p-2f + u * p;
    p = -0x1.fff950p-2f + u * p;
    p = 0x1.fffffap-1f + u * p;
    return (z > 0.0f ? z : 0.0f) + u * p;
}

/* z / 2 * (1 + erf(z / sqrt 2)). */
static inline float tps_gelu_f32(float z)
{
    const float x = (z < 0.0f ? -z : z) * 0x1.6a09e6p-1f;
    const float t = 1.0f / (1.0f + 0x1.4f740ap-2f * x);
    float p = 0x1.0fb844p+0f;
    p = -0x1.7401c6p+0f + t * p;
    p = 0x1.6be1c6p+0f + t * p;
    p = -0x1.23531cp-2f + t * p;
    p = 0x1.04f20cp-2f + t * p;
    const float tail = (t * p) * tps_exp2_f32(-(x * x) * TPS_LOG2E);
    return (0.5f * z) * (z > 0.0f ? 2.0f - tail : tail);
}

static inline float tps_gelu_tanh_f32(float z)
{
    const float inner = 0x1.988454p-1f * (z + 0x1.6e4e26p-5f * (z * z * z));
    return (0.5f * z) * (1.0f + tps_tanh_f32(inner));
}

static inline float tps_silu_f32(float z)
{
    return z * tps_sigmoid_f32(z);
}

static inline float tps_hard_swish_f32(float z)
{
    return z * tps_clip_f32(z * 0x1.555556p-3f + 0.5f, 0.0f, 1.0f);
}

#endif
