/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
#include "petals_tps_dense.h"

#include "petals_tps_dense_output.h"
#include "petals_tps_fixed.h"
#include "petals_tps_pairs.h"
#include "petals_tps_random.h"
#ifdef TPS_VECTORS

/* acc += w x for four rows of w: side by side they hide the latency of a multiplication. */
static void add_four_rows_s16(const int16_t *w, const int16_t *x, uint32_t n, int32_t acc[4])
{
    const int16_t *const second = w + n, *const third = second + n, *const fourth = third + n;
    int32_t a = 0, b = 0, c = 0, d = 0;
    for (uint32_t i = 0; i < n; i++) {
        a += (int32_t)w[i] * x[i];
        b += (int32_t)second[i] * x[i];
        c += (int32_t)third[i] * x[i];
        d += (int32_t)fourth[i] * x[i];
    }
    acc[0] += a;
    acc[1] += b;
    acc[2] += c;
    acc[3] += d;
}
#endif
#ifdef TPS_MVE

/* *acc += w x for one row. Lanes behind the end are switched off. */
TPS_APART static void dot_s16_s8(const int16_t *w, const int8_t *x, uint32_t n, int32_t *acc)
{
    const int16_t *w0 = w;
    int32_t sum0 = acc[0];
    for (int32_t left = (int32_t)n; left > 0; left -= 8, x += 8) {
        const mve_pred16_t on = vctp16q((uint32_t)left);
        const int16x8_t input = vldrbq_z_s16(x, on);
        sum0 = vmladavaq_p_s16(sum0, input, vldrhq_z_s16(w0, on), on);
        w0 += 8;
    }
    acc[0] = sum0;
}

/* The same for several rows at once: each input is loaded once. */
#define ROWS_S16_S8 4
TPS_APART static void dot_rows_s16_s8(const int16_t *w, const int8_t *x, uint32_t n, int32_t *acc)
{
    const int16_t *w0 = w;
    int32_t sum0 = acc[0];
    const int16_t *w1 = w + 1 * n;
    int32_t sum1 = acc[1];
    const int16_t *w2 = w + 2 * n;
    int32_t sum2 = acc[2];
    const int16_t *w3 = w + 3 * n;
    int32_t sum3 = acc[3];
    for (int32_t left = (int32_t)n; left > 0; left -= 8, x += 8) {
        const mve_pred16_t on = vctp16q((uint32_t)left);
        const int16x8_t input = vldrbq_z_s16(x, on);
        sum0 = vmladavaq_p_s16(sum0, input, vldrhq_z_s16(w0, on), on);
        w0 += 8;
        sum1 = vmladavaq_p_s16(sum1, input, vldrhq_z_s16(w1, on), on);
        w1 += 8;
        sum2 = vmladavaq_p_s16(sum2, input, vldrhq_z_s16(w2, on), on);
        w2 += 8;
        sum3 = vmladavaq_p_s16(sum3, input, vldrhq_z_s16(w3, on), on);
        w3 += 8;
    }
    acc[0] = sum0;
    acc[1] = sum1;
    acc[2] = sum2;
    acc[3] = sum3;
}
#else

/* *acc += w x for one row. */
TPS_APART static void dot_s16_s8(const int16_t *w, const int8_t *x, uint32_t n, int32_t *acc)
{
    int32_t sum = *acc;
    for (uint32_t i = 0; i < n; i++) {
        sum += (int32_t)w[i] * x[i];
    }
    *acc = sum;
}

/* The same for several rows at once: each input is loaded and widened once. */
#ifdef TPS_PAIRS
#define ROWS_S16_S8 4
TPS_APART static void dot_rows_s16_s8(const int16_t *w, const int8_t *x, uint32_t n, int32_t *acc)
{
    const uint32_t whole = n & ~UINT32_C(3);
    const void *next_x = x, *const end = x + whole;
    const void *w0 = w;
    int32_t sum0 = acc[0];
    const void *w1 = w + 1 * n;
    int32_t sum1 = acc[1];
    const void *w2 = w + 2 * n;
    int32_t sum2 = acc[2];
    const void *w3 = w + 3 * n;
    int32_t sum3 = acc[3];
    while (next_x != end) {
        uint32_t p, q, x0, x1;
        p = tps_next(&next_x);
        q = tps_sxtb16_ror8(p);
        p = tps_sxtb16(p);
        x0 = tps_pkhbt(p, q);
        x1 = tps_pkhtb(q, p);
        p = tps_next(&w0);
        q = tps_next(&w0);
        sum0 = tps_smlad(p, x0, sum0);
        sum0 = tps_smlad(q, x1, sum0);
        p = tps_next(&w1);
        q = tps_next(&w1);
        sum1 = tps_smlad(p, x0, sum1);
        sum1 = tps_smlad(q, x1, sum1);
        p = tps_next(&w2);
        q = tps_next(&w2);
        sum2 = tps_smlad(p, x0, sum2);
        sum2 = tps_smlad(q, x1, sum2);
        p = tps_next(&w3);
        q = tps_next(&w3);
        sum3 = tps_smlad(p, x0, sum3);
        sum3 = tps_smlad(q, x1, sum3);
    }
    acc[0] = sum0;
    acc[1] = sum1;
    acc[2] = sum2;
    acc[3] = sum3;
    for (uint32_t r = 0; whole != n && r < ROWS_S16_S8; r++, w += n) {
        dot_s16_s8(w + whole, x + whole, n - whole, acc + r);
    }
}
#elif defined(TPS_FEW_REGISTERS)
#define ROWS_S16_S8 2
TPS_APART static void dot_rows_s16_s8(const int16_t *w, const int8_t *x, uint32_t n, int32_t *acc)
{
    const int16_t *v = w + n;
    int32_t a = acc[0], b = acc[1];
    TPS_ROLLED for (uint32_t i = 0; i < n; i++) {
        const int32_t input = x[i];
        a += w[i] * input;
        b += v[i] * input;
    }
    acc[0] = a;
    acc[1] = b;
}
#else
#define ROWS_S16_S8 4
TPS_APART static void dot_rows_s16_s8(const int16_t *w, const int8_t *x, uint32_t n, int32_t *acc)
{
    const int8_t *const end = x + n;
    const int16_t *w0 = w;
    int32_t sum0 = acc[0];
    const int16_t *w1 = w + 1 * n;
    int32_t sum1 = acc[1];
    const int16_t *w2 = w + 2 * n;
    int32_t sum2 = acc[2];
    const int16_t *w3 = w + 3 * n;
    int32_t sum3 = acc[3];
    TPS_ROLLED while (x != end) {
        const int32_t input = *x++;
        sum0 += *w0++ * input;
        sum1 += *w1++ * input;
        sum2 += *w2++ * input;
        sum3 += *w3++ * input;
    }
    acc[0] = sum0;
    acc[1] = sum1;
    acc[2] = sum2;
    acc[3] = sum3;
}
#endif
#endif

void tps_dense_forward_s16_s8_s8(const struct tps_dense *restrict layer, const int16_t *w,
                        const int32_t *b, const int8_t *x, int8_t *y)
{
    const uint32_t n_in = layer->n_in;
    const uint32_t n_out = layer->n_out;
    uint32_t j = 0;
#ifdef TPS_VECTORS
    /* Vector units multiply pairs of 16-bit numbers: widen the inputs once for all rows. */
    int16_t wide[16];
    for (uint32_t i = 0; i < n_in; i++) {
        wide[i] = x[i];
    }
    for (; j + 4 <= n_out; j += 4, w += 4 * n_in) {
        int32_t acc[4] = {b[j], b[j + 1], b[j + 2], b[j + 3]};
        add_four_rows_s16(w, wide, n_in, acc);
        for (uint32_t r = 0; r < 4; r++) {
            y[j + r] = tps_output_s16_s8_s8(layer, acc[r]);
        }
    }
#endif
    for (uint32_t rows = 1; j < n_out; j += rows, w += rows * n_in) {
        int32_t acc[ROWS_S16_S8];
        rows = n_out - j >= ROWS_S16_S8 ? ROWS_S16_S8 : 1;
        for (uint32_t r = 0; r < rows; r++) {
            acc[r] = b[j + r];
        }
        if (rows == 1) {
            dot_s16_s8(w, x, n_in, acc);
        } else {
            dot_rows_s16_s8(w, x, n_in, acc);
        }
        for (uint32_t r = 0; r < rows; r++) {
            y[j + r] = tps_output_s16_s8_s8(layer, acc[r]);
        }
    }
}

void tps_dense_forward_s16_s8_s16(const struct tps_dense *restrict layer, const int16_t *w,
                        const int32_t *b, const int8_t *x, int16_t *y)
{
    const uint32_t n_in = layer->n_in;
    const uint32_t n_out = layer->n_out;
    uint32_t j = 0;
#ifdef TPS_VECTORS
    /* Vector units multiply pairs of 16-bit numbers: widen the inputs once for all rows. */
    int16_t wide[16];
    for (uint32_t i = 0; i < n_in; i++) {
        wide[i] = x[i];
    }
    for (; j + 4 <= n_out; j += 4, w += 4 * n_in) {
        int32_t acc[4] = {b[j], b[j + 1], b[j + 2], b[j + 3]};
        add_four_rows_s16(w, wide, n_in, acc);
        for (uint32_t r = 0; r < 4; r++) {
            y[j + r] = tps_output_s16_s8_s16(layer, acc[r]);
        }
    }
#endif
    for (uint32_t rows = 1; j < n_out; j += rows, w += rows * n_in) {
        int32_t acc[ROWS_S16_S8];
        rows = n_out - j >= ROWS_S16_S8 ? ROWS_S16_S8 : 1;
        for (uint32_t r = 0; r < rows; r++) {
            acc[r] = b[j + r];
        }
        if (rows == 1) {
            dot_s16_s8(w, x, n_in, acc);
        } else {
            dot_rows_s16_s8(w, x, n_in, acc);
        }
        for (uint32_t r = 0; r < rows; r++) {
            y[j + r] = tps_output_s16_s8_s16(layer, acc[r]);
        }
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

void tps_dense_grad_tanh_s8(const struct tps_dense *layer, const int8_t *y, int16_t *e)
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
#ifdef TPS_VECTORS
    const int32_t dead = layer->dead_zone > 1 ? layer->dead_zone : 1;
    for (uint32_t j = 0; j < layer->n_out; j++) {
        const int16_t step = tps_sat_s16(tps_random_round(e[j] * rate, shift, tps_draw(draw, j)));
        e[j] = e[j] < dead && -(int32_t)e[j] < dead ? 0 : step;
        any |= e[j];
    }
#else
    for (uint32_t j = 0; j < layer->n_out; j++) {
        if (e[j] == 0 || (e[j] < layer->dead_zone && -(int32_t)e[j] < layer->dead_zone)) {
            e[j] = 0;
            continue;
        }
        e[j] = tps_sat_s16(tps_random_round(e[j] * rate, shift, tps_draw(draw, j)));
        any |= e[j];
    }
#endif
    return any;
}

/* A bias after its step; small steps keep within 32 bits. */
TPS_ONCE int32_t moved_bias_s16_s8(const struct tps_dense *layer, int32_t b,
    const struct row_s16_s8 *row)
{
    const int64_t dither = row->rho >> 26;
    const int64_t sum = b + ((row->step * (int64_t)layer->bias_one + dither) >> 6);
    return (int32_t)(sum < -TPS_BIAS_MAX ? -TPS_BIAS_MAX : sum > TPS_BIAS_MAX ? TPS_BIAS_MAX : sum);
}

#ifdef __OPTIMIZE_SIZE__
#define SMALL_BIAS_S16_S8 moved_bias_s16_s8
#else
#define SMALL_BIAS_S16_S8 small_bias_s16_s8

static int32_t small_bias_s16_s8(const struct tps_dense *layer, int32_t b,
    const struct row_s16_s8 *row)
{
    const int32_t dither = (int32_t)(row->rho >> 26);
    const int32_t change = (row->step * layer->bias_one + dither) >> 6;
    return tps_clip(b + change, -TPS_BIAS_MAX, TPS_BIAS_MAX);
}
#endif

/* w += step x^T for one row, all of it with one dither. Where an input is 0, nothing changes. */
TPS_APART static void update_row_s16_s8_15(const struct row_s16_s8 *row, const int8_t *x,
    uint32_t n)
{
    const int32_t dither = (int32_t)(row->rho >> 26), step = row->step;
    int16_t *w = row->w;
    TPS_ROLLED for (const int8_t *const end = x + n; x != end; w++) {
        const int32_t input = *x++;
#ifndef TPS_VECTORS
        if (input == 0) {
            continue;
        }
#endif
        *w = (int16_t)tps_limit(*w + ((step * input + dither) >> 6), 15);
    }
}

/* The same for two rows at once and steps up to 63: inputs are loaded once. */
#ifdef TPS_MVE
TPS_APART static void update_lanes_s16_s8_15(const struct row_s16_s8 *row, const int8_t *x,
    uint32_t n)
{
    const int16_t step0 = (int16_t)row[0].step;
    const int16x8_t dither0 = vdupq_n_s16((int16_t)(row[0].rho >> 26));
    int16_t *w0 = row[0].w;
    const int16_t step1 = (int16_t)row[1].step;
    const int16x8_t dither1 = vdupq_n_s16((int16_t)(row[1].rho >> 26));
    int16_t *w1 = row[1].w;
    for (int32_t left = (int32_t)n; left > 0; left -= 8, x += 8, w0 += 8, w1 += 8) {
        const mve_pred16_t on = vctp16q((uint32_t)left);
        const int16x8_t input = vldrbq_z_s16(x, on);
        int16x8_t sum;
        sum = vshrq_n_s16(vaddq_s16(vmulq_n_s16(input, step0), dither0), 6);
        sum = vqaddq_s16(vldrhq_z_s16(w0, on), sum);
        vstrhq_p_s16(w0, sum, on);
        sum = vshrq_n_s16(vaddq_s16(vmulq_n_s16(input, step1), dither1), 6);
        sum = vqaddq_s16(vldrhq_z_s16(w1, on), sum);
        vstrhq_p_s16(w1, sum, on);
    }
}
#elif defined(TPS_PAIRS)
/*
 * One multiplication has the products of a pair of inputs, in 256ths: the upper byte of each is the
 * change. Inputs are counted from -128, which the dither makes up for. It lies between two
 * products, so that the 1 which the low lane may borrow from the high one is never missed.
 */
TPS_APART static void update_lanes_s16_s8_15(const struct row_s16_s8 *row, const int8_t *x,
    uint32_t n)
{
    const uint32_t whole = n & ~UINT32_C(3);
    const void *next = x, *const end = x + whole;
    const uint32_t step0 = 4 * (uint32_t)row[0].step;
    const uint32_t dither0 =
        0x00010001 * (4 * (row[0].rho >> 26) + 2 - 128 * step0);
    void *w0 = row[0].w;
    const uint32_t step1 = 4 * (uint32_t)row[1].step;
    const uint32_t dither1 =
        0x00010001 * (4 * (row[1].rho >> 26) + 2 - 128 * step1);
    void *w1 = row[1].w;
    while (next != end) {
        uint32_t p, q, x0, x1;
        p = tps_next(&next);
        if (TPS_SELDOM(p == 0)) {
            w0 = (int16_t *)w0 + 4;
            w1 = (int16_t *)w1 + 4;
        } else {
            q = tps_sxtab16_ror8(0x00800080, p);
            p = tps_sxtab16(0x00800080, p);
            x0 = tps_pkhbt(p, q);
            x1 = tps_pkhtb(q, p);
            p = tps_load(w0);
            q = tps_load((int16_t *)w0 + 2);
            p = tps_qadd16(p, tps_sxtb16_ror8(x0 * step0 + dither0));
            q = tps_qadd16(q, tps_sxtb16_ror8(x1 * step0 + dither0));
            tps_put(&w0, p);
            tps_put(&w0, q);
            p = tps_load(w1);
            q = tps_load((int16_t *)w1 + 2);
            p = tps_qadd16(p, tps_sxtb16_ror8(x0 * step1 + dither1));
            q = tps_qadd16(q, tps_sxtb16_ror8(x1 * step1 + dither1));
            tps_put(&w1, p);
            tps_put(&w1, q);
        }
    }
    for (uint32_t r = 0; r < 2 && whole != n; r++) {
        const struct row_s16_s8 rest = {row[r].w + whole, row[r].step, row[r].rho};
        update_row_s16_s8_15(&rest, x + whole, n - whole);
    }
}
#elif defined(TPS_FEW_REGISTERS) || defined(TPS_VECTORS)
static void update_lanes_s16_s8_15(const struct row_s16_s8 *row, const int8_t *x, uint32_t n)
{
    update_row_s16_s8_15(row, x, n);
    if (row[1].step != 0) {
        update_row_s16_s8_15(row + 1, x, n);
    }
}
#else
TPS_APART static void update_lanes_s16_s8_15(const struct row_s16_s8 *row, const int8_t *x,
    uint32_t n)
{
    const int32_t dither0 = (int32_t)(row[0].rho >> 26), step0 = row[0].step;
    const int32_t dither1 = (int32_t)(row[1].rho >> 26), step1 = row[1].step;
    int16_t *const w0 = row[0].w, *const w1 = row[1].w;
    TPS_ROLLED for (uint32_t i = 0; i != n; i++) {
        const int32_t input = x[i];
        if (input == 0) {
            continue;
        }
        w0[i] = (int16_t)tps_limit(w0[i] + ((step0 * input + dither0) >> 6), 15);
        w1[i] = (int16_t)tps_limit(w1[i] + ((step1 * input + dither1) >> 6), 15);
    }
}
#endif

#define update_row_s16_s8(layer, row, x) update_row_s16_s8_15(row, x, (layer)->n_in)
#define update_lanes_s16_s8(layer, row, x) update_lanes_s16_s8_15(row, x, (layer)->n_in)

/* Rows that small steps update at once. */
#define LANE_ROWS_S16_S8 2
#define UPDATED_S16_S8 LANE_ROWS_S16_S8

static void update_rows_s16_s8(const struct tps_dense *layer, struct row_s16_s8 *rows,
    uint32_t count, const int8_t *x)
{
    for (; count < LANE_ROWS_S16_S8; count++) {
        /* A row on its own: beside it, the same by no step at all. */
        rows[count] = rows[0];
        rows[count].step = 0;
    }
    update_lanes_s16_s8(layer, rows, x);
}

void tps_dense_update_s16_s8(const struct tps_dense *layer, int16_t *w, int32_t *b,
                       const int8_t *x, const int16_t *d, uint32_t draw)
{
    struct row_s16_s8 rows[UPDATED_S16_S8];
    uint32_t waiting = 0;
    for (uint32_t j = 0; j < layer->n_out; j++, w += layer->n_in) {
        if (d[j] == 0) {
            continue;
        }
        const int32_t step = d[j];
        const uint32_t rho = tps_mix(tps_draw(draw, j));
        if (step >= -63 && step <= 63) {
            const struct row_s16_s8 small = {w, step, rho};
            b[j] = SMALL_BIAS_S16_S8(layer, b[j], &small);
            rows[waiting++] = small;
            if (waiting == UPDATED_S16_S8) {
                update_rows_s16_s8(layer, rows, waiting, x);
                waiting = 0;
            }
            continue;
        }
        const struct row_s16_s8 row = {w, step, rho};
        b[j] = moved_bias_s16_s8(layer, b[j], &row);
        update_row_s16_s8(layer, &row, x);
    }
    if (waiting != 0) {
        update_rows_s16_s8(layer, rows, waiting, x);
    }
}
#endif
