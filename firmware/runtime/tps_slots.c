/* tps_slots.c -- what is read of the slots of a storage */
#include "tps_slots.h"

#include "tps_crc32.h"

#include <stddef.h>

/* Sums of sizes stay below 2^32. */
#define LARGEST ((uint32_t)1 << 30)

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Whether there are two groups or more, so that one can be erased while the other is kept. */
bool tps_slots_divide(struct tps_ring *ring, const struct tps_storage *storage,
                      const struct tps_store_model *model)
{
    const uint32_t once = storage->program_size;
    const uint32_t page = storage->page_size;
    const uint32_t block = storage->block_size;

    if (once == 0 || page < TPS_SLOT_HEADER_BYTES || block < page || block > LARGEST ||
        model->bytes > LARGEST / 2 || page % once != 0 || block % page != 0) {
        return false;
    }
    const uint32_t bytes = TPS_SLOT_HEADER_BYTES + model->bytes + 4;
    ring->storage = storage;
    ring->model = model;
    ring->slot_bytes = (bytes - 1) / page * page + page;
    ring->slots = ring->slot_bytes <= block ? block / ring->slot_bytes : 1;
    ring->blocks = (ring->slot_bytes - 1) / block + 1;
    ring->groups = storage->block_count / ring->blocks;
    return ring->groups >= 2;
}

uint32_t tps_slot_block(const struct tps_ring *ring, uint32_t slot)
{
    return slot / ring->slots * ring->blocks;
}

uint32_t tps_slot_offset(const struct tps_ring *ring, uint32_t slot)
{
    return slot % ring->slots * ring->slot_bytes;
}

/* Read count bytes of a slot from an offset on, block by block. */
static bool read_slot(const struct tps_ring *ring, uint32_t slot, uint32_t offset, uint8_t *to,
                      uint32_t count)
{
    const struct tps_storage *storage = ring->storage;
    uint32_t block = tps_slot_block(ring, slot);

    offset += tps_slot_offset(ring, slot);
    while (count > 0) {
        block += offset / storage->block_size;
        offset %= storage->block_size;
        const uint32_t part = smaller(count, storage->block_size - offset);
        if (storage->read(storage->context, block, offset, to, part) != 0) {
            return false;
        }
        to += part;
        offset += part;
        count -= part;
    }
    return true;
}

/* Whether bytes are what an erase leaves: all 0xFF or, in some flash, all 0. */
static bool are_erased(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (bytes[i] != bytes[0]) {
            return false;
        }
    }
    return bytes[0] == 0xFF || bytes[0] == 0;
}

bool tps_slot_is_erased(const struct tps_ring *ring, uint32_t slot)
{
    const uint32_t page = ring->storage->page_size;
    uint8_t *const bytes = ring->storage->page;

    for (uint32_t done = 0; done < ring->slot_bytes; done += page) {
        if (!read_slot(ring, slot, done, bytes, page) || !are_erased(bytes, page)) {
            return false;
        }
    }
    return true;
}

uint32_t tps_slot_read_header(const struct tps_ring *ring, uint32_t slot,
                              struct tps_slot_header *header)
{
    uint8_t *const bytes = ring->storage->page;

    if (!read_slot(ring, slot, 0, bytes, TPS_SLOT_HEADER_BYTES)) {
        return TPS_SLOT_UNREADABLE;
    }
    header->sequence = get_u32(bytes + 8);
    header->step = get_u32(bytes + 16);
    header->crc = get_u32(bytes + TPS_SLOT_HEADER_CRC);
    if (are_erased(bytes, TPS_SLOT_HEADER_BYTES)) {
        return TPS_SLOT_ERASED;
    }
    if (get_u32(bytes) != TPS_SLOT_MAGIC ||
        header->crc != tps_crc32(0, bytes, TPS_SLOT_HEADER_CRC)) {
        return TPS_SLOT_UNREADABLE;
    }
    if (get_u32(bytes + 4) != TPS_STORE_VERSION) {
        return TPS_SLOT_OTHER_FORMAT;
    }
    if (get_u32(bytes + 12) != ring->model->id || get_u32(bytes + 20) != ring->model->bytes) {
        return TPS_SLOT_OTHER_MODEL;
    }
    return TPS_SLOT_OURS;
}

bool tps_slot_is_whole(const struct tps_ring *ring, uint32_t slot, uint32_t crc, uint8_t *state)
{
    uint8_t *const page = ring->storage->page;
    const uint32_t end = TPS_SLOT_HEADER_BYTES + ring->model->bytes;
    uint32_t part;

    for (uint32_t at = TPS_SLOT_HEADER_BYTES; at < end; at += part) {
        uint8_t *const to = state != NULL ? state + (at - TPS_SLOT_HEADER_BYTES) : page;
        part = smaller(end - at, ring->storage->page_size);
        if (!read_slot(ring, slot, at, to, part)) {
            return false;
        }
        crc = tps_crc32(crc, to, part);
    }
    return read_slot(ring, slot, end, page, 4) && get_u32(page) == crc;
}
