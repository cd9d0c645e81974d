/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/* tps_layer.h -- the constants of one layer */
#ifndef PLANE_TPS_LAYER_H
#define PLANE_TPS_LAYER_H

#include "plane_tps_compiler.h"
#include "plane_tps_f32.h"
#include "plane_tps_names.h"

#include <stdint.h>

/* Entries of a label, and rows of a projection: classes, or values of a label vector. */
#define TPS_N_LABELS 2

struct tps_dense_f32 {
    uint16_t n_in;
    uint16_t n_out;
    float init_bound; /* initial weights are -32768..32767 times this */
    float target_mid; /* target = target_mid + p * target_mult */
    float target_mult;
    float delta; /* bend of the loss */
    float rate;
    float dead_zone; /* smaller errors count as none */
    const TPS_FLASH int8_t *projection; /* P, row by row */
};

#endif
