/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_projection.h -- entries of the fixed random projections
 *
 * Here: gaussian entries, one byte an entry in flash.
 * ARITHMETIC.md of tpsgd-edge, section 9.
 */
#ifndef PLANE_TPS_PROJECTION_H
#define PLANE_TPS_PROJECTION_H

#include "plane_tps_layer.h"

/* Walks along one row of P. */
struct tps_row {
    const TPS_FLASH int8_t *data;
};

static inline struct tps_row tps_row_begin(const struct tps_dense_f32 *layer, uint32_t j)
{
    return (struct tps_row){
        .data = layer->projection + j * 2u,
    };
}

/* The next entry of the row. */
static inline int32_t tps_row_next(struct tps_row *row)
{
    return *row->data++;
}

/* Entry k of row j. */
static inline int32_t tps_entry(const struct tps_dense_f32 *layer, uint32_t j, uint16_t k)
{
    struct tps_row row = tps_row_begin(layer, j);
    row.data += k;
    return tps_row_next(&row);
}

#endif
