/*
 * tps_slots.h -- the slots of a storage, and what is read of them (docs/STORE.md)
 *
 * A storage is a ring of slots, one for each checkpoint, counted from 0. Slots that are erased
 * together are a group: some in a block, or some blocks for one slot.
 */
#ifndef TPS_SLOTS_H
#define TPS_SLOTS_H

#include "tps_compiler.h"
#include "tps_names.h"
#include "tps_storage.h"

#include <stdbool.h>
#include <stdint.h>

/* A slot: the header, whose last four bytes are its CRC-32; the state; a CRC-32 of both. */
#define TPS_SLOT_HEADER_BYTES 32u
#define TPS_SLOT_HEADER_CRC 28u
#define TPS_SLOT_MAGIC 0x74537074u /* "tpSt" */

/* Which states are a model's, and how many bytes of its struct they take. */
struct tps_store_model {
    uint32_t id;
    uint32_t bytes;
};

/* How a storage is divided for a model. */
struct tps_ring {
    const struct tps_storage *storage;
    const struct tps_store_model *model;
    uint32_t slot_bytes;
    uint32_t slots;  /* in a group */
    uint32_t blocks; /* of a group */
    uint32_t groups;
};

/* What a slot holds, as bits. */
#define TPS_SLOT_ERASED 1u
#define TPS_SLOT_UNREADABLE 2u
#define TPS_SLOT_OTHER_FORMAT 4u
#define TPS_SLOT_OTHER_MODEL 8u
#define TPS_SLOT_OURS 16u

/* What the header of a slot says; numbers mean nothing in one that is erased or unreadable. */
struct tps_slot_header {
    uint32_t sequence;
    uint32_t step;
    uint32_t crc;
};

/* Divide a storage. Returns whether it has sizes, and two groups: one is kept, one is erased. */
bool tps_slots_divide(struct tps_ring *ring, const struct tps_storage *storage,
                      const struct tps_store_model *model);

/* Where a slot begins. */
uint32_t tps_slot_block(const struct tps_ring *ring, uint32_t slot);
uint32_t tps_slot_offset(const struct tps_ring *ring, uint32_t slot);

/* Whether all of a slot reads as erased: all 0xFF or, in some flash, all 0. */
bool tps_slot_is_erased(const struct tps_ring *ring, uint32_t slot);

/* Read the header of a slot, by way of the storage's page. Returns what the slot holds. */
uint32_t tps_slot_read_header(const struct tps_ring *ring, uint32_t slot,
                              struct tps_slot_header *header);

/*
 * Whether a slot of ours, whose header has this CRC, is whole. Its state goes to `state`, or
 * nowhere where that is NULL.
 */
bool tps_slot_is_whole(const struct tps_ring *ring, uint32_t slot, uint32_t crc, uint8_t *state);

#endif
