#include "sim_device/agent/link_kit/kit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LOG_MAX 160

struct kit *kit_self(void)
{
    struct board *b = board_current();
    return b != NULL ? b->device : NULL;
}

void kit_start(struct kit *k, struct board *b, const struct device_config *c, const char *version,
               enum kit_generation generation)
{
    *k = (struct kit){.board = b,
                      .config = c,
                      .version = version,
                      .generation = generation,
                      .quirks = c->link,
                      .identity = {.product_key = c->product_id,
                                   .device_name = c->did,
                                   .device_secret = c->device_secret}};
    b->device = k;
}

const char *kit_ca(const struct kit *k)
{
    return k->config->ca_pem;
}

void *kit_calloc(struct board *b, size_t len_bytes)
{
    void *p = board_alloc(b, len_bytes);
    if (p != NULL)
        memset(p, 0, len_bytes);
    return p;
}

char *kit_strdup(struct board *b, const char *text)
{
    size_t len = text != NULL ? strlen(text) + 1 : 0;
    char *copy = board_alloc(b, len);
    if (copy != NULL)
        memcpy(copy, text, len);
    return copy;
}

int64_t kit_pause_ms(struct board *b, unsigned failures, int64_t first_ms, int64_t max_ms)
{
    int64_t ms = first_ms;
    for (unsigned i = 1; i < failures && ms < max_ms; i++)
        ms *= 2;
    ms = ms < max_ms ? ms : max_ms;
    return ms / 2 + (int64_t)rng_below(&b->rng, (uint64_t)(ms - ms / 2));
}

void kit_log(struct board *b, const char *fmt, ...)
{
    char text[LOG_MAX];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (len > 0)
        board_log(b, text, len < LOG_MAX ? (size_t)len : LOG_MAX - 1);
}
