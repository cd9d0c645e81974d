/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_dense.h -- fully connected layer: forward pass and tpSGD update
 *
 * Shapes:  x[n_in]  w[n_out][n_in]  b[n_out]  y, e, d[n_out]
 * ARITHMETIC.md of tpsgd-edge, sections 4, 5, 7, 8 and 10.
 */
#ifndef PETALS_TPS_DENSE_H
#define PETALS_TPS_DENSE_H

#include "petals_tps_layer.h"

/*
 * y = f(requantize(w x + b))
 * Requires the bound on |w x + b| that the generator proved and prints above each call.
 */
void tps_dense_forward_s16_s8_s8(const struct tps_dense *layer, const int16_t *w,
                        const int32_t *b, const int8_t *x, int8_t *y);
void tps_dense_forward_s16_s8_s16(const struct tps_dense *layer, const int16_t *w,
                        const int32_t *b, const int8_t *x, int16_t *y);

/* Initial weights, drawn from the seed; biases 0. */
void tps_dense_init_s16(const struct tps_dense *layer, int16_t *w, int32_t *b, uint32_t seed);
#ifndef PETALS_INFERENCE_ONLY

/* e = e * tanh'(z), from y = tanh(z) alone. */
void tps_dense_grad_tanh_s8(const struct tps_dense *layer, const int8_t *y, int16_t *e);

/*
 * Errors become steps: d = e * rate * decay, rounded at random, so that most are 0 and the mean is
 * exact.
 * Requires decay <= 32768 (Q15). Unit j uses random word j of the stream draw.
 * Returns 0 where all steps are 0.
 */
int tps_dense_steps(const struct tps_dense *layer, uint16_t decay, uint32_t draw, int16_t *e);

/* Biases stay in [-TPS_BIAS_MAX, TPS_BIAS_MAX]. */
#define TPS_BIAS_MAX (INT32_C(1) << 27)

/* A row of weights that learns: its step, and its random word. */
struct row_s16_s8 {
    int16_t *w;
    int32_t step;
    uint32_t rho;
};

/*
 * w += d x^T, b += d, rounded at random and limited. Rows with d = 0 are not touched.
 * Requires the same draw as tps_dense_steps.
 */
void tps_dense_update_s16_s8(const struct tps_dense *layer, int16_t *w, int32_t *b,
                       const int8_t *x, const int16_t *d, uint32_t draw);
#endif

#endif
