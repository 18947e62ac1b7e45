#include "scenarios/engine/wire_pipe.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"

#define PENDING_MAX  (1u << 20)
#define FIELDS_MAX   16
#define NAME_MAX_LEN 31 /* of events and fields */

void wire_pipe_init(struct wire_pipe *p, int fd)
{
    *p = (struct wire_pipe){.fd = fd};
    buf_init(&p->pending, PENDING_MAX);
}

void wire_pipe_free(struct wire_pipe *p)
{
    if (p->fd >= 0)
        (void)close(p->fd);
    p->fd = -1;
    buf_free(&p->pending);
}

static int lane_of(const char *name)
{
    for (int l = 0; l < LANE_COUNT; l++)
        if (strcmp(lane_name((enum lane)l), name) == 0)
            return l;
    return -1;
}

/* Names go into the trace as they are. */
static bool is_name(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return n > 0 && n <= NAME_MAX_LEN && text[n] == '\0';
}

/* One member as a field. The device's traces hold texts and integers only. */
static int field_of(const cJSON *root, const cJSON *item, struct trace_field *out, struct err *err)
{
    static const int64_t most = (INT64_C(1) << 53) - 1;
    int64_t v = 0;
    int rc = 0;
    if (!is_name(item->string))
        return json_error(root, item, err, "is no name of a field");
    if (cJSON_IsString(item)) {
        *out = F_STR(item->string, item->valuestring);
    } else {
        rc = json_get_int(root, root, item->string, -most, most, &v, err);
        *out = F_INT(item->string, v);
    }
    return rc;
}

int wire_parse(const char *line, size_t len_bytes, int64_t now_ns, wire_event_fn fn, void *ctx,
               struct err *err)
{
    static const struct json_limits limits = {.max_bytes = 8192, .max_depth = 4};
    struct json doc;
    int rc = json_parse(&doc, line, len_bytes, &limits, err);
    if (rc != 0)
        return rc;
    struct trace_field fields[FIELDS_MAX];
    size_t n = 0;
    const char *event = NULL;
    int lane = -1;
    const cJSON *item = cJSON_IsObject(doc.root) ? doc.root->child : NULL;
    for (; item != NULL && rc == 0; item = item->next) {
        if (strcmp(item->string, "t") == 0)
            continue;
        if (strcmp(item->string, "lane") == 0 && cJSON_IsString(item))
            lane = lane_of(item->valuestring);
        else if (strcmp(item->string, "event") == 0 && cJSON_IsString(item))
            event = item->valuestring;
        else if (n < FIELDS_MAX)
            rc = field_of(doc.root, item, &fields[n++], err);
        else
            rc = err_set(err, ERR_FORMAT, "more than %d fields in one event", FIELDS_MAX);
    }
    if (rc == 0 && (event == NULL || !is_name(event) || lane < 0))
        rc = err_set(err, ERR_FORMAT, "no event with lane and name: %.*s",
                     (int)(len_bytes > 200 ? 200 : len_bytes), line);
    if (rc == 0)
        fn(ctx, now_ns, (enum lane)lane, event, fields, n);
    json_free(&doc);
    return rc;
}

int wire_pipe_drain(struct wire_pipe *p, int64_t now_ns, wire_event_fn fn, void *ctx,
                    struct err *err)
{
    char chunk[8192];
    while (!p->eof && p->fd >= 0) {
        ssize_t n = read(p->fd, chunk, sizeof chunk);
        if (n > 0) {
            int rc = buf_append(&p->pending, chunk, (size_t)n);
            if (rc != 0)
                return err_set(err, rc, "the device floods the bench with events");
        } else if (n == 0) {
            p->eof = true;
        } else if (errno == EINTR) {
            continue;
        } else {
            break;
        }
    }
    for (;;) {
        char *at =
            p->pending.len_bytes == 0 ? NULL : memchr(p->pending.data, '\n', p->pending.len_bytes);
        if (at == NULL)
            return 0; /* a line cut off by the death of the device is dropped with it */
        size_t len = (size_t)(at - (char *)p->pending.data);
        int rc = wire_parse((const char *)p->pending.data, len, now_ns, fn, ctx, err);
        buf_consume(&p->pending, len + 1);
        if (rc != 0)
            return err_prefix(err, rc, "the device's event line");
    }
}
