/*
 * count.c -- counts what an emulated core executes in one function of the model, for QEMU
 *
 * A plugin for qemu-system-*, built by tpsgd_edge/toolchain/qemu_counter.py:
 *
 *     -plugin count.so,plan=FILE,out=FILE
 *
 * The plan has one line for each range of addresses, first and last + 1, both in hexadecimal:
 *
 *     entry A B       the function that is counted, everything it calls included
 *     outside A B     the harness: when the core comes here, the counted function has returned
 *     function A B    any function (and so the others)
 *     layer A B       the constants of a layer; layers are numbered from 0
 *
 * A function works for a layer when it, or what it calls, reads the constants of this layer and of
 * no other; and what it calls does so too. At the end go behind what the output holds, in decimal
 * but for addresses:
 *
 *     runs N                of the counted function
 *     layer I N             instructions for layer I; I = -1: for none
 *     block A BYTES N F     executions of a block of code, and how many of them did not jump
 *
 * QEMU tells of a block before it runs, and of each load and store. It executes a block to its end,
 * so that blocks times their instructions is exact. Instructions that an IT block skips are in it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Version 1 of QEMU's plugin interface, as far as it is used here. */
#define QEMU_PLUGIN_NO_REGISTERS 0
/* Nothing is stored in constants. QEMU 7.2 takes loads for stores when asked for loads alone. */
#define QEMU_PLUGIN_LOADS_AND_STORES 3

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t {
    const char *target_name; /* and more */
};

typedef void (*translated_fn)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*executed_fn)(unsigned int cpu, void *data);
typedef void (*accessed_fn)(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address,
                            void *data);
typedef void (*ended_fn)(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, translated_fn callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, executed_fn callback,
                                          int registers, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, accessed_fn callback,
                                      int registers, int access, void *data);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, ended_fn callback, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);

#define EXPORT __attribute__((visibility("default")))
extern EXPORT int qemu_plugin_version;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int count,
                               char **arguments);

int qemu_plugin_version = 1;

#define MOST_RANGES 4096
#define MOST_FRAMES 64
#define NO_LAYER (-1)
#define SEVERAL (-2)

struct range {
    uint64_t start;
    uint64_t end;
};

struct ranges {
    int count;
    struct range of[MOST_RANGES];
};

/* A block of code that QEMU translated. It may do that again: then there are two of them. */
struct block {
    uint64_t start;
    uint64_t end;
    uint64_t instructions;
    uint64_t executions;
    uint64_t fell_through;
    int function;
    int is_entry;
    int is_outside;
    int is_counted;
    struct block *next;
};

/* A function at work. */
struct frame {
    uint64_t returns_to;
    uint64_t instructions;
    int function;
    int layer;
};

static struct range entry;
static struct ranges outside, functions, layers;
static uint64_t by_layer[MOST_RANGES], without_layer, runs;
static struct block *blocks, *latest;
static struct frame frames[MOST_FRAMES];
static int depth;
static const char *out_path;
static int is_thumb;

static int find(const struct ranges *ranges, uint64_t address)
{
    for (int i = 0; i < ranges->count; i++) {
        if (address >= ranges->of[i].start && address < ranges->of[i].end) {
            return i;
        }
    }
    return -1;
}

static void push(uint64_t returns_to, int function)
{
    if (depth == MOST_FRAMES) {
        fprintf(stderr, "count: calls are nested too deeply\n");
        exit(1);
    }
    frames[depth++] = (struct frame){returns_to, 0, function, NO_LAYER};
}

static void pop(void)
{
    const struct frame *frame = &frames[--depth];

    if (frame->layer >= 0) {
        by_layer[frame->layer] += frame->instructions;
    } else if (depth > 0) {
        frames[depth - 1].instructions += frame->instructions;
    } else {
        without_layer += frame->instructions;
    }
}

static void pop_to(int level)
{
    while (depth > level) {
        pop();
    }
}

/* Follow a call or a return. A call that is a jump leaves its frame behind, until both return. */
static void follow(const struct block *block)
{
    if (block->is_entry) {
        if (block->function != frames[depth - 1].function) {
            push(latest->end, block->function);
        }
        return;
    }
    for (int level = depth - 1; level > 0; level--) {
        if (frames[level].returns_to == block->start) {
            pop_to(level);
            return;
        }
    }
}

static void on_block(unsigned int cpu, void *data)
{
    struct block *block = data;

    (void)cpu;
    if (block->is_outside) {
        pop_to(0);
        return;
    }
    if (depth > 0) {
        latest->fell_through += latest->end == block->start;
        follow(block);
    } else if (block->is_counted) {
        runs++;
        push(0, block->function);
    } else {
        return;
    }
    frames[depth - 1].instructions += block->instructions;
    block->executions++;
    latest = block;
}

static void on_access(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
    const int layer = find(&layers, address);

    (void)cpu;
    (void)info;
    (void)data;
    /* Not for the counted function itself. */
    for (int level = depth - 1; layer >= 0 && level > 0; level--) {
        struct frame *frame = &frames[level];
        frame->layer = frame->layer == NO_LAYER || frame->layer == layer ? layer : SEVERAL;
    }
}

/* QEMU's own size may have two bytes too many, where the next instruction lies in two pages. */
static uint64_t size_of(const struct qemu_plugin_insn *insn)
{
    const uint8_t *bytes = qemu_plugin_insn_data(insn);
    const int halfword = bytes[0] | bytes[1] << 8;
    const int is_long = is_thumb ? halfword >= 0xE800 : (halfword & 3) == 3;

    return is_long ? 4 : 2;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    const size_t count = qemu_plugin_tb_n_insns(tb);
    struct block *block = calloc(1, sizeof *block);

    (void)id;
    if (block == NULL) {
        fprintf(stderr, "count: out of memory\n");
        exit(1);
    }
    block->start = block->end = qemu_plugin_tb_vaddr(tb);
    block->instructions = count;
    block->function = find(&functions, block->start);
    block->is_entry = block->function >= 0 && functions.of[block->function].start == block->start;
    block->is_outside = find(&outside, block->start) >= 0;
    block->is_counted = block->start == entry.start;
    block->next = blocks;
    blocks = block;
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        block->end += size_of(insn);
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_NO_REGISTERS,
                                         QEMU_PLUGIN_LOADS_AND_STORES, NULL);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_NO_REGISTERS, block);
}

static void on_end(qemu_plugin_id_t id, void *data)
{
    FILE *out = fopen(out_path, "a");

    (void)id;
    (void)data;
    if (out == NULL) {
        return;
    }
    pop_to(0);
    fprintf(out, "runs %" PRIu64 "\nlayer -1 %" PRIu64 "\n", runs, without_layer);
    for (int i = 0; i < layers.count; i++) {
        fprintf(out, "layer %d %" PRIu64 "\n", i, by_layer[i]);
    }
    for (const struct block *block = blocks; block != NULL; block = block->next) {
        if (block->executions > 0) {
            fprintf(out, "block %" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", block->start,
                    block->end - block->start, block->executions, block->fell_through);
        }
    }
    fclose(out);
}

static int add(struct ranges *ranges, struct range range)
{
    if (ranges->count == MOST_RANGES) {
        return 0;
    }
    ranges->of[ranges->count++] = range;
    return 1;
}

static int read_line(const char *line)
{
    char kind[16];
    struct range range;

    if (sscanf(line, "%15s %" SCNx64 " %" SCNx64, kind, &range.start, &range.end) != 3) {
        return 0;
    }
    if (strcmp(kind, "entry") == 0) {
        entry = range;
        return 1;
    }
    return strcmp(kind, "outside") == 0    ? add(&outside, range)
           : strcmp(kind, "function") == 0 ? add(&functions, range)
           : strcmp(kind, "layer") == 0    ? add(&layers, range)
                                           : 0;
}

static int read_plan(const char *path)
{
    char line[128];
    int good = 1;
    FILE *plan = fopen(path, "r");

    if (plan == NULL) {
        return 0;
    }
    while (good && fgets(line, sizeof line, plan) != NULL) {
        good = read_line(line);
    }
    fclose(plan);
    return good;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int count,
                        char **arguments)
{
    int planned = 0;

    is_thumb = strcmp(info->target_name, "arm") == 0;
    for (int i = 0; i < count; i++) {
        if (strncmp(arguments[i], "plan=", 5) == 0) {
            planned = read_plan(arguments[i] + 5);
        } else if (strncmp(arguments[i], "out=", 4) == 0) {
            out_path = arguments[i] + 4;
        }
    }
    if (!planned || out_path == NULL) {
        fprintf(stderr, "count: no good plan, or no out\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
