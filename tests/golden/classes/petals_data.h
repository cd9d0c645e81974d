/* petals_data.h -- the constants of "petals" that lie in flash. Generated; do not edit. */
#ifndef PETALS_DATA_H
#define PETALS_DATA_H

#include <stdint.h>

extern const int8_t petals_selftest_x[4][3];
extern const uint16_t petals_selftest_labels[4];

#endif
