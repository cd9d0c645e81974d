/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/* tps_tables.h -- activation functions as tables; ARITHMETIC.md of tpsgd-edge, section 4 */
#ifndef PETALS_TPS_TABLES_H
#define PETALS_TPS_TABLES_H

#include "petals_tps_compiler.h"
#include "petals_tps_names.h"

#include <stdint.h>

extern const TPS_FLASH int8_t tps_tanh_table_s8[256];

#endif
