/* The lone device up to its cloud: no cloud is there, so it boots, is cut, and goes idle. */
#include "scenarios/engine/lone_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/testing/testing.h"

struct endpoints_row {
    const char *list;
    const char *error; /* null: taken */
    const char *host;
    uint16_t port;
    bool tls;
};

static const struct endpoints_row endpoints_rows[] = {
    {"mqtt://127.0.0.1:60899", NULL, "127.0.0.1", 60899, false},
    {"mqtts://cloud.example:1", NULL, "cloud.example", 1, true},
    {"mqtt://cloud.example", NULL, "cloud.example", 1883, false},
    {"mqtts://cloud.example/", NULL, "cloud.example", 8883, true},
    {"http://a:80,mqtt://b:65535,https://c", NULL, "b", 65535, false},
    {"http://a:80", "0 MQTT endpoints", "", 0, false},
    {"mqtt://a,mqtts://a", "2 MQTT endpoints", "", 0, false},
    {"", "\"\" is no endpoint", "", 0, false},
    {"mqtt://a,", "\"\" is no endpoint", "", 0, false},
    {"mqtt://", "\"mqtt://\" is no endpoint", "", 0, false},
    {"mqtt://,x", "\"mqtt://\" is no endpoint", "", 0, false},
    {"mqtt://a:", "is no endpoint", "", 0, false},
    {"mqtt://a:0", "is no endpoint", "", 0, false},
    {"mqtt://a:65536", "is no endpoint", "", 0, false},
    {"mqtt://a:123456", "is no endpoint", "", 0, false},
    {"mqtt://a:1x", "is no endpoint", "", 0, false},
    {"mqtt://a b", "is no endpoint", "", 0, false},
    {"tcp://a:1", "\"tcp://a:1\" is no endpoint", "", 0, false},
};

static const char *endpoints_name(const void *row)
{
    return ((const struct endpoints_row *)row)->list;
}

static void takes_endpoints(const void *row)
{
    const struct endpoints_row *r = row;
    struct err err = {.text = ""};
    static struct device_config c;
    device_config_default_for(&c, AGENT_AIOT);
    int rc = lone_device_endpoints(&c, r->list, &err);
    CHECK_INT(rc, r->error == NULL ? 0 : ERR_ARG);
    if (r->error != NULL) {
        CHECK(strstr(err.text, r->error) != NULL);
        return;
    }
    CHECK_STR(c.mqtt_host, r->host);
    CHECK_INT(c.mqtt_port, r->port);
    CHECK_INT(c.tls, r->tls);
}

struct cuts_row {
    const char *text;
    uint32_t n; /* 0: refused */
    struct run_cut last;
};

static const struct cuts_row cuts_rows[] = {
    {"30", 1, {.op = 30, .tear = TEAR_NOTHING}},
    {"30t3", 1, {.op = 30, .tear = TEAR_SCRAMBLED}},
    {"5,30t1.64", 2, {.op = 30, .tear = TEAR_PREFIX, .arg = 64}},
    {"1,2,3,4,5,6,7,8", 8, {.op = 8, .tear = TEAR_NOTHING}},
    {"1,2,3,4,5,6,7,8,9", 0, {0}},
    {"", 0, {0}},
    {"5,", 0, {0}},
    {"5,4", 0, {0}},
    {"0", 0, {0}},
    {"5t99", 0, {0}},
    {"m5", 0, {0}},
    {"n1d2r", 0, {0}},
    {"5#1@6", 0, {0}},
};

static const char *cuts_name(const void *row)
{
    return ((const struct cuts_row *)row)->text;
}

static void takes_cuts(const void *row)
{
    const struct cuts_row *r = row;
    struct err err = {.text = ""};
    struct lone_device_options o = {.n_cuts = 0};
    int rc = lone_device_cuts(&o, r->text, &err);
    CHECK_INT(rc, r->n > 0 ? 0 : ERR_FORMAT);
    CHECK_INT(o.n_cuts, r->n);
    if (r->n == 0)
        return;
    const struct run_cut *last = &o.cuts[o.n_cuts - 1];
    CHECK_INT(last->op, r->last.op);
    CHECK_INT(last->tear, r->last.tear);
    CHECK_INT(last->arg, r->last.arg);
}

/* ---- running, without a cloud ---- */

struct bench {
    char dir[32], flash[64], meta[72];
    struct device_config config;
    struct lone_device_options o;
    uint32_t starts;
    char started[64]; /* the version of the last start */
};

static void on_event(void *ctx, int64_t now_ns, uint64_t ops, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    struct bench *x = ctx;
    (void)now_ns;
    (void)ops;
    if (lane != LANE_DEVICE || strcmp(event, "start") != 0)
        return;
    x->starts++;
    if (n > 0 && fields[0].text != NULL)
        (void)snprintf(x->started, sizeof x->started, "%s", fields[0].text);
}

static void begin(struct bench *x)
{
    memset(x, 0, sizeof *x);
    memcpy(x->dir, "/tmp/lone-device-XXXXXX", sizeof "/tmp/lone-device-XXXXXX");
    REQUIRE(mkdtemp(x->dir) != NULL);
    (void)snprintf(x->flash, sizeof x->flash, "%s/flash.bin", x->dir);
    (void)snprintf(x->meta, sizeof x->meta, "%s.meta", x->flash);
    device_config_default_for(&x->config, AGENT_AIOT);
    memset(x->config.firmware_version, 0, sizeof x->config.firmware_version);
    memcpy(x->config.firmware_version, "1.0.0", sizeof "1.0.0");
    memset(x->config.mqtt_host, 0, sizeof x->config.mqtt_host);
    memcpy(x->config.mqtt_host, "127.0.0.1", sizeof "127.0.0.1");
    x->config.mqtt_port = 1; /* nobody listens there */
    x->config.rounds = 1;
    x->config.check_interval_ms = 10;
    x->o = (struct lone_device_options){
        .config = &x->config, .flash_path = x->flash, .event = on_event, .event_ctx = x};
}

static void end(struct bench *x)
{
    (void)unlink(x->flash);
    (void)unlink(x->meta);
    (void)rmdir(x->dir);
}

static void flash_is_kept(void)
{
    struct bench x;
    struct err err = {.text = ""};
    struct lone_device_result r;
    begin(&x);
    REQUIRE_OK(lone_device_run(&x.o, &r, &err), &err);
    CHECK(r.made);
    CHECK(r.alive);
    CHECK_INT(r.cuts, 0);
    CHECK_STR(r.version, "1.0.0");
    CHECK_STR(x.started, "1.0.0");
    memcpy(x.config.firmware_version, "3.0.0", sizeof "3.0.0"); /* of a factory that is not asked */
    REQUIRE_OK(lone_device_run(&x.o, &r, &err), &err);
    CHECK(!r.made);
    CHECK_STR(x.started, "1.0.0");
    CHECK_INT(x.starts, 2);
    end(&x);
}

static void too_large_an_image_leaves_no_flash(void)
{
    struct bench x;
    struct err err = {.text = ""};
    struct lone_device_result r;
    struct buf image;
    begin(&x);
    buf_init(&image, 1u << 20);
    REQUIRE(buf_append(&image, NULL, 0x80001) == 0);
    x.o.image = &image;
    CHECK_INT(lone_device_run(&x.o, &r, &err), ERR_ARG);
    CHECK(strstr(err.text, "524289 bytes") != NULL);
    CHECK(access(x.flash, F_OK) != 0);
    CHECK(access(x.meta, F_OK) != 0);
    buf_free(&image);
    end(&x);
}

static void a_chip_without_a_record_is_refused(void)
{
    struct bench x;
    struct err err = {.text = ""};
    struct lone_device_result r;
    begin(&x);
    struct nor *blank = nor_open(&x.config.geometry, x.flash, 1, &err);
    REQUIRE(blank != NULL);
    nor_free(blank);
    CHECK_INT(lone_device_run(&x.o, &r, &err), ERR_ARG);
    CHECK(strstr(err.text, "no boot record") != NULL);
    CHECK(access(x.flash, F_OK) == 0);
    end(&x);
}

/* No boot record: what runs is told by a line beside the flash, as long as it is true. */
static void a_cms_device_keeps_its_version(void)
{
    struct bench x;
    struct err err = {.text = ""};
    struct lone_device_result r;
    char label[sizeof x.flash + 8];
    begin(&x);
    device_config_default_for(&x.config, AGENT_CMIOT);
    REQUIRE_OK(lone_device_endpoints(&x.config, "http://127.0.0.1:1", &err), &err);
    x.config.rounds = x.config.tries = 1;
    x.config.try_count = 0;
    x.config.try_time_ms = x.config.check_interval_ms = 10;
    REQUIRE_OK(lone_device_run(&x.o, &r, &err), &err);
    CHECK(r.made && r.alive);
    CHECK_STR(x.started, "1.0");
    memcpy(x.config.firmware_version, "3.0", sizeof "3.0");
    REQUIRE_OK(lone_device_run(&x.o, &r, &err), &err);
    CHECK_STR(r.version, "1.0");
    (void)snprintf(label, sizeof label, "%s.version", x.flash);
    FILE *f = fopen(label, "w");
    REQUIRE(f != NULL);
    (void)fputs("65536 00 9.9\n", f);
    (void)fclose(f);
    CHECK_INT(lone_device_run(&x.o, &r, &err), ERR_ARG);
    CHECK_HAS(err.text, "flash.bin.version names");
    (void)unlink(label);
    CHECK_INT(lone_device_run(&x.o, &r, &err), ERR_ARG);
    CHECK_INT(lone_device_endpoints(&x.config, "mqtt://127.0.0.1:1", &err), ERR_ARG);
    CHECK_HAS(err.text, "must be one: http://");
    end(&x);
}

static const struct test tests[] = {
    TEST_ROWS("endpoints", takes_endpoints, endpoints_rows, endpoints_name),
    TEST_ROWS("cuts", takes_cuts, cuts_rows, cuts_name),
    {"the flash is made once and kept", flash_is_kept},
    {"an image that is too large leaves no flash", too_large_an_image_leaves_no_flash},
    {"a chip without a boot record is refused and left", a_chip_without_a_record_is_refused},
    {"a CMS-OTA device keeps its version", a_cms_device_keeps_its_version},
};
TEST_MAIN("lone device", tests)
