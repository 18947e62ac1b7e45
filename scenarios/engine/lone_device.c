#include "scenarios/engine/lone_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/package.h"
#include "mock_cloud/packages/packages.h"
#include "scenarios/engine/factory.h"
#include "scenarios/engine/token.h"
#include "sim_device/agent/cmiot/cmiot_user.h"
#include "sim_device/board/posix_board.h"

#define FACTORY_SEED 1
#define CHIP_SEED    1 /* what torn cells read */
#define PATH_BYTES   4200
#define HOST_CHARS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"

struct lone_device {
    const struct lone_device_options *o;
    struct lone_device_result *out;
    struct nor *nor;
    struct posix_board *board;
    struct timespec start;
    uint64_t ops_before; /* of earlier runs on this file */
    char version[SLOTS_VERSION_MAX];
};

/* ---- options as text ---- */

static const struct scheme {
    const char *prefix;
    bool mqtt, tls;
    uint16_t port;
} schemes[] = {
    {"mqtt://", true, false, 1883},
    {"mqtts://", true, true, 8883},
    {"http://", false, false, 80},
    {"https://", false, true, 443},
};

static const struct scheme *scheme_of(const char *text)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strncmp(text, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
            return &schemes[i];
    return NULL;
}

/* host[:port][/] of len bytes; false: it is not. */
static bool read_address(const char *at, size_t len, char host[2 * DEVICE_TEXT_MAX], uint16_t *port)
{
    size_t name = strspn(at, HOST_CHARS);
    if (len > 0 && at[len - 1] == '/')
        len--;
    if (name == 0 || name > len || name >= 2 * DEVICE_TEXT_MAX)
        return false;
    memcpy(host, at, name);
    host[name] = '\0';
    if (name == len)
        return true;
    const char *digits = at + name + 1;
    size_t n = strspn(digits, "0123456789");
    long v = n > 0 && n <= 5 ? strtol(digits, NULL, 10) : 0;
    *port = (uint16_t)v;
    return at[name] == ':' && name + 1 + n == len && v > 0 && v <= UINT16_MAX;
}

int lone_device_endpoints(struct device_config *c, const char *list, struct err *err)
{
    const bool cms = c->agent == AGENT_CMIOT;
    int found = 0;
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        const struct scheme *s = scheme_of(at);
        char host[2 * DEVICE_TEXT_MAX];
        uint16_t port = s == NULL ? 0 : s->port;
        size_t skip = s == NULL ? 0 : strlen(s->prefix);
        if (s == NULL || skip > len || !read_address(at + skip, len - skip, host, &port))
            return err_set(err, ERR_ARG,
                           "\"%.*s\" is no endpoint: must be mqtt://HOST:PORT, mqtts://, http:// "
                           "or https://, separated by commas",
                           (int)(len > 80 ? 80 : len), at);
        if (cms && !s->mqtt && !s->tls && strlen(host) < sizeof c->host) {
            found++;
            (void)snprintf(c->host, sizeof c->host, "%.*s", (int)sizeof c->host - 1, host);
            c->port = port;
        } else if (!cms && s->mqtt) {
            found++;
            memcpy(c->mqtt_host, host, sizeof host);
            c->mqtt_port = port;
            c->tls = s->tls;
        }
        at += len;
        if (*at == '\0')
            break;
    }
    if (found == 1)
        return 0;
    return cms ? err_set(err, ERR_ARG, "%d HTTP endpoints, must be one: http://", found)
               : err_set(err, ERR_ARG, "%d MQTT endpoints, must be one: mqtt:// or mqtts://",
                         found);
}

int lone_device_cuts(struct lone_device_options *o, const char *text, struct err *err)
{
    char form[256] = "cut#1@";
    size_t at = strlen(form);
    struct token t;
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, ",");
        bool plain = memchr(p, 't', len) == NULL;
        int n = snprintf(form + at, sizeof form - at, "%.*s%s%s", (int)(len > 99 ? 99 : len), p,
                         plain ? "t0" : "", p[len] == ',' ? "," : "");
        if (n < 0 || (size_t)n >= sizeof form - at)
            return err_set(err, ERR_FORMAT, "more than %d cuts", RUN_CUTS_MAX);
        at += (size_t)n;
        p += len;
        if (*p == '\0')
            break;
    }
    int rc = strpbrk(text, "mn#@") != NULL ? ERR_FORMAT : token_parse(&t, form, NULL);
    if (rc != 0)
        return err_set(err, ERR_FORMAT,
                       "\"%.80s\": must be up to %d of OPERATION or OPERATIONtTEAR, separated by "
                       "commas, rising, with a tear of 0 to %d",
                       text, RUN_CUTS_MAX, TEAR_COUNT - 1);
    memcpy(o->cuts, t.cuts, sizeof o->cuts);
    o->n_cuts = t.n_cuts;
    return 0;
}

/* ---- flash ---- */

/*
 * A device that restores in place has no record of what runs. Beside its flash lies a line: length,
 * SHA-256 and version of the image; what a package has made is named by the package.
 */
static bool label_path(const struct lone_device *d, char out[PATH_BYTES])
{
    return snprintf(out, PATH_BYTES, "%s.version", d->o->flash_path) < PATH_BYTES;
}

static const uint8_t *part_bytes(const struct lone_device *d, const char *name)
{
    const struct partition *p = partition_find(&d->o->config->partitions, name);
    return nor_peek(d->nor) + p->offset;
}

static bool image_is(const struct lone_device *d, uint32_t len_bytes,
                     const uint8_t want[SHA256_BYTES])
{
    const struct boot_file *f = &d->o->config->files[0];
    uint8_t got[SHA256_BYTES];
    if (len_bytes == 0 || len_bytes > f->area_bytes)
        return false;
    digest_of(DIGEST_SHA256, nor_peek(d->nor) + f->address, len_bytes, got);
    return memcmp(got, want, sizeof got) == 0;
}

static int write_label(const struct lone_device *d, uint32_t len_bytes,
                       const uint8_t sha256[SHA256_BYTES], const char *version)
{
    char path[PATH_BYTES], hex[DIGEST_HEX_MAX];
    FILE *f = label_path(d, path) ? fopen(path, "w") : NULL;
    if (f == NULL)
        return ERR_IO;
    hex_encode(hex, sha256, SHA256_BYTES);
    int n = fprintf(f, "%u %s %s\n", (unsigned)len_bytes, hex, version);
    return fclose(f) == 0 && n > 0 ? 0 : ERR_IO;
}

static bool label_fits(struct lone_device *d)
{
    char path[PATH_BYTES], line[160] = "", hex[65], version[SLOTS_VERSION_MAX];
    uint8_t sha256[SHA256_BYTES];
    unsigned len_bytes = 0;
    FILE *f = label_path(d, path) ? fopen(path, "r") : NULL;
    if (f == NULL)
        return false;
    bool read = fgets(line, sizeof line, f) != NULL;
    (void)fclose(f);
    if (!read || sscanf(line, "%u %64[0-9a-f] %31s", &len_bytes, hex, version) != 3 ||
        strlen(hex) != 64 || !hex_decode(sha256, sizeof sha256, hex) ||
        !image_is(d, len_bytes, sha256))
        return false;
    memcpy(d->version, version, sizeof d->version);
    return true;
}

/* What the package in the download area has made of the image, when it has. */
static bool package_fits(struct lone_device *d)
{
    const uint8_t *at = part_bytes(d, cmiot_download_name());
    struct package_head h;
    struct package_file f;
    if (package_head_decode(&h, at, NULL) != 0 ||
        package_file_decode(&f, &h, at + PACKAGE_HEAD_BYTES, NULL) != 0 ||
        !image_is(d, f.new_bytes, f.new_sha256))
        return false;
    (void)snprintf(d->version, sizeof d->version, "%s", h.to_version);
    return write_label(d, f.new_bytes, f.new_sha256, d->version) == 0;
}

static int make_label(const struct lone_device *d, const struct buf *image, struct err *err)
{
    uint8_t sha256[SHA256_BYTES];
    digest_of(DIGEST_SHA256, image->data, image->len_bytes, sha256);
    int rc = write_label(d, (uint32_t)image->len_bytes, sha256, d->o->config->firmware_version);
    return rc == 0 ? 0 : err_set(err, rc, "%s.version cannot be written", d->o->flash_path);
}

static int make_flash(struct lone_device *d, struct err *err)
{
    const struct device_config *c = d->o->config;
    const struct partition *app = partition_find(&c->partitions, "app");
    struct buf made;
    const struct buf *image = d->o->image;
    buf_init(&made, LONE_DEVICE_IMAGE_BYTES);
    int rc = 0;
    if (image == NULL) {
        rc = package_generate(&made, FACTORY_SEED, LONE_DEVICE_IMAGE_BYTES);
        image = &made;
    }
    if (rc == 0 && (image->len_bytes == 0 || image->len_bytes > app->size_bytes))
        rc = err_set(err, ERR_ARG, "the image has %zu bytes, must have 1 to %u", image->len_bytes,
                     (unsigned)app->size_bytes);
    else if (rc != 0)
        (void)err_set(err, rc, "the factory image cannot be made");
    if (rc == 0) {
        rc = partition_guard(d->nor, &c->partitions);
        if (rc == 0)
            rc = nor_load(d->nor, app->offset, image->data, (uint32_t)image->len_bytes);
        if (rc == 0)
            rc = c->agent == AGENT_CMIOT
                     ? make_label(d, image, err)
                     : factory_slots(d->nor, c, image, c->firmware_version, err);
        if (rc != 0)
            (void)err_set(err, rc, "the factory image cannot be written to flash");
    }
    buf_free(&made);
    return rc;
}

static bool peek_version(struct lone_device *d)
{
    const struct device_config *c = d->o->config;
    struct slots_record r;
    if (c->agent == AGENT_CMIOT)
        return package_fits(d) || label_fits(d);
    if (!slots_peek(nor_peek(d->nor), &c->geometry, &c->partitions, &r))
        return false;
    memcpy(d->version, r.image[slots_record_running(&r)].version, sizeof d->version);
    return true;
}

static const char *version_now(void *ctx)
{
    struct lone_device *d = ctx;
    return peek_version(d) ? d->version : "?";
}

static void remove_flash(const char *path)
{
    char meta[PATH_BYTES];
    (void)unlink(path);
    if (snprintf(meta, sizeof meta, "%s.version", path) < (int)sizeof meta)
        (void)unlink(meta);
    if (snprintf(meta, sizeof meta, "%s.meta", path) < (int)sizeof meta)
        (void)unlink(meta);
}

static int open_flash(struct lone_device *d, struct err *err)
{
    const char *path = d->o->flash_path;
    bool absent = access(path, F_OK) != 0 && errno == ENOENT;
    d->nor = nor_open(&d->o->config->geometry, path, CHIP_SEED, err);
    if (d->nor == NULL)
        return ERR_IO;
    if (absent) {
        int rc = make_flash(d, err);
        if (rc != 0) {
            nor_free(d->nor);
            d->nor = NULL;
            remove_flash(path);
            return rc;
        }
        d->out->made = true;
    } else if (!peek_version(d)) {
        return err_set(err, ERR_ARG,
                       d->o->config->agent == AGENT_CMIOT
                           ? "%s holds no image that %s.version names: it is not the flash of such "
                             "a device"
                           : "%s holds no boot record: it is not the flash of such a device",
                       path, path);
    }
    return 0;
}

/* ---- running ---- */

static int64_t since_start_ns(const struct lone_device *d)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)(t.tv_sec - d->start.tv_sec) * NS_PER_S + (t.tv_nsec - d->start.tv_nsec);
}

static void on_event(void *ctx, int64_t now_ns, enum lane lane, const char *event,
                     const struct trace_field *fields, size_t n)
{
    struct lone_device *d = ctx;
    if (lane == LANE_DEVICE && strcmp(event, "idle") == 0)
        d->out->alive = true;
    d->o->event(d->o->event_ctx, now_ns, nor_op_count(d->nor) - d->ops_before, lane, event, fields,
                n);
}

/* Returns, so that the board ends its run and the process can power it on again. */
static void power_lost(void *ctx)
{
    (void)ctx;
}

/* One power-on, with as many resets as there are. */
static int run_power_on(struct lone_device *d, enum posix_end *end, struct err *err)
{
    const struct device_config *c = d->o->config;
    struct posix_board_config bc = {.nor = d->nor,
                                    .partitions = &c->partitions,
                                    .ram_limit_bytes = c->ram_bytes,
                                    .connect_timeout_ns = (int64_t)c->try_time_ms * NS_PER_MS,
                                    .utc_start_s = (int64_t)time(NULL),
                                    .now_offset_ns = since_start_ns(d),
                                    .seed = CHIP_SEED,
                                    .event = on_event,
                                    .event_ctx = d,
                                    .power_lost = power_lost};
    d->board = posix_board_new(&bc, err);
    if (d->board == NULL)
        return ERR_IO;
    const struct run_cut *cut = d->out->cuts < d->o->n_cuts ? &d->o->cuts[d->out->cuts] : NULL;
    if (cut != NULL)
        nor_arm_cut(d->nor, d->ops_before + cut->op, cut->tear, cut->arg);
    struct device_setup setup = {.config = c,
                                 .board = posix_board_board(d->board),
                                 .version_of_flash = version_now,
                                 .version_ctx = d};
    do
        *end = posix_board_run(d->board, device_main, &setup);
    while (*end == POSIX_RESET);
    posix_board_free(d->board);
    d->board = NULL;
    return 0;
}

static int power_on_again(struct lone_device *d, struct err *err)
{
    const struct timespec off = {.tv_sec = LONE_DEVICE_OFF_NS / NS_PER_S,
                                 .tv_nsec = LONE_DEVICE_OFF_NS % NS_PER_S};
    d->out->cuts++;
    nor_free(d->nor);
    (void)nanosleep(&off, NULL);
    d->nor = nor_open(&d->o->config->geometry, d->o->flash_path, CHIP_SEED, err);
    return d->nor == NULL ? ERR_IO : 0;
}

int lone_device_run(const struct lone_device_options *o, struct lone_device_result *out,
                    struct err *err)
{
    struct lone_device d = {.o = o, .out = out};
    enum posix_end end = POSIX_CUT;
    *out = (struct lone_device_result){.alive = false};
    if (device_config_check(o->config, err) != 0)
        return ERR_ARG;
    (void)clock_gettime(CLOCK_MONOTONIC, &d.start);
    int rc = open_flash(&d, err);
    if (rc == 0)
        d.ops_before = nor_op_count(d.nor);
    while (rc == 0) {
        rc = run_power_on(&d, &end, err);
        if (rc != 0 || end != POSIX_CUT)
            break;
        rc = power_on_again(&d, err);
    }
    if (rc == 0 && peek_version(&d))
        memcpy(out->version, d.version, sizeof out->version);
    nor_free(d.nor);
    return rc;
}
