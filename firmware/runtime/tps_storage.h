/*
 * tps_storage.h -- where checkpoints of a model are kept: four calls that you write, and sizes
 *
 * docs/STORE.md of tpsgd-edge is the contract: every byte of a checkpoint, what is promised, and
 * what the four calls must promise. The same text in every project of this version: the models of a
 * firmware share it.
 */
#ifndef TPS_STORAGE_H
#define TPS_STORAGE_H

#include <stdint.h>

#include "tps_status.h"

/* The format that is written; the first 32 bytes of later ones will lie as in this one. */
#define TPS_STORE_VERSION 1

/* What is said of a storage, beside TPS_OK. */
enum {
    TPS_STORE_OLDER = 32,        /* loaded, but a newer checkpoint is torn or damaged */
    TPS_STORE_EMPTY = 33,        /* nothing was ever saved here */
    TPS_STORE_OTHER_MODEL = 34,  /* checkpoints of other models only */
    TPS_STORE_OTHER_FORMAT = 35, /* checkpoints of another TPS_STORE_VERSION only */
    TPS_STORE_DAMAGED = 36,      /* there is something, but no whole checkpoint */
    TPS_STORE_BAD_SIZES = 37,    /* sizes that no storage has, or too few blocks for two slots */
    TPS_STORE_NOT_LOADED = 38,   /* save before load, which looks where the newest one lies */
    TPS_STORE_FAILED = 39,       /* a call failed, or what was written does not read back */
};

/* A number of bytes in whole pages: the block of a storage that needs no erase, for a checkpoint.
 */
#define TPS_STORAGE_ROUND(bytes, page_size)                                                        \
    (((bytes) + (page_size) - 1) / (page_size) * (page_size))

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A storage of block_count blocks of block_size bytes each. The calls return 0, or anything else
 * where they fail. None is called with bytes beyond the end of a block.
 */
struct tps_storage {
    /* For the calls: a handle, a base address. */
    void *context;
    /* Read any count bytes of a block from any offset on. What cannot be read counts as damaged. */
    int (*read)(void *context, uint32_t block, uint32_t offset, void *bytes, uint32_t count);
    /* Program bytes of a page, each at most once after an erase: program_size, or a multiple. */
    int (*program)(void *context, uint32_t block, uint32_t offset, const void *bytes,
                   uint32_t count);
    /* Erase a block: all of its bits become equal. What has no erase returns 0. */
    int (*erase)(void *context, uint32_t block);
    /* Return when all that was programmed and erased will survive a loss of power. */
    int (*sync)(void *context);
    /* page_size bytes of RAM to work in; the bytes that program gets begin here. */
    uint8_t *page;
    uint32_t program_size; /* bytes that are programmed at once; 1 and more */
    uint32_t page_size;    /* the most bytes of one program: 32 or more, and a multiple */
    uint32_t block_size;   /* bytes that are erased at once: a multiple of page_size */
    uint32_t block_count;  /* 2 and more: each checkpoint goes to another place than the latest */
    /*
     * 1: after a start the first save goes on in a block whose rest reads as erased. 0: it takes a
     * new block. Choose 0 where bytes whose program was cut off may read as erased and still not
     * take another one, as in flash with error correction (STM32L4, G4, H7).
     */
    uint32_t resumes;
};

/* What a model's functions know of a storage; yours to keep, and to read. */
struct tps_store {
    uint32_t ready;          /* set by load */
    uint32_t sequence;       /* number of the checkpoint that was loaded or saved last; 0: none */
    uint32_t step;           /* training steps of its model */
    uint32_t block;          /* where it begins */
    uint32_t offset;         /* ... in this block */
    uint32_t damaged;        /* places that hold something, but no whole checkpoint */
    uint32_t damaged_block;  /* one of them: the newest, as far as that is known */
    uint32_t damaged_offset; /* ... in this block */
    uint32_t group;          /* where the next one goes */
    uint32_t index;
    uint32_t held; /* 1 + the group of the newest whole checkpoint; 0: none */
    uint32_t next; /* number of the next one */
    uint32_t seal; /* CRC-32 of all this and of the model, at the latest call of seal */
};

#ifdef __cplusplus
}
#endif

#endif
