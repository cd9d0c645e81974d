/*
 * tps_projection.h -- entries of the fixed random projections
 *
 * Here: hadamard entries, made again from the seed at each use, no flash.
 * docs/ARITHMETIC.md, section 9.
 */
#ifndef TPS_PROJECTION_H
#define TPS_PROJECTION_H

#include "tps_layer.h"
#include "tps_random.h"

/* Row j, bit k for column k: 1 is -1. Bit 0 of `sign` turns the whole row round. */
static inline uint32_t tps_hadamard_row(uint32_t sign, uint32_t j)
{
    /* Bits k in which bit b of k is 1. */
    static const uint32_t columns[5] = {
        0xAAAAAAAAu, 0xCCCCCCCCu, 0xF0F0F0F0u, 0xFF00FF00u, 0xFFFF0000u,
    };
    const uint32_t code = 13u * j;
    uint32_t word = 0u - (sign & 1);
    for (uint32_t b = 0; b < 2; b++) {
        word ^= columns[b] & (0u - ((code >> b) & 1));
    }
    return word;
}

/* Walks along one row of P. */
struct tps_row {
    uint32_t word;
};

static inline struct tps_row tps_row_begin(const struct tps_dense *layer, uint32_t j)
{
    return (struct tps_row){
        .word = tps_hadamard_row(tps_draw(layer->projection, j), j),
    };
}

/* The next entry of the row. */
static inline int32_t tps_row_next(struct tps_row *row)
{
    const int32_t entry = (row->word & 1) ? -1 : 1;
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
