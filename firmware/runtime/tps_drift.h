/*
 * tps_drift.h -- has the mean of a stream of numbers risen?
 *
 * The test of Page and Hinkley, in integers: ARITHMETIC.md of tpsgd-edge, section 24. The same text
 * in every project.
 */
#ifndef TPS_DRIFT_H
#define TPS_DRIFT_H

#include <stdint.h>

/* What a detector remembers; all 0 at first. */
struct tps_drift {
    uint32_t n;      /* numbers that came */
    uint32_t sum;    /* of these, Q15 */
    uint32_t excess; /* by how much they have been above their mean of late, Q15 */
};

/* What a detector looks for. */
struct tps_drift_limits {
    int32_t tolerance;  /* a rise of the mean that does not count, Q15 */
    uint32_t threshold; /* an excess that says that the mean has risen, Q15 */
    uint32_t after;     /* numbers before anything is said */
};

/*
 * Take the next number, 0 to 1 in Q15. Returns 1 where the mean has risen, and begins anew then;
 * else 0. Requires 0 <= tolerance <= 2^15.
 */
static inline int tps_drift_update(struct tps_drift *drift, const struct tps_drift_limits *limits,
                                   uint32_t value)
{
    if (drift->n < 65535) {
        drift->n++;
    } else {
        drift->sum -= drift->sum / drift->n; /* a mean that forgets */
    }
    drift->sum += value;

    const int32_t above = (int32_t)value - (int32_t)(drift->sum / drift->n) - limits->tolerance;
    const int32_t excess = (int32_t)drift->excess + above;

    drift->excess = excess > 0 ? (uint32_t)excess : 0;
    if (drift->n < limits->after || drift->excess <= limits->threshold) {
        return 0;
    }
    drift->n = 0;
    drift->sum = 0;
    drift->excess = 0;
    return 1;
}

#endif
