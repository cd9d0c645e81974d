/*
 * store_arduino_eeprom.h -- checkpoints in the EEPROM of an Arduino, from an address on
 *
 *     static uint8_t page[32];
 *     static store_eeprom eeprom;
 *     static tps_store store;
 *
 *     store_eeprom_open(&eeprom, 0, page, sizeof page, DIGITS_CHECKPOINT_BYTES, 2);
 *     digits_load(&store, &eeprom.storage, &model);
 *
 * Models share an EEPROM with a struct and an address each. A byte is written only where it
 * changes. On cores that keep the EEPROM in flash (ESP8266, ESP32) call EEPROM.begin first; sync
 * commits there.
 */
#ifndef STORE_ARDUINO_EEPROM_H
#define STORE_ARDUINO_EEPROM_H

#include "tps_storage.h"

#include <EEPROM.h>

struct store_eeprom {
    int begin;
    tps_storage storage;
};

static inline int store_eeprom_at(const void *context, uint32_t block, uint32_t offset)
{
    const store_eeprom *eeprom = static_cast<const store_eeprom *>(context);

    return eeprom->begin + static_cast<int>(block * eeprom->storage.block_size + offset);
}

static int store_eeprom_read(void *context, uint32_t block, uint32_t offset, void *bytes,
                             uint32_t count)
{
    uint8_t *to = static_cast<uint8_t *>(bytes);

    for (uint32_t i = 0; i < count; i++) {
        to[i] = EEPROM.read(store_eeprom_at(context, block, offset + i));
    }
    return 0;
}

static int store_eeprom_program(void *context, uint32_t block, uint32_t offset, const void *bytes,
                                uint32_t count)
{
    const uint8_t *from = static_cast<const uint8_t *>(bytes);

    for (uint32_t i = 0; i < count; i++) {
        const int at = store_eeprom_at(context, block, offset + i);
        if (EEPROM.read(at) != from[i]) {
            EEPROM.write(at, from[i]);
        }
    }
    return 0;
}

/* A byte is erased when it is written. */
static int store_eeprom_erase(void *, uint32_t)
{
    return 0;
}

static int store_eeprom_sync(void *)
{
#if defined(ESP8266) || defined(ESP32)
    return EEPROM.commit() ? 0 : -1;
#else
    return 0;
#endif
}

/* A storage of so many checkpoints from an address of the EEPROM on. */
static inline void store_eeprom_open(store_eeprom *eeprom, int begin, uint8_t *page,
                                     uint32_t page_size, uint32_t checkpoint_bytes, uint32_t count)
{
    tps_storage storage = tps_storage();

    storage.context = eeprom;
    storage.read = store_eeprom_read;
    storage.program = store_eeprom_program;
    storage.erase = store_eeprom_erase;
    storage.sync = store_eeprom_sync;
    storage.page = page;
    storage.program_size = 1;
    storage.page_size = page_size;
    storage.block_size = TPS_STORAGE_ROUND(checkpoint_bytes, page_size);
    storage.block_count = count;
    eeprom->begin = begin;
    eeprom->storage = storage;
}

#endif
