/* nvs.h -- what of ESP-IDF's NVS store_esp_nvs.h calls, as its documentation has it, in RAM */
#ifndef NVS_H
#define NVS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int esp_err_t;
typedef uint32_t nvs_handle_t;

#define ESP_OK 0
#define NVS_READWRITE 1
#define ESP_ERR_NVS_NOT_FOUND 0x1102
#define ESP_ERR_NVS_INVALID_LENGTH 0x110c
#define ESP_ERR_NVS_INVALID_NAME 0x1105

struct esp_blob {
    uint8_t bytes[256];
    size_t size;
};
extern struct esp_blob esp_blobs[64];

/* Keys are "tps" and a number without zeros before it. */
static inline long esp_place(const char *key)
{
    char *end;
    const long at = strtol(key + 3, &end, 10);
    const int is_good = strncmp(key, "tps", 3) == 0 && *end == 0 && end > key + 3 &&
                        strlen(key) < 16 && (key[3] != '0' || key[4] == 0);

    return is_good && at < 64 ? at : -1;
}

static inline esp_err_t nvs_set_blob(nvs_handle_t handle, const char *key, const void *value,
                                     size_t length)
{
    const long at = esp_place(key);

    (void)handle;
    if (at < 0) {
        return ESP_ERR_NVS_INVALID_NAME;
    }
    memcpy(esp_blobs[at].bytes, value, length);
    esp_blobs[at].size = length;
    return ESP_OK;
}

static inline esp_err_t nvs_get_blob(nvs_handle_t handle, const char *key, void *out_value,
                                     size_t *length)
{
    const long at = esp_place(key);

    (void)handle;
    if (at < 0) {
        return ESP_ERR_NVS_INVALID_NAME;
    }
    if (esp_blobs[at].size == 0) {
        return ESP_ERR_NVS_NOT_FOUND;
    }
    if (*length < esp_blobs[at].size) {
        return ESP_ERR_NVS_INVALID_LENGTH;
    }
    memcpy(out_value, esp_blobs[at].bytes, esp_blobs[at].size);
    *length = esp_blobs[at].size;
    return ESP_OK;
}

static inline esp_err_t nvs_open(const char *namespace_name, int open_mode, nvs_handle_t *handle)
{
    *handle = 7;
    return strlen(namespace_name) < 16 && open_mode == NVS_READWRITE ? ESP_OK
                                                                      : ESP_ERR_NVS_INVALID_NAME;
}

static inline esp_err_t nvs_commit(nvs_handle_t handle)
{
    (void)handle;
    return ESP_OK;
}

#endif
