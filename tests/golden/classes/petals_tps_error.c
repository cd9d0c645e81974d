/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
#include "petals_tps_error.h"

#include "petals_tps_fixed.h"
#include "petals_tps_projection.h"
#include "petals_tps_readout.h"
#include "petals_tps_softmax.h"

void tps_error_projected_cross_entropy_s8(const struct tps_dense *layer, const int8_t *y,
    uint16_t label, int32_t *s, int16_t *e)
{
    /* The layer's own answer through its fixed classifier P^T ... */
    tps_read_out_s8(layer, y, TPS_N_LABELS, s);
    /* ... what it lacks in label space ... */
    const struct tps_softmax softmax = tps_softmax_s32(s, TPS_N_LABELS);
    for (uint32_t k = 0; k < TPS_N_LABELS; k++) {
        s[k] = ((k == label ? 32768 : 0) - tps_probability(&softmax, s[k])) >> 1;
    }
    /* ... and that, spread over the units by P. */
    tps_spread(layer, s, TPS_N_LABELS, e);
}

int32_t tps_error_softmax_cross_entropy(const struct tps_dense *layer, const int16_t *y,
    uint16_t label, int16_t *e)
{
    const struct tps_softmax softmax = tps_softmax_s16(y, layer->n_out);
    for (uint32_t k = 0; k < layer->n_out; k++) {
        const int32_t wanted = k == label ? 32768 : 0;
        e[k] = (int16_t)((wanted - tps_probability(&softmax, y[k])) >> 1);
    }
    return tps_probability(&softmax, y[label]);
}
