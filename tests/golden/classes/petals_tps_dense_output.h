/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/* tps_dense_output.h -- y = f(requantize(acc)); ARITHMETIC.md of tpsgd-edge, section 4 */
#ifndef PETALS_TPS_DENSE_OUTPUT_H
#define PETALS_TPS_DENSE_OUTPUT_H

#include "petals_tps_fixed.h"
#include "petals_tps_layer.h"

static inline int8_t tps_output_s16_s8_s8(const struct tps_dense *layer, int32_t acc)
{
    const int32_t z =
        tps_clip(tps_scaled(acc, tps_scaling(layer->z_mult, layer->z_shift)),
                 layer->z_min, layer->z_max);
    return (int8_t)(layer->table_s8 ? layer->table_s8[z + 128] : z);
}

static inline int16_t tps_output_s16_s8_s16(const struct tps_dense *layer, int32_t acc)
{
    const int32_t z =
        tps_clip(tps_scaled(acc, tps_scaling(layer->z_mult, layer->z_shift)),
                 layer->z_min, layer->z_max);
    return (int16_t)z;
}

#endif
