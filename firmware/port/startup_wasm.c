/*
 * startup_wasm.c -- the model for whoever runs WebAssembly: a page, node, a runtime of a product
 *
 * The module imports nothing. A function that takes or gives arrays reads and writes buffers of the
 * module, whose addresses in its memory come from functions too:
 *
 *   raw()      a raw sample        prepare()     raw -> x; returns a tps_status
 *   x()        a sample            outputs()     x -> y; returns the address of y
 *   label()    its label           train_step()  x, label -> state; returns a tps_status
 *   target()   a label vector      prepare_label()  target -> label; returns a tps_status
 *   state()    the state struct    init()        sets the state that training starts from
 *
 * Types and lengths are those of the same functions in NAME.h. serve() is the harness for verify:
 * commands in, replies out, at addresses that the caller chooses behind __heap_base.
 *
 * For TPS_PORT only: without it this file is empty, whoever compiles it.
 */
#ifdef TPS_PORT
#include "model_port.h"
#include "tps_port.h"

#define EXPORT(name) __attribute__((export_name(#name))) tps_wasm_##name

static model_t model;
static _Alignas(8) model_raw_t raw[MODEL_N_IN];
static _Alignas(8) model_x_t x[MODEL_N_IN];
static _Alignas(8) model_output_t y[MODEL_OUTPUT_COUNT];

static const uint8_t *request;
static const uint8_t *request_end;
static uint8_t *reply;
static uint8_t *reply_end;

uint32_t tps_port_read(void *bytes, uint32_t count)
{
    uint8_t *to = bytes;
    const uint32_t left = (uint32_t)(request_end - request);
    const uint32_t got = left < count ? left : count;

    for (uint32_t i = 0; i < got; i++) {
        to[i] = *request++;
    }
    return got;
}

void tps_port_write(const void *bytes, uint32_t count)
{
    const uint8_t *from = bytes;

    if ((uint32_t)(reply_end - reply) < count) {
        __builtin_trap();
    }
    for (uint32_t i = 0; i < count; i++) {
        *reply++ = from[i];
    }
}

uint32_t tps_port_stack_used(const void *from)
{
    (void)from;
    return 0;
}

/* Serve `count` bytes of commands. Returns the length of the replies, of `room` bytes at most. */
uint32_t EXPORT(serve)(const uint8_t *commands, uint32_t count, uint8_t *replies, uint32_t room);
uint32_t EXPORT(serve)(const uint8_t *commands, uint32_t count, uint8_t *replies, uint32_t room)
{
    request = commands;
    request_end = commands + count;
    reply = replies;
    reply_end = replies + room;
    if (tps_port_serve() != TPS_PORT_END) {
        __builtin_trap();
    }
    return (uint32_t)(reply - replies);
}

model_t *EXPORT(state)(void);
model_t *EXPORT(state)(void)
{
    return &model;
}

uint32_t EXPORT(state_size)(void);
uint32_t EXPORT(state_size)(void)
{
    return sizeof model;
}

model_raw_t *EXPORT(raw)(void);
model_raw_t *EXPORT(raw)(void)
{
    return raw;
}

model_x_t *EXPORT(x)(void);
model_x_t *EXPORT(x)(void)
{
    return x;
}

void EXPORT(init)(void);
void EXPORT(init)(void)
{
    model_init(&model);
}

/* The self-test trains: the state is the first one afterwards. */
uint32_t EXPORT(selftest)(void);
uint32_t EXPORT(selftest)(void)
{
    const uint32_t status = (uint32_t)model_selftest(&model);

    model_init(&model);
    return status;
}

uint32_t EXPORT(digest)(void);
uint32_t EXPORT(digest)(void)
{
    return model_digest(&model);
}

uint32_t EXPORT(prepare)(void);
uint32_t EXPORT(prepare)(void)
{
    return (uint32_t)model_prepare(raw, x);
}

const model_output_t *EXPORT(outputs)(void);
const model_output_t *EXPORT(outputs)(void)
{
    model_outputs(&model, x, y);
    return y;
}

#ifdef MODEL_HAS_PREDICT
uint32_t EXPORT(predict)(void);
uint32_t EXPORT(predict)(void)
{
    return model_predict(&model, x);
}
#endif

#ifdef MODEL_HAS_CONFIDENCE
/* The probability of the class that the last answer names: Q15, or a float. */
model_confidence_t EXPORT(confidence)(void);
model_confidence_t EXPORT(confidence)(void)
{
    return model_confidence();
}
#endif

#ifdef MODEL_HAS_VALUES
static float values[MODEL_OUTPUT_COUNT];

/* The last outputs in the units of the labels. */
const float *EXPORT(values)(void);
const float *EXPORT(values)(void)
{
    for (uint32_t i = 0; i < MODEL_OUTPUT_COUNT; i += MODEL_N_OUT) {
        model_values(y + i, values + i);
    }
    return values;
}
#endif

#ifndef MODEL_INFERENCE_ONLY
static _Alignas(8) model_label_t label[MODEL_LABEL_COUNT];

#ifdef MODEL_HAS_VALUES
static float target[MODEL_N_VALUES];

float *EXPORT(target)(void);
float *EXPORT(target)(void)
{
    return target;
}

uint32_t EXPORT(prepare_label)(void);
uint32_t EXPORT(prepare_label)(void)
{
    return (uint32_t)model_prepare_label(target, label);
}
#endif

model_label_t *EXPORT(label)(void);
model_label_t *EXPORT(label)(void)
{
    return label;
}

uint32_t EXPORT(train_step)(void);
uint32_t EXPORT(train_step)(void)
{
    return (uint32_t)model_train_step(&model, x, label);
}

/* The schedule of the learning rate begins again, as for a device that meets something new. */
void EXPORT(restart_schedule)(void);
void EXPORT(restart_schedule)(void)
{
    model_restart_schedule(&model);
}
#endif

#else
typedef int tps_port_is_empty;
#endif
