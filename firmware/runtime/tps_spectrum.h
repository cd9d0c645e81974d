/*
 * tps_spectrum.h -- the power of a signal in bands of its spectrum
 *
 * ARITHMETIC.md of tpsgd-edge, section 28.
 */
#ifndef TPS_SPECTRUM_H
#define TPS_SPECTRUM_H

#include "tps_bin.h"
#include "tps_compiler.h"
#include "tps_names.h"
#include "tps_window.h"

#include <stdint.h>

struct tps_bands {
    uint16_t count;
    const TPS_FLASH uint16_t *starts; /* [count + 2]: for each edge the first bin from it on */
    const TPS_FLASH uint16_t *rise;   /* how far each of these bins is to the next edge, Q15 */
};

/*
 * Powers bins[size / 2 + 1] of a window, each of which stands for itself times 2^scale.
 * cosines[size / 2 + 1]: of 2 pi i / size, Q14. Returns scale.
 */
int32_t tps_spectrum_power(const struct tps_window *window, const TPS_FLASH int16_t *cosines,
                           union tps_bin *bins);

/* features[count] of powers: logarithms to base 2 in Q9; 0 below a power of 1. */
void tps_spectrum_bands(const union tps_bin *bins, int32_t scale, const struct tps_bands *bands,
                        int16_t *features);

#endif
