/* "network", "power", "flash": what goes wrong around the device. */
#include <stdio.h>
#include <string.h>

#include "scenarios/engine/scenario_format.h"

/* ---- profile: a name, or figures over those of a name ---- */

const char *profile_word(int index)
{
    const struct link_profile *p = link_profile_at((size_t)index);
    return p != NULL ? p->name : NULL;
}

static int base_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    const char *words[WORDS_MAX];
    size_t n = 0;
    int index = 0;
    while (n < WORDS_MAX && (words[n] = profile_word((int)n)) != NULL)
        n++;
    int rc = json_get_word(r->root, obj, f->key, words, n, &index, r->err);
    if (rc == 0)
        *(struct link_profile *)base = *link_profile_at((size_t)index);
    return rc;
}

/* All figures follow, so the base does not matter. */
static void base_write(struct writer *w, const struct field *f, const void *base)
{
    (void)base;
    write_text(w, f->key, profile_word(0));
}

static void profile_init(const struct reader *r, void *item, uint32_t index)
{
    (void)r;
    (void)index;
    *(struct link_profile *)item = *link_profile_at(0);
}

static int profile_check(const struct reader *r, const cJSON *obj, void *item)
{
    (void)r;
    (void)obj;
    struct link_profile *p = item;
    p->name = "custom";
    p->text = "figures of the scenario";
    return 0;
}

#define PROFILE(m) MEMBER(struct link_profile, m)
static const struct field profile_fields[] = {
    {"base", FIELD_SPECIAL, .read = base_read, .write = base_write},
    {"down_bps", FIELD_INT, PROFILE(down_bps), .max = UINT32_MAX},
    {"up_bps", FIELD_INT, PROFILE(up_bps), .max = UINT32_MAX},
    {"one_way_ms", FIELD_MS, PROFILE(one_way_ns)},
    {"jitter_ms", FIELD_MS, PROFILE(jitter_ns)},
    {"loss_ppm", FIELD_INT, PROFILE(loss_ppm), .max = 900000},
    {"idle_ms", FIELD_MS, PROFILE(idle_ns)},
    {"segment_bytes", FIELD_INT, PROFILE(segment_bytes), .min = 1, .max = 65535},
};
const struct table profile_table = {
    .name = "profile", COUNTED(profile_fields), .init = profile_init, .check = profile_check};

static int profile_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    const cJSON *node = cJSON_GetObjectItemCaseSensitive(obj, f->key);
    struct link_profile *p = (struct link_profile *)(void *)((char *)base + f->offset);
    return cJSON_IsObject(node) ? fields_read(r, &profile_table, node, p, 0)
                                : base_read(r, f, obj, p);
}

static void profile_write(struct writer *w, const struct field *f, const void *base)
{
    const struct link_profile *p =
        (const struct link_profile *)(const void *)((const char *)base + f->offset);
    const struct link_profile *known = p->name != NULL ? link_profile_find(p->name) : NULL;
    if (known != NULL && known->down_bps == p->down_bps && known->up_bps == p->up_bps &&
        known->one_way_ns == p->one_way_ns && known->jitter_ns == p->jitter_ns &&
        known->loss_ppm == p->loss_ppm && known->idle_ns == p->idle_ns &&
        known->segment_bytes == p->segment_bytes) {
        write_text(w, f->key, p->name);
        return;
    }
    write_open(w, f->key, '{');
    fields_write(w, &profile_table, p);
    write_close(w, '}');
}

/* ---- network faults ---- */

static const struct {
    const char *word;
    enum net_action action;
    enum link_action byte_action;
} deeds[] = {
    {"outage", NET_OUTAGE, LINK_RESET},
    {"refuse", NET_REFUSE, LINK_RESET},
    {"black-hole", NET_BLACK_HOLE, LINK_RESET},
    {"profile", NET_PROFILE, LINK_RESET},
    {"broker-restart", NET_BROKER, LINK_RESET},
    {"reset", NET_BYTE, LINK_RESET},
    {"close", NET_BYTE, LINK_CLOSE},
    {"half-close", NET_BYTE, LINK_HALF},
    {"stall", NET_BYTE, LINK_STALL},
    {"corrupt", NET_BYTE, LINK_CORRUPT},
    {"dribble", NET_BYTE, LINK_DRIBBLE},
};
#define DEEDS (sizeof deeds / sizeof deeds[0])
enum {
    DEED_OUTAGE,
    DEED_REFUSE,
    DEED_BLACK_HOLE,
    DEED_PROFILE,
    DEED_BROKER,
    DEED_RESET,
    DEED_CLOSE,
    DEED_HALF,
    DEED_STALL,
    DEED_CORRUPT,
    DEED_DRIBBLE
};
_Static_assert(DEEDS == NET_BYTE + LINK_ACTION_COUNT, "every action has a word");

const char *net_word(int kind)
{
    return (size_t)kind < DEEDS ? deeds[kind].word : NULL;
}

static int net_kind_of(const void *item)
{
    const struct net_rule *rule = item;
    size_t i = 0;
    while (i + 1 < DEEDS &&
           !(deeds[i].action == rule->action &&
             (rule->action != NET_BYTE || deeds[i].byte_action == rule->byte_action)))
        i++;
    return (int)i;
}

static int do_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base)
{
    const char *words[DEEDS];
    int index = 0;
    for (size_t i = 0; i < DEEDS; i++)
        words[i] = deeds[i].word;
    int rc = json_get_word(r->root, obj, f->key, words, DEEDS, &index, r->err);
    struct net_rule *rule = base;
    rule->action = deeds[index].action;
    rule->byte_action = deeds[index].byte_action;
    return rc;
}

static void do_write(struct writer *w, const struct field *f, const void *base)
{
    write_text(w, f->key, net_word(net_kind_of(base)));
}

static const char *scope_word(int index)
{
    static const char *const words[] = {
        [NET_ON_ALL] = "all", [NET_ON_MQTT] = "mqtt", [NET_ON_HTTP] = "http"};
    return (size_t)index < sizeof words / sizeof words[0] ? words[index] : NULL;
}

static void net_init(const struct reader *r, void *item, uint32_t index)
{
    struct net_rule *rule = item;
    memset(rule, 0, sizeof *rule);
    rule->mask = 1;
    profile_init(r, &rule->profile, index);
}

static int net_check(const struct reader *r, const cJSON *obj, void *item)
{
    const struct net_rule *rule = item;
    const cJSON *when = cJSON_GetObjectItemCaseSensitive(obj, "when");
    const char *word = net_word(net_kind_of(item));
    enum trigger_kind kind = rule->when.kind;
    if (kind == TRIGGER_OP || kind == TRIGGER_MESSAGE)
        return json_error(r->root, when, r->err,
                          "a network fault is set off by at_ms, event, connection or reply");
    if (kind == TRIGGER_EVENT && rule->when.op != 0)
        return json_error(r->root, when, r->err, "\"plus_ops\" is for power cuts");
    bool at_byte = kind == TRIGGER_BYTE || kind == TRIGGER_REPLY;
    bool needs_byte = rule->action == NET_BYTE && rule->byte_action >= LINK_STALL;
    if (needs_byte && !at_byte)
        return json_error(r->root, when, r->err,
                          "\"%s\" happens at a byte: it is set off by connection or reply", word);
    bool aimed = rule->scope != NET_ON_ALL;
    if (aimed && (at_byte || rule->action == NET_PROFILE || rule->action == NET_BROKER))
        return json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, "on"), r->err,
                          "has no meaning with \"%s\"", at_byte ? "byte" : word);
    if (rule->action != NET_BYTE && at_byte)
        return json_error(r->root, when, r->err,
                          "\"%s\" is set off by at_ms or event, not by a byte", word);
    if (rule->action != NET_PROFILE && rule->duration_ns == 0 &&
        cJSON_GetObjectItemCaseSensitive(obj, "for_ms") != NULL)
        return json_error(r->root, obj, r->err, "\"for_ms\" must be at least 1 with \"%s\"", word);
    return 0;
}

#define NET(m) MEMBER(struct net_rule, m)
static const struct field net_fields[] = {
    {"when", FIELD_OBJECT, .required = true, NET(when), .table = &trigger_table},
    {"do", FIELD_SPECIAL, .required = true, .read = do_read, .write = do_write},
    {"on", FIELD_WORD, NET(scope), .word = scope_word},
    {"for_ms", FIELD_MS, NET(duration_ns)},
    {"mask", FIELD_INT, NET(mask), .min = 1, .max = 255},
    {"profile", FIELD_SPECIAL, NET(profile), .read = profile_read, .write = profile_write},
};
static const struct key_use net_uses[] = {
    {DEED_OUTAGE, "for_ms", true},     {DEED_REFUSE, "for_ms", true},
    {DEED_BLACK_HOLE, "for_ms", true}, {DEED_PROFILE, "for_ms", false},
    {DEED_PROFILE, "profile", true},   {DEED_BROKER, "for_ms", true},
    {DEED_STALL, "for_ms", true},      {DEED_CORRUPT, "mask", false},
    {DEED_DRIBBLE, "for_ms", true},
};
const struct table net_fault_table = {.name = "network_fault",
                                      COUNTED(net_fields),
                                      .item_bytes = sizeof(struct net_rule),
                                      .init = net_init,
                                      .kind_of = net_kind_of,
                                      .kind_word = net_word,
                                      USES(net_uses),
                                      .check = net_check};

static void network_init(const struct reader *r, void *item, uint32_t index)
{
    (void)item;
    profile_init(r, &r->s->profile, index);
}

static const struct field network_fields[] = {
    {"profile", FIELD_SPECIAL, MEMBER(struct scenario, profile), .read = profile_read,
     .write = profile_write},
    {"faults", FIELD_LIST, MEMBER(struct scenario, net), .table = &net_fault_table,
     .max = SCENARIO_RULES_MAX, .count_offset = offsetof(struct scenario, n_net)},
};
const struct table network_table = {
    .name = "network", COUNTED(network_fields), .init = network_init};

/* ---- power ---- */

static const char *tear_word(int index)
{
    return index < TEAR_COUNT ? nor_tear_name((enum nor_tear)index) : NULL;
}

static void power_init(const struct reader *r, void *item, uint32_t index)
{
    (void)r;
    (void)index;
    struct power_rule *rule = item;
    memset(rule, 0, sizeof *rule);
    rule->off_ns = NS_PER_S;
}

static int power_check(const struct reader *r, const cJSON *obj, void *item)
{
    const struct power_rule *rule = item;
    if (rule->when.kind == TRIGGER_BYTE || rule->when.kind == TRIGGER_REPLY)
        return json_error(r->root, cJSON_GetObjectItemCaseSensitive(obj, "when"), r->err,
                          "a power cut is set off by at_ms, op, message or event");
    return 0;
}

static const struct field power_fields[] = {
    {"when", FIELD_OBJECT, .required = true, MEMBER(struct power_rule, when),
     .table = &trigger_table},
    {"tear", FIELD_WORD, MEMBER(struct power_rule, tear), .word = tear_word},
    {"tear_bytes", FIELD_SIZE, MEMBER(struct power_rule, tear_bytes), .max = UINT32_MAX},
    {"off_ms", FIELD_MS, MEMBER(struct power_rule, off_ns)},
    {"draw_by_place", FIELD_BOOL, MEMBER(struct power_rule, draw_by_place)},
    {"reading", FIELD_SIZE, MEMBER(struct power_rule, reading), .max = UINT32_MAX},
};
const struct table power_table = {.name = "power_cut",
                                  COUNTED(power_fields),
                                  .item_bytes = sizeof(struct power_rule),
                                  .init = power_init,
                                  .check = power_check};

/* ---- flash ---- */

static const char *io_word(int index)
{
    static const char *const words[] = {
        [NOR_IO_READ] = "read",
        [NOR_IO_PROGRAM] = "program",
        [NOR_IO_ERASE] = "erase",
        [NOR_IO_CORRUPT] = "corrupt",
    };
    return (unsigned)index < sizeof words / sizeof words[0] ? words[index] : NULL;
}

static void flash_init(const struct reader *r, void *item, uint32_t index)
{
    (void)index;
    struct flash_rule *rule = item;
    memset(rule, 0, sizeof *rule);
    rule->len_bytes = r->s->device.geometry.erase_bytes;
    rule->count = 1;
}

static int flash_check(const struct reader *r, const cJSON *obj, void *item)
{
    const struct flash_rule *rule = item;
    uint32_t size = r->s->device.geometry.size_bytes;
    if (rule->addr >= size || rule->len_bytes > size - rule->addr)
        return json_error(r->root, obj, r->err,
                          "address 0x%x plus 0x%x bytes is beyond the chip's end 0x%x", rule->addr,
                          rule->len_bytes, size);
    if (rule->count == 0)
        return json_error(r->root, obj, r->err, "\"count\" is 0, must be from 1, or -1 for ever");
    return 0;
}

static const struct field flash_fields[] = {
    {"fail", FIELD_WORD, .required = true, MEMBER(struct flash_rule, kind), .word = io_word},
    {"address", FIELD_SIZE, .required = true, MEMBER(struct flash_rule, addr), .max = UINT32_MAX},
    {"len_bytes", FIELD_SIZE, MEMBER(struct flash_rule, len_bytes), .min = 1, .max = UINT32_MAX},
    {"count", FIELD_INT, MEMBER(struct flash_rule, count), .min = -1, .max = 1000000},
};
const struct table flash_table = {.name = "flash_fault",
                                  COUNTED(flash_fields),
                                  .item_bytes = sizeof(struct flash_rule),
                                  .init = flash_init,
                                  .check = flash_check};
