/*
 * tps_status.h -- what functions that meet outside data return
 *
 * The same text in every project of this version: the models of a firmware share it.
 */
#ifndef TPS_STATUS_H
#define TPS_STATUS_H

#include <stdint.h>

/* Generated code names the version it needs; see its #error. */
#define TPS_RUNTIME_VERSION 2

/* One of the numbers below: 32 bits whatever a compiler takes for an enum. */
typedef int32_t tps_status;

enum {
    TPS_OK = 0,
    TPS_BAD_LABEL = 1,       /* a class that the model does not have */
    TPS_SELFTEST_FAILED = 2, /* training on this device gives other weights */
    TPS_BAD_RATE = 3,        /* a learning rate beyond that of the spec */
    TPS_BAD_INPUT = 4,       /* f32: NaN, infinity, or beyond 2^20 in x or in a label */
};

#endif
