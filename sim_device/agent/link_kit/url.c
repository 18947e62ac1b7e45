#include "sim_device/agent/link_kit/url.h"

#include <string.h>
#include <strings.h>

static bool visible(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

/* Decimal digits up to the end of the text; 1..65535. */
static bool read_port(const char *text, size_t len, uint16_t *out)
{
    uint32_t v = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        v = v * 10 + (uint32_t)(text[i] - '0');
        if (v > UINT16_MAX)
            return false;
    }
    *out = (uint16_t)v;
    return len > 0 && v > 0;
}

enum kit_url_result kit_url_parse(struct kit_url *out, const char *text)
{
    *out = (struct kit_url){.tls = strncasecmp(text, "https://", 8) == 0};
    if (!out->tls && strncasecmp(text, "http://", 7) != 0)
        return KIT_URL_BAD;
    out->port = out->tls ? 443 : 80;
    out->host = text + (out->tls ? 8 : 7);
    size_t authority = strcspn(out->host, "/?#");
    out->path = out->host + authority;
    out->path_bytes = strcspn(out->path, "#");
    const char *colon = memchr(out->host, ':', authority);
    out->host_bytes = colon != NULL ? (size_t)(colon - out->host) : authority;
    if (out->host_bytes == 0)
        return KIT_URL_NO_HOST;
    if (out->host_bytes > KIT_HOST_MAX)
        return KIT_URL_LONG_HOST;
    if (!visible(out->host, out->host_bytes) || memchr(out->host, '@', out->host_bytes) != NULL)
        return KIT_URL_BAD;
    if (colon != NULL) {
        out->has_port = true;
        if (!read_port(colon + 1, authority - out->host_bytes - 1, &out->port))
            return KIT_URL_BAD;
    }
    if (out->path[0] != '/')
        return KIT_URL_NO_PATH;
    if (out->path_bytes > KIT_PATH_MAX)
        return KIT_URL_LONG_PATH;
    return visible(out->path, out->path_bytes) ? KIT_URL_OK : KIT_URL_BAD;
}
