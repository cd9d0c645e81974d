/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_dense_f32.h -- fully connected layer in binary32: forward pass and tpSGD update
 *
 * Shapes:  x[n_in]  w[n_out][n_in]  b[n_out]  y, e, d[n_out]
 * ARITHMETIC.md of tpsgd-edge, section 12.
 */
#ifndef PLANE_TPS_DENSE_F32_H
#define PLANE_TPS_DENSE_F32_H

#include "plane_tps_layer.h"

/* y = relu(w x + b) */
void tps_dense_forward_relu_f32(const struct tps_dense_f32 *layer, const float *w,
                            const float *b, const float *x, float *y);
/* y = linear(w x + b) */
void tps_dense_forward_linear_f32(const struct tps_dense_f32 *layer, const float *w,
                            const float *b, const float *x, float *y);

/* Initial weights, drawn from the seed; biases 0. */
void tps_dense_init_f32(const struct tps_dense_f32 *layer, float *w, float *b, uint32_t seed);
#ifndef PLANE_INFERENCE_ONLY

/* e = e * relu'(z), from y = relu(z) alone. */
void tps_dense_grad_relu_f32(const struct tps_dense_f32 *layer, const float *y, float *e);

/* Errors become steps: d = e * rate * decay. */
void tps_dense_steps_f32(const struct tps_dense_f32 *layer, float decay, float *e);

/* w += d x^T, b += d. Rows with d = 0 are not touched. */
void tps_dense_update_f32(const struct tps_dense_f32 *layer, float *w, float *b, const float *x,
                          const float *d);
#endif

#endif
