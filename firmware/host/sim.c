/*
 * sim.c -- the model as a shared library of the host, driven in-process
 *
 * The state belongs to the caller, so that one library serves many models of a kind. The arena is
 * the library's: one thread at a time. The twin is tpsgd_edge/toolchain/host_device.py.
 */
#include "answers.h"
#include "model_port.h"

#include <stddef.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

EXPORT void tps_sim_info(uint32_t info[5]);
EXPORT void tps_sim_init(model_t *model);
EXPORT void tps_sim_outputs(const model_t *model, const model_x_t *x, model_output_t *outputs,
                            uint32_t count);
#ifdef MODEL_HAS_CONFIDENCE
EXPORT void tps_sim_confidences(const model_t *model, const model_x_t *x,
                                model_confidence_t *confidences, uint32_t count);
#endif
EXPORT void tps_sim_ask(const model_t *model, const model_x_t *pairs, const model_label_t *labels,
                        uint32_t *words, uint32_t count);
EXPORT uint32_t tps_sim_prepare(const model_raw_t *raw, model_x_t *x);
#ifdef MODEL_HAS_VALUES
EXPORT uint32_t tps_sim_prepare_label(const float *values, model_label_t *label);
EXPORT void tps_sim_values(const model_output_t *outputs, float *values);
#endif
#ifdef MODEL_HAS_SIGNAL
EXPORT uint32_t tps_sim_hear(const int16_t *block, int16_t *features);
#endif
EXPORT uint32_t tps_sim_digest(const model_t *model);
EXPORT uint32_t tps_sim_selftest(model_t *scratch);
#ifndef MODEL_INFERENCE_ONLY
EXPORT uint32_t tps_sim_train(model_t *model, const model_x_t *x, const model_label_t *labels,
                              const uint32_t *order, uint32_t count);
EXPORT const model_output_t *tps_sim_last_output(void);
EXPORT uint32_t tps_sim_set_rate(model_t *model, const model_rate_t *rate);
EXPORT void tps_sim_restart_schedule(model_t *model);
EXPORT uint32_t tps_sim_bad_labels_taken(model_t *model, const model_x_t *x);
#endif

/* Bytes of the state and of one x, label and outputs; number of tensors (inference only: 0). */
void tps_sim_info(uint32_t info[5])
{
    info[0] = sizeof(model_t);
    info[1] = MODEL_N_IN * sizeof(model_x_t);
    info[2] = MODEL_LABEL_COUNT * sizeof(model_label_t);
    info[3] = MODEL_OUTPUT_COUNT * sizeof(model_output_t);
#ifdef MODEL_INFERENCE_ONLY
    info[4] = 0;
#else
    info[4] = MODEL_N_TENSORS;
#endif
}

void tps_sim_init(model_t *model)
{
    model_init(model);
}

/* outputs[count][MODEL_OUTPUT_COUNT] of x[count][MODEL_N_IN]. */
void tps_sim_outputs(const model_t *model, const model_x_t *x, model_output_t *outputs,
                     uint32_t count)
{
    for (; count > 0; count--, x += MODEL_N_IN, outputs += MODEL_OUTPUT_COUNT) {
        model_outputs(model, x, outputs);
    }
}

#ifdef MODEL_HAS_CONFIDENCE
/* confidences[count] of the answers, of a sequence of its last one, to x[count][MODEL_N_IN]. */
void tps_sim_confidences(const model_t *model, const model_x_t *x, model_confidence_t *confidences,
                         uint32_t count)
{
    model_output_t outputs[MODEL_OUTPUT_COUNT];

    for (; count > 0; count--, x += MODEL_N_IN) {
        model_outputs(model, x, outputs);
        *confidences++ = model_confidence();
    }
}
#endif

/* words[count][TPS_PORT_ANSWERS] of pairs[count][2][MODEL_N_IN] and their labels. */
void tps_sim_ask(const model_t *model, const model_x_t *pairs, const model_label_t *labels,
                 uint32_t *words, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, words += TPS_PORT_ANSWERS) {
        tps_port_answers(model, pairs + (size_t)i * 2 * MODEL_N_IN,
                         labels + (size_t)i * 2 * MODEL_LABEL_COUNT, words);
    }
}

uint32_t tps_sim_prepare(const model_raw_t *raw, model_x_t *x)
{
    return (uint32_t)model_prepare(raw, x);
}

#ifdef MODEL_HAS_VALUES
uint32_t tps_sim_prepare_label(const float *values, model_label_t *label)
{
    return (uint32_t)model_prepare_label(values, label);
}

void tps_sim_values(const model_output_t *outputs, float *values)
{
    model_values(outputs, values);
}
#endif

#ifdef MODEL_HAS_SIGNAL
/* Whether the block of a stream completes a window, and its features; no block begins anew. */
uint32_t tps_sim_hear(const int16_t *block, int16_t *features)
{
    static model_signal_t signal;

    if (block == NULL) {
        signal.heard = 0;
        return 0;
    }
    return model_hear(&signal, block, features);
}
#endif

uint32_t tps_sim_digest(const model_t *model)
{
    return model_digest(model);
}

uint32_t tps_sim_selftest(model_t *scratch)
{
    const uint32_t status = (uint32_t)model_selftest(scratch);

    model_init(scratch);
    return status;
}

#ifndef MODEL_INFERENCE_ONLY

/* Train on the samples order[0..count-1]. Returns how many were refused. */
uint32_t tps_sim_train(model_t *model, const model_x_t *x, const model_label_t *labels,
                       const uint32_t *order, uint32_t count)
{
    uint32_t refused = 0;

    for (uint32_t i = 0; i < count; i++) {
        const model_x_t *sample = x + (size_t)order[i] * MODEL_N_IN;
        const model_label_t *label = labels + (size_t)order[i] * MODEL_LABEL_COUNT;
        refused += model_train_step(model, sample, label) != TPS_OK;
    }
    return refused;
}

const model_output_t *tps_sim_last_output(void)
{
    return model_last_output();
}

uint32_t tps_sim_set_rate(model_t *model, const model_rate_t *rate)
{
    return (uint32_t)model_set_rate(model, *rate);
}

void tps_sim_restart_schedule(model_t *model)
{
    model_restart_schedule(model);
}

uint32_t tps_sim_bad_labels_taken(model_t *model, const model_x_t *x)
{
    return tps_port_bad_labels_taken(model, x);
}

#endif
