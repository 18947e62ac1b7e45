/* "when": what sets a network or power fault off. The key that is there says which kind it is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/scenario_format.h"

/* As the headers of their senders list them. */
static const struct event_name events[] = {
    {LANE_DEVICE, "start", "version"},
    {LANE_DEVICE, "api", "call result"},
    {LANE_DEVICE, "config", "error"},
    {LANE_DEVICE, "package", "bytes delta_id"},
    {LANE_DEVICE, "resume", "segment of"},
    {LANE_DEVICE, "segment", "number"},
    {LANE_DEVICE, "verify", "ok"},
    {LANE_DEVICE, "pending", "delta_id"},
    {LANE_DEVICE, "reset", "round"},
    {LANE_DEVICE, "idle", "rounds"},
    {LANE_DEVICE, "log", "text"},
    {LANE_DEVICE, "heap", "peak used blocks sockets"},
    {LANE_DEVICE, "mqtt", "what code"},
    {LANE_DEVICE, "state", "code"},
    {LANE_DEVICE, "progress", "step"},
    {LANE_DEVICE, "cancel", "percent"},
    {LANE_BOOT, "boot", "mark"},
    {LANE_BOOT, "verify", "ok reason"},
    {LANE_BOOT, "refuse", "result reason"},
    {LANE_BOOT, "prove", "file"},
    {LANE_BOOT, "restore", "file block blocks phase"},
    {LANE_BOOT, "restored", "files"},
    {LANE_BOOT, "result", "update_result"},
    {LANE_BOOT, "bricked", "reason"},
    {LANE_CLOUD, "request", "rq n method path range body"},
    {LANE_CLOUD, "reply", "rq n status code bytes from to total"},
    {LANE_CLOUD, "record", "delta_id device state download upgrade"},
    {LANE_CLOUD, "fault", "kind rq n"},
    {LANE_CLOUD, "login", "identity code"},
    {LANE_CLOUD, "online", "identity"},
    {LANE_CLOUD, "offline", "identity"},
    {LANE_CLOUD, "message", "rq n identity topic payload"},
    {LANE_CLOUD, "push", "identity topic payload delivered"},
    {LANE_CLOUD, "late", "delta_id device state download upgrade"},
    {LANE_NETWORK, "connect", "conn"},
    {LANE_NETWORK, "connected", "conn"},
    {LANE_NETWORK, "refused", "conn"},
    {LANE_NETWORK, "eof", "conn"},
    {LANE_NETWORK, "reset", "conn"},
    {LANE_FLASH, "program", "op addr len torn tear raised"},
    {LANE_FLASH, "erase", "op addr len torn tear"},
    {LANE_POWER, "cut", "op tear"},
};

const struct event_name *event_name_at(size_t index)
{
    return index < sizeof events / sizeof events[0] ? &events[index] : NULL;
}

static const struct event_name *event_of(const struct trigger *t)
{
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i].lane == t->lane && strcmp(events[i].event, t->event) == 0)
            return &events[i];
    return NULL;
}

static const char *trigger_word(int kind)
{
    static const char *const words[] = {
        [TRIGGER_TIME] = "at_ms",      [TRIGGER_OP] = "op",       [TRIGGER_EVENT] = "event",
        [TRIGGER_BYTE] = "connection", [TRIGGER_REPLY] = "reply", [TRIGGER_MESSAGE] = "message",
    };
    return (unsigned)kind < sizeof words / sizeof words[0] ? words[kind] : NULL;
}

static void trigger_init(const struct reader *r, void *item, uint32_t index)
{
    (void)r;
    (void)index;
    struct trigger *t = item;
    memset(t, 0, sizeof *t);
    t->nth = 1;
    t->dir = LINK_DOWN;
}

static int trigger_decide(const struct reader *r, const cJSON *obj, void *item)
{
    struct trigger *t = item;
    int found = 0;
    for (int kind = 0; trigger_word(kind) != NULL; kind++)
        if (cJSON_GetObjectItemCaseSensitive(obj, trigger_word(kind)) != NULL) {
            t->kind = (enum trigger_kind)kind;
            found++;
        }
    if (found != 1)
        return json_error(r->root, obj, r->err,
                          "needs exactly one of \"at_ms\", \"op\", \"event\", \"connection\", "
                          "\"reply\", \"message\"");
    return 0;
}

static int trigger_kind_of(const void *item)
{
    return (int)((const struct trigger *)item)->kind;
}

/* "lane/event" */
static int event_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    struct trigger *t = base;
    const char *text = NULL;
    int rc = json_get_string(r->root, obj, f->key, 1, 63, &text, r->err);
    if (rc != 0)
        return rc;
    char list[400] = "";
    const char *slash = strchr(text, '/');
    size_t lane_len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        const char *lane = lane_name(events[i].lane);
        if (strlen(lane) != lane_len || strncmp(lane, text, lane_len) != 0)
            continue;
        if (slash != NULL && strcmp(slash + 1, events[i].event) == 0) {
            t->lane = events[i].lane;
            (void)snprintf(t->event, sizeof t->event, "%s", events[i].event);
            return 0;
        }
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof list - used, "%s%s/%s", used > 0 ? ", " : "", lane,
                       events[i].event);
    }
    return json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, f->key), r->err,
                      "is \"%.40s\", must be a lane (device, boot, cloud, network, flash, power), "
                      "\"/\" and one of its events%s%s",
                      text, list[0] != '\0' ? ": " : "", list);
}

static void event_write(struct writer *w, const struct field *f, const void *base)
{
    const struct trigger *t = base;
    char text[64];
    (void)snprintf(text, sizeof text, "%s/%s", lane_name(t->lane), t->event);
    write_text(w, f->key, text);
}

static bool is_word_of(const char *word, const char *list)
{
    size_t len = strlen(word);
    for (const char *p = list; *p != '\0'; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        if (n == len && memcmp(p, word, len) == 0)
            return true;
        p += n;
    }
    return false;
}

/* {"number": 40}: one field of the event and its value */
static int where_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    struct trigger *t = base;
    const struct event_name *e = event_of(t);
    const cJSON *where = NULL;
    int rc = json_get_object(r->root, obj, f->key, &where, r->err);
    if (rc != 0 || e == NULL)
        return rc;
    const cJSON *value = where->child;
    if (value == NULL || value->next != NULL)
        return json_error(r->root, where, r->err, "needs exactly one field of the event: %s",
                          e->fields);
    if (!is_word_of(value->string, e->fields))
        return json_error(r->root, where, r->err, "has the unknown field \"%.40s\"; %s/%s has: %s",
                          value->string, lane_name(e->lane), e->event,
                          e->fields[0] != '\0' ? e->fields : "none");
    (void)snprintf(t->field, sizeof t->field, "%s", value->string);
    if (cJSON_IsNumber(value)) {
        int64_t v = 0;
        rc = json_get_int(r->root, where, value->string, -EXACT_MAX, EXACT_MAX, &v, r->err);
        (void)snprintf(t->value, sizeof t->value, "%" PRId64, v);
        return rc;
    }
    const char *text = NULL;
    rc = json_get_string(r->root, where, value->string, 0, sizeof t->value - 1, &text, r->err);
    if (rc == 0)
        (void)snprintf(t->value, sizeof t->value, "%s", text);
    return rc;
}

static void where_write(struct writer *w, const struct field *f, const void *base)
{
    const struct trigger *t = base;
    if (t->field[0] == '\0')
        return;
    write_open(w, f->key, '{');
    write_text(w, t->field, t->value);
    write_close(w, '}');
}

static const char *dir_word(int index)
{
    return index == LINK_UP ? "up" : index == LINK_DOWN ? "down" : NULL;
}

static const char *request_word(int index)
{
    return index <= RQ_ANY ? cloud_request_name((enum cloud_request)index) : NULL;
}

/* "op", "message" and "plus_ops" share a member: two are absolute, one counts from the event. */
#define TRIGGER(m) MEMBER(struct trigger, m)
static const struct field trigger_fields[] = {
    {"at_ms", FIELD_MS, TRIGGER(at_ns)},
    {"op", FIELD_SIZE, TRIGGER(op), .min = 1, .max = EXACT_MAX},
    {"event", FIELD_SPECIAL, .read = event_read, .write = event_write},
    {"where", FIELD_SPECIAL, .read = where_read, .write = where_write},
    {"plus_ops", FIELD_SIZE, TRIGGER(op), .max = EXACT_MAX},
    {"connection", FIELD_INT, TRIGGER(connection), .min = 1, .max = UINT32_MAX},
    {"dir", FIELD_WORD, TRIGGER(dir), .word = dir_word},
    {"reply", FIELD_WORD, TRIGGER(request), .word = request_word},
    {"nth", FIELD_INT, TRIGGER(nth), .min = 1, .max = UINT32_MAX},
    {"byte", FIELD_SIZE, TRIGGER(byte), .max = EXACT_MAX},
    {"message", FIELD_SIZE, TRIGGER(op), .min = 1, .max = EXACT_MAX},
};
static const struct key_use trigger_uses[] = {
    {TRIGGER_TIME, "at_ms", true},      {TRIGGER_OP, "op", true},
    {TRIGGER_EVENT, "event", true},     {TRIGGER_EVENT, "where", false},
    {TRIGGER_EVENT, "nth", false},      {TRIGGER_EVENT, "plus_ops", false},
    {TRIGGER_BYTE, "connection", true}, {TRIGGER_BYTE, "dir", false},
    {TRIGGER_BYTE, "byte", true},       {TRIGGER_REPLY, "reply", true},
    {TRIGGER_REPLY, "nth", false},      {TRIGGER_REPLY, "byte", true},
    {TRIGGER_MESSAGE, "message", true},
};
const struct table trigger_table = {.name = "trigger",
                                    COUNTED(trigger_fields),
                                    .init = trigger_init,
                                    .decide = trigger_decide,
                                    .kind_of = trigger_kind_of,
                                    .kind_word = trigger_word,
                                    USES(trigger_uses)};
