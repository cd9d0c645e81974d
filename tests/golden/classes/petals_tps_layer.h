/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/* tps_layer.h -- the constants of one layer */
#ifndef PETALS_TPS_LAYER_H
#define PETALS_TPS_LAYER_H

#include "petals_tps_compiler.h"
#include "petals_tps_names.h"

#include <stdint.h>

/* Entries of a label, and rows of a projection: classes, or values of a label vector. */
#define TPS_N_LABELS 3

struct tps_dense {
    uint16_t n_in;
    uint16_t n_out;
    uint16_t z_mult; /* z = clip(acc * z_mult / 2^z_shift, z_min, z_max) */
    uint8_t z_shift;
    int16_t z_min;
    int16_t z_max;
    const TPS_FLASH int8_t *table_s8; /* [256]: y of z, none where y = z */
    uint8_t weight_bits; /* weights stay in [-2^weight_bits, 2^weight_bits - 1] */
    int16_t init_bound; /* initial weights are drawn from [-init_bound, init_bound] */
    int32_t bias_one;   /* the input 1.0, in units of a bias update */
    uint16_t readout_mult; /* scores = P^T y * readout_mult / 2^readout_shift */
    uint8_t readout_shift;
    uint8_t error_shift;
    uint16_t rate_mult; /* learning rate: rate_mult / 2^rate_shift */
    uint8_t rate_shift;
    int16_t dead_zone; /* smaller errors count as none, Q14 */
    uint32_t projection; /* seed of P */
};

#endif
