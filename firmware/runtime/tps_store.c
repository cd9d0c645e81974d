/*
 * tps_store.c -- checkpoints of any model in any storage (docs/STORE.md)
 *
 * Slots are written one after the other, around the ring. The group of the newest whole checkpoint
 * is never erased.
 */
#include "tps_store.h"

#include "tps_crc32.h"
#include "tps_slots.h"

#include <stdbool.h>
#include <stddef.h>

#define READY 0x74535054u

static void note_damage(struct tps_store *store, const struct tps_ring *ring, uint32_t slot)
{
    store->damaged++;
    store->damaged_block = tps_slot_block(ring, slot);
    store->damaged_offset = tps_slot_offset(ring, slot);
}

/* Whether a group is of another model or format, whose slots have other lengths. */
static bool is_of_others(uint32_t kind)
{
    return kind == TPS_SLOT_OTHER_MODEL || kind == TPS_SLOT_OTHER_FORMAT;
}

/* The first slot of the group behind that of a slot. */
static uint32_t next_group(const struct tps_ring *ring, uint32_t slot)
{
    return slot - slot % ring->slots + ring->slots;
}

/*
 * Look at all headers, and let the next checkpoint follow the newest, of whatever model. Returns
 * what was seen.
 */
TPS_APART static uint32_t look_at_all(struct tps_store *store, const struct tps_ring *ring)
{
    struct tps_slot_header header;
    uint32_t seen = 0;

    /* As if there were one, of number 0, in the last group. */
    store->next = 1;
    store->group = ring->groups - 1;
    store->index = ring->slots;
    for (uint32_t slot = 0; slot < ring->groups * ring->slots;) {
        const uint32_t kind = tps_slot_read_header(ring, slot, &header);
        const bool is_first = seen < TPS_SLOT_OTHER_FORMAT;
        seen |= kind;
        if (kind == TPS_SLOT_UNREADABLE) {
            note_damage(store, ring, slot);
        }
        /* Numbers may pass 2^32: what is less than half of that ahead is newer. */
        if (kind >= TPS_SLOT_OTHER_FORMAT &&
            (is_first || header.sequence - store->next < (uint32_t)1 << 31)) {
            store->next = header.sequence + 1;
            store->group = slot / ring->slots;
        }
        slot = is_of_others(kind) ? next_group(ring, slot) : slot + 1;
    }
    return seen;
}

/*
 * Find the newest checkpoint of this model whose age is at least *age; its age takes the place of
 * that. The upper half of an age counts numbers back from the newest, the lower half is the slot.
 */
TPS_APART static bool find_older(uint64_t *age, uint32_t newest, const struct tps_ring *ring)
{
    struct tps_slot_header header;
    uint64_t best = UINT64_MAX;

    for (uint32_t slot = 0; slot < ring->groups * ring->slots;) {
        const uint32_t kind = tps_slot_read_header(ring, slot, &header);
        const uint64_t key = (uint64_t)(newest - header.sequence) << 32 | slot;
        if (kind == TPS_SLOT_OURS && key >= *age && key < best) {
            best = key;
        }
        slot = is_of_others(kind) ? next_group(ring, slot) : slot + 1;
    }
    *age = best;
    return best != UINT64_MAX;
}

/* Whether something begins where a save after this checkpoint would have written. */
TPS_APART static bool is_followed(const struct tps_ring *ring, uint32_t slot)
{
    struct tps_slot_header header;
    const uint32_t next = next_group(ring, slot) % (ring->groups * ring->slots);

    if (tps_slot_read_header(ring, next, &header) == TPS_SLOT_UNREADABLE) {
        return true;
    }
    slot++;
    return slot % ring->slots != 0 &&
           tps_slot_read_header(ring, slot, &header) == TPS_SLOT_UNREADABLE;
}

static void hold(struct tps_store *store, const struct tps_ring *ring, uint32_t slot,
                 const struct tps_slot_header *header)
{
    store->sequence = header->sequence;
    store->step = header->step;
    store->block = tps_slot_block(ring, slot);
    store->offset = tps_slot_offset(ring, slot);
    store->held = slot / ring->slots + 1;
}

/* Why nothing was loaded, where this was seen. */
static tps_status verdict(uint32_t seen)
{
    if ((seen & TPS_SLOT_OURS) != 0) {
        return TPS_STORE_DAMAGED;
    }
    if ((seen & TPS_SLOT_OTHER_FORMAT) != 0) {
        return TPS_STORE_OTHER_FORMAT;
    }
    if ((seen & TPS_SLOT_OTHER_MODEL) != 0) {
        return TPS_STORE_OTHER_MODEL;
    }
    return (seen & TPS_SLOT_UNREADABLE) != 0 ? TPS_STORE_DAMAGED : TPS_STORE_EMPTY;
}

tps_status tps_store_load(struct tps_store *store, const struct tps_storage *storage,
                          const struct tps_store_model *model, void *state)
{
    struct tps_slot_header header;
    struct tps_ring ring;
    uint64_t age = 0;

    *store = (struct tps_store){0};
    if (!tps_slots_divide(&ring, storage, model)) {
        return TPS_STORE_BAD_SIZES;
    }
    const uint32_t seen = look_at_all(store, &ring);
    store->ready = READY;
    for (bool is_first = true; find_older(&age, store->next - 1, &ring); is_first = false) {
        const uint32_t slot = (uint32_t)age;
        if (tps_slot_read_header(&ring, slot, &header) == TPS_SLOT_OURS &&
            tps_slot_is_whole(&ring, slot, header.crc, state)) {
            hold(store, &ring, slot, &header);
            store->group = slot / ring.slots;
            store->index = storage->resumes != 0 ? slot % ring.slots + 1 : ring.slots;
            return is_first && !is_followed(&ring, slot) ? TPS_OK : TPS_STORE_OLDER;
        }
        if (is_first) {
            note_damage(store, &ring, slot);
        } else {
            store->damaged++;
        }
        age++;
    }
    return verdict(seen);
}

/* Find an erased slot, and erase the next group where this one has none. */
TPS_APART static bool take_slot(struct tps_store *store, const struct tps_ring *ring,
                                uint32_t *slot)
{
    for (; store->index < ring->slots; store->index++) {
        *slot = store->group * ring->slots + store->index;
        if (tps_slot_is_erased(ring, *slot)) {
            store->index++;
            return true;
        }
    }
    /* Where a block does not take an erase, the next call leaves its group alone. */
    store->group = (store->group + 1) % ring->groups;
    if (store->group + 1 == store->held) {
        store->group = (store->group + 1) % ring->groups;
    }
    *slot = store->group * ring->slots;
    for (uint32_t i = 0; i < ring->blocks; i++) {
        if (ring->storage->erase(ring->storage->context, tps_slot_block(ring, *slot) + i) != 0) {
            return false;
        }
    }
    store->index = 1;
    return true;
}

/* What was put and is not programmed yet lies in the storage's page. */
struct writer {
    const struct tps_storage *storage;
    uint32_t block;
    uint32_t offset;
    uint32_t fill;
    bool has_failed;
};

static void flush(struct writer *writer)
{
    const struct tps_storage *storage = writer->storage;

    while (writer->fill % storage->program_size != 0) {
        storage->page[writer->fill++] = 0xFF;
    }
    if (writer->fill > 0 && !writer->has_failed) {
        writer->has_failed = storage->program(storage->context, writer->block, writer->offset,
                                              storage->page, writer->fill) != 0;
    }
    writer->offset += writer->fill;
    writer->fill = 0;
    if (writer->offset == storage->block_size) {
        writer->offset = 0;
        writer->block++;
    }
}

static void put(struct writer *writer, const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        writer->storage->page[writer->fill++] = bytes[i];
        if (writer->fill == writer->storage->page_size) {
            flush(writer);
        }
    }
}

static void put_u32(struct writer *writer, uint32_t value)
{
    uint8_t bytes[4];

    for (uint32_t i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    put(writer, bytes, 4);
}

TPS_APART static bool write_slot(const struct tps_ring *ring, uint32_t slot,
                                 const struct tps_slot_header *header, const uint8_t *state)
{
    const struct tps_storage *storage = ring->storage;
    struct writer writer = {storage, tps_slot_block(ring, slot), tps_slot_offset(ring, slot), 0,
                            false};

    put_u32(&writer, TPS_SLOT_MAGIC);
    put_u32(&writer, TPS_STORE_VERSION);
    put_u32(&writer, header->sequence);
    put_u32(&writer, ring->model->id);
    put_u32(&writer, header->step);
    put_u32(&writer, ring->model->bytes);
    put_u32(&writer, 0);
    /* A page holds a header, so all of it is still there. */
    const uint32_t crc = tps_crc32(0, storage->page, TPS_SLOT_HEADER_CRC);
    put_u32(&writer, crc);
    put(&writer, state, ring->model->bytes);
    put_u32(&writer, tps_crc32(crc, state, ring->model->bytes));
    flush(&writer);
    return !writer.has_failed && storage->sync(storage->context) == 0;
}

tps_status tps_store_save(struct tps_store *store, const struct tps_storage *storage,
                          const struct tps_store_model *model, const void *state, uint32_t step)
{
    struct tps_slot_header header = {store->next, step, 0};
    struct tps_ring ring;
    uint32_t slot;

    if (!tps_slots_divide(&ring, storage, model)) {
        return TPS_STORE_BAD_SIZES;
    }
    if (store->ready != READY) {
        return TPS_STORE_NOT_LOADED;
    }
    store->next++;
    if (!take_slot(store, &ring, &slot) || !write_slot(&ring, slot, &header, state)) {
        return TPS_STORE_FAILED;
    }
    /* The number too: where neither erase nor program did anything, an old one is still whole. */
    if (tps_slot_read_header(&ring, slot, &header) != TPS_SLOT_OURS ||
        header.sequence + 1 != store->next || !tps_slot_is_whole(&ring, slot, header.crc, NULL)) {
        return TPS_STORE_FAILED;
    }
    hold(store, &ring, slot, &header);
    return TPS_OK;
}

uint32_t tps_store_seal(const struct tps_store *store, const struct tps_store_model *model,
                        const void *state)
{
    const uint32_t crc = tps_crc32(0, model, sizeof *model);

    return tps_crc32(tps_crc32(crc, store, offsetof(struct tps_store, seal)), state, model->bytes);
}
