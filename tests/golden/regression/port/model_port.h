/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * model_port.h -- "plane" under the names that the harness uses. Generated; do not edit.
 */
#ifndef MODEL_PORT_H
#define MODEL_PORT_H

#include <stddef.h>

#include "plane_raw.h"
#include "plane_tps_crc32.h"

#ifdef PLANE_INFERENCE_ONLY
#define MODEL_INFERENCE_ONLY
#endif

typedef struct plane_model model_t;
typedef float model_x_t;
typedef float model_label_t;
typedef float model_output_t;
typedef float model_rate_t;
typedef float model_raw_t;

#define MODEL_N_IN PLANE_N_IN
#define MODEL_N_OUT PLANE_N_OUT
/* Entries of a sample's labels, and outputs for one sample. */
#define MODEL_LABEL_COUNT 2
#define MODEL_OUTPUT_COUNT 2
#define MODEL_N_TENSORS 8

static inline void model_init(model_t *model)
{
    plane_init(model);
}

static inline void model_outputs(const model_t *model, const model_x_t *x, model_output_t *outputs)
{
    plane_outputs(model, x, outputs);
}

static inline uint32_t model_digest(const model_t *model)
{
    return plane_digest(model);
}

static inline tps_status model_selftest(model_t *scratch)
{
    return plane_selftest(scratch);
}

static inline tps_status model_prepare(const model_raw_t *raw, model_x_t *x)
{
    return plane_prepare(raw, x);
}

#define MODEL_HAS_VALUES
#define MODEL_N_VALUES PLANE_N_LABELS

static inline tps_status model_prepare_label(const float *values, model_label_t *label)
{
    return plane_prepare_label(values, label);
}

static inline void model_values(const model_output_t *outputs, float *values)
{
    plane_values(outputs, values);
}

#ifndef MODEL_INFERENCE_ONLY
static inline tps_status model_train_step(
    model_t *model, const model_x_t *x, const model_label_t *label)
{
    return plane_train_step(model, x, label);
}

static inline const model_output_t *model_last_output(void)
{
    return plane_last_output();
}

static inline tps_status model_set_rate(model_t *model, model_rate_t rate)
{
    return plane_set_rate(model, rate);
}

static inline void model_restart_schedule(model_t *model)
{
    plane_restart_schedule(model);
}

#endif

#endif
