#include <stdlib.h>
#include <string.h>

#include "mock_cloud/broker/remote.h"

/* Copies text[0..len), with %XX decoded. */
static int part(const char *text, size_t len, char *out, size_t cap, const char *what,
                struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t c = (uint8_t)text[i];
        char hex[3] = {0};
        if (c == '%') {
            if (len - i < 3)
                return err_set(err, ERR_FORMAT, "%s: %% without two hex digits", what);
            memcpy(hex, text + i + 1, 2);
            if (!hex_decode(&c, 1, hex) || c == 0)
                return err_set(err, ERR_FORMAT, "%s: %% without two hex digits", what);
            i += 2;
        }
        if (c <= ' ' || c == 0x7f)
            return err_set(err, ERR_FORMAT, "%s: blank or control character", what);
        if (n + 1 >= cap)
            return err_set(err, ERR_LIMIT, "%s: more than %zu characters", what, cap - 1);
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return 0;
}

static int read_port(const char *text, size_t len, uint16_t *port, struct err *err)
{
    unsigned value = 0;
    for (size_t i = 0; i < len && value <= UINT16_MAX; i++) {
        if (text[i] < '0' || text[i] > '9')
            value = UINT16_MAX + 1u;
        else
            value = 10 * value + (unsigned)(text[i] - '0');
    }
    if (value == 0 || value > UINT16_MAX)
        return err_set(err, ERR_FORMAT, "broker URL: port must be 1 to 65535");
    *port = (uint16_t)value;
    return 0;
}

int remote_url_parse(const char *text, struct remote_url *out, struct err *err)
{
    *out = (struct remote_url){.port = 1883};
    if (strncmp(text, "mqtts://", 8) == 0)
        *out = (struct remote_url){.port = 8883, .tls = true};
    else if (strncmp(text, "mqtt://", 7) != 0)
        return err_set(err, ERR_FORMAT, "broker URL: must begin with mqtt:// or mqtts://");
    const char *at = text + (out->tls ? 8 : 7);
    size_t len = strcspn(at, "/?#");
    if (at[len] != '\0' && strcmp(at + len, "/") != 0)
        return err_set(err, ERR_FORMAT, "broker URL: nothing may follow host and port");
    int rc = 0;
    const char *host = at;
    for (size_t i = 0; i < len; i++)
        if (at[i] == '@')
            host = at + i + 1;
    if (host != at) {
        size_t n = (size_t)(host - 1 - at);
        const char *colon = memchr(at, ':', n);
        size_t user = colon == NULL ? n : (size_t)(colon - at);
        rc = part(at, user, out->user_name, sizeof out->user_name, "broker URL: user name", err);
        if (rc == 0 && colon != NULL)
            rc = part(colon + 1, n - user - 1, out->password, sizeof out->password,
                      "broker URL: password", err);
    }
    size_t n = len - (size_t)(host - at);
    const char *colon = memchr(host, ':', n);
    size_t name = colon == NULL ? n : (size_t)(colon - host);
    if (rc == 0)
        rc = part(host, name, out->host, sizeof out->host, "broker URL: host", err);
    if (rc == 0 && out->host[0] == '\0')
        rc = err_set(err, ERR_FORMAT, "broker URL: has no host");
    if (rc == 0 && colon != NULL)
        rc = read_port(colon + 1, n - name - 1, &out->port, err);
    return rc;
}
