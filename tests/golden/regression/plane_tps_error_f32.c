/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
#include "plane_tps_error_f32.h"

#include "plane_tps_f32.h"
#include "plane_tps_projection.h"

void tps_error_huber_hidden_f32(const struct tps_dense_f32 *layer, const float *y,
    const float *label, float *e)
{
    for (uint32_t j = 0; j < layer->n_out; j++) {
        struct tps_row p = tps_row_begin(layer, j);
        float sum = 0.0f;
        for (uint32_t k = 0; k < TPS_N_LABELS; k++) {
            sum += (float)tps_row_next(&p) * label[k];
        }
        const float target = layer->target_mid + sum * layer->target_mult;
        const float r = target - y[j];
        e[j] = tps_clip_f32(r, -layer->delta, layer->delta);
    }
}

void tps_error_l2_last_f32(const struct tps_dense_f32 *layer, const float *y,
    const float *label, float *e)
{
    for (uint32_t j = 0; j < layer->n_out; j++) {
        const float target = label[j];
        const float r = target - y[j];
        e[j] = r;
    }
}
