/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_readout.h -- a layer's outputs through its fixed projection P, and errors the other way
 *
 * Shapes:  y, e[n_out]  s[n_labels]
 * ARITHMETIC.md of tpsgd-edge, section 6.4.
 */
#ifndef PETALS_TPS_READOUT_H
#define PETALS_TPS_READOUT_H

#include "petals_tps_layer.h"

/*
 * The number of labels is an argument, and these are apart from the losses, for the sake of the
 * stack: unrolled for a known number and inlined, they would be the deepest point of a training
 * step.
 */

/* s = P^T y in the units of label space, limited to 16 bits */
void tps_read_out_s8(const struct tps_dense *layer, const int8_t *y,
                      uint32_t n_labels, int32_t *s);

/* e = P s. Requires |s| small enough for a sum in 32 bits, which the generator proved. */
void tps_spread(const struct tps_dense *layer, const int32_t *s, uint32_t n_labels, int16_t *e);

#endif
