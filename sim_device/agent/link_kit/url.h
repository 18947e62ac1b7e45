/*
 * The URL of a firmware file, taken apart (seed 004, aliyun note §5.4). Only what can stand in a
 * request is taken: no control characters, blanks or bytes outside ASCII, so that no text of an
 * announcement can break out of a request line.
 */
#ifndef OTABENCH_AGENT_LINK_KIT_URL_H
#define OTABENCH_AGENT_LINK_KIT_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIT_HOST_MAX 1024 /* bytes, without port: -0x0929 beyond */
#define KIT_PATH_MAX 1024 /* bytes, with its slash and query: -0x092A beyond */

enum kit_url_result {
    KIT_URL_OK,
    KIT_URL_BAD,     /* neither http nor https, a bad port, or a character that may not be there */
    KIT_URL_NO_HOST, /* -0x0925 */
    KIT_URL_NO_PATH, /* -0x0926 */
    KIT_URL_LONG_HOST,
    KIT_URL_LONG_PATH
};

/* Views into the text. */
struct kit_url {
    bool tls;
    const char *host;
    size_t host_bytes;
    uint16_t port; /* 80 or 443 when none is written */
    bool has_port;
    const char *path; /* from the slash to the end; a fragment is left off */
    size_t path_bytes;
};

enum kit_url_result kit_url_parse(struct kit_url *out, const char *text);

#endif
