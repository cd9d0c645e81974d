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

/* A checkpoint that seems to be there. */
struct found {
    struct tps_slot at;
    struct tps_slot_header header;
    bool exists;
};

/* What a look at all headers tells. */
struct survey {
    struct found newest; /* of any model */
    uint32_t count[TPS_SLOT_KINDS];
};

static void note_damage(struct tps_store *store, const struct tps_ring *ring, struct tps_slot slot)
{
    store->damaged++;
    store->damaged_block = tps_slot_block(ring, slot);
    store->damaged_offset = tps_slot_offset(ring, slot);
}

static void look_at_all(struct survey *survey, struct tps_store *store, const struct tps_ring *ring)
{
    struct tps_slot at;

    for (at.group = 0; at.group < ring->groups; at.group++) {
        for (at.index = 0; at.index < ring->slots; at.index++) {
            const struct tps_slot_header header = tps_slot_header_of(ring, at);
            survey->count[header.kind]++;
            if (header.kind == TPS_SLOT_UNREADABLE) {
                note_damage(store, ring, at);
            }
            if (header.kind < TPS_SLOT_OTHER_FORMAT) {
                continue;
            }
            /* Numbers may pass 2^32: what is less than half of that ahead is newer. */
            if (!survey->newest.exists ||
                header.sequence - survey->newest.header.sequence < (uint32_t)1 << 31) {
                survey->newest = (struct found){at, header, true};
            }
            /* Slots of others have other lengths. */
            if (header.kind != TPS_SLOT_OURS) {
                break;
            }
        }
    }
}

/*
 * The newest checkpoint of this model whose age is at least *age, and its age. An age counts
 * numbers back from the newest, and slots where damaged headers have the same number.
 */
static bool find_older(struct found *found, uint64_t *age, const struct survey *survey,
                       const struct tps_ring *ring)
{
    uint64_t best = UINT64_MAX;
    struct tps_slot at;

    for (at.group = 0; at.group < ring->groups; at.group++) {
        for (at.index = 0; at.index < ring->slots; at.index++) {
            const struct tps_slot_header header = tps_slot_header_of(ring, at);
            const uint64_t back = survey->newest.header.sequence - header.sequence;
            const uint64_t key = back << 32 | (at.group * ring->slots + at.index);
            if (header.kind == TPS_SLOT_OURS && key >= *age && key < best) {
                *found = (struct found){at, header, true};
                best = key;
            }
            if (header.kind == TPS_SLOT_OTHER_MODEL || header.kind == TPS_SLOT_OTHER_FORMAT) {
                break;
            }
        }
    }
    *age = best;
    return best != UINT64_MAX;
}

/* Whether something begins where a save after this checkpoint would have written. */
static bool is_followed(const struct tps_ring *ring, struct tps_slot slot)
{
    const struct tps_slot next_group = {(slot.group + 1) % ring->groups, 0};
    const struct tps_slot next = {slot.group, slot.index + 1};

    return tps_slot_header_of(ring, next_group).kind == TPS_SLOT_UNREADABLE ||
           (next.index < ring->slots && tps_slot_header_of(ring, next).kind == TPS_SLOT_UNREADABLE);
}

static void hold(struct tps_store *store, const struct tps_ring *ring, struct tps_slot slot,
                 const struct tps_slot_header *header)
{
    store->sequence = header->sequence;
    store->step = header->step;
    store->block = tps_slot_block(ring, slot);
    store->offset = tps_slot_offset(ring, slot);
    store->held = slot.group + 1;
}

/* Why nothing was loaded. */
static tps_status verdict(const struct survey *survey)
{
    if (survey->count[TPS_SLOT_OURS] > 0) {
        return TPS_STORE_DAMAGED;
    }
    if (survey->count[TPS_SLOT_OTHER_FORMAT] > 0) {
        return TPS_STORE_OTHER_FORMAT;
    }
    if (survey->count[TPS_SLOT_OTHER_MODEL] > 0) {
        return TPS_STORE_OTHER_MODEL;
    }
    return survey->count[TPS_SLOT_UNREADABLE] > 0 ? TPS_STORE_DAMAGED : TPS_STORE_EMPTY;
}

tps_status tps_store_load(struct tps_store *store, const struct tps_storage *storage,
                          const struct tps_store_model *model, void *state)
{
    struct survey survey = {{{0, 0}, {TPS_SLOT_ERASED, 0, 0}, false}, {0}};
    struct tps_ring ring;
    struct found found;
    uint64_t age = 0;

    *store = (struct tps_store){0};
    if (!tps_slots_divide(&ring, storage, model)) {
        return TPS_STORE_BAD_SIZES;
    }
    look_at_all(&survey, store, &ring);
    store->ready = READY;
    store->next = survey.newest.exists ? survey.newest.header.sequence + 1 : 1;
    /* The group before the one that comes next, with no slot left. */
    store->group = survey.newest.exists ? survey.newest.at.group : ring.groups - 1;
    store->index = ring.slots;
    for (bool is_first = true; find_older(&found, &age, &survey, &ring); is_first = false, age++) {
        if (tps_slot_is_whole(&ring, found.at, state)) {
            hold(store, &ring, found.at, &found.header);
            store->group = found.at.group;
            store->index = storage->resumes != 0 ? found.at.index + 1 : ring.slots;
            return is_first && !is_followed(&ring, found.at) ? TPS_OK : TPS_STORE_OLDER;
        }
        if (is_first) {
            note_damage(store, &ring, found.at);
        } else {
            store->damaged++;
        }
    }
    return verdict(&survey);
}

/* Find an erased slot, and erase the next group where this one has none. */
static bool take_slot(struct tps_store *store, const struct tps_ring *ring, struct tps_slot *slot)
{
    *slot = (struct tps_slot){store->group, store->index};
    while (slot->index < ring->slots && !tps_slot_is_erased(ring, *slot)) {
        slot->index++;
    }
    store->index = slot->index + 1;
    if (slot->index < ring->slots) {
        return true;
    }
    slot->index = 0;
    slot->group = (slot->group + 1) % ring->groups;
    if (slot->group + 1 == store->held) {
        slot->group = (slot->group + 1) % ring->groups;
    }
    /* Where a block does not take an erase, the next call leaves its group alone. */
    store->group = slot->group;
    store->index = ring->slots;
    for (uint32_t i = 0; i < ring->blocks; i++) {
        if (ring->storage->erase(ring->storage->context, tps_slot_block(ring, *slot) + i) != 0) {
            return false;
        }
    }
    store->index = 1;
    return true;
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (uint32_t i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
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

    while (writer->fill % storage->unit_size != 0) {
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

static bool write_slot(const struct tps_ring *ring, struct tps_slot slot,
                       const struct tps_slot_header *header, const uint8_t *state)
{
    const struct tps_storage *storage = ring->storage;
    struct writer writer = {storage, tps_slot_block(ring, slot), tps_slot_offset(ring, slot), 0,
                            false};
    uint8_t bytes[TPS_SLOT_HEADER_BYTES] = {0};

    put_u32(bytes, TPS_SLOT_MAGIC);
    put_u32(bytes + 4, TPS_STORE_VERSION);
    put_u32(bytes + 8, header->sequence);
    put_u32(bytes + 12, ring->model->id);
    put_u32(bytes + 16, header->step);
    put_u32(bytes + 20, ring->model->bytes);
    const uint32_t crc = tps_crc32(0, bytes, TPS_SLOT_HEADER_CRC);
    put_u32(bytes + TPS_SLOT_HEADER_CRC, crc);
    put(&writer, bytes, TPS_SLOT_HEADER_BYTES);
    put(&writer, state, ring->model->bytes);
    put_u32(bytes, tps_crc32(crc, state, ring->model->bytes));
    put(&writer, bytes, 4);
    flush(&writer);
    return !writer.has_failed && storage->sync(storage->context) == 0;
}

tps_status tps_store_save(struct tps_store *store, const struct tps_storage *storage,
                          const struct tps_store_model *model, const void *state, uint32_t step)
{
    const struct tps_slot_header header = {TPS_SLOT_OURS, store->next, step};
    struct tps_ring ring;
    struct tps_slot slot;

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
    if (tps_slot_header_of(&ring, slot).sequence != header.sequence ||
        !tps_slot_is_whole(&ring, slot, NULL)) {
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
