/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
#include "petals_tps_readout.h"

#include "petals_tps_fixed.h"
#include "petals_tps_projection.h"

void tps_read_out_s8(const struct tps_dense *layer, const int8_t *y,
                      uint32_t n_labels, int32_t *s)
{
    for (uint32_t k = 0; k < n_labels; k++) {
        s[k] = 0;
    }
    for (uint32_t j = 0; j < layer->n_out; j++) {
        struct tps_row p = tps_row_begin(layer, j);
        for (uint32_t k = 0; k < n_labels; k++) {
            s[k] += tps_row_next(&p) * y[j];
        }
    }
    for (uint32_t k = 0; k < n_labels; k++) {
        s[k] = tps_requantize(s[k], layer->readout_mult, layer->readout_shift, INT16_MIN,
                              INT16_MAX);
    }
}

void tps_spread(const struct tps_dense *layer, const int32_t *s, uint32_t n_labels, int16_t *e)
{
    for (uint32_t j = 0; j < layer->n_out; j++) {
        struct tps_row p = tps_row_begin(layer, j);
        int32_t sum = 0;
        for (uint32_t k = 0; k < n_labels; k++) {
            sum += tps_row_next(&p) * s[k];
        }
        e[j] = (int16_t)tps_clip(tps_rshift_round(sum, layer->error_shift), -32767, 32767);
    }
}
