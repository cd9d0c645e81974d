/*
 * simavr.c -- an AVR core of simavr that runs the harness, and counts if asked
 *
 *     simavr MCU IMAGE [PLAN OUT]
 *
 * IMAGE is the content of the flash from address 0 on. Commands come from stdin, replies go to
 * stdout. The firmware (firmware/port/startup_avr.c) asks for them by general purpose I/O
 * registers, which lie at the same addresses in all cores that have them: it leaves the address of
 * a request in GPIOR1 and GPIOR2, and writes the operation to GPIOR0.
 *
 *     request         address u16, count u32; count becomes the bytes read
 *     operation 1     read bytes of the command stream
 *               2     write bytes of the reply stream
 *               3     end with the exit code in count
 *
 * PLAN and OUT are those of count.c. A call of a function whose first argument is the address of a
 * layer's constants works for this layer. simavr knows the cycles of each instruction:
 *
 *     cycles N        of the counted function, in all its runs
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <simavr/sim_avr.h>
#include <simavr/sim_io.h>

enum { GPIOR0 = 0x3E, GPIOR1 = 0x4A, GPIOR2 = 0x4B, SPL = 0x5D, SPH = 0x5E };
enum { READ = 1, WRITE = 2, END = 3 };
enum { MOST_LAYERS = 64, MOST_CALLS = 64, OUTSIDE = -1 };

struct range {
    uint32_t start;
    uint32_t end;
};

/* What is counted. A call ends when the stack pointer has left what it pushed. */
static struct {
    const char *out;
    struct range entry;
    struct range layers[MOST_LAYERS];
    int n_layers;
    uint8_t *begins; /* by address: whether a function begins there */
    uint64_t *executed;
    uint64_t *fell_through;
    uint64_t by_layer[MOST_LAYERS + 1];
    uint64_t runs;
    uint64_t cycles;
    struct {
        int layer;
        unsigned stack;
    } calls[MOST_CALLS];
    int depth;
} counted;

static void fail(const char *what, const char *which)
{
    fprintf(stderr, "simavr: %s: %s\n", what, which);
    exit(1);
}

static unsigned stack_of(const avr_t *avr)
{
    return avr->data[SPL] | (unsigned)avr->data[SPH] << 8;
}

static bool is_long(const avr_t *avr, uint32_t pc)
{
    const unsigned word = avr->flash[pc] | (unsigned)avr->flash[pc + 1] << 8;
    return (word & 0xFC0F) == 0x9000 || (word & 0xFE0C) == 0x940C;
}

static void write_counts(const avr_t *avr)
{
    FILE *out = fopen(counted.out, "a");

    if (out == NULL) {
        fail("cannot write", counted.out);
    }
    fprintf(out, "runs %" PRIu64 "\ncycles %" PRIu64 "\n", counted.runs, counted.cycles);
    for (int i = 0; i <= counted.n_layers; i++) {
        const int layer = i == counted.n_layers ? OUTSIDE : i;
        fprintf(out, "layer %d %" PRIu64 "\n", layer, counted.by_layer[i]);
    }
    for (uint32_t pc = 0; pc <= avr->flashend; pc += 2) {
        if (counted.executed[pc] > 0) {
            fprintf(out, "block %" PRIx32 " %d %" PRIu64 " %" PRIu64 "\n", pc,
                    is_long(avr, pc) ? 4 : 2, counted.executed[pc], counted.fell_through[pc]);
        }
    }
    if (fclose(out) != 0) {
        fail("cannot write", counted.out);
    }
}

static void end(const avr_t *avr, int code)
{
    if (counted.out != NULL) {
        write_counts(avr);
    }
    exit(fflush(stdout) == 0 ? code : 1);
}

static void on_call(avr_t *avr, avr_io_addr_t address, uint8_t operation, void *unused)
{
    uint8_t *request = avr->data + (avr->data[GPIOR1] | (unsigned)avr->data[GPIOR2] << 8);
    const unsigned bytes = request[0] | (unsigned)request[1] << 8;
    uint32_t count;

    (void)address;
    (void)unused;
    memcpy(&count, request + 2, sizeof count);
    if (operation == END) {
        end(avr, (int)count);
    }
    if (bytes + (uint64_t)count > (uint64_t)avr->ramend + 1) {
        fail("a request goes beyond the RAM", avr->mmcu);
    }
    if (operation == WRITE) {
        if (fwrite(avr->data + bytes, 1, count, stdout) != count) {
            fail("cannot write", "stdout");
        }
        return;
    }
    if (fflush(stdout) != 0) {
        fail("cannot write", "stdout");
    }
    count = (uint32_t)fread(avr->data + bytes, 1, count, stdin);
    memcpy(request + 2, &count, sizeof count);
}

/* The layer whose constants lie at an address of 16 bits, in flash or in RAM. */
static int layer_at(unsigned address)
{
    for (int i = 0; i < counted.n_layers; i++) {
        const uint32_t start = counted.layers[i].start & 0xFFFF;
        if (address >= start && address < start + counted.layers[i].end - counted.layers[i].start) {
            return i;
        }
    }
    return counted.n_layers;
}

static void push_call(int layer, unsigned stack)
{
    if (counted.depth == MOST_CALLS) {
        fail("too many calls", "of functions that work for a layer");
    }
    counted.calls[counted.depth].layer = layer;
    counted.calls[counted.depth++].stack = stack;
}

/* An instruction is about to run. Whether it is counted. */
static bool is_counted(const avr_t *avr)
{
    const unsigned stack = stack_of(avr);

    while (counted.depth > 0 && stack > counted.calls[counted.depth - 1].stack) {
        counted.depth--;
    }
    if (counted.depth == 0) {
        if (avr->pc != counted.entry.start) {
            return false;
        }
        counted.runs++;
        push_call(counted.n_layers, stack);
    } else if (counted.begins[avr->pc]) {
        const int layer = layer_at(avr->data[24] | (unsigned)avr->data[25] << 8);
        if (layer < counted.n_layers) {
            push_call(layer, stack);
        }
    }
    return true;
}

static int run_one(avr_t *avr)
{
    const uint32_t pc = avr->pc;
    const avr_cycle_count_t before = avr->cycle;
    int state;

    if (counted.out == NULL || !is_counted(avr)) {
        return avr_run(avr);
    }
    counted.executed[pc]++;
    counted.by_layer[counted.calls[counted.depth - 1].layer]++;
    state = avr_run(avr);
    counted.cycles += avr->cycle - before;
    counted.fell_through[pc] += avr->pc == pc + (is_long(avr, pc) ? 4 : 2);
    return state;
}

static void read_plan(const avr_t *avr, const char *path, const char *out)
{
    char kind[16];
    struct range range;
    FILE *plan = fopen(path, "r");
    const size_t size = (size_t)avr->flashend + 2;

    if (plan == NULL) {
        fail("cannot read", path);
    }
    counted.out = out;
    counted.begins = calloc(size, 1);
    counted.executed = calloc(size, sizeof *counted.executed);
    counted.fell_through = calloc(size, sizeof *counted.fell_through);
    if (counted.begins == NULL || counted.executed == NULL || counted.fell_through == NULL) {
        fail("no memory for", path);
    }
    while (fscanf(plan, "%15s %" SCNx32 " %" SCNx32, kind, &range.start, &range.end) == 3) {
        if (strcmp(kind, "entry") == 0) {
            counted.entry = range;
        } else if (strcmp(kind, "function") == 0 && range.start < size) {
            counted.begins[range.start] = 1;
        } else if (strcmp(kind, "layer") == 0 && counted.n_layers < MOST_LAYERS) {
            counted.layers[counted.n_layers++] = range;
        }
    }
    (void)fclose(plan);
}

static void load(avr_t *avr, const char *path)
{
    FILE *image = fopen(path, "rb");
    size_t size = 0;

    if (image == NULL) {
        fail("cannot read", path);
    }
    size = fread(avr->flash, 1, (size_t)avr->flashend + 1, image);
    (void)fclose(image);
    avr->codeend = (uint32_t)size;
}

static void log_nothing(avr_t *avr, const int level, const char *format, va_list arguments)
{
    (void)avr;
    if (level == LOG_ERROR) {
        vfprintf(stderr, format, arguments);
    }
}

int main(int argc, char **argv)
{
    avr_t *avr;
    int state = cpu_Running;

    if (argc != 3 && argc != 5) {
        fail("usage", "simavr MCU IMAGE [PLAN OUT]");
    }
    avr_global_logger_set(log_nothing);
    avr = avr_make_mcu_by_name(argv[1]);
    if (avr == NULL || avr_init(avr) != 0) {
        fail("no such core", argv[1]);
    }
    avr->frequency = 16000000;
    load(avr, argv[2]);
    if (argc == 5) {
        read_plan(avr, argv[3], argv[4]);
    }
    avr_register_io_write(avr, GPIOR0, on_call, NULL);
    while (state != cpu_Done && state != cpu_Crashed) {
        state = run_one(avr);
    }
    fail("the core took a fault", argv[1]);
}
