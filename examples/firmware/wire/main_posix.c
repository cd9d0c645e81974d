/*
 * main_posix.c -- a device that is a process of this computer, for a first look at the wire
 *
 *     tpsgd-edge build digits.toml --set firmware.wire=true --platform host --out digits && make -C
 * digits cc -DMODEL=digits -DMODEL_H='"digits_wire.h"' -I digits main_posix.c digits/libdigits.a -o
 * device
 *     ./device 5555 &
 *     tpsgd-edge link socket://localhost:5555 digits.toml feed --train
 *
 * The argument is a port, 0 for any, or pty. With -DSTORE (and firmware.store=true, and the folder
 * of store_file.h) a second one is the file of its checkpoints; with -DLOGGED (and
 * firmware.log=100) a third one is the file of its log.
 */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE

#include MODEL_H

#include "line_posix.h"

#include <stdio.h>

#define JOINED(a, b) a##b
#define JOIN(a, b) JOINED(a, b)
#define OWN(name) JOIN(MODEL, name)

static struct OWN(_model) model;
static struct OWN(_model) scratch;
static struct OWN(_wire) wire;
static struct line_posix line;

#ifdef STORE
#include "store_file.h"

static struct tps_store store;
static struct store_file file;
static uint8_t page[256];

static void load(const char *path)
{
    if (!store_file_open(&file, path, page, sizeof page, 32 + 4 + sizeof model, 3)) {
        exit(1);
    }
    OWN(_load)(&store, &file.storage, &model);
    wire.store = &store;
    wire.storage = &file.storage;
}
#else
static void load(const char *path)
{
    (void)path;
    OWN(_init)(&model);
}
#endif

#ifdef LOGGED
/* A third argument is the file of the log. */
static struct OWN(_log) written;

static bool append(void *context, const void *bytes, uint32_t count)
{
    return fwrite(bytes, 1, count, context) == count && fflush(context) == 0;
}

static void begin_log(const char *path)
{
    written.context = fopen(path, "ab");
    written.write = append;
    if (written.context == NULL || !OWN(_log_begin)(&written, &model)) {
        exit(1);
    }
    wire.written = &written;
}
#else
static void begin_log(const char *path)
{
    (void)path;
}
#endif

static bool open_line(const char *where)
{
    char name[64];

    if (strcmp(where, "pty") == 0) {
        return line_posix_pty(&line, name, sizeof name) && printf("%s\n", name) > 0;
    }
    const int port = line_posix_listen(&line, (uint16_t)atoi(where));
    return port >= 0 && printf("socket://localhost:%d\n", port) > 0;
}

int main(int count, char **arguments)
{
    if (!open_line(count > 1 ? arguments[1] : "0")) {
        perror("the line");
        return 1;
    }
    fflush(stdout);
    OWN(_wire_open)(&wire, &line.line, &model);
    wire.scratch = &scratch;
    load(count > 2 ? arguments[2] : "checkpoints.bin");
    begin_log(count > 3 ? arguments[3] : "device.log");
    for (;;) {
        line_posix_wait(&line, 100);
        while (OWN(_wire_poll)(&wire)) {
        }
    }
}
