/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * tps_projection.h -- entries of the fixed random projections
 *
 * Here: sign entries, made again from the seed at each use, no flash.
 * ARITHMETIC.md of tpsgd-edge, section 9.
 */
#ifndef PETALS_TPS_PROJECTION_H
#define PETALS_TPS_PROJECTION_H

#include "petals_tps_layer.h"
#include "petals_tps_random.h"

/* Walks along one row of P. */
struct tps_row {
    uint32_t word;
};

static inline struct tps_row tps_row_begin(const struct tps_dense *layer, uint32_t j)
{
    return (struct tps_row){
        .word = tps_draw(layer->projection, j),
    };
}

/* The next entry of the row. */
static inline int32_t tps_row_next(struct tps_row *row)
{
    const int32_t entry = (row->word & 1) ? 1 : -1;
    row->word >>= 1;
    return entry;
}

/* Entry k of row j. */
static inline int32_t tps_entry(const struct tps_dense *layer, uint32_t j, uint16_t k)
{
    struct tps_row row = tps_row_begin(layer, j);
    row.word >>= k;
    return tps_row_next(&row);
}

#endif
