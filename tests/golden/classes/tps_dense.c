#include "tps_dense.h"

#include "tps_fixed.h"
#include "tps_random.h"

/* Biases stay in [-TPS_BIAS_MAX, TPS_BIAS_MAX]. */
#define TPS_BIAS_MAX (INT32_C(1) << 27)
#ifdef TPS_VECTORS

/* acc += w x for four rows of w: side by side they hide the latency of a multiplication. */
static void add_four_rows(const int16_t *w, const int16_t *x, uint32_t n, int32_t acc[4])
{
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (uint32_t i = 0; i < n; i++) {
        a += (int32_t)w[i] * x[i];
        b += (int32_t)w[n + i] * x[i];
        c += (int32_t)w[2 * n + i] * x[i];
        d += (int32_t)w[3 * n + i] * x[i];
    }
    acc[0] += a;
    acc[1] += b;
    acc[2] += c;
    acc[3] += d;
}
#endif

static inline int8_t output_s16_s8_s8(const struct tps_dense *layer, int32_t acc)
{
    const int32_t z =
        tps_requantize(acc, layer->z_mult, layer->z_shift, layer->z_min, layer->z_max);
    return (int8_t)(layer->table_s8 ? layer->table_s8[z + 128] : z);
}

void tps_dense_forward_s16_s8_s8(const struct tps_dense *layer, const int16_t *w,
                        const int32_t *b, const int8_t *x, int8_t *y)
{
    const uint32_t n_in = layer->n_in;
    const uint32_t n_out = layer->n_out;
    uint32_t j = 0;
#ifdef TPS_VECTORS
    /* Vector units multiply pairs of 16-bit numbers: widen the inputs once for all rows. */
    int16_t wide[6];
    for (uint32_t i = 0; i < n_in; i++) {
        wide[i] = x[i];
    }
    for (; j + 4 <= n_out; j += 4, w += 4 * n_in) {
        int32_t acc[4] = {b[j], b[j + 1], b[j + 2], b[j + 3]};
        add_four_rows(w, wide, n_in, acc);
        for (uint32_t r = 0; r < 4; r++) {
            y[j + r] = output_s16_s8_s8(layer, acc[r]);
        }
    }
#endif
    for (; j < n_out; j++, w += n_in) {
        int32_t acc = b[j];
        for (uint32_t i = 0; i < n_in; i++) {
            acc += (int32_t)w[i] * x[i];
        }
        y[j] = output_s16_s8_s8(layer, acc);
    }
}

static inline int16_t output_s16_s8_s16(const struct tps_dense *layer, int32_t acc)
{
    const int32_t z =
        tps_requantize(acc, layer->z_mult, layer->z_shift, layer->z_min, layer->z_max);
    return (int16_t)z;
}

void tps_dense_forward_s16_s8_s16(const struct tps_dense *layer, const int16_t *w,
                        const int32_t *b, const int8_t *x, int16_t *y)
{
    const uint32_t n_in = layer->n_in;
    const uint32_t n_out = layer->n_out;
    uint32_t j = 0;
#ifdef TPS_VECTORS
    /* Vector units multiply pairs of 16-bit numbers: widen the inputs once for all rows. */
    int16_t wide[6];
    for (uint32_t i = 0; i < n_in; i++) {
        wide[i] = x[i];
    }
    for (; j + 4 <= n_out; j += 4, w += 4 * n_in) {
        int32_t acc[4] = {b[j], b[j + 1], b[j + 2], b[j + 3]};
        add_four_rows(w, wide, n_in, acc);
        for (uint32_t r = 0; r < 4; r++) {
            y[j + r] = output_s16_s8_s16(layer, acc[r]);
        }
    }
#endif
    for (; j < n_out; j++, w += n_in) {
        int32_t acc = b[j];
        for (uint32_t i = 0; i < n_in; i++) {
            acc += (int32_t)w[i] * x[i];
        }
        y[j] = output_s16_s8_s16(layer, acc);
    }
}

void tps_dense_init_s16(const struct tps_dense *layer, int16_t *w, int32_t *b, uint32_t seed)
{
    const uint32_t count = (uint32_t)layer->n_in * layer->n_out;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t uniform = (int32_t)(tps_draw(seed, i) >> 16) - 32768;
        w[i] = (int16_t)tps_rshift_round(uniform * layer->init_bound, 15);
    }
    for (uint32_t j = 0; j < layer->n_out; j++) {
        b[j] = 0;
    }
}
#ifndef PETALS_INFERENCE_ONLY

void tps_dense_gate_tanh_s8(const struct tps_dense *layer, const int8_t *y, int16_t *e)
{
    for (uint32_t j = 0; j < layer->n_out; j++) {
        const int32_t y15 = y[j] * 256;
        const int32_t slope = 32768 - ((y15 * y15) >> 15);
        e[j] = (int16_t)tps_rshift_round(e[j] * slope, 15);
    }
}

int tps_dense_steps(const struct tps_dense *layer, uint16_t decay, uint32_t draw, int16_t *e)
{
    const int32_t rate = (int32_t)(((uint32_t)layer->rate_mult * decay) >> 15);
    const uint8_t shift = layer->rate_shift;
    int any = 0;
    for (uint32_t j = 0; j < layer->n_out; j++) {
        if (e[j] == 0 || (e[j] < layer->dead_zone && -e[j] < layer->dead_zone)) {
            e[j] = 0;
            continue;
        }
        e[j] = tps_sat_s16(tps_random_round(e[j] * rate, shift, tps_draw(draw, j)));
        any |= e[j];
    }
    return any;
}
#ifdef TPS_VECTORS

/* One row of an update in 16 bits: |d| <= 127 and weights below 2^14 leave room for every sum. */
static uint16_t update_row_narrow(int16_t *w, const int8_t *x, int16_t d, uint16_t word, int16_t lo,
    int16_t hi, uint32_t n_in)
{
    for (uint32_t i = 0; i < n_in; i++) {
        word = (uint16_t)(word + TPS_PHI16);
        const int16_t change = (int16_t)((int16_t)(d * x[i] + (word >> 8)) >> 8);
        const int16_t sum = (int16_t)(w[i] + change);
        w[i] = sum < lo ? lo : sum > hi ? hi : sum;
    }
    return word;
}
#endif

void tps_dense_update_s16_s8(const struct tps_dense *layer, int16_t *w, int32_t *b,
                       const int8_t *x, const int16_t *d, uint32_t draw)
{
    const uint32_t n_in = layer->n_in;
    const int32_t lo = layer->weight_min;
    const int32_t hi = layer->weight_max;
    for (uint32_t j = 0; j < layer->n_out; j++, w += n_in) {
        const int32_t step = d[j];
        if (step == 0) {
            continue;
        }
        /* Dither along a row: a Weyl sequence from a random start. */
        uint16_t word = (uint16_t)(tps_mix(tps_draw(draw, j)) >> 16);
#ifdef TPS_VECTORS
        if (step >= -127 && step <= 127 && hi < (1 << 14)) {
            word = update_row_narrow(w, x, (int16_t)step, word, (int16_t)lo, (int16_t)hi, n_in);
        } else
#endif
        for (uint32_t i = 0; i < n_in; i++) {
            word = (uint16_t)(word + TPS_PHI16);
            const int32_t change = (step * x[i] + (word >> 8)) >> 8;
            w[i] = (int16_t)tps_clip(w[i] + change, lo, hi);
        }
        word = (uint16_t)(word + TPS_PHI16);
        const int64_t sum = b[j] + ((step * (int64_t)layer->bias_one + (word >> 8)) >> 8);
        b[j] = (int32_t)(sum < -TPS_BIAS_MAX  ? -TPS_BIAS_MAX
                         : sum > TPS_BIAS_MAX ? TPS_BIAS_MAX
                                              : sum);
    }
}
#endif
