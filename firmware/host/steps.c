/*
 * steps.c -- counts the instructions of each call of one function, for QEMU
 *
 * A plugin for qemu-system-*, built by tools/count_training.py:
 *
 *     -plugin steps.so,entry=A,outside=B,end=C,out=FILE
 *
 * A is where the function begins; when the core comes to an address in [B, C), which is the
 * harness, it has returned. All are hexadecimal. The file gets one u32 a call, behind what it
 * holds.
 *
 * Counting is an addition in the translated code, so that whole trainings can be counted. Blocks
 * are counted as count.c does: all instructions of each block that ran.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Version 1 of QEMU's plugin interface, as far as it is used here. */
#define QEMU_PLUGIN_NO_REGISTERS 0
#define QEMU_PLUGIN_ADD 0

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_info_t;

typedef void (*translated_fn)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*executed_fn)(unsigned int cpu, void *data);
typedef void (*ended_fn)(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, translated_fn callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, executed_fn callback,
                                          int registers, void *data);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int operation, void *place,
                                              uint64_t number);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, ended_fn callback, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);

#define EXPORT __attribute__((visibility("default")))
extern EXPORT int qemu_plugin_version;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int count,
                               char **arguments);

int qemu_plugin_version = 1;

static uint64_t entry, outside, end, executed, at_entry;
static int is_running;
static FILE *out;

/* Both are called before the block is added. */
static void on_entry(unsigned int cpu, void *data)
{
    (void)cpu;
    (void)data;
    if (!is_running) {
        at_entry = executed;
        is_running = 1;
    }
}

static void on_outside(unsigned int cpu, void *data)
{
    (void)cpu;
    (void)data;
    if (is_running) {
        const uint32_t count = (uint32_t)(executed - at_entry);

        fwrite(&count, sizeof count, 1, out);
        is_running = 0;
    }
}

static void on_new_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    const uint64_t address = qemu_plugin_tb_vaddr(tb);

    (void)id;
    if (address == entry) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_entry, QEMU_PLUGIN_NO_REGISTERS, NULL);
    } else if (address >= outside && address < end) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, on_outside, QEMU_PLUGIN_NO_REGISTERS, NULL);
    }
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_ADD, &executed,
                                             qemu_plugin_tb_n_insns(tb));
}

static void on_close(qemu_plugin_id_t id, void *data)
{
    (void)id;
    (void)data;
    fclose(out);
}

static int read_address(const char *argument, const char *name, uint64_t *address)
{
    const size_t length = strlen(name);

    return strncmp(argument, name, length) == 0 &&
           sscanf(argument + length, "%" SCNx64, address) == 1;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int count,
                        char **arguments)
{
    int known = 0;

    (void)info;
    for (int i = 0; i < count; i++) {
        if (strncmp(arguments[i], "out=", 4) == 0) {
            out = fopen(arguments[i] + 4, "ab");
            continue;
        }
        known += read_address(arguments[i], "entry=", &entry) ||
                 read_address(arguments[i], "outside=", &outside) ||
                 read_address(arguments[i], "end=", &end);
    }
    if (known != 3 || out == NULL) {
        fprintf(stderr, "steps: not all addresses, or no file to write\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_new_block);
    qemu_plugin_register_atexit_cb(id, on_close, NULL);
    return 0;
}
