#include "scenarios/engine/run_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const phase_names[RUN_PHASES] = {
    [RUN_AT_START] = "start",       [RUN_AT_REGISTER] = "register", [RUN_AT_PREPARE] = "prepare",
    [RUN_AT_SEGMENTS] = "segments", [RUN_AT_VERIFY] = "verify",     [RUN_AT_BOOT] = "boot",
    [RUN_AT_RESTORE] = "restore",   [RUN_AT_RESULT] = "result",     [RUN_AT_REPORT] = "report",
};

const char *run_phase_name(enum run_phase p)
{
    return (unsigned)p < RUN_PHASES ? phase_names[p] : "unknown";
}

static const char *const place_names[PLACE_COUNT] = {
    [PLACE_FIRST] = "first byte",     [PLACE_LINE] = "start line", [PLACE_HEAD] = "header",
    [PLACE_BORDER] = "begin of body", [PLACE_BODY] = "body",       [PLACE_LAST] = "last byte",
};

const char *run_place_name(enum run_place p)
{
    return (unsigned)p < PLACE_COUNT ? place_names[p] : "unknown";
}

/* The items with room for one more; null, and l->rc set, when there is none. */
static void *room(struct run_log *l, void *items, uint32_t n, uint32_t *cap, size_t item_bytes,
                  uint32_t max)
{
    if (n < *cap)
        return items;
    uint32_t wanted = *cap == 0 ? 256 : *cap * 2;
    void *grown = n >= max ? NULL : realloc(items, wanted * item_bytes);
    if (grown == NULL)
        l->rc = n >= max ? ERR_LIMIT : ERR_NOMEM;
    else
        *cap = wanted;
    return grown;
}

/* ---- trace lines: operations and phases ---- */

/* The event that begins a phase. */
static const struct {
    enum lane lane;
    const char *event, *request; /* request null: any */
    enum run_phase phase;
} phase_rows[] = {
    {LANE_BOOT, "boot", NULL, RUN_AT_BOOT},
    {LANE_BOOT, "prove", NULL, RUN_AT_RESTORE},
    {LANE_BOOT, "restore", NULL, RUN_AT_RESTORE},
    {LANE_BOOT, "restored", NULL, RUN_AT_RESULT},
    {LANE_BOOT, "refuse", NULL, RUN_AT_RESULT},
    {LANE_DEVICE, "start", NULL, RUN_AT_START},
    {LANE_DEVICE, "package", NULL, RUN_AT_PREPARE},
    {LANE_DEVICE, "verify", NULL, RUN_AT_VERIFY},
    {LANE_CLOUD, "request", "register", RUN_AT_REGISTER},
    {LANE_CLOUD, "request", "download", RUN_AT_SEGMENTS},
    {LANE_CLOUD, "request", "report-upgrade", RUN_AT_REPORT},
};

static enum run_phase phase_after(enum run_phase now, enum lane lane, const char *event,
                                  const char *request)
{
    for (size_t i = 0; i < sizeof phase_rows / sizeof phase_rows[0]; i++)
        if (phase_rows[i].lane == lane && strcmp(phase_rows[i].event, event) == 0 &&
            (phase_rows[i].request == NULL || strcmp(phase_rows[i].request, request) == 0))
            return phase_rows[i].phase;
    return now;
}

/* Copies the string value of a key out of a trace line, whose keys and words need no unescaping. */
static void line_text(const char *line, const char *key, char out[32])
{
    char quoted[40];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":\"", key);
    const char *at = strstr(line, quoted);
    out[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(quoted);
    size_t n = strcspn(at, "\"");
    n = n < 31 ? n : 31;
    memcpy(out, at, n);
    out[n] = '\0';
}

static uint64_t line_number(const char *line, const char *key)
{
    char quoted[40];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(line, quoted);
    return at == NULL ? 0 : strtoull(at + strlen(quoted), NULL, 10);
}

static void record_op(struct run_log *l, const char *line, enum nor_op_kind kind)
{
    struct run_op *ops = room(l, l->ops, l->n_ops, &l->ops_cap, sizeof *ops, RUN_LOG_OPS_MAX);
    if (ops == NULL)
        return;
    l->ops = ops;
    if (line_number(line, "op") != (uint64_t)l->n_ops + 1)
        l->rc = ERR_BENCH; /* two operations overlapped: numbers are not in order */
    l->ops[l->n_ops++] = (struct run_op){.kind = kind,
                                         .addr = (uint32_t)line_number(line, "addr"),
                                         .len_bytes = (uint32_t)line_number(line, "len"),
                                         .phase = l->phase};
}

static enum cloud_request request_of(const char *word)
{
    for (int rq = 0; rq < RQ_COUNT; rq++)
        if (strcmp(cloud_request_name((enum cloud_request)rq), word) == 0)
            return (enum cloud_request)rq;
    return RQ_OTHER;
}

static void look_for_fault(struct run_log *l, const char *line)
{
    char dir[32];
    const struct run_cut *c = l->fault;
    line_text(line, "dir", dir);
    if (c != NULL && c->kind == CUT_NETWORK && line_number(line, "conn") == c->connection &&
        line_number(line, "byte") == c->byte && strcmp(dir, c->dir == LINK_UP ? "up" : "down") == 0)
        l->fault_at =
            (struct run_mark){.ops = l->n_ops, .messages = l->n_messages, .begun = l->begun};
}

static void on_line(void *ctx, int64_t t_ns, enum lane lane, const char *line, size_t len_bytes)
{
    (void)t_ns;
    (void)len_bytes;
    struct run_log *l = ctx;
    if (l->over || l->rc != 0)
        return;
    char event[32], request[32];
    line_text(line, "event", event);
    if (lane == LANE_BENCH) {
        l->over = strcmp(event, "heal") == 0;
    } else if (lane == LANE_NETWORK) {
        if (strcmp(event, "fault") == 0)
            look_for_fault(l, line);
    } else if (lane == LANE_FLASH) {
        if (strcmp(event, "program") == 0)
            record_op(l, line, NOR_OP_PROGRAM);
        else if (strcmp(event, "erase") == 0)
            record_op(l, line, NOR_OP_ERASE);
    } else {
        line_text(line, "rq", request);
        l->phase = phase_after(l->phase, lane, event, request);
        if (lane == LANE_CLOUD && strcmp(event, "request") == 0)
            l->about = request_of(request);
    }
}

struct trace_sink run_log_sink(struct run_log *l)
{
    return (struct trace_sink){.line = on_line, .ctx = l};
}

/* ---- probe: messages and bytes ---- */

/* One request and its reply on a connection, while its bytes pass. */
struct half {
    bool any;
    uint64_t from, len_bytes;
    uint64_t line_bytes, head_bytes; /* with their ends; 0: not seen yet */
    uint32_t newlines;               /* CR LF in a row: 1 after the first LF of a line end */
    struct run_mark at;
    enum run_phase phase;
};
struct run_exchange {
    uint32_t connection;
    enum cloud_request about;
    struct half half[2]; /* by link_dir */
};

static struct run_exchange *exchange_of(struct run_log *l, uint32_t connection)
{
    for (uint32_t i = l->n_exchanges; i > 0; i--)
        if (l->exchanges[i - 1].connection == connection)
            return &l->exchanges[i - 1];
    return NULL;
}

/* Follows the head byte by byte: its first line ends with the first LF, it with the first empty
 * line. */
static void follow(struct half *h, const uint8_t *data, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        h->len_bytes++;
        if (h->head_bytes > 0)
            continue;
        if (data[i] == '\n') {
            if (h->line_bytes == 0)
                h->line_bytes = h->len_bytes;
            if (++h->newlines == 2)
                h->head_bytes = h->len_bytes;
        } else if (data[i] != '\r') {
            h->newlines = 0;
        }
    }
}

static void on_bytes(void *ctx, uint32_t connection, enum link_dir dir, uint64_t at,
                     const uint8_t *data, size_t len_bytes)
{
    struct run_log *l = ctx;
    if (l->over || l->rc != 0 || len_bytes == 0)
        return;
    struct run_exchange *e = exchange_of(l, connection);
    /* A request after a reply is another exchange; a reply belongs to the last request. */
    if (e == NULL || (dir == LINK_UP && e->half[LINK_DOWN].any)) {
        struct run_exchange *list = room(l, l->exchanges, l->n_exchanges, &l->exchanges_cap,
                                         sizeof *list, RUN_LOG_MESSAGES_MAX);
        if (list == NULL)
            return;
        l->exchanges = list;
        e = &l->exchanges[l->n_exchanges++];
        *e = (struct run_exchange){.connection = connection, .about = RQ_OTHER};
    }
    struct half *h = &e->half[dir];
    if (!h->any)
        *h = (struct half){.any = true,
                           .from = at,
                           .at = {.ops = l->n_ops, .messages = l->n_messages, .begun = ++l->begun},
                           .phase = l->phase};
    follow(h, data, len_bytes);
}

static void on_message(void *ctx, bool reply, uint32_t connection)
{
    struct run_log *l = ctx;
    if (l->over || l->rc != 0)
        return;
    struct run_message *messages = room(l, l->messages, l->n_messages, &l->messages_cap,
                                        sizeof *messages, RUN_LOG_MESSAGES_MAX);
    if (messages == NULL)
        return;
    l->messages = messages;
    struct run_exchange *e = exchange_of(l, connection);
    if (e != NULL && !reply) {
        e->about = l->about;
        e->half[LINK_UP].phase = l->phase; /* that which the request begins */
    }
    l->messages[l->n_messages++] = (struct run_message){.reply = reply,
                                                        .about = e == NULL ? l->about : e->about,
                                                        .ops = l->n_ops,
                                                        .phase = l->phase};
}

struct run_probe run_log_probe(struct run_log *l)
{
    return (struct run_probe){.ctx = l, .message = on_message, .bytes = on_bytes};
}

/* ---- borders ---- */

static void add_borders(struct run_log *l, const struct run_exchange *e, enum link_dir dir)
{
    const struct half *h = &e->half[dir];
    uint64_t line = h->line_bytes > 0 ? h->line_bytes : h->len_bytes;
    uint64_t head = h->head_bytes > 0 ? h->head_bytes : h->len_bytes;
    const struct {
        enum run_place place;
        uint64_t offset;
        bool there;
    } rows[PLACE_COUNT] = {
        {PLACE_FIRST, 0, true},
        {PLACE_LINE, line / 2, line > 2},
        {PLACE_HEAD, line + (head - line) / 2, head > line + 2},
        {PLACE_BORDER, head, head < h->len_bytes},
        {PLACE_BODY, head + (h->len_bytes - head) / 2, h->len_bytes > head + 2},
        {PLACE_LAST, h->len_bytes - 1, h->len_bytes > 1},
    };
    for (size_t i = 0; i < PLACE_COUNT; i++)
        if (rows[i].there)
            l->borders[l->n_borders++] = (struct run_border){.connection = e->connection,
                                                             .dir = dir,
                                                             .byte = h->from + rows[i].offset,
                                                             .place = rows[i].place,
                                                             .about = e->about,
                                                             .ops = h->at.ops,
                                                             .messages = h->at.messages,
                                                             .begun = h->at.begun,
                                                             .phase = h->phase};
}

int run_log_end(struct run_log *l)
{
    size_t most = (size_t)l->n_exchanges * 2 * PLACE_COUNT;
    free(l->borders);
    l->n_borders = 0;
    l->borders = calloc(most > 0 ? most : 1, sizeof *l->borders);
    if (l->borders == NULL)
        return l->rc = ERR_NOMEM;
    for (uint32_t i = 0; i < l->n_exchanges; i++)
        for (int dir = LINK_UP; dir <= LINK_DOWN; dir++)
            if (l->exchanges[i].half[dir].any)
                add_borders(l, &l->exchanges[i], (enum link_dir)dir);
    return l->rc;
}

void run_log_free(struct run_log *l)
{
    free(l->ops);
    free(l->messages);
    free(l->borders);
    free(l->exchanges);
    *l = (struct run_log){.n_ops = 0};
}

struct run_mark run_log_mark(const struct run_log *l, const struct run_cut *cut)
{
    struct run_mark m = {.ops = 0};
    switch (cut->kind) {
    case CUT_BETWEEN: /* explorers do not make these */
    case CUT_FLASH:
        m.ops = (uint32_t)cut->op;
        while (m.messages < l->n_messages && l->messages[m.messages].ops < m.ops)
            m.messages++;
        break;
    case CUT_MESSAGE:
        m.messages = (uint32_t)cut->op;
        m.ops = cut->op <= l->n_messages ? l->messages[cut->op - 1].ops : l->n_ops;
        break;
    case CUT_NETWORK:
        m = l->fault_at;
        break;
    }
    return m;
}

bool run_cut_same(const struct run_cut *a, const struct run_cut *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == CUT_NETWORK)
        return a->connection == b->connection && a->dir == b->dir && a->byte == b->byte &&
               a->action == b->action;
    return a->op == b->op && a->tear == b->tear && a->arg == b->arg && a->after == b->after;
}
