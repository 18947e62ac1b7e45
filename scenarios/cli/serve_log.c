#include "scenarios/cli/serve_log.h"

#include <string.h>
#include <time.h>

#include "common/vtime.h"

/* What each event is to people, and which of its fields they see without --log debug. */
static const struct {
    const char *event;
    const char *fields; /* blank-separated keys; null: only with debug */
} shown[] = {
    {"login", "identity code"},
    {"online", "identity"},
    {"offline", "identity"},
    {"message", "rq identity"},
    {"push", "identity topic delivered"},
    {"request", "rq method range"},
    {"reply", "rq status bytes"},
    {"record", "delta_id device state download upgrade"},
    {"late", "delta_id device state download upgrade"},
    {"refused", "identity what"},
    {"error", "what"},
};

static bool names(const char *list, const char *key)
{
    size_t len = strlen(key);
    for (const char *at = list; (at = strstr(at, key)) != NULL; at += len)
        if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

bool serve_log_line(enum serve_log level, const char *event, const struct trace_field *fields,
                    size_t n, struct buf *out)
{
    const char *keys = NULL;
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        if (strcmp(shown[i].event, event) == 0)
            keys = shown[i].fields;
    if (level == LOG_QUIET || (keys == NULL && level != LOG_DEBUG))
        return false;
    (void)buf_text(out, event);
    for (size_t i = 0; i < n; i++) {
        if (level != LOG_DEBUG && !names(keys, fields[i].key))
            continue;
        if (fields[i].text == NULL)
            (void)buf_printf(out, " %s=%lld", fields[i].key, (long long)fields[i].integer);
        else
            (void)buf_printf(out, " %s=%s", fields[i].key, fields[i].text);
    }
    /* What devices wrote may not move the cursor of whoever reads along. */
    for (size_t i = 0; i < out->len_bytes; i++)
        if (out->data[i] < ' ' || out->data[i] == 0x7f)
            out->data[i] = '?';
    return true;
}

void serve_log_write(FILE *out, struct buf *line, enum serve_log level, int64_t now_ns,
                     const char *event, const struct trace_field *fields, size_t n)
{
    time_t second = (time_t)(now_ns / NS_PER_S);
    struct tm tm;
    char clock[32];
    buf_clear(line);
    if (!serve_log_line(level, event, fields, n, line))
        return;
    (void)gmtime_r(&second, &tm);
    (void)strftime(clock, sizeof clock, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)fprintf(out, "%s.%03dZ %s\n", clock, (int)(now_ns / NS_PER_MS % 1000),
                  (const char *)line->data);
    (void)fflush(out);
}
