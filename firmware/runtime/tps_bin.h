/*
 * tps_bin.h -- a frequency of a spectrum
 *
 * The same text in every project.
 */
#ifndef TPS_BIN_H
#define TPS_BIN_H

#include <stdint.h>

struct tps_point {
    int16_t real;
    int16_t imag;
};

/* A number of the transform, of which a power becomes in place. */
union tps_bin {
    struct tps_point point;
    uint32_t power;
};

#endif
