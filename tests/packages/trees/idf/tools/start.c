/* start.c -- the start of an application, and the memory of NVS */
#include "nvs.h"

struct esp_blob esp_blobs[64];

void app_main(void);

int main(void)
{
    app_main();
    return 0;
}
