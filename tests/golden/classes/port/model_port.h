/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/*
 * model_port.h -- "petals" under the names that the harness uses. Generated; do not edit.
 */
#ifndef MODEL_PORT_H
#define MODEL_PORT_H

#include <stddef.h>

#include "petals_raw.h"
#include "petals_tps_crc32.h"

#ifdef PETALS_INFERENCE_ONLY
#define MODEL_INFERENCE_ONLY
#endif

typedef struct petals_model model_t;
typedef int8_t model_x_t;
typedef uint16_t model_label_t;
typedef int16_t model_output_t;
typedef uint32_t model_rate_t;
typedef float model_raw_t;

#define MODEL_N_IN PETALS_N_IN
#define MODEL_N_OUT PETALS_N_OUT
/* Entries of a sample's labels, and outputs for one sample. */
#define MODEL_LABEL_COUNT 1
#define MODEL_OUTPUT_COUNT 3
#define MODEL_N_TENSORS 8

static inline void model_init(model_t *model)
{
    petals_init(model);
}

static inline void model_outputs(const model_t *model, const model_x_t *x, model_output_t *outputs)
{
    petals_outputs(model, x, outputs);
}

static inline uint32_t model_digest(const model_t *model)
{
    return petals_digest(model);
}

static inline tps_status model_selftest(model_t *scratch)
{
    return petals_selftest(scratch);
}

static inline tps_status model_prepare(const model_raw_t *raw, model_x_t *x)
{
    return petals_prepare(raw, x);
}

#define MODEL_HAS_CLASSES
#define MODEL_N_LABELS PETALS_N_LABELS

static inline uint32_t model_evaluate(
    const model_t *model, const model_x_t *x, const model_label_t *labels, uint32_t count)
{
    return petals_evaluate(model, x, labels, count);
}

#define MODEL_HAS_PREDICT

static inline uint16_t model_predict(const model_t *model, const model_x_t *x)
{
    return petals_predict(model, x);
}

#define MODEL_HAS_CONFIDENCE
typedef uint16_t model_confidence_t;

static inline model_confidence_t model_confidence(void)
{
    return petals_confidence();
}

#ifndef MODEL_INFERENCE_ONLY
static inline tps_status model_train_step(
    model_t *model, const model_x_t *x, const model_label_t *label)
{
    return petals_train_step(model, x, *label);
}

static inline const model_output_t *model_last_output(void)
{
    return petals_last_output();
}

static inline tps_status model_set_rate(model_t *model, model_rate_t rate)
{
    return petals_set_rate(model, rate);
}

static inline void model_restart_schedule(model_t *model)
{
    petals_restart_schedule(model);
}

#endif

#endif
