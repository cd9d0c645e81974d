/*
 * obj.h -- as much of MicroPython's objects as a package's module calls, for tests
 *
 * Small integers are odd words; all others are addresses of a struct object. Names are numbers that
 * the test takes out of the module, as MicroPython's own tools do.
 */
#ifndef STAND_IN_OBJ_H
#define STAND_IN_OBJ_H

#include "qstrs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void *mp_obj_t;
typedef intptr_t mp_int_t;
typedef uintptr_t mp_uint_t;
typedef float mp_float_t;

struct object {
    float number;
    size_t count;
    mp_obj_t *items;
};

typedef struct {
    void *buf;
    size_t len;
    int typecode;
} mp_buffer_info_t;

struct function {
    int count;
    mp_obj_t (*call_0)(void);
    mp_obj_t (*call_1)(mp_obj_t);
    mp_obj_t (*call_2)(mp_obj_t, mp_obj_t);
};

extern char mp_const_none[], mp_type_RuntimeError[];
enum { MP_BUFFER_READ = 1, MP_BUFFER_RW = 3 };

#define MP_ERROR_TEXT(text) (text)
#define MP_OBJ_FROM_PTR(at) ((mp_obj_t)(uintptr_t)(at))
#define MP_OBJ_NEW_SMALL_INT(value) ((mp_obj_t)(uintptr_t)((uint64_t)(value) << 1 | 1u))
#define MP_DEFINE_CONST_FUN_OBJ_0(name, f) const struct function name = {0, f, NULL, NULL}
#define MP_DEFINE_CONST_FUN_OBJ_1(name, f) const struct function name = {1, NULL, f, NULL}
#define MP_DEFINE_CONST_FUN_OBJ_2(name, f) const struct function name = {2, NULL, NULL, f}

#define mp_obj_get_int(o) ((mp_int_t)(o) >> 1)
#define mp_obj_new_int_from_uint(value) MP_OBJ_NEW_SMALL_INT(value)
#define mp_obj_new_bool(value) MP_OBJ_NEW_SMALL_INT(value)

void mp_get_buffer_raise(mp_obj_t from, mp_buffer_info_t *buffer, mp_uint_t access);
_Noreturn void mp_raise_ValueError(const char *text);
_Noreturn void mp_raise_msg(const void *type, const char *text);
mp_obj_t mp_obj_new_float_from_f(float value);
float mp_obj_get_float_to_f(mp_obj_t from);
mp_obj_t mp_obj_new_tuple(size_t count, const mp_obj_t *items);
void mp_obj_get_array(mp_obj_t from, size_t *count, mp_obj_t **items);

#endif
