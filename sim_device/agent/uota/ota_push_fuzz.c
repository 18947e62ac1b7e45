/* Any payload: parsed or refused, and what is taken keeps its promises. */
#include <stdlib.h>
#include <string.h>

#include "sim_device/agent/uota/ota_push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ota_push p;
    struct err err;
    if (ota_push_parse(&p, data, size, &err) != 0)
        return 0;
    if (p.size_bytes == 0 || p.size_bytes > INT32_MAX || p.url[0] == '\0' || p.version[0] == '\0' ||
        memchr(p.url, '\0', sizeof p.url) == NULL ||
        memchr(p.version, '\0', sizeof p.version) == NULL)
        abort();
    return 0;
}
