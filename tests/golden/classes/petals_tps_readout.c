/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
#include "petals_tps_readout.h"

#include "petals_tps_fixed.h"
#include "petals_tps_projection.h"
#ifndef __OPTIMIZE_SIZE__
#define WITH_LANES

/*
 * A sign is one bit, and two labels share a word: label k its lower half, label k + HALF its upper
 * one. A multiplication adds a number to both where their bits are set. Twice such a sum less the
 * sum of all is the sum with signs. Code that shall be small adds one number at a time.
 */
#define HALF ((TPS_N_LABELS + 1) / 2)

/* Sums in the halves of a word. */
static inline int32_t lower_sum(uint32_t sums)
{
    return (int16_t)sums;
}

static inline int32_t upper_sum(uint32_t sums)
{
    return (int16_t)((sums - (uint32_t)lower_sum(sums)) >> 16);
}

static inline int32_t with_signs(int32_t sum, int32_t all)
{
    return 2 * sum - all;
}
#endif

#ifdef WITH_LANES
/* s += P^T y for the units from j to end. */
static void read_out_units_s8(const struct tps_dense *layer, const int8_t *y, uint32_t j,
                              uint32_t end, int32_t *s)
{
    uint32_t sums[HALF];
    int32_t all = 0;
    for (uint32_t k = 0; k < HALF; k++) {
        sums[k] = 0;
    }
    for (; j < end; j++) {
        const uint32_t word = tps_row_begin(layer, j).word;
        const uint32_t bits = (word & 0xFFFF) | ((word >> HALF) << 16);
        const int32_t output = y[j];
        all += output;
        TPS_UNROLLED for (uint32_t k = 0; k < HALF; k++) {
            sums[k] += ((bits >> k) & 0x00010001) * (uint32_t)output;
        }
    }
    for (uint32_t k = 0; k < HALF; k++) {
        s[k] += with_signs(lower_sum(sums[k]), all);
        if (k + HALF < TPS_N_LABELS) {
            s[k + HALF] += with_signs(upper_sum(sums[k]), all);
        }
    }
}
#endif

void tps_read_out_s8(const struct tps_dense *layer, const int8_t *y,
                      uint32_t n_labels, int32_t *s)
{
    for (uint32_t k = 0; k < n_labels; k++) {
        s[k] = 0;
    }
#ifdef WITH_LANES
    read_out_units_s8(layer, y, 0, layer->n_out, s);
#else
    for (uint32_t j = 0; j < layer->n_out; j++) {
        struct tps_row p = tps_row_begin(layer, j);
        for (uint32_t k = 0; k < n_labels; k++) {
            s[k] += tps_row_next(&p) * y[j];
        }
    }
#endif
    for (uint32_t k = 0; k < n_labels; k++) {
        s[k] = tps_sat_s16(tps_rshift_round(s[k] * layer->readout_mult, layer->readout_shift));
    }
}

void tps_spread(const struct tps_dense *layer, const int32_t *s, uint32_t n_labels, int16_t *e)
{
#ifdef WITH_LANES
    /* What probabilities lack comes to less than 2^15: here two units share a word. */
    const uint32_t n = layer->n_out;
    const uint8_t shift = layer->error_shift;
    const int32_t half = shift == 0 ? 0 : INT32_C(1) << (shift - 1);
    int32_t all = 0;
    for (uint32_t k = 0; k < n_labels; k++) {
        all += s[k];
    }
    for (uint32_t j = 0; j < n; j += 2) {
        const uint32_t word = tps_row_begin(layer, j).word;
        const uint32_t next = tps_row_begin(layer, j + 1).word;
        uint32_t bits = (word & 0xFFFF) | (next << 16), sums = 0;
        TPS_UNROLLED for (uint32_t k = 0; k < TPS_N_LABELS; k++) {
            sums += ((bits >> k) & 0x00010001) * (uint32_t)s[k];
        }
        e[j] = (int16_t)tps_clip((with_signs(lower_sum(sums), all) + half) >> shift, -32767, 32767);
        if (j + 1 < n) {
            const int32_t upper = (with_signs(upper_sum(sums), all) + half) >> shift;
            e[j + 1] = (int16_t)tps_clip(upper, -32767, 32767);
        }
    }
#else
    for (uint32_t j = 0; j < layer->n_out; j++) {
        struct tps_row p = tps_row_begin(layer, j);
        int32_t sum = 0;
        for (uint32_t k = 0; k < n_labels; k++) {
            sum += tps_row_next(&p) * s[k];
        }
        e[j] = (int16_t)tps_clip(tps_rshift_round(sum, layer->error_shift), -32767, 32767);
    }
#endif
}
