/* SPDX-License-Identifier: Apache-2.0 OR 0BSD */
/* petals_raw.c -- raw samples of "petals" */
#include "petals_raw.h"

#include "petals_tps_compiler.h"
#include "petals_tps_float.h"
#include "petals_tps_names.h"

/* All entries of a sample have the same constants. */
static const TPS_FLASH struct {
    float mean;
    float gain;
} raw_inputs[1] = {
    {4.1190476f, 21.595142f},
};

static int8_t convert_raw_inputs_entry(float raw, uint32_t at)
{
    const float v = (raw - raw_inputs[at].mean) * raw_inputs[at].gain;

    return (int8_t)((int32_t)(tps_clip_f32(v, -128.0f, 127.0f) + 128.5f) - 128);
}

static tps_status convert_raw_inputs(const float *raw, int8_t *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!(raw[i] >= -TPS_FLOAT_MAX && raw[i] <= TPS_FLOAT_MAX)) {
            return TPS_BAD_INPUT;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        to[i] = convert_raw_inputs_entry(raw[i], 0);
    }
    return TPS_OK;
}

/* What the functions work in that do all in one call. */
TPS_STATIC int8_t raw_x[PETALS_N_IN];

tps_status petals_prepare(const float raw[PETALS_N_IN], int8_t x[PETALS_N_IN])
{
    return convert_raw_inputs(raw, x, PETALS_N_IN);
}

tps_status petals_predict_raw(const struct petals_model *model, const float raw[PETALS_N_IN],
    uint16_t *label)
{
    const tps_status status = petals_prepare(raw, raw_x);

    if (status == TPS_OK) {
        *label = petals_predict(model, raw_x);
    }
    return status;
}

#ifndef PETALS_INFERENCE_ONLY
tps_status petals_train_raw(struct petals_model *model, const float raw[PETALS_N_IN],
    uint16_t label)
{
    tps_status status = petals_prepare(raw, raw_x);

    if (status == TPS_OK) {
        status = petals_train_step(model, raw_x, label);
    }
    return status;
}
#endif
