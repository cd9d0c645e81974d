/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/* tps_data.h -- the constants of "plane" that lie in flash. Generated; do not edit. */
#ifndef PLANE_TPS_DATA_H
#define PLANE_TPS_DATA_H

#include "plane_tps_compiler.h"
#include "plane_tps_names.h"

#include <stdint.h>

extern const TPS_FLASH int8_t tps_fc1_projection[10]; /* P */
extern const TPS_FLASH  float plane_selftest_x[4][2];
extern const TPS_FLASH  float plane_selftest_labels[4][2];

#endif
