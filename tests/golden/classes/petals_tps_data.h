/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/* tps_data.h -- the constants of "petals" that lie in flash. Generated; do not edit. */
#ifndef PETALS_TPS_DATA_H
#define PETALS_TPS_DATA_H

#include "petals_tps_compiler.h"
#include "petals_tps_names.h"

#include <stdint.h>

extern const TPS_FLASH  int8_t petals_selftest_x[4][3];
extern const TPS_FLASH  uint16_t petals_selftest_labels[4];

#endif
