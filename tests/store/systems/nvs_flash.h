/* nvs_flash.h -- what of ESP-IDF an example calls beside NVS itself */
#ifndef NVS_FLASH_H
#define NVS_FLASH_H

#include "nvs.h"

static inline esp_err_t nvs_flash_init(void)
{
    return ESP_OK;
}

#endif
