/*
 * answers.c -- see answers.h
 *
 * For emulators only: without TPS_PORT this file is empty, whoever compiles it.
 */
#ifdef TPS_PORT
#include "answers.h"

static uint32_t outputs_of(const model_t *model, const model_x_t *x)
{
    static model_output_t outputs[MODEL_OUTPUT_COUNT];

    model_outputs(model, x, outputs);
    return tps_crc32(0, outputs, sizeof outputs);
}

static uint32_t latest_confidence(void)
{
#ifdef MODEL_HAS_CONFIDENCE
    union {
        uint32_t word;
        model_confidence_t value;
    } bits = {0};

    bits.value = model_confidence();
    return bits.word;
#else
    return 0;
#endif
}

/* The answer after each step of a sequence, and its class. */
static void ask_each_step(const model_t *model, const model_x_t *x, uint32_t *answer,
                          uint32_t *answer_class)
{
    *answer = 0;
    *answer_class = 0;
#ifdef MODEL_N_STEPS
    static model_output_t outputs[MODEL_N_OUT];

    model_reset();
    for (uint32_t t = 0; t < MODEL_N_STEPS; t++, x += MODEL_N_STEP_IN) {
        model_step(model, x);
        model_answer(model, outputs);
        *answer = tps_crc32(*answer, outputs, sizeof outputs);
#ifdef MODEL_HAS_CLASSES
        const uint16_t best = model_answer_class(model);
        *answer_class = tps_crc32(*answer_class, &best, sizeof best);
#endif
    }
#else
    (void)model;
    (void)x;
#endif
}

void tps_port_answers(const model_t *model, const model_x_t *x, const model_label_t *labels,
                      uint32_t words[TPS_PORT_ANSWERS])
{
    words[0] = outputs_of(model, x);
#ifdef MODEL_HAS_PREDICT
    words[1] = model_predict(model, x);
#else
    words[1] = 0;
#endif
    words[2] = latest_confidence();
    ask_each_step(model, x, &words[3], &words[4]);
#ifdef MODEL_HAS_CLASSES
    words[5] = model_evaluate(model, x, labels, 2);
#else
    (void)labels;
    words[5] = 0;
#endif
}

#ifndef MODEL_INFERENCE_ONLY

uint32_t tps_port_bad_labels_taken(model_t *model, const model_x_t *x)
{
    uint32_t taken = 0;
#ifdef MODEL_HAS_CLASSES
    static const uint16_t wrong[2] = {MODEL_N_LABELS, UINT16_MAX};
    static model_label_t labels[MODEL_LABEL_COUNT];

    for (uint32_t i = 0; i < 2; i++) {
        /* Good labels first: a step that has learned already could not be taken back. */
        labels[MODEL_LABEL_COUNT - 1] = wrong[i];
        taken += model_train_step(model, x, labels) != TPS_BAD_LABEL;
#ifdef MODEL_N_STEPS
        taken += model_learn(model, wrong[i]) != TPS_BAD_LABEL;
#endif
#ifdef MODEL_HAS_TEACH
        taken += model_teach(model, wrong[i]) != TPS_BAD_LABEL;
#endif
    }
#else
    (void)model;
    (void)x;
#endif
    return taken;
}

#endif

#else
typedef int tps_port_has_no_answers;
#endif
