/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/* plane_raw.c -- raw samples of "plane" */
#include "plane_raw.h"

#include "plane_tps_compiler.h"
#include "plane_tps_float.h"
#include "plane_tps_names.h"

/* Entry i of a sample has constants number i modulo 2. */
static const TPS_FLASH struct {
    float mean;
    float gain;
} raw_inputs[2] = {
    {0.0f, 0.19245009f},
    {1.3333334f, 0.2409658f},
};

static float convert_raw_inputs_entry(float raw, uint32_t at)
{
    const float v = (raw - raw_inputs[at].mean) * raw_inputs[at].gain;

    return tps_clip_f32(v, -0x1p20f, 0x1p20f);
}

static tps_status convert_raw_inputs(const float *raw, float *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!(raw[i] >= -TPS_FLOAT_MAX && raw[i] <= TPS_FLOAT_MAX)) {
            return TPS_BAD_INPUT;
        }
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        to[i] = convert_raw_inputs_entry(raw[i], at);
        at = at + 1 < 2 ? at + 1 : 0;
    }
    return TPS_OK;
}

/* What the functions work in that do all in one call. */
TPS_STATIC float raw_x[PLANE_N_IN];

tps_status plane_prepare(const float raw[PLANE_N_IN], float x[PLANE_N_IN])
{
    return convert_raw_inputs(raw, x, PLANE_N_IN);
}

/* Entry i of a label has constants number i modulo 2. */
static const TPS_FLASH struct {
    float mean;
    float gain;
} raw_labels[2] = {
    {1.6666666f, 0.086638644f},
    {3.3333333f, 0.18713486f},
};

static float convert_raw_labels_entry(float raw, uint32_t at)
{
    const float v = (raw - raw_labels[at].mean) * raw_labels[at].gain;

    return tps_clip_f32(v, -0x1p20f, 0x1p20f);
}

static tps_status convert_raw_labels(const float *raw, float *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!(raw[i] >= -TPS_FLOAT_MAX && raw[i] <= TPS_FLOAT_MAX)) {
            return TPS_BAD_INPUT;
        }
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        to[i] = convert_raw_labels_entry(raw[i], at);
        at = at + 1 < 2 ? at + 1 : 0;
    }
    return TPS_OK;
}

tps_status plane_prepare_label(const float values[PLANE_N_LABELS], float label[PLANE_N_LABELS])
{
    return convert_raw_labels(values, label, PLANE_N_LABELS);
}

void plane_values(const float outputs[PLANE_N_OUT], float values[PLANE_N_OUT])
{
    static const struct {
        float unit;
        float mean;
    } of[2] = {
        {11.542193f, 1.6666666f},
        {5.34374f, 3.3333333f},
    };

    for (uint32_t k = 0; k < PLANE_N_OUT; k++) {
        values[k] = (float)outputs[k] * of[k].unit + of[k].mean;
    }
}

tps_status plane_predict_raw(const struct plane_model *model, const float raw[PLANE_N_IN],
    float values[PLANE_N_OUT])
{
    const tps_status status = plane_prepare(raw, raw_x);

    if (status == TPS_OK) {
        TPS_STATIC float outputs[PLANE_N_OUT];
        plane_outputs(model, raw_x, outputs);
        plane_values(outputs, values);
    }
    return status;
}

#ifndef PLANE_INFERENCE_ONLY
tps_status plane_train_raw(struct plane_model *model, const float raw[PLANE_N_IN],
    const float values[PLANE_N_LABELS])
{
    TPS_STATIC float label[2];
    tps_status status = plane_prepare(raw, raw_x);

    if (status == TPS_OK) {
        status = convert_raw_labels(values, label, 2);
    }
    if (status == TPS_OK) {
        status = plane_train_step(model, raw_x, label);
    }
    return status;
}
#endif
