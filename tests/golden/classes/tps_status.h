/* tps_status.h -- what functions that meet outside data return */
#ifndef TPS_STATUS_H
#define TPS_STATUS_H

/* Generated code names the version it needs; see its #error. */
#define TPS_RUNTIME_VERSION 1

enum tps_status {
    TPS_OK = 0,
    TPS_BAD_LABEL = 1,       /* a class that the model does not have */
    TPS_SELFTEST_FAILED = 2, /* training on this device gives other weights */
    TPS_BAD_INPUT = 3,       /* f32: NaN, infinity, or beyond 2^20 in x or in a label */
};

#endif
