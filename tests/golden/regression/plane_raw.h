/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * plane_raw.h -- from what a sensor gives to what the model reads, and back
 *
 * The same bits as in training on the computer: ARITHMETIC.md of tpsgd-edge 0, section 21.
 */
#ifndef PLANE_RAW_H
#define PLANE_RAW_H

#include "plane.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * x = (raw - mean) / std of each input; see manifest.json.
 * Returns TPS_BAD_INPUT, and writes nothing, where raw holds NaN or infinity.
 */
tps_status plane_prepare(const float raw[PLANE_N_IN], float x[PLANE_N_IN]);

/*
 * A vector to learn from, in its own units, as the label of a training step.
 * Returns TPS_BAD_INPUT, and writes nothing, where it holds NaN or infinity.
 */
tps_status plane_prepare_label(const float values[PLANE_N_LABELS], float label[PLANE_N_LABELS]);

/* Outputs of the last layer in the units of the values that it learned from. */
void plane_values(const float outputs[PLANE_N_OUT], float values[PLANE_N_OUT]);

/*
 * In one call each, in buffers of their own and in plane_own_work: one call at a time. With a work of
 * yours, prepare first.
 */
tps_status plane_predict_raw(const struct plane_model *model, const float raw[PLANE_N_IN],
    float values[PLANE_N_OUT]);
#ifndef PLANE_INFERENCE_ONLY
/* Returns what plane_train_step returns. */
tps_status plane_train_raw(struct plane_model *model, const float raw[PLANE_N_IN],
    const float values[PLANE_N_LABELS]);
#endif

#ifdef __cplusplus
}
#endif

#endif
