/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * petals_raw.h -- from what a sensor gives to what the model reads, and back
 *
 * The same bits as in training on the computer: ARITHMETIC.md of tpsgd-edge 0, section 21.
 */
#ifndef PETALS_RAW_H
#define PETALS_RAW_H

#include "petals.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * x = (raw - 4.11905) / 2.71856 / 0.0170335, rounded and saturated.
 * Returns TPS_BAD_INPUT, and writes nothing, where raw holds NaN or infinity.
 */
tps_status petals_prepare(const float raw[PETALS_N_IN], int8_t x[PETALS_N_IN]);

/*
 * In one call each, in buffers of their own and in petals_own_work: one call at a time. With a work of
 * yours, prepare first.
 */
tps_status petals_predict_raw(const struct petals_model *model, const float raw[PETALS_N_IN],
    uint16_t *label);
#ifndef PETALS_INFERENCE_ONLY
/* Returns what petals_train_step returns. */
tps_status petals_train_raw(struct petals_model *model, const float raw[PETALS_N_IN],
    uint16_t label);
#endif

#ifdef __cplusplus
}
#endif

#endif
