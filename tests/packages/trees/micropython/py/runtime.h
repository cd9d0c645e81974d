/* runtime.h -- as much of MicroPython as registers a user C module, for tests */
#include "obj.h"

typedef struct {
    mp_obj_t key;
    mp_obj_t value;
} mp_rom_map_elem_t;
typedef struct {
    size_t count;
    const mp_rom_map_elem_t *entries;
} mp_obj_dict_t;
typedef struct {
    struct {
        const void *type;
    } base;
    mp_obj_dict_t *globals;
} mp_obj_module_t;

extern const int mp_type_module;

#define MP_ROM_QSTR(name) MP_OBJ_NEW_SMALL_INT(name)
#define MP_ROM_INT(value) MP_OBJ_NEW_SMALL_INT(value)
#define MP_ROM_PTR(at) MP_OBJ_FROM_PTR(at)
#define MP_DEFINE_CONST_DICT(name, table)                                                          \
    const mp_obj_dict_t name = {sizeof(table) / sizeof(table)[0], table}
#define MP_REGISTER_MODULE(name, module)                                                           \
    extern const mp_obj_module_t *const registered;                                                \
    const mp_obj_module_t *const registered = &module
