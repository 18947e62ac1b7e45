/* Reading the JSON report back, for merging. Nothing in it is trusted. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "scenarios/cli/explore_report.h"

struct reader {
    const cJSON *root;
    struct err *err;
    int rc; /* the first error; later calls do nothing */
};

static void refuse(struct reader *r, const cJSON *node, const char *what)
{
    if (r->rc == 0)
        r->rc = json_error(r->root, node, r->err, "%s", what);
}

/* ---- members that must be there ---- */

static uint64_t need_int(struct reader *r, const cJSON *obj, const char *key, uint64_t min,
                         uint64_t max)
{
    int64_t v = 0;
    if (r->rc == 0)
        r->rc = json_need(json_get_int(r->root, obj, key, (int64_t)min, (int64_t)max, &v, r->err),
                          r->root, obj, key, r->err);
    return (uint64_t)v;
}

static void need_text(struct reader *r, const cJSON *obj, const char *key, char *out, size_t cap)
{
    const char *s = "";
    if (r->rc == 0)
        r->rc = json_need(json_get_string(r->root, obj, key, 0, cap - 1, &s, r->err), r->root, obj,
                          key, r->err);
    size_t n = strlen(s);
    n = n < cap ? n : 0;
    memcpy(out, s, n);
    out[n] = '\0';
}

static const cJSON *need_array(struct reader *r, const cJSON *obj, const char *key, uint32_t max)
{
    const cJSON *a = NULL;
    if (r->rc == 0)
        r->rc = json_need(json_get_array(r->root, obj, key, 0, (int)max, &a, r->err), r->root, obj,
                          key, r->err);
    return r->rc == 0 ? a : NULL;
}

static const cJSON *need_object(struct reader *r, const cJSON *obj, const char *key)
{
    const cJSON *o = NULL;
    if (r->rc == 0)
        r->rc =
            json_need(json_get_object(r->root, obj, key, &o, r->err), r->root, obj, key, r->err);
    return r->rc == 0 ? o : NULL;
}

/* Seeds are hexadecimal text: JSON numbers do not keep 64 bits. */
static uint64_t need_seed(struct reader *r, const cJSON *obj, const char *key)
{
    char text[24];
    need_text(r, obj, key, text, sizeof text);
    size_t n = strlen(text);
    if (r->rc == 0 && (n < 3 || n > 18 || strncmp(text, "0x", 2) != 0 ||
                       text[2 + strspn(text + 2, "0123456789abcdef")] != '\0'))
        refuse(r, cJSON_GetObjectItemCaseSensitive(obj, key), "must be \"0x\" and up to 16 digits");
    return r->rc == 0 ? strtoull(text + 2, NULL, 16) : 0;
}

/* ---- items of an array: [*at] is the next one ---- */

static uint64_t next_int(struct reader *r, const cJSON *array, const cJSON **at, uint64_t max)
{
    const cJSON *item = *at;
    if (r->rc != 0)
        return 0;
    if (item == NULL || !cJSON_IsNumber(item) || item->valuedouble < 0 ||
        item->valuedouble > (double)max || floor(item->valuedouble) != item->valuedouble) {
        refuse(r, item == NULL ? array : item, "needs a whole number in range here");
        return 0;
    }
    *at = item->next;
    return (uint64_t)item->valuedouble;
}

static const char *next_word(struct reader *r, const cJSON *array, const cJSON **at)
{
    const cJSON *item = *at;
    if (r->rc != 0)
        return "";
    if (!cJSON_IsString(item)) {
        refuse(r, item == NULL ? array : item, "needs a word here");
        return "";
    }
    *at = item->next;
    return item->valuestring;
}

static enum nor_tear next_tear(struct reader *r, const cJSON *array, const cJSON **at)
{
    enum nor_tear tear = TEAR_NOTHING;
    const cJSON *item = *at;
    const char *word = next_word(r, array, at);
    if (r->rc == 0 && nor_tear_parse(word, &tear) != 0)
        refuse(r, item, "is no tear");
    return tear;
}

/* Words by number, null past the end, as the parts of a report name things. */
static const char *kind_word(int i)
{
    return i < EXPLORE_KINDS ? explore_kind_name((enum run_cut_kind)i) : NULL;
}

static const char *phase_word(int i)
{
    return i < RUN_PHASES ? run_phase_name((enum run_phase)i) : NULL;
}

static const char *op_word(int i)
{
    static const char *const words[] = {[NOR_OP_PROGRAM] = "program", [NOR_OP_ERASE] = "erase"};
    return (size_t)i < sizeof words / sizeof words[0] ? words[i] : NULL;
}

static const char *message_word(int i)
{
    static const char *const words[] = {"request", "reply"};
    return i < 2 ? words[i] : NULL;
}

static const char *about_word(int i)
{
    return i < RQ_COUNT ? cloud_request_name((enum cloud_request)i) : NULL;
}

static const char *dir_word(int i)
{
    return i == LINK_UP ? "up" : i == LINK_DOWN ? "down" : NULL;
}

static const char *place_word(int i)
{
    return i < PLACE_COUNT ? run_place_name((enum run_place)i) : NULL;
}

static const char *spread_word(int i)
{
    static const char *const words[] = {"each", "any"};
    return i < 2 ? words[i] : NULL;
}

static const char *way_word(int i)
{
    return i < EXPLORE_WAYS ? explore_way_name((uint32_t)i) : NULL;
}

/* The next item must be one of those words: its number, 0 on error. */
static int one_of(struct reader *r, const cJSON *array, const cJSON **at, const char *(*word)(int),
                  const char *otherwise)
{
    const cJSON *item = *at;
    const char *text = next_word(r, array, at);
    for (int i = 0; r->rc == 0 && word(i) != NULL; i++)
        if (strcmp(word(i), text) == 0)
            return i;
    refuse(r, item == NULL ? array : item, otherwise);
    return 0;
}

/* ---- parts ---- */

static void read_options(struct reader *r, struct explore_report *p)
{
    struct explore_options *o = &p->options;
    bool complete = false;
    p->shards = (uint32_t)need_int(r, r->root, "shards", 1, EXPLORE_SHARDS_MAX);
    p->shard = (uint32_t)need_int(r, r->root, "shard", 1, p->shards > 0 ? p->shards : 1);
    if (r->rc == 0)
        r->rc = json_need(json_get_bool(r->root, r->root, "complete", &complete, r->err), r->root,
                          r->root, "complete", r->err);
    p->complete = complete;
    *o =
        (struct explore_options){.depth = (uint32_t)need_int(r, r->root, "depth", 1, RUN_CUTS_MAX)};
    o->sample = need_int(r, r->root, "sample", 0, EXPLORE_POINTS_MAX);
    o->sample_seed = need_seed(r, r->root, "sample_seed");
    const cJSON *kinds = need_array(r, r->root, "kinds", EXPLORE_KINDS);
    const cJSON *k;
    cJSON_ArrayForEach(k, kinds)
    {
        const cJSON *at = k;
        int i = one_of(r, kinds, &at, kind_word, "is none of flash, messages, net");
        o->kinds |= 1u << i;
    }
    if (r->rc == 0 && o->kinds == 0)
        refuse(r, kinds, "needs a kind");
    const cJSON *tears = need_array(r, r->root, "tears", EXPLORE_TEARS_MAX);
    const cJSON *t;
    cJSON_ArrayForEach(t, tears)
    {
        const cJSON *at = cJSON_IsArray(t) ? t->child : NULL;
        struct explore_tear *tear = &o->tears[o->n_tears++];
        tear->tear = next_tear(r, t, &at);
        tear->arg = (uint32_t)next_int(r, t, &at, UINT32_MAX);
        if (r->rc == 0 && at != NULL)
            tear->spread = one_of(r, t, &at, spread_word, "is neither each nor any") == 0
                               ? SPREAD_EACH
                               : SPREAD_ANY;
    }
    if (r->rc == 0 && o->n_tears == 0)
        refuse(r, tears, "needs a tear");
}

static void read_chip(struct reader *r, const cJSON *obj, struct exploration *x)
{
    const cJSON *chip = need_object(r, obj, "chip");
    x->geometry.size_bytes = (uint32_t)need_int(r, chip, "size_bytes", 1, 1u << 30);
    x->geometry.erase_bytes =
        (uint32_t)need_int(r, chip, "erase_bytes", 1, r->rc == 0 ? x->geometry.size_bytes : 1);
    x->geometry.granule_bytes =
        (uint32_t)need_int(r, chip, "granule_bytes", 1, r->rc == 0 ? x->geometry.erase_bytes : 1);
    x->geometry.write_back_ops =
        (uint32_t)need_int(r, chip, "write_back_ops", 0, NOR_WRITE_BACK_MAX);
    const cJSON *parts = need_array(r, chip, "partitions", PARTITION_MAX);
    const cJSON *p;
    cJSON_ArrayForEach(p, parts)
    {
        struct partition *part = &x->partitions.part[x->partitions.count++];
        need_text(r, p, "name", part->name, sizeof part->name);
        part->offset = (uint32_t)need_int(r, p, "offset", 0, x->geometry.size_bytes);
        part->size_bytes = (uint32_t)need_int(
            r, p, "size_bytes", 0,
            part->offset <= x->geometry.size_bytes ? x->geometry.size_bytes - part->offset : 0);
    }
}

/* Room for as many items as the array has; null when there are none, or no memory. */
static void *room_for(struct reader *r, const cJSON *array, size_t item_bytes)
{
    int n = array == NULL ? 0 : cJSON_GetArraySize(array);
    void *items = calloc(n > 0 ? (size_t)n : 1, item_bytes);
    if (items == NULL && r->rc == 0)
        r->rc = err_set(r->err, ERR_NOMEM, "no memory for %d items", n);
    return items;
}

static void read_ops(struct reader *r, const cJSON *obj, struct exploration *x)
{
    const cJSON *ops = need_array(r, obj, "ops", RUN_LOG_OPS_MAX);
    x->ops = room_for(r, ops, sizeof *x->ops);
    const cJSON *row;
    cJSON_ArrayForEach(row, ops)
    {
        const cJSON *at = cJSON_IsArray(row) ? row->child : NULL;
        if (r->rc != 0)
            return;
        struct run_op *op = &x->ops[x->n_ops++];
        op->kind = (enum nor_op_kind)one_of(r, row, &at, op_word, "is no program or erase");
        op->addr = (uint32_t)next_int(r, row, &at, x->geometry.size_bytes);
        op->len_bytes =
            (uint32_t)next_int(r, row, &at, r->rc == 0 ? x->geometry.size_bytes - op->addr : 0);
        op->phase = (enum run_phase)one_of(r, row, &at, phase_word, "is no phase");
    }
}

static void read_messages(struct reader *r, const cJSON *obj, struct exploration *x)
{
    const cJSON *list = need_array(r, obj, "messages", RUN_LOG_MESSAGES_MAX);
    x->messages = room_for(r, list, sizeof *x->messages);
    const cJSON *row;
    cJSON_ArrayForEach(row, list)
    {
        const cJSON *at = cJSON_IsArray(row) ? row->child : NULL;
        if (r->rc != 0)
            return;
        struct run_message *m = &x->messages[x->n_messages++];
        m->reply = one_of(r, row, &at, message_word, "is no request or reply") == 1;
        m->about = (enum cloud_request)one_of(r, row, &at, about_word, "is no kind of request");
        m->ops = (uint32_t)next_int(r, row, &at, x->n_ops);
        m->phase = (enum run_phase)one_of(r, row, &at, phase_word, "is no phase");
    }
}

static void read_borders(struct reader *r, const cJSON *obj, struct exploration *x)
{
    const cJSON *list = need_array(r, obj, "borders", RUN_LOG_MESSAGES_MAX);
    x->borders = room_for(r, list, sizeof *x->borders);
    const cJSON *row;
    cJSON_ArrayForEach(row, list)
    {
        const cJSON *at = cJSON_IsArray(row) ? row->child : NULL;
        if (r->rc != 0)
            return;
        struct run_border *b = &x->borders[x->n_borders++];
        b->connection = (uint32_t)next_int(r, row, &at, UINT32_MAX);
        b->dir = (enum link_dir)one_of(r, row, &at, dir_word, "is neither up nor down");
        b->byte = next_int(r, row, &at, (uint64_t)1 << 53);
        b->place = (enum run_place)one_of(r, row, &at, place_word, "is no place in a message");
        b->about = (enum cloud_request)one_of(r, row, &at, about_word, "is no kind of request");
        b->ops = (uint32_t)next_int(r, row, &at, x->n_ops);
        b->messages = (uint32_t)next_int(r, row, &at, x->n_messages);
        b->phase = (enum run_phase)one_of(r, row, &at, phase_word, "is no phase");
    }
}

static void read_cut(struct reader *r, const cJSON *row, struct run_cut *c)
{
    const cJSON *at = cJSON_IsArray(row) ? row->child : NULL;
    if (!cJSON_IsString(at)) {
        c->op = next_int(r, row, &at, RUN_LOG_OPS_MAX);
        c->tear = next_tear(r, row, &at);
        c->arg = (uint32_t)next_int(r, row, &at, UINT32_MAX);
        return;
    }
    const char *kind = next_word(r, row, &at);
    if (strcmp(kind, "message") == 0) {
        c->kind = CUT_MESSAGE;
        c->op = next_int(r, row, &at, RUN_LOG_MESSAGES_MAX);
    } else if (strcmp(kind, "net") == 0) {
        c->kind = CUT_NETWORK;
        c->connection = (uint32_t)next_int(r, row, &at, UINT32_MAX);
        c->dir = (enum link_dir)one_of(r, row, &at, dir_word, "is neither up nor down");
        c->byte = next_int(r, row, &at, (uint64_t)1 << 53);
        c->action = explore_way((uint32_t)one_of(r, row, &at, way_word, "is no way to lose it"));
    } else {
        refuse(r, row, "is no cut");
    }
}

/* Numbers of one kind rise, and the first cut is one of the run without a cut. */
static bool in_order(const struct exploration *x, const struct run_cut *cuts, uint32_t n)
{
    const struct run_cut *c = &cuts[n];
    if (n == 0 && explore_item_of(x, c) == UINT32_MAX)
        return false;
    if (c->kind == CUT_NETWORK)
        return c->connection > 0;
    for (uint32_t i = 0; i < n; i++)
        if (cuts[i].kind == c->kind && cuts[i].op >= c->op)
            return false;
    return c->op > 0;
}

static uint32_t read_cuts(struct reader *r, const cJSON *obj, struct run_cut cuts[RUN_CUTS_MAX],
                          const struct exploration *x)
{
    const cJSON *list = need_array(r, obj, "cuts", RUN_CUTS_MAX);
    const cJSON *c;
    uint32_t n = 0;
    cJSON_ArrayForEach(c, list)
    {
        read_cut(r, c, &cuts[n]);
        if (r->rc == 0 && !in_order(x, cuts, n))
            refuse(r, c, "must be a cut of this run, and numbers must rise");
        n++;
    }
    if (r->rc == 0 && n == 0)
        refuse(r, list, "needs a cut");
    return n;
}

static enum explore_outcome outcome_of(const char *word)
{
    for (int o = EXPLORE_NEW; o < EXPLORE_OUTCOMES; o++)
        if (strcmp(explore_outcome_name((enum explore_outcome)o), word) == 0)
            return (enum explore_outcome)o;
    return EXPLORE_NOT_RUN;
}

static enum explore_outcome need_outcome(struct reader *r, const cJSON *obj)
{
    char word[32];
    need_text(r, obj, "outcome", word, sizeof word);
    enum explore_outcome o = outcome_of(word);
    if (r->rc == 0 && o == EXPLORE_NOT_RUN)
        refuse(r, cJSON_GetObjectItemCaseSensitive(obj, "outcome"), "is no outcome");
    return o;
}

static void read_point(struct reader *r, const cJSON *row, struct exploration *x, bool sampled)
{
    uint64_t number = need_int(r, row, "point", 0, x->n_points == 0 ? 0 : x->n_points - 1);
    if (r->rc == 0 && x->n_points == 0)
        refuse(r, row, "is a point of nothing");
    struct explore_point got = {.n_cuts = 0};
    got.n_cuts = read_cuts(r, row, got.cuts, x);
    got.outcome = need_outcome(r, row);
    const cJSON *runs = need_object(r, row, "runs");
    const cJSON *n;
    cJSON_ArrayForEach(n, runs)
    {
        const cJSON *at = n;
        enum explore_outcome o = outcome_of(n->string);
        uint64_t v = next_int(r, runs, &at, UINT32_MAX);
        if (r->rc == 0 && o == EXPLORE_NOT_RUN)
            refuse(r, n, "is no outcome");
        got.counts[o] = (uint32_t)v;
    }
    if (r->rc != 0)
        return;
    struct explore_point *p = &x->points[number];
    if (p->outcome != EXPLORE_NOT_RUN)
        refuse(r, row, "is listed twice");
    else if (!sampled && (got.n_cuts != 1 || !run_cut_same(&p->cuts[0], &got.cuts[0])))
        refuse(r, row, "is not the cut of that number");
    else
        *p = got;
}

static void read_failure(struct reader *r, const cJSON *row, struct exploration *x)
{
    struct explore_failure f = {.point = 0};
    f.point = (uint32_t)need_int(r, row, "point", 0, x->n_points == 0 ? 0 : x->n_points - 1);
    f.n_cuts = read_cuts(r, row, f.cuts, x);
    f.outcome = need_outcome(r, row);
    need_text(r, row, "detail", f.detail, sizeof f.detail);
    const cJSON *ids = need_array(r, row, "ids", EXPLORE_IDS_MAX);
    const cJSON *id;
    cJSON_ArrayForEach(id, ids)
    {
        const cJSON *at = id;
        const char *word = next_word(r, ids, &at);
        if (r->rc == 0 && requirement_find(word) == NULL)
            refuse(r, id, "is no requirement");
        if (r->rc == 0)
            memcpy(f.ids[f.n_ids++], word, strlen(word) + 1); /* of the catalogue: it fits */
    }
    if (r->rc == 0 && explore_put_failure(x, &f) != 0)
        r->rc = err_set(r->err, ERR_NOMEM, "no memory for failures");
}

static void read_ids(struct reader *r, const cJSON *obj, struct exploration *x)
{
    const cJSON *list = need_object(r, obj, "requirements");
    const cJSON *n;
    cJSON_ArrayForEach(n, list)
    {
        const cJSON *at = n;
        struct explore_id id = {.runs = next_int(r, list, &at, (uint64_t)1 << 53)};
        if (r->rc == 0 && requirement_find(n->string) == NULL)
            refuse(r, n, "is no requirement");
        if (r->rc != 0)
            return;
        memcpy(id.id, n->string, strlen(n->string) + 1);
        explore_put_id(x, &id);
    }
    const cJSON *fails = need_array(r, obj, "fails", SCENARIO_EXPECT_MAX);
    cJSON_ArrayForEach(n, fails)
    {
        const cJSON *at = n;
        const char *word = next_word(r, fails, &at);
        if (r->rc == 0 && requirement_find(word) == NULL)
            refuse(r, n, "is no requirement");
        if (r->rc == 0)
            memcpy(x->fails[x->n_fails++], word, strlen(word) + 1);
    }
}

static enum verdict need_verdict(struct reader *r, const cJSON *obj, const char *key)
{
    char word[32];
    need_text(r, obj, key, word, sizeof word);
    for (int v = VERDICT_PASS; v <= VERDICT_ERROR; v++)
        if (strcmp(verdict_name((enum verdict)v), word) == 0)
            return (enum verdict)v;
    refuse(r, cJSON_GetObjectItemCaseSensitive(obj, key), "is no verdict");
    return VERDICT_ERROR;
}

static void read_scenario(struct reader *r, const cJSON *obj, const struct explore_options *o,
                          struct exploration *x)
{
    need_text(r, obj, "name", x->name, sizeof x->name);
    need_text(r, obj, "path", x->path, sizeof x->path);
    x->seed = need_seed(r, obj, "seed");
    need_text(r, obj, "old_version", x->old_version, sizeof x->old_version);
    need_text(r, obj, "new_version", x->new_version, sizeof x->new_version);
    need_text(r, obj, "trace_sha256", x->trace_sha256, sizeof x->trace_sha256);
    need_text(r, obj, "cause", x->cause, sizeof x->cause);
    x->baseline = need_verdict(r, obj, "baseline");
    const cJSON *summary = need_object(r, obj, "summary");
    x->flash_ops = need_int(r, summary, "flash_ops", 0, (uint64_t)1 << 53);
    read_chip(r, obj, x);
    if (r->rc == 0)
        read_ops(r, obj, x);
    if (r->rc == 0)
        read_messages(r, obj, x);
    if (r->rc == 0)
        read_borders(r, obj, x);
    read_ids(r, obj, x);
    if (r->rc == 0)
        r->rc = explore_lay_out(x, o, r->err);
    const cJSON *points = need_array(r, obj, "points", EXPLORE_POINTS_MAX);
    const cJSON *failures = need_array(r, obj, "failures", EXPLORE_FAILURES_MAX);
    const cJSON *row;
    cJSON_ArrayForEach(row, points)
    {
        if (r->rc == 0)
            read_point(r, row, x, o->sample > 0);
    }
    cJSON_ArrayForEach(row, failures)
    {
        if (r->rc == 0)
            read_failure(r, row, x);
    }
}

static void read_report(struct reader *r, struct explore_report *p)
{
    char kind[16];
    need_text(r, r->root, "report", kind, sizeof kind);
    if (r->rc == 0 && strcmp(kind, "explore") != 0)
        refuse(r, r->root, "is no report of otabench explore");
    read_options(r, p);
    const cJSON *list = need_array(r, r->root, "scenarios", SCENARIO_VERSIONS_MAX * 100000);
    if (r->rc != 0)
        return;
    int n = cJSON_GetArraySize(list);
    p->scenarios = calloc(n > 0 ? (size_t)n : 1, sizeof *p->scenarios);
    if (p->scenarios == NULL) {
        r->rc = err_set(r->err, ERR_NOMEM, "no memory for scenarios");
        return;
    }
    const cJSON *s;
    cJSON_ArrayForEach(s, list)
    {
        if (r->rc == 0)
            read_scenario(r, s, &p->options, &p->scenarios[p->count++]);
    }
}

int explore_json_read(struct explore_report *p, const char *text, size_t len_bytes, struct err *err)
{
    const struct json_limits limits = {.max_bytes = EXPLORE_REPORT_BYTES_MAX, .max_depth = 8};
    struct json doc;
    *p = (struct explore_report){.shard = 1};
    int rc = json_parse(&doc, text, len_bytes, &limits, err);
    if (rc != 0)
        return rc;
    struct reader r = {.root = doc.root, .err = err};
    read_report(&r, p);
    json_free(&doc);
    if (r.rc != 0)
        explore_report_free(p);
    return r.rc;
}
