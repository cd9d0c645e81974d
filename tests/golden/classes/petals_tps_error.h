/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_error.h -- local errors e = -dJ/dy of the losses, Q14
 *
 * ARITHMETIC.md of tpsgd-edge, section 6.
 */
#ifndef PETALS_TPS_ERROR_H
#define PETALS_TPS_ERROR_H

#include "petals_tps_layer.h"

/* e = P (y* - softmax(g P^T y)); s is scratch for one value a label */
void tps_error_projected_cross_entropy_s8(const struct tps_dense *layer, const int8_t *y,
    uint16_t label, int32_t *s, int16_t *e);
/* e = y* - softmax(y); returns softmax(y) of the label */
int32_t tps_error_softmax_cross_entropy(const struct tps_dense *layer, const int16_t *y,
    uint16_t label, int16_t *e);

#endif
