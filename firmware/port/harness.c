/*
 * harness.c -- feeds samples to the model and reports what it did
 *
 * One loop over a stream of commands. A command is two u32, opcode and count, then its payload. All
 * numbers are little-endian, as every supported core is. The twin is toolchain/protocol.py.
 *
 *   opcode      payload         reply
 *   0 info      -               u32 each: protocol version, bytes of the state, of a sample, of an
 *                               input and of the outputs, number of tensors (inference only: 0)
 *   1 init      -               -
 *   2 train     count samples   u32: samples that were refused (bad label)
 *   3 trace     count samples   per sample the state struct, then the outputs of the step
 *   4 outputs   count inputs    per input: the outputs
 *   5 dump      -               the state struct
 *   6 load      the state       -
 *   7 selftest  -               u32: tps_status; the model is initialised afterwards
 *   8 stack     -               u32: bytes of stack the model used since the last such command
 *   9 confident count inputs    per input: the confidence of the answer, where the model has one
 *  10 ask       count pairs     per pair u32: the answers of answers.h; at the end u32 each: bad
 *                               labels that were taken (inference only: 0), the model's own digest
 *  11 rate      the rate        u32: tps_status
 *  12 restart   -               -; the schedule of the learning rate begins again
 *  13 prepare   count raws      per raw sample: u32 tps_status, then x, padded
 *  14 label     count values    per label vector: u32 tps_status, then the label, padded
 *  15 values    count outputs   per output: the values that it stands for (float)
 *  16 hear      count blocks    per block of a stream: u32 whether it completes a window, then the
 *                               features, padded, or zeros; no block at all begins a new stream
 *
 * An input is x, padded to a multiple of 4 bytes. A sample is an input, then the label, padded too.
 * A pair is two x, padded, then their two labels, padded too. So are a raw sample and the output of
 * one answer.
 *
 * For emulators only: without TPS_PORT this file is empty, whoever compiles it.
 */
#ifdef TPS_PORT
#include "answers.h"
#include "hearing.h"
#include "model_port.h"
#include "tps_port.h"

#define PROTOCOL_VERSION 5u

enum opcode {
    INFO,
    INIT,
    TRAIN,
    TRACE,
    OUTPUTS,
    DUMP,
    LOAD,
    SELFTEST,
    STACK,
    CONFIDENT,
    ASK,
    RATE,
    RESTART,
    PREPARE,
    LABEL,
    VALUES,
    HEAR,
};

struct input {
    _Alignas(4) model_x_t x[MODEL_N_IN];
};

struct pair {
    _Alignas(4) model_x_t x[2 * MODEL_N_IN];
    _Alignas(4) model_label_t labels[2 * MODEL_LABEL_COUNT];
};

/* The model, in a section of its own so that its size can be told from that of the rest. Cores that
 * align nothing leave the padding at the end of the struct away, which the other side expects. */
#if defined(__ELF__)
__attribute__((section(".bss.tps_port_model")))
#endif
static union {
    model_t model;
    uint8_t bytes[(sizeof(model_t) + 3u) / 4u * 4u];
} state;

/* Where the stack pointer stood when the model was called. */
static const void *stack_at_call;

static void reply_u32(uint32_t value)
{
    tps_port_write(&value, sizeof value);
}

static int read_all(void *bytes, uint32_t count)
{
    return tps_port_read(bytes, count) == count;
}

static void reply_confidence(void)
{
#ifdef MODEL_HAS_CONFIDENCE
    const model_confidence_t confidence = model_confidence();

    tps_port_write(&confidence, sizeof confidence);
#endif
}

static int reply_outputs(uint32_t count, uint32_t opcode)
{
    static struct input input;
    static model_output_t outputs[MODEL_OUTPUT_COUNT];

    stack_at_call = tps_port_stack_pointer();
    while (count-- > 0) {
        if (!read_all(&input, sizeof input)) {
            return 0;
        }
        model_outputs(&state.model, input.x, outputs);
        if (opcode == OUTPUTS) {
            tps_port_write(outputs, sizeof outputs);
        } else {
            reply_confidence();
        }
    }
    return 1;
}

static void clear(void *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ((uint8_t *)bytes)[i] = 0;
    }
}

/* Convert raw samples. What is refused is answered with an x of zeros. */
static int reply_prepared(uint32_t count)
{
    static struct {
        _Alignas(4) model_raw_t raw[MODEL_N_IN];
    } sample;
    static struct input input;

    while (count-- > 0) {
        if (!read_all(&sample, sizeof sample)) {
            return 0;
        }
        clear(&input, sizeof input);
        reply_u32((uint32_t)model_prepare(sample.raw, input.x));
        tps_port_write(&input, sizeof input);
    }
    return 1;
}

#ifdef MODEL_HAS_VALUES

static int reply_labels(uint32_t count)
{
    static float values[MODEL_N_VALUES];
    static struct {
        _Alignas(4) model_label_t label[MODEL_N_VALUES];
    } made;

    while (count-- > 0) {
        if (!read_all(values, sizeof values)) {
            return 0;
        }
        clear(&made, sizeof made);
        reply_u32((uint32_t)model_prepare_label(values, made.label));
        tps_port_write(&made, sizeof made);
    }
    return 1;
}

static int reply_values(uint32_t count)
{
    static struct {
        _Alignas(4) model_output_t outputs[MODEL_N_OUT];
    } answer;
    static float values[MODEL_N_OUT];

    while (count-- > 0) {
        if (!read_all(&answer, sizeof answer)) {
            return 0;
        }
        model_values(answer.outputs, values);
        tps_port_write(values, sizeof values);
    }
    return 1;
}

#else

static int reply_labels(uint32_t count)
{
    (void)count;
    return 0;
}

static int reply_values(uint32_t count)
{
    (void)count;
    return 0;
}

#endif

static uint32_t bad_labels_taken(const model_x_t *x)
{
#ifdef MODEL_INFERENCE_ONLY
    (void)x;
    return 0;
#else
    return tps_port_bad_labels_taken(&state.model, x);
#endif
}

static int reply_answers(uint32_t count)
{
    static struct pair pair;
    uint32_t words[TPS_PORT_ANSWERS];

    while (count-- > 0) {
        if (!read_all(&pair, sizeof pair)) {
            return 0;
        }
        tps_port_answers(&state.model, pair.x, pair.labels, words);
        tps_port_write(words, sizeof words);
    }
    reply_u32(bad_labels_taken(pair.x));
    reply_u32(model_digest(&state.model));
    return 1;
}

#ifdef MODEL_INFERENCE_ONLY

static void reply_info(void)
{
    const uint32_t info[6] = {
        PROTOCOL_VERSION,
        sizeof state,
        0,
        sizeof(struct input),
        MODEL_OUTPUT_COUNT * sizeof(model_output_t),
        0,
    };
    tps_port_write(info, sizeof info);
}

static int serve_training(uint32_t opcode, uint32_t count)
{
    (void)opcode;
    (void)count;
    return 0;
}

#else

struct sample {
    struct input input;
    _Alignas(4) model_label_t label[MODEL_LABEL_COUNT];
};

static struct sample sample;

static void reply_info(void)
{
    const uint32_t info[6] = {
        PROTOCOL_VERSION,
        sizeof state,
        sizeof(struct sample),
        sizeof(struct input),
        MODEL_OUTPUT_COUNT * sizeof(model_output_t),
        MODEL_N_TENSORS,
    };
    tps_port_write(info, sizeof info);
}

static int train(uint32_t count)
{
    uint32_t refused = 0;

    stack_at_call = tps_port_stack_pointer();
    while (count-- > 0) {
        if (!read_all(&sample, sizeof sample)) {
            return 0;
        }
        refused += model_train_step(&state.model, sample.input.x, sample.label) != TPS_OK;
    }
    reply_u32(refused);
    return 1;
}

static int trace(uint32_t count)
{
    while (count-- > 0) {
        if (!read_all(&sample, sizeof sample)) {
            return 0;
        }
        (void)model_train_step(&state.model, sample.input.x, sample.label);
        tps_port_write(&state, sizeof state);
        tps_port_write(model_last_output(), MODEL_N_OUT * sizeof(model_output_t));
    }
    return 1;
}

static int set_rate(void)
{
    model_rate_t rate;

    if (!read_all(&rate, sizeof rate)) {
        return 0;
    }
    reply_u32((uint32_t)model_set_rate(&state.model, rate));
    return 1;
}

static int serve_training(uint32_t opcode, uint32_t count)
{
    switch (opcode) {
    case TRAIN:
        return train(count);
    case TRACE:
        return trace(count);
    case RATE:
        return set_rate();
    case RESTART:
        model_restart_schedule(&state.model);
        return 1;
    default:
        return 0;
    }
}

#endif

static int serve(uint32_t opcode, uint32_t count)
{
    switch (opcode) {
    case INFO:
        reply_info();
        return 1;
    case INIT:
        model_init(&state.model);
        return 1;
    case OUTPUTS:
    case CONFIDENT:
        return reply_outputs(count, opcode);
    case ASK:
        return reply_answers(count);
    case PREPARE:
        return reply_prepared(count);
    case LABEL:
        return reply_labels(count);
    case VALUES:
        return reply_values(count);
    case HEAR:
        return tps_port_hear(count);
    case SELFTEST:
        stack_at_call = tps_port_stack_pointer();
        reply_u32((uint32_t)model_selftest(&state.model));
        model_init(&state.model);
        return 1;
    case DUMP:
        tps_port_write(&state, sizeof state);
        return 1;
    case LOAD:
        return read_all(&state, sizeof state);
    case STACK:
        reply_u32(tps_port_stack_used(stack_at_call));
        return 1;
    default:
        return serve_training(opcode, count);
    }
}

enum tps_port_exit tps_port_serve(void)
{
    uint32_t command[2];
    uint32_t got;

    while ((got = tps_port_read(command, sizeof command)) == sizeof command) {
        if (!serve(command[0], command[1])) {
            return TPS_PORT_BAD_COMMAND;
        }
    }
    return got == 0 ? TPS_PORT_END : TPS_PORT_BAD_COMMAND;
}

#else
typedef int tps_port_is_empty;
#endif
