/*
 * store_esp_nvs.h -- checkpoints in blobs of ESP-IDF's NVS, one blob for each page
 *
 *     static uint8_t page[256];
 *     static uint8_t copy[256];
 *     static struct store_esp_nvs nvs;
 *
 *     nvs_open("digits", NVS_READWRITE, &handle);
 *     store_esp_nvs_open(&nvs, handle, page, copy, sizeof page, DIGITS_CHECKPOINT_BYTES, 2);
 *     digits_load(&store, &nvs.storage, &model);
 *
 * Blobs are called "tps0", "tps1", ...: a namespace of its own for each model.
 */
#ifndef STORE_ESP_NVS_H
#define STORE_ESP_NVS_H

#include "nvs.h"
#include "tps_storage.h"

#include <string.h>

struct store_esp_nvs {
    nvs_handle_t handle;
    uint8_t *copy;
    struct tps_storage storage;
};

/* The key of a page: "tps", and its number. */
static void store_esp_nvs_key(const struct store_esp_nvs *nvs, uint32_t block, uint32_t offset,
                              char key[16])
{
    const uint32_t pages = nvs->storage.block_size / nvs->storage.page_size;
    uint32_t number = block * pages + offset / nvs->storage.page_size;
    uint32_t digits = 1;

    for (uint32_t rest = number; rest >= 10; rest /= 10) {
        digits++;
    }
    memcpy(key, "tps", 3);
    key[3 + digits] = '\0';
    for (; digits > 0; digits--, number /= 10) {
        key[2 + digits] = (char)('0' + number % 10);
    }
}

/* NVS reads whole blobs. What was never written reads as erased. */
static int store_esp_nvs_read(void *context, uint32_t block, uint32_t offset, void *bytes,
                              uint32_t count)
{
    const struct store_esp_nvs *nvs = (const struct store_esp_nvs *)context;
    const uint32_t page = nvs->storage.page_size;
    uint8_t *to = (uint8_t *)bytes;
    char key[16];

    while (count > 0) {
        const uint32_t begin = offset % page;
        const uint32_t part = count < page - begin ? count : page - begin;
        size_t got = page;
        store_esp_nvs_key(nvs, block, offset, key);
        const esp_err_t error = nvs_get_blob(nvs->handle, key, nvs->copy, &got);
        if (error == ESP_ERR_NVS_NOT_FOUND) {
            got = 0;
        } else if (error != ESP_OK) {
            return -1;
        }
        memset(nvs->copy + got, 0xFF, page - got);
        memcpy(to, nvs->copy + begin, part);
        to += part;
        offset += part;
        count -= part;
    }
    return 0;
}

static int store_esp_nvs_program(void *context, uint32_t block, uint32_t offset, const void *bytes,
                                 uint32_t count)
{
    const struct store_esp_nvs *nvs = (const struct store_esp_nvs *)context;
    char key[16];

    store_esp_nvs_key(nvs, block, offset, key);
    return nvs_set_blob(nvs->handle, key, bytes, count) == ESP_OK ? 0 : -1;
}

/* Blobs are written over. */
static int store_esp_nvs_erase(void *context, uint32_t block)
{
    (void)context;
    (void)block;
    return 0;
}

static int store_esp_nvs_sync(void *context)
{
    const struct store_esp_nvs *nvs = (const struct store_esp_nvs *)context;

    return nvs_commit(nvs->handle) == ESP_OK ? 0 : -1;
}

/* page and copy are page_size bytes each. */
static inline void store_esp_nvs_open(struct store_esp_nvs *nvs, nvs_handle_t handle, uint8_t *page,
                                      uint8_t *copy, uint32_t page_size, uint32_t checkpoint_bytes,
                                      uint32_t count)
{
    const struct tps_storage storage = {
        .context = nvs,
        .read = store_esp_nvs_read,
        .program = store_esp_nvs_program,
        .erase = store_esp_nvs_erase,
        .sync = store_esp_nvs_sync,
        .page = page,
        .program_size = 1,
        .page_size = page_size,
        .block_size = TPS_STORAGE_ROUND(checkpoint_bytes, page_size),
        .block_count = count,
        .resumes = 0,
    };

    nvs->storage = storage;
    nvs->handle = handle;
    nvs->copy = copy;
}

#endif
