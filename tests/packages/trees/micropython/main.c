/*
 * main.c -- imports a package's module on a stand-in for MicroPython, and lets it learn
 *
 * It takes the functions from where the module put them, by name, as Python would.
 */
#include "samples.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef MICROPY_ENABLE_DYNRUNTIME
#include "py/dynruntime.h"
#else
#include "py/runtime.h"
#endif

char mp_const_none[1], mp_type_RuntimeError[1];
static mp_obj_t globals[QSTRS];

#ifdef MICROPY_ENABLE_DYNRUNTIME
static void *fill(void *to, int byte, size_t count)
{
    for (char *at = to; count > 0; count--) {
        *at++ = (char)byte;
    }
    return to;
}

/* As memcpy is the module's own here, it must not be called for it. */
static void *move(void *to, const void *from, size_t count)
{
    const volatile char *next = from;

    for (volatile char *at = to; count > 0; count--) {
        *at++ = *next++;
    }
    return to;
}

const struct mp_fun_table mp_fun_table = {fill, move};

void mp_store_global(int name, mp_obj_t value)
{
    globals[name] = value;
}

static void import(void)
{
    (void)mpy_init(NULL, 0, 0, NULL);
}
#else
const int mp_type_module = 0;
extern const mp_obj_module_t *const registered;

static void import(void)
{
    for (size_t i = 0; i < registered->globals->count; i++) {
        const mp_rom_map_elem_t *entry = &registered->globals->entries[i];
        globals[mp_obj_get_int(entry->key)] = entry->value;
    }
}
#endif

void mp_get_buffer_raise(mp_obj_t from, mp_buffer_info_t *buffer, mp_uint_t access)
{
    (void)access;
    *buffer = *(mp_buffer_info_t *)from;
}

void mp_raise_ValueError(const char *text)
{
    printf("ValueError: %s\n", text);
    exit(0);
}

void mp_raise_msg(const void *type, const char *text)
{
    (void)type;
    mp_raise_ValueError(text);
}

mp_obj_t mp_obj_new_float_from_f(float value)
{
    static struct object made;

    made.number = value;
    return &made;
}

static const struct function *named(int name)
{
    return globals[name];
}

static mp_obj_t call(int name)
{
    return named(name)->call_0();
}

int main(int count, char **words)
{
    mp_buffer_info_t image, x = {NULL, sizeof samples[0], 'B'};

    (void)words;
    import();
    image.len = (size_t)mp_obj_get_int(globals[MP_QSTR_STORAGE_BYTES]);
    image.buf = memset(malloc(image.len), 0xFF, image.len);
    printf("self-test %ld\n", (long)mp_obj_get_int(call(MP_QSTR_selftest)));
    if (count > 1) {
        x.len--;
    }
    (void)named(MP_QSTR_load)->call_1(&image);
    for (int pass = 0; pass < PASSES; pass++) {
        for (int i = 0; i < SAMPLES; i++) {
            x.buf = (void *)(uintptr_t)samples[i];
            (void)named(MP_QSTR_train)->call_2(&x, MP_OBJ_NEW_SMALL_INT(labels[i]));
        }
    }
    (void)named(MP_QSTR_save)->call_1(&image);
    (void)call(MP_QSTR_init);
    (void)named(MP_QSTR_load)->call_1(&image);
    printf("steps %ld\n", (long)mp_obj_get_int(call(MP_QSTR_steps)));
    printf("digest %lX\n", (unsigned long)(uint32_t)mp_obj_get_int(call(MP_QSTR_digest)));
    free(image.buf);
    return 0;
}
