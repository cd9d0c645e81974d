/*
 * flash.h -- simulated flash that loses power in the middle of an operation
 *
 * Programs clear bits only, and each unit takes one program after an erase. What is cut off leaves
 * a mixture that is drawn. Whatever a real flash would not forgive counts as a violation.
 */
#ifndef FLASH_H
#define FLASH_H

#include "tps_storage.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_BLOCKS 64

struct flash {
    uint8_t *bytes;
    uint8_t *cells;  /* what a program makes of its cells */
    uint8_t *taken;  /* one for each unit: programmed since the latest erase */
    uint8_t *poison; /* one for each unit: cut off, so that reading it may fail */
    uint32_t size;
    uint32_t units;
    uint32_t starts[MAX_BLOCKS];  /* where each block begins: sectors may differ in size */
    uint32_t sectors[MAX_BLOCKS]; /* what its erase erases */
    uint32_t erased[MAX_BLOCKS];  /* how often */
    struct tps_storage storage;
    bool is_strict;     /* a unit that was cut off takes no program, whatever it reads as */
    bool fails_to_read; /* ... and does not read */
    uint8_t erased_as;  /* 0xFF, or 0 in flash whose programs set bits */
    uint32_t faults;    /* one operation in so many fails, with a word of it or without; 0: none */
    uint64_t random;
    uint64_t operations; /* so far: units programmed, blocks erased, calls of sync */
    uint64_t cut_at;     /* the operation in which power fails; UINT64_MAX: never */
    jmp_buf power_off;
    uint64_t violations;
    const char *violation; /* the first one */
};

/* A flash of blocks that lie behind each other, all erased. sectors[count]; NULL: block_size. */
bool flash_make(struct flash *flash, uint32_t unit, uint32_t page, uint32_t block, uint32_t count,
                const uint32_t *sectors);
uint32_t flash_draw(struct flash *flash, uint32_t below);

struct snapshot {
    uint8_t *all;
};
struct snapshot flash_snapshot(const struct flash *flash);
void flash_keep(const struct flash *flash, struct snapshot to);
void flash_restore(struct flash *flash, struct snapshot from);

#endif
