/* tps_tables.h -- activation functions as tables; docs/ARITHMETIC.md, section 4 */
#ifndef TPS_TABLES_H
#define TPS_TABLES_H

#include <stdint.h>

extern const int8_t tps_tanh_table_s8[256];

#endif
