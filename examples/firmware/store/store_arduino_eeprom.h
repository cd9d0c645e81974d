/*
 * store_arduino_eeprom.h -- checkpoints in the EEPROM of an Arduino, from an address on
 *
 *     static uint8_t page[32];
 *     static tps_storage eeprom;
 *     static tps_store store;
 *
 *     eeprom = store_eeprom(0, page, sizeof page, DIGITS_CHECKPOINT_BYTES, 2);
 *     digits_load(&store, &eeprom, &model);
 *
 * A byte is written only where it changes. On cores that keep the EEPROM in flash (ESP8266, ESP32)
 * call EEPROM.begin first; sync commits there.
 */
#ifndef STORE_ARDUINO_EEPROM_H
#define STORE_ARDUINO_EEPROM_H

#include "tps_storage.h"

#include <EEPROM.h>

/* Where the checkpoints lie. */
struct store_eeprom_place {
    int begin;
    uint32_t block_size;
};

static store_eeprom_place store_eeprom_area;

static inline int store_eeprom_at(uint32_t block, uint32_t offset)
{
    return store_eeprom_area.begin + (int)(block * store_eeprom_area.block_size + offset);
}

static int store_eeprom_read(void *, uint32_t block, uint32_t offset, void *bytes, uint32_t count)
{
    uint8_t *to = static_cast<uint8_t *>(bytes);

    for (uint32_t i = 0; i < count; i++) {
        to[i] = EEPROM.read(store_eeprom_at(block, offset + i));
    }
    return 0;
}

static int store_eeprom_program(void *, uint32_t block, uint32_t offset, const void *bytes,
                                uint32_t count)
{
    const uint8_t *from = static_cast<const uint8_t *>(bytes);

    for (uint32_t i = 0; i < count; i++) {
        const int at = store_eeprom_at(block, offset + i);
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
static inline tps_storage store_eeprom(int begin, uint8_t *page, uint32_t page_size,
                                       uint32_t checkpoint_bytes, uint32_t count)
{
    tps_storage storage = tps_storage();

    store_eeprom_area.begin = begin;
    store_eeprom_area.block_size = TPS_STORAGE_ROUND(checkpoint_bytes, page_size);
    storage.read = store_eeprom_read;
    storage.program = store_eeprom_program;
    storage.erase = store_eeprom_erase;
    storage.sync = store_eeprom_sync;
    storage.page = page;
    storage.program_size = 1;
    storage.page_size = page_size;
    storage.block_size = store_eeprom_area.block_size;
    storage.block_count = count;
    return storage;
}

#endif
