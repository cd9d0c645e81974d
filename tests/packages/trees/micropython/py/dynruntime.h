/* dynruntime.h -- as much of MicroPython as a native module reaches, for tests */
#include "obj.h"

typedef struct {
    mp_obj_t globals;
} mp_obj_fun_bc_t;

struct mp_fun_table {
    void *(*memset_)(void *, int, size_t);
    void *(*memmove_)(void *, const void *, size_t);
};
extern const struct mp_fun_table mp_fun_table;

void mp_store_global(int name, mp_obj_t value);
mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args);

#define MP_DYNRUNTIME_INIT_ENTRY (void)self;
#define MP_DYNRUNTIME_INIT_EXIT return mp_const_none;
