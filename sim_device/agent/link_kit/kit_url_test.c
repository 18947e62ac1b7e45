#include "sim_device/agent/link_kit/url.h"

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"

struct sample {
    const char *text;
    enum kit_url_result want;
    bool tls;
    const char *host;
    uint16_t port;
    const char *path;
};
static const struct sample samples[] = {
    {"http://h/p", KIT_URL_OK, false, "h", 80, "/p"},
    {"https://h.example/p?a=1&b=%2F", KIT_URL_OK, true, "h.example", 443, "/p?a=1&b=%2F"},
    {"HTTP://h:8080/", KIT_URL_OK, false, "h", 8080, "/"},
    {"https://10.0.0.1:1/x:9/y", KIT_URL_OK, true, "10.0.0.1", 1, "/x:9/y"},
    {"http://h/p#fragment", KIT_URL_OK, false, "h", 80, "/p"},
    {"http:///p", KIT_URL_NO_HOST, false, NULL, 0, NULL},
    {"http://:80/p", KIT_URL_NO_HOST, false, NULL, 0, NULL},
    {"http://", KIT_URL_NO_HOST, false, NULL, 0, NULL},
    {"http://h", KIT_URL_NO_PATH, false, NULL, 0, NULL},
    {"http://h?x", KIT_URL_NO_PATH, false, NULL, 0, NULL},
    {"http://h#x", KIT_URL_NO_PATH, false, NULL, 0, NULL},
    {"", KIT_URL_BAD, false, NULL, 0, NULL},
    {"ftp://h/p", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http:/h/p", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http://h:/p", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http://h:0/p", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http://h:65536/p", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http://h:8o/p", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http://u@h/p", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http://h h/p", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http://h/p p", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http://h/p\r\nX: y", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http://h\r\nX: y/p", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http://h/\xc3\xa4", KIT_URL_BAD, false, NULL, 0, NULL},
    {"http://h/\x7f", KIT_URL_BAD, false, NULL, 0, NULL},
};

static const char *sample_name(const void *row)
{
    static char name[64];
    (void)snprintf(name, sizeof(name), "%d: %.40s", (int)((const struct sample *)row - samples),
                   ((const struct sample *)row)->text);
    for (char *p = name; *p != '\0'; p++)
        *p = *p < ' ' || *p > '~' ? '.' : *p;
    return name;
}

static void parses(const void *row)
{
    const struct sample *s = row;
    struct kit_url u;
    if (!CHECK_INT(kit_url_parse(&u, s->text), s->want) || s->want != KIT_URL_OK)
        return;
    CHECK_INT(u.tls, s->tls);
    CHECK_INT(u.port, s->port);
    CHECK_INT(u.host_bytes, strlen(s->host));
    CHECK_MEM(u.host, s->host, u.host_bytes);
    CHECK_INT(u.path_bytes, strlen(s->path));
    CHECK_MEM(u.path, s->path, u.path_bytes);
}

static enum kit_url_result of_lengths(size_t host, size_t path)
{
    static char text[4096];
    struct kit_url u;
    char *at = stpcpy(text, "http://");
    memset(at, 'h', host);
    at[host] = '/';
    memset(at + host + 1, 'p', path - 1);
    at[host + path] = '\0';
    return kit_url_parse(&u, text);
}

static void lengths(void)
{
    CHECK_INT(of_lengths(1024, 1024), KIT_URL_OK);
    CHECK_INT(of_lengths(1025, 10), KIT_URL_LONG_HOST);
    CHECK_INT(of_lengths(10, 1025), KIT_URL_LONG_PATH);
}

static const struct test tests[] = {
    TEST_ROWS("url", parses, samples, sample_name),
    {"1024 bytes of host and path", lengths},
};

TEST_MAIN("URLs of firmware", tests)
