/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_error_f32.h -- local errors e = -dJ/dy of the losses, in binary32
 *
 * ARITHMETIC.md of tpsgd-edge, sections 6 and 12.
 */
#ifndef PLANE_TPS_ERROR_F32_H
#define PLANE_TPS_ERROR_F32_H

#include "plane_tps_layer.h"

/* e = t - y, limited to [-delta, delta] */
void tps_error_huber_hidden_f32(const struct tps_dense_f32 *layer, const float *y,
    const float *label, float *e);
/* e = t - y */
void tps_error_l2_last_f32(const struct tps_dense_f32 *layer, const float *y,
    const float *label, float *e);

#endif
