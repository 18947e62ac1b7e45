/* "cloud.pushes": messages for the device that the script sends besides those of the cloud. */
#include <string.h>

#include "scenarios/engine/scenario_format.h"

static const char *push_word(int index)
{
    static const char *const words[] = {[PUSH_REPEAT] = "repeat",
                                        [PUSH_FOREIGN] = "foreign",
                                        [PUSH_TEXT] = "text",
                                        [PUSH_CONFIG] = "config",
                                        [PUSH_CANCEL] = "cancel"};
    return (size_t)index < sizeof words / sizeof words[0] ? words[index] : NULL;
}

static int push_kind_of(const void *item)
{
    return (int)((const struct push_rule *)item)->kind;
}

static void push_init(const struct reader *r, void *item, uint32_t index)
{
    (void)r;
    (void)index;
    memset(item, 0, sizeof(struct push_rule));
}

static int push_check(const struct reader *r, const cJSON *obj, void *item)
{
    const struct push_rule *p = item;
    const cJSON *when = cJSON_GetObjectItemCaseSensitive(obj, "when");
    if (p->when.kind != TRIGGER_TIME && p->when.kind != TRIGGER_EVENT)
        return json_error(r->root, when, r->err, "a push is set off by at_ms or event");
    if (p->when.op != 0)
        return json_error(r->root, when, r->err, "\"plus_ops\" is for power cuts");
    const cJSON *topic = cJSON_GetObjectItemCaseSensitive(obj, "topic");
    for (const char *c = p->topic; *c != '\0'; c++)
        if (*c == '+' || *c == '#')
            return json_error(r->root, topic, r->err, "has the wildcard %c", *c);
    return 0;
}

#define PUSH(m) MEMBER(struct push_rule, m)
static const struct field push_fields[] = {
    {"when", FIELD_OBJECT, .required = true, PUSH(when), .table = &trigger_table},
    {"do", FIELD_WORD, .required = true, PUSH(kind), .word = push_word},
    {"of", FIELD_INT, PUSH(of), .min = 0, .max = 1000},
    {"topic", FIELD_TEXT, PUSH(topic), .min = 1},
    {"text", FIELD_TEXT, PUSH(text), .min = 0},
};
static const struct key_use push_uses[] = {
    {PUSH_REPEAT, "of", false},
    {PUSH_TEXT, "topic", false},
    {PUSH_TEXT, "text", true},
};
const struct table push_table = {.name = "push",
                                 COUNTED(push_fields),
                                 .item_bytes = sizeof(struct push_rule),
                                 .init = push_init,
                                 .kind_of = push_kind_of,
                                 .kind_word = push_word,
                                 USES(push_uses),
                                 .check = push_check};
