/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
#include "plane_tps_dense_f32.h"

#include "plane_tps_f32.h"
#include "plane_tps_random.h"

void tps_dense_forward_relu_f32(const struct tps_dense_f32 *layer, const float *w,
                            const float *b, const float *x, float *y)
{
    const uint32_t n_in = layer->n_in;
    const uint32_t n_out = layer->n_out;
    uint32_t j = 0;
#ifdef TPS_EIGHTS
    uint32_t eights[1];
    const uint32_t count = tps_eights_f32(x, n_in, n_out, eights);
    for (; j + 4 <= n_out; j += 4, w += 4 * n_in) {
        tps_dot_four_f32(w, x, n_in, eights, count, y + j);
        for (uint32_t r = 0; r < 4; r++) {
            y[j + r] = tps_clip_f32(y[j + r] + b[j + r], -0x1p20f, 0x1p20f);
        }
    }
    for (uint32_t r = 0; r < j; r++) {
        y[r] = tps_relu_f32(y[r]);
    }
#endif
    for (; j < n_out; j += 2, w += 2 * n_in) {
        const uint32_t rows = n_out - j >= 2 ? 2 : 1;
        float sum[2];
        if (rows == 2) {
            tps_dot_two_f32(w, x, n_in, sum);
        } else {
            sum[0] = tps_dot_f32(w, x, n_in);
        }
        for (uint32_t r = 0; r < rows; r++) {
            const float z = tps_clip_f32(sum[r] + b[j + r], -0x1p20f, 0x1p20f);
            y[j + r] = tps_relu_f32(z);
        }
    }
}

void tps_dense_forward_linear_f32(const struct tps_dense_f32 *layer, const float *w,
                            const float *b, const float *x, float *y)
{
    const uint32_t n_in = layer->n_in;
    const uint32_t n_out = layer->n_out;
    uint32_t j = 0;
#ifdef TPS_EIGHTS
    uint32_t eights[1];
    const uint32_t count = tps_eights_f32(x, n_in, n_out, eights);
    for (; j + 4 <= n_out; j += 4, w += 4 * n_in) {
        tps_dot_four_f32(w, x, n_in, eights, count, y + j);
        for (uint32_t r = 0; r < 4; r++) {
            y[j + r] = tps_clip_f32(y[j + r] + b[j + r], -0x1p20f, 0x1p20f);
        }
    }
    for (uint32_t r = 0; r < j; r++) {
        y[r] = tps_linear_f32(y[r]);
    }
#endif
    for (; j < n_out; j += 2, w += 2 * n_in) {
        const uint32_t rows = n_out - j >= 2 ? 2 : 1;
        float sum[2];
        if (rows == 2) {
            tps_dot_two_f32(w, x, n_in, sum);
        } else {
            sum[0] = tps_dot_f32(w, x, n_in);
        }
        for (uint32_t r = 0; r < rows; r++) {
            const float z = tps_clip_f32(sum[r] + b[j + r], -0x1p20f, 0x1p20f);
            y[j + r] = tps_linear_f32(z);
        }
    }
}

void tps_dense_init_f32(const struct tps_dense_f32 *layer, float *w, float *b, uint32_t seed)
{
    const uint32_t count = (uint32_t)layer->n_in * layer->n_out;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t uniform = (int32_t)(tps_draw(seed, i) >> 16) - 32768;
        w[i] = (float)uniform * layer->init_bound;
    }
    for (uint32_t j = 0; j < layer->n_out; j++) {
        b[j] = 0.0f;
    }
}
#ifndef PLANE_INFERENCE_ONLY

void tps_dense_grad_relu_f32(const struct tps_dense_f32 *layer, const float *y, float *e)
{
    for (uint32_t j = 0; j < layer->n_out; j++) {
        e[j] = e[j] * (y[j] > 0.0f ? 1.0f : 0.0f);
    }
}

void tps_dense_steps_f32(const struct tps_dense_f32 *layer, float decay, float *e)
{
    const float rate = layer->rate * decay;
    for (uint32_t j = 0; j < layer->n_out; j++) {
        if (e[j] < layer->dead_zone && -e[j] < layer->dead_zone) {
            e[j] = 0.0f;
        }
        e[j] = tps_clip_f32(rate * e[j], -1024.0f, 1024.0f);
    }
}

void tps_dense_update_f32(const struct tps_dense_f32 *layer, float *w, float *b, const float *x,
                          const float *d)
{
    const uint32_t n_in = layer->n_in;
    for (uint32_t j = 0; j < layer->n_out; j++, w += n_in) {
        const float step = d[j];
        if (step == 0.0f) {
            continue;
        }
        uint32_t i = 0;
#ifdef TPS_VFP
        i = n_in & ~UINT32_C(7);
        if (i != 0) {
            tps_add_scaled_vfp(w, x, step, i);
        }
#endif
#ifdef TPS_EIGHTS
        for (; i + 8 <= n_in; i += 8) {
            TPS_EIGHT(input, x + i);
            TPS_EIGHT(sum, w + i);
            sum += step * input;
            __builtin_memcpy(w + i, &sum, sizeof sum);
        }
#endif
        for (; i + 8 <= n_in; i += 8) {
            float sum[8];
            for (uint32_t m = 0; m < 8; m++) {
                sum[m] = w[i + m] + step * x[i + m];
            }
            for (uint32_t m = 0; m < 8; m++) {
                w[i + m] = sum[m];
            }
        }
        for (; i < n_in; i++) {
            w[i] += step * x[i];
        }
        b[j] += step;
    }
}
#endif
