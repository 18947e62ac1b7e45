/*
 * What the tests of the judge share: a run that never took place. Its events are written as lines
 * of text, one good run is given, and each test says what was different.
 *
 *   lane/event key=value key=value        a value of digits is an integer
 *   @flash FROM TO                        the download area now holds these bytes of the package
 *   @version 1.1                          the version that is complete in flash from now on
 *   @foreign ADDR                         this byte outside the update's areas has changed
 *   @net outage, @net reset, ...          a network fault happened
 *   @wait MS                              time passes; each line takes 10 ms
 *   @main, @healed, @dead                 end of the main phase; of the heal phase
 */
#ifndef OTABENCH_ENGINE_JUDGE_TESTING_H
#define OTABENCH_ENGINE_JUDGE_TESTING_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/judge.h"

#define PACKAGE_LEN   2300u /* five segments of 512 bytes */
#define STREAM_MAX    16384
#define EDITS_MAX     4
#define DOWNLOAD_ADDR 0x41000u

enum edit_kind { NO_EDIT, BEFORE, AFTER, INSTEAD, UNTIL_END /* this line and all behind it */ };
struct edit {
    enum edit_kind kind;
    const char *at; /* the first line that has this in it */
    const char *lines;
};

struct run_row {
    const char *name;
    struct edit edit[EDITS_MAX];
    const char *fails;  /* exactly these, in the catalogue's order, with blanks between */
    const char *device; /* added to the scenario's "device": ", \"key\": value" */
    const char *rest;   /* added to the scenario */
    enum tamper tamper;
    enum package_kind kind;
    uint32_t limit_bytes; /* largest package; 0: plenty */
    bool back;            /* the package leads from 1.1 to 1.0 */
};

struct bench {
    struct scenario s;
    struct judge *j;
    uint8_t *flash;
    char version[DEVICE_TEXT_MAX];
    uint32_t foreign;
    uint8_t package[PACKAGE_LEN];
    uint8_t other[PACKAGE_LEN]; /* of delta_id 1001: as long, other bytes */
    int64_t now_ns;
    struct run_result result;
};

static inline uint32_t bench_update_address(void *ctx)
{
    (void)ctx;
    return DOWNLOAD_ADDR;
}

/* One update without any fault, from the first start to the healed end. */
static const char clean_run[] = "device/start version=1.0\n"
                                "device/api call=cmiot_report_upgrade result=-5\n"
                                "device/heap peak=1000 used=0\n"
                                "cloud/request rq=check n=1\n"
                                "cloud/record delta_id=1000 state=pending\n"
                                "cloud/reply rq=check n=1 status=200 code=1000\n"
                                "device/package bytes=2300 delta_id=1000\n"
                                "cloud/request rq=download range=bytes=0-511\n"
                                "cloud/reply rq=download n=1 status=206 bytes=512\n"
                                "flash/program addr=266240 len=512\n"
                                "@flash 0 512\n"
                                "device/segment number=1\n"
                                "cloud/request rq=download range=bytes=512-1023\n"
                                "cloud/reply rq=download n=2 status=206 bytes=512\n"
                                "flash/program addr=266752 len=512\n"
                                "@flash 512 1024\n"
                                "device/segment number=2\n"
                                "cloud/request rq=download range=bytes=1024-1535\n"
                                "cloud/reply rq=download n=3 status=206 bytes=512\n"
                                "flash/program addr=267264 len=512\n"
                                "@flash 1024 1536\n"
                                "device/segment number=3\n"
                                "cloud/request rq=download range=bytes=1536-2047\n"
                                "cloud/reply rq=download n=4 status=206 bytes=512\n"
                                "flash/program addr=267776 len=512\n"
                                "@flash 1536 2048\n"
                                "device/segment number=4\n"
                                "cloud/request rq=download range=bytes=2048-2299\n"
                                "cloud/reply rq=download n=5 status=206 bytes=252\n"
                                "flash/program addr=268288 len=252\n"
                                "@flash 2048 2300\n"
                                "device/segment number=5\n"
                                "device/verify ok=1\n"
                                "device/pending delta_id=1000\n"
                                "cloud/request rq=report-download body={\"downloadStatus\":1}\n"
                                "cloud/record delta_id=1000 state=upgrading\n"
                                "cloud/reply rq=report-download status=200 code=1000\n"
                                "device/api call=cmiot_upgrade result=0\n"
                                "device/heap peak=2000 used=0\n"
                                "device/reset round=1\n"
                                "boot/boot mark=0\n"
                                "boot/verify ok=1\n"
                                "boot/restore file=0 block=0 blocks=1 phase=copy\n"
                                "flash/erase addr=0 len=4096\n"
                                "flash/program addr=0 len=4096\n"
                                "@version 1.1\n"
                                "boot/restored files=1\n"
                                "boot/result update_result=1\n"
                                "device/heap peak=3000 used=0\n"
                                "device/start version=1.1\n"
                                "cloud/request rq=report-upgrade body={\"updateStatus\":1}\n"
                                "cloud/record delta_id=1000 state=success\n"
                                "cloud/reply rq=report-upgrade status=200 code=1000\n"
                                "device/api call=cmiot_report_upgrade result=0\n"
                                "cloud/request rq=check n=2\n"
                                "cloud/reply rq=check n=2 status=200 code=2101\n"
                                "device/api call=cmiot_upgrade result=-4\n"
                                "device/idle rounds=1\n"
                                "@main\n"
                                "@healed\n";

static inline const uint8_t *bench_flash(void *ctx)
{
    return ((struct bench *)ctx)->flash;
}

static inline const char *bench_version(void *ctx)
{
    return ((struct bench *)ctx)->version;
}

static inline uint32_t bench_foreign(void *ctx)
{
    return ((struct bench *)ctx)->foreign;
}

static inline struct bench *bench_new(const struct run_row *row)
{
    struct bench *b = calloc(1, sizeof *b);
    REQUIRE(b != NULL);
    char text[4096];
    struct err err = {""};
    (void)snprintf(text, sizeof text,
                   "{\"otabench\": 1, \"text\": \"t\", \"device\": {%s\"rounds\": 1%s}%s}",
                   row->device != NULL && (strstr(row->device, "segment_index") != NULL ||
                                           strstr(row->device, "agent") != NULL)
                       ? ""
                       : "\"segment_index\": 5, ",
                   row->device == NULL ? "" : row->device, row->rest == NULL ? "" : row->rest);
    REQUIRE_OK(scenario_parse(&b->s, text, strlen(text), "test", &err), &err);
    b->flash = malloc(b->s.device.geometry.size_bytes);
    REQUIRE(b->flash != NULL);
    memset(b->flash, 0xff, b->s.device.geometry.size_bytes);
    (void)snprintf(b->version, sizeof b->version, "%s", b->s.versions[0].version);
    b->foreign = UINT32_MAX;
    for (uint32_t i = 0; i < PACKAGE_LEN; i++)
        b->other[i] = (uint8_t) ~(b->package[i] = (uint8_t)(i * 11 + (i >> 8)));
    struct judge_setup setup = {.scenario = &b->s,
                                .update_address = bench_update_address,
                                .package_limit = row->limit_bytes == 0 ? 100000 : row->limit_bytes,
                                .segment_bytes = 512,
                                .flash = bench_flash,
                                .version = bench_version,
                                .foreign_change = bench_foreign,
                                .ctx = b};
    b->j = judge_new(&setup);
    REQUIRE(b->j != NULL);
    struct judge_package p = {.delta_id = 1000,
                              .bytes = b->package,
                              .len_bytes = PACKAGE_LEN,
                              .from = row->back ? 1 : 0,
                              .to = row->back ? 0 : 1,
                              .kind = row->kind,
                              .tamper = row->tamper};
    REQUIRE(judge_add_package(b->j, &p) == 0);
    p.delta_id = 1001;
    p.bytes = b->other;
    REQUIRE(judge_add_package(b->j, &p) == 0);
    return b;
}

static inline void bench_free(struct bench *b)
{
    judge_free(b->j);
    free(b->flash);
    free(b);
}

static inline bool is_integer(const char *text)
{
    size_t n = strspn(text + (text[0] == '-'), "0123456789");
    return n > 0 && text[(text[0] == '-') + n] == '\0';
}

static inline void bench_net(struct bench *b, const char *what)
{
    static const char *const actions[] = {"outage", "refuse", "black-hole", "profile"};
    for (int i = 0; i < 4; i++)
        if (strcmp(what, actions[i]) == 0) {
            judge_network(b->j, b->now_ns, (enum net_action)i, LINK_RESET);
            return;
        }
    for (int i = 0; i < LINK_ACTION_COUNT; i++)
        if (strcmp(what, link_action_name((enum link_action)i)) == 0) {
            judge_network(b->j, b->now_ns, NET_BYTE, (enum link_action)i);
            return;
        }
    REQUIRE(false); /* no such fault */
}

static inline void bench_directive(struct bench *b, const char *word, char *const *arg, size_t n)
{
    if (strcmp(word, "@flash") == 0 && n == 2) {
        uint32_t from = (uint32_t)strtoul(arg[0], NULL, 10);
        uint32_t to = (uint32_t)strtoul(arg[1], NULL, 10);
        REQUIRE(from <= to && to <= PACKAGE_LEN);
        memcpy(b->flash + DOWNLOAD_ADDR + from, b->package + from, to - from);
    } else if (strcmp(word, "@version") == 0 && n == 1) {
        (void)snprintf(b->version, sizeof b->version, "%s", arg[0]);
    } else if (strcmp(word, "@foreign") == 0 && n == 1) {
        b->foreign = (uint32_t)strtoul(arg[0], NULL, 10);
    } else if (strcmp(word, "@net") == 0 && n == 1) {
        bench_net(b, arg[0]);
    } else if (strcmp(word, "@wait") == 0 && n == 1) {
        b->now_ns += (int64_t)strtoul(arg[0], NULL, 10) * NS_PER_MS;
    } else if (strcmp(word, "@main") == 0) {
        judge_main_over(b->j, b->now_ns);
        judge_expectations(b->j);
    } else if (strcmp(word, "@healed") == 0 || strcmp(word, "@dead") == 0) {
        judge_heal_over(b->j, b->now_ns, word[1] == 'h', "it is a stone");
    } else {
        REQUIRE(false); /* no such directive */
    }
}

/* line is taken apart in place. */
static inline void bench_line(struct bench *b, char *line)
{
    char *arg[12];
    size_t n = 0;
    char *rest = NULL;
    char *word = strtok_r(line, " ", &rest);
    REQUIRE(word != NULL);
    while (n < 12 && (arg[n] = strtok_r(NULL, " ", &rest)) != NULL)
        n++;
    b->now_ns += 10 * NS_PER_MS;
    if (word[0] == '@') {
        bench_directive(b, word, arg, n);
        return;
    }
    struct trace_field f[12];
    for (size_t i = 0; i < n; i++) {
        char *value = strchr(arg[i], '=');
        REQUIRE(value != NULL);
        *value++ = '\0';
        f[i] = is_integer(value) ? F_INT(arg[i], strtoll(value, NULL, 10)) : F_STR(arg[i], value);
    }
    char *event = strchr(word, '/');
    REQUIRE(event != NULL);
    *event++ = '\0';
    int lane = 0;
    while (lane < LANE_COUNT && strcmp(lane_name((enum lane)lane), word) != 0)
        lane++;
    REQUIRE(lane < LANE_COUNT);
    judge_event(b->j, b->now_ns, (enum lane)lane, event, f, n);
}

static inline void edit_stream(char out[STREAM_MAX], const struct edit *e)
{
    char in[STREAM_MAX];
    (void)snprintf(in, sizeof in, "%s", out);
    char *hit = strstr(in, e->at);
    if (hit == NULL)
        CHECK_HAS(in, e->at);
    REQUIRE(hit != NULL);
    while (hit > in && hit[-1] != '\n')
        hit--;
    char *next = strchr(hit, '\n') + 1;
    const char *from = e->kind == AFTER ? next : hit; /* the lines go in here */
    const char *to = e->kind == INSTEAD ? next : e->kind == UNTIL_END ? in + strlen(in) : from;
    int n = snprintf(out, STREAM_MAX, "%.*s%s%s", (int)(from - in), in, e->lines, to);
    REQUIRE(n > 0 && n < STREAM_MAX);
}

/* The good run with the row's changes, judged. The caller frees it. */
static inline struct bench *bench_run(const struct run_row *row)
{
    struct bench *b = bench_new(row);
    char stream[STREAM_MAX];
    (void)snprintf(stream, sizeof stream, "%s", clean_run);
    for (size_t i = 0; i < EDITS_MAX && row->edit[i].kind != NO_EDIT; i++)
        edit_stream(stream, &row->edit[i]);
    char *rest = NULL;
    for (char *line = strtok_r(stream, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        bench_line(b, line);
    judge_results(b->j, &b->result);
    return b;
}

static inline const struct check_result *check_of(const struct bench *b, const char *id)
{
    for (uint32_t i = 0; i < b->result.n_checks; i++)
        if (strcmp(b->result.checks[i].id, id) == 0)
            return &b->result.checks[i];
    return NULL;
}

/* The failed checks' IDs with blanks between. */
static inline void failed(const struct bench *b, char out[512])
{
    out[0] = '\0';
    for (uint32_t i = 0; i < b->result.n_checks; i++) {
        const struct check_result *c = &b->result.checks[i];
        size_t n = strlen(out);
        if (c->verdict == VERDICT_FAIL || c->verdict == VERDICT_UNEXPECTED_PASS) {
            (void)snprintf(out + n, 512 - n, "%s%s", n == 0 ? "" : " ", c->id);
            CHECK(c->detail[0] != '\0'); /* a failure explains itself */
        }
    }
}

static inline const char *run_row_name(const void *row)
{
    return ((const struct run_row *)row)->name;
}

#endif
