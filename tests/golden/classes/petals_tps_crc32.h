/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/* tps_crc32.h -- CRC-32 (IEEE 802.3), as zlib computes it */
#ifndef PETALS_TPS_CRC32_H
#define PETALS_TPS_CRC32_H

#include "petals_tps_compiler.h"
#include "petals_tps_names.h"

#include <stdint.h>

/* The CRC of what crc covers, followed by count bytes. The CRC of nothing is 0. */
uint32_t tps_crc32(uint32_t crc, const void *bytes, uint32_t count);

#endif
