"""The C of the hand-written project of tests/support/fake_project.py."""

_HEADER = """
#ifndef FAKE_H
#define FAKE_H

#include "tps_status.h"

#include <stdint.h>

#define FAKE_N_IN 5
#define FAKE_N_OUT 3

struct fake_model {
    uint32_t rng;
    uint32_t step;
    uint32_t start;
    uint32_t rate;
    int32_t fc1_b[4];
    int32_t fc2_b[3];
    int16_t fc1_w[20];
    int16_t fc2_w[12];
};

void fake_init(struct fake_model *model);
void fake_outputs_with(const struct fake_model *model, const int8_t x[5], int16_t outputs[3]);
uint16_t fake_predict(const struct fake_model *model, const int8_t x[5]);
uint32_t fake_evaluate(const struct fake_model *model, const int8_t *x, const uint16_t *labels,
                       uint32_t count);
uint32_t fake_digest(const struct fake_model *model);
tps_status fake_selftest(struct fake_model *scratch);
#ifndef FAKE_INFERENCE_ONLY
tps_status fake_train_step_with(struct fake_model *model, const int8_t x[5], uint16_t label);
const int16_t *fake_last_output(void);
tps_status fake_set_rate(struct fake_model *model, uint32_t rate);
void fake_restart_schedule(struct fake_model *model);
#endif

#endif
"""

_STATUS = """
#ifndef TPS_STATUS_H
#define TPS_STATUS_H
#include <stdint.h>
typedef int32_t tps_status;
enum { TPS_OK, TPS_BAD_LABEL, TPS_SELFTEST_FAILED, TPS_BAD_RATE };
#endif
"""

_DENSE_H = """
#ifndef TPS_DENSE_H
#define TPS_DENSE_H

#include <stdint.h>

struct tps_dense {
    uint16_t n_in;
    uint16_t n_out;
    uint32_t divisor;
};

void tps_dense_forward(const struct tps_dense *layer, const int16_t *w, const int32_t *b,
                       const int16_t *x, int16_t *y);
void tps_dense_update(const struct tps_dense *layer, int16_t *w, int32_t *b,
                      const int16_t *x, uint16_t unit);

#endif
"""

# The division calls the compiler's runtime on every core, the half does where there is no FPU.
_DENSE_C = """
#include "tps_dense.h"

void tps_dense_forward(const struct tps_dense *layer, const int16_t *w, const int32_t *b,
                       const int16_t *x, int16_t *y)
{
    for (uint16_t j = 0; j < layer->n_out; j++) {
        int64_t acc = b[j];
        for (uint16_t i = 0; i < layer->n_in; i++) {
            acc += (int64_t)w[j * layer->n_in + i] * x[i];
        }
        y[j] = (int16_t)((float)(acc / (int64_t)layer->divisor) * 0.5f);
    }
}

void tps_dense_update(const struct tps_dense *layer, int16_t *w, int32_t *b,
                      const int16_t *x, uint16_t unit)
{
    for (uint16_t i = 0; i < layer->n_in; i++) {
        w[unit * layer->n_in + i] = (int16_t)(w[unit * layer->n_in + i] + x[i]);
    }
    b[unit] += 1;
}
"""

_MODEL_C = """
#include "fake.h"

#include "tps_crc32.h"
#include "tps_dense.h"

static const struct tps_dense fc1_layer = {5, 4, 3};
static const struct tps_dense fc2_layer = {4, 3, 5};

static int16_t arena_x[5];
static int16_t arena_y[4];
#ifndef FAKE_INFERENCE_ONLY
static int16_t arena_out[3];
#endif

static void forward(const struct fake_model *model, const int8_t x[5], int16_t outputs[3])
{
    for (uint16_t i = 0; i < 5; i++) {
        arena_x[i] = x[i];
    }
    tps_dense_forward(&fc1_layer, model->fc1_w, model->fc1_b, arena_x, arena_y);
    tps_dense_forward(&fc2_layer, model->fc2_w, model->fc2_b, arena_y, outputs);
}

void fake_init(struct fake_model *model)
{
    model->rng = 12345;
    model->step = 0;
    model->start = 0;
    model->rate = 32768;
    for (uint16_t i = 0; i < 4; i++) {
        model->fc1_b[i] = i;
    }
    for (uint16_t i = 0; i < 3; i++) {
        model->fc2_b[i] = -(int32_t)i;
    }
    for (uint16_t i = 0; i < 20; i++) {
        model->fc1_w[i] = (int16_t)(7 * i - 50);
    }
    for (uint16_t i = 0; i < 12; i++) {
        model->fc2_w[i] = (int16_t)(11 * i - 60);
    }
}

void fake_outputs_with(const struct fake_model *model, const int8_t x[5], int16_t outputs[3])
{
    forward(model, x, outputs);
}

uint16_t fake_predict(const struct fake_model *model, const int8_t x[5])
{
    int16_t outputs[3];
    uint16_t best = 0;

    forward(model, x, outputs);
    for (uint16_t k = 1; k < 3; k++) {
        best = outputs[k] > outputs[best] ? k : best;
    }
    return best;
}

uint32_t fake_evaluate(const struct fake_model *model, const int8_t *x, const uint16_t *labels,
                       uint32_t count)
{
    uint32_t right = 0;

    for (uint32_t i = 0; i < count; i++) {
        right += fake_predict(model, x + 5 * i) == labels[i];
    }
    return right;
}

uint32_t fake_digest(const struct fake_model *model)
{
    uint32_t crc = tps_crc32(0, model->fc1_w, sizeof model->fc1_w);

    crc = tps_crc32(crc, model->fc1_b, sizeof model->fc1_b);
    crc = tps_crc32(crc, model->fc2_w, sizeof model->fc2_w);
    crc = tps_crc32(crc, model->fc2_b, sizeof model->fc2_b);
    crc = tps_crc32(crc, &model->rng, sizeof model->rng);
    crc = tps_crc32(crc, &model->step, sizeof model->step);
    crc = tps_crc32(crc, &model->start, sizeof model->start);
    return tps_crc32(crc, &model->rate, sizeof model->rate);
}

#ifndef FAKE_INFERENCE_ONLY

tps_status fake_train_step_with(struct fake_model *model, const int8_t x[5], uint16_t label)
{
    if (label >= 3) {
        return TPS_BAD_LABEL;
    }
    forward(model, x, arena_out);
    tps_dense_update(&fc1_layer, model->fc1_w, model->fc1_b, arena_x, label);
    tps_dense_update(&fc2_layer, model->fc2_w, model->fc2_b, arena_y, label);
    model->rng += UINT32_C(0x9E3779B9);
    model->step++;
    return TPS_OK;
}

const int16_t *fake_last_output(void)
{
    return arena_out;
}

tps_status fake_set_rate(struct fake_model *model, uint32_t rate)
{
    if (rate > 32768) {
        return TPS_BAD_RATE;
    }
    model->rate = rate;
    return TPS_OK;
}

void fake_restart_schedule(struct fake_model *model)
{
    model->start = model->step;
}

#endif

tps_status fake_selftest(struct fake_model *scratch)
{
    fake_init(scratch);
#ifndef FAKE_INFERENCE_ONLY
    static const int8_t x[5] = {1, 2, 3, 4, 5};

    (void)fake_train_step_with(scratch, x, 1);
    if (scratch->fc1_b[1] != 2 || scratch->step != 1) {
        return TPS_SELFTEST_FAILED;
    }
#endif
    return scratch->rng != 0 ? TPS_OK : TPS_SELFTEST_FAILED;
}
"""

_CRC_H = """
#ifndef TPS_CRC32_H
#define TPS_CRC32_H
#include <stdint.h>
uint32_t tps_crc32(uint32_t crc, const void *bytes, uint32_t count);
#endif
"""

_CRC_C = """
#include "tps_crc32.h"

uint32_t tps_crc32(uint32_t crc, const void *bytes, uint32_t count)
{
    const uint8_t *byte = bytes;

    crc = ~crc;
    while (count-- > 0) {
        crc ^= *byte++;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (UINT32_C(0xEDB88320) & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}
"""

_MODEL_PORT = """
#ifndef MODEL_PORT_H
#define MODEL_PORT_H

#include "fake.h"
#include "tps_crc32.h"

#include <stddef.h>

#ifdef FAKE_INFERENCE_ONLY
#define MODEL_INFERENCE_ONLY
#endif

typedef struct fake_model model_t;
typedef int8_t model_x_t;
typedef int8_t model_raw_t;
typedef int16_t model_output_t;
typedef uint16_t model_label_t;
typedef uint32_t model_rate_t;

#define MODEL_N_IN FAKE_N_IN
#define MODEL_N_OUT FAKE_N_OUT
#define MODEL_OUTPUT_COUNT FAKE_N_OUT
#define MODEL_LABEL_COUNT 1
#define MODEL_N_LABELS 3
#define MODEL_HAS_CLASSES
#define MODEL_HAS_PREDICT

static inline void model_init(model_t *model)
{
    fake_init(model);
}

static inline void model_outputs(const model_t *model, const model_x_t *x, model_output_t *outputs)
{
    fake_outputs_with(model, x, outputs);
}

static inline tps_status model_prepare(const model_raw_t *raw, model_x_t *x)
{
    for (uint32_t i = 0; i < MODEL_N_IN; i++) {
        x[i] = raw[i];
    }
    return TPS_OK;
}

static inline uint16_t model_predict(const model_t *model, const model_x_t *x)
{
    return fake_predict(model, x);
}

static inline uint32_t model_evaluate(const model_t *model, const model_x_t *x,
                                      const model_label_t *labels, uint32_t count)
{
    return fake_evaluate(model, x, labels, count);
}

static inline uint32_t model_digest(const model_t *model)
{
    return fake_digest(model);
}

static inline tps_status model_selftest(model_t *scratch)
{
    return fake_selftest(scratch);
}

#ifndef FAKE_INFERENCE_ONLY

#define MODEL_N_TENSORS 8

static inline tps_status model_train_step(
    model_t *model, const model_x_t *x, const model_label_t *label)
{
    return fake_train_step_with(model, x, *label);
}

static inline const model_output_t *model_last_output(void)
{
    return fake_last_output();
}

static inline tps_status model_set_rate(model_t *model, model_rate_t rate)
{
    return fake_set_rate(model, rate);
}

static inline void model_restart_schedule(model_t *model)
{
    fake_restart_schedule(model);
}

#endif

#endif
"""

SOURCES = ("fake.c", "tps_dense.c", "tps_crc32.c")
FILES = {
    "fake.h": _HEADER,
    "fake.c": _MODEL_C,
    "tps_status.h": _STATUS,
    "tps_dense.h": _DENSE_H,
    "tps_dense.c": _DENSE_C,
    "tps_crc32.h": _CRC_H,
    "tps_crc32.c": _CRC_C,
    "port/model_port.h": _MODEL_PORT,
}
