/*
 * URLs from anywhere: what is accepted can stand in a request without breaking out of it.
 */
#include <stdlib.h>
#include <string.h>

#include "sim_device/agent/link_kit/url.h"

static void require(bool ok)
{
    if (!ok)
        abort();
}

static void check(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        require(text[i] > ' ' && text[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kit_url u;
    char *text = malloc(size + 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (kit_url_parse(&u, text) == KIT_URL_OK) {
        require(u.host_bytes >= 1 && u.host_bytes <= KIT_HOST_MAX && u.port > 0);
        require(u.path_bytes >= 1 && u.path_bytes <= KIT_PATH_MAX && u.path[0] == '/');
        check(u.host, u.host_bytes);
        check(u.path, u.path_bytes);
    }
    free(text);
    return 0;
}
