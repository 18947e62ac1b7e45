/* Configurations that are refused, and the whole way of an update through boot loader and demo
 * application. */
#include "sim_device/device.h"

#include "common/package.h"
#include "sim_device/agent/cmiot/cmiot_testing.h"

/* ---- configuration ---- */

static void nothing(struct device_config *c)
{
    (void)c;
}
static void direct(struct device_config *c)
{
    c->variant = DEVICE_DIRECT;
    c->oid[0] = '\0';
}
static void segment_2(struct device_config *c)
{
    c->segment_index = 2;
}
static void segment_5(struct device_config *c)
{
    c->segment_index = 5;
}
static void segment_6(struct device_config *c)
{
    c->segment_index = 6;
}
static void protocol_udp(struct device_config *c)
{
    c->network_protocol = 1;
}
static void protocol_3(struct device_config *c)
{
    c->network_protocol = 3;
}
static void algorithm_2(struct device_config *c)
{
    c->algorithm = 2;
}
static void compare_0(struct device_config *c)
{
    c->compare_block_kib = 0;
}
static void compare_odd(struct device_config *c)
{
    c->compare_block_kib = 3;
}
static void compare_huge(struct device_config *c)
{
    c->compare_block_kib = 636;
}
static void update_size(struct device_config *c)
{
    c->update_bytes -= 4096;
}
static void did_3(struct device_config *c)
{
    (void)snprintf(c->did, sizeof(c->did), "123");
}
static void did_31(struct device_config *c)
{
    (void)snprintf(c->did, sizeof(c->did), "1234567890123456789012345678901");
}
static void did_32(struct device_config *c)
{
    (void)snprintf(c->did, sizeof(c->did), "12345678901234567890123456789012");
}
static void did_quote(struct device_config *c)
{
    (void)snprintf(c->did, sizeof(c->did), "12\"34");
}
static void oid_23(struct device_config *c)
{
    c->oid[23] = '\0';
}
static void oid_slash(struct device_config *c)
{
    c->oid[3] = '/';
}
static void oid_unterminated(struct device_config *c)
{
    memset(c->oid, 'a', sizeof(c->oid));
}
static void no_product(struct device_config *c)
{
    c->product_id[0] = '\0';
}
static void host_blank(struct device_config *c)
{
    (void)snprintf(c->host, sizeof(c->host), "a b");
}
static void version_newline(struct device_config *c)
{
    (void)snprintf(c->firmware_version, sizeof(c->firmware_version), "1\n0");
}
static void no_network_type(struct device_config *c)
{
    c->network_type[0] = '\0';
}
static void port_0(struct device_config *c)
{
    c->port = 0;
}
static void no_files(struct device_config *c)
{
    c->file_count = 0;
}
static void set_files(struct device_config *c, uint32_t count)
{
    c->file_count = count;
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(c->files[i].name, PACKAGE_NAME_MAX, "file%u", (unsigned)i);
        c->files[i].address = 0x20000 + i * 0x2000;
        c->files[i].area_bytes = 0x2000;
    }
}
static void files_20(struct device_config *c)
{
    set_files(c, 20);
}
static void files_21(struct device_config *c)
{
    set_files(c, 21);
}
static void files_overlap(struct device_config *c)
{
    set_files(c, 3);
    c->files[2].address = c->files[0].address + 0x1000;
}
static void files_same_name(struct device_config *c)
{
    set_files(c, 2);
    memcpy(c->files[1].name, c->files[0].name, PACKAGE_NAME_MAX);
}
static void file_unaligned(struct device_config *c)
{
    c->files[0].address += 4;
}
static void file_outside(struct device_config *c)
{
    c->files[0].area_bytes += 0x1000;
}
static void file_wraps(struct device_config *c)
{
    c->files[0].address = 0xFFFFF000;
}
static void no_download(struct device_config *c)
{
    (void)snprintf(c->partitions.part[1].name, PARTITION_NAME_MAX, "other");
}
static void partition_overlap(struct device_config *c)
{
    c->partitions.part[2].offset -= 0x20000;
}
static void no_ram(struct device_config *c)
{
    c->ram_bytes = 0;
}
static void no_tries(struct device_config *c)
{
    c->tries = 0;
}

static const struct refused {
    const char *name;
    void (*change)(struct device_config *c);
    const char *word; /* null: accepted */
} refused[] = {
    {"the default", nothing, NULL},
    {"variant A without OID", direct, NULL},
    {"segment index 2", segment_2, "segment_index: is 2, must be 3..5"},
    {"segment index 5", segment_5, NULL},
    {"segment index 6", segment_6, "segment_index"},
    {"udp with http control", protocol_udp, "network_protocol: is 1 (udp)"},
    {"unknown protocol", protocol_3, "network_protocol"},
    {"unknown algorithm", algorithm_2, "algorithm: is 2, must be 1"},
    {"no compare block", compare_0, "compare_block_kib"},
    {"compare block no multiple of the erase unit", compare_odd, "compare_block_kib"},
    {"compare block as large as the partition", compare_huge, "compare_block_kib"},
    {"update size unlike the partition", update_size, "update_bytes"},
    {"device id of 3", did_3, "did: has 3 characters, must have 4..31"},
    {"device id of 31", did_31, NULL},
    {"device id of 32", did_32, "did: has 32"},
    {"device id with a quote", did_quote, "did: character 3"},
    {"OID of 23", oid_23, "oid: has 23 characters, must have 24"},
    {"OID with a slash", oid_slash, "oid: character 4"},
    {"OID without end", oid_unterminated, "oid: has 64"},
    {"no product id", no_product, "product_id"},
    {"host with a blank", host_blank, "host: character 2"},
    {"version with a line end", version_newline, "firmware_version: character 2"},
    {"no network type", no_network_type, "network_type"},
    {"port 0", port_0, "port"},
    {"no files", no_files, "files: there are 0"},
    {"20 files", files_20, NULL},
    {"21 files", files_21, "files: there are 21, must be 1..20"},
    {"overlapping files", files_overlap, "overlaps"},
    {"two files of a name", files_same_name, "is taken"},
    {"unaligned file", file_unaligned, "erase unit"},
    {"file beyond its partition", file_outside, "must lie in the partition"},
    {"file address that wraps", file_wraps, "must lie in the partition"},
    {"no download partition", no_download, "\"download\""},
    {"overlapping partitions", partition_overlap, "partitions"},
    {"no RAM", no_ram, "ram_bytes"},
    {"no tries", no_tries, "tries"},
};

static const char *refused_name(const void *row)
{
    return ((const struct refused *)row)->name;
}

static void configuration(const void *row)
{
    const struct refused *r = row;
    struct device_config c;
    struct err err = {""};
    device_config_default(&c);
    r->change(&c);
    int rc = device_config_check(&c, &err);
    if (r->word == NULL) {
        CHECK_OK(rc, &err);
        return;
    }
    CHECK_ERR(rc, ERR_ARG);
    CHECK_HAS(err.text, r->word);
}

/* Reserve of the layout: backup of one compare block (C) or one erase unit (A). */
static void layouts(void)
{
    struct device_config c;
    struct state_layout l;
    device_config_default(&c);
    device_state_layout(&c, &l);
    CHECK_INT(state_package_limit(&l), 0xA0000 - 0x1000 - 0x10000);
    c.geometry = *nor_geometry_find("spi64k");
    device_state_layout(&c, &l);
    CHECK_INT(state_package_limit(&l), 524288);
    c.variant = DEVICE_DIRECT;
    device_state_layout(&c, &l);
    CHECK_INT(state_package_limit(&l), 0xA0000 - 2 * 0x10000);
}

/* ---- a whole update ---- */

#define IMAGE_BYTES 9000u

struct site {
    struct world *w;
    struct device_setup setup;
    uint8_t old_image[IMAGE_BYTES], new_image[IMAGE_BYTES];
    bool blind; /* the bench does not know any image */
};

static const char *version_of(void *ctx)
{
    struct site *s = ctx;
    const uint8_t *flash = nor_peek(s->w->nor) + s->w->config.files[0].address;
    if (s->blind)
        return NULL;
    if (memcmp(flash, s->old_image, IMAGE_BYTES) == 0)
        return "1.0";
    return memcmp(flash, s->new_image, IMAGE_BYTES) == 0 ? "1.1" : NULL;
}

/* A full package of the new image. */
static void make_package(struct site *s)
{
    struct world *w = s->w;
    uint8_t *p = realloc(w->package, PACKAGE_HEAD_BYTES + PACKAGE_FILE_BYTES + IMAGE_BYTES + 1);
    REQUIRE(p != NULL);
    w->package = p;
    w->package_bytes = PACKAGE_HEAD_BYTES + PACKAGE_FILE_BYTES + IMAGE_BYTES;
    struct package_file f = {.name = "app.bin",
                             .address = w->config.files[0].address,
                             .kind = PACKAGE_FULL,
                             .new_bytes = IMAGE_BYTES,
                             .payload_offset = PACKAGE_HEAD_BYTES + PACKAGE_FILE_BYTES,
                             .payload_bytes = IMAGE_BYTES};
    digest_of(DIGEST_SHA256, s->new_image, IMAGE_BYTES, f.payload_sha256);
    memcpy(f.new_sha256, f.payload_sha256, SHA256_BYTES);
    struct package_head h = {.file_count = 1,
                             .total_bytes = w->package_bytes,
                             .restore_block_bytes = 0x10000,
                             .window_bytes = 0x4000,
                             .compare_block_kib = 64,
                             .algorithm = PACKAGE_ALGORITHM,
                             .from_version = "1.0",
                             .to_version = "1.1"};
    package_file_encode(&f, p + PACKAGE_HEAD_BYTES);
    digest_of(DIGEST_SHA256, p + PACKAGE_HEAD_BYTES, PACKAGE_FILE_BYTES, h.table_sha256);
    package_head_encode(&h, p);
    memcpy(p + PACKAGE_HEAD_BYTES + PACKAGE_FILE_BYTES, s->new_image, IMAGE_BYTES);
}

static enum act bend_done(struct world *w, const struct request *r, struct buf *reply)
{
    /* The cloud offers nothing to a device that runs the new version. */
    if (r->kind == CHECK_VERSION && strstr(r->text, "\"version\":\"1.1\"") != NULL)
        world_status(reply, 2101, "null");
    (void)w;
    return ACT_REPLY;
}

static struct site *site_new(void)
{
    struct site *s = calloc(1, sizeof(*s));
    struct rng rng;
    REQUIRE(s != NULL);
    s->w = world_new("spi4k", 1);
    s->w->bend = bend_done;
    s->w->config.segment_index = 5;
    s->w->config.rounds = 2;
    rng_init(&rng, 2, "image", "old", 0);
    rng_fill(&rng, s->old_image, IMAGE_BYTES);
    rng_fill(&rng, s->new_image, IMAGE_BYTES);
    make_package(s);
    REQUIRE(nor_load(s->w->nor, s->w->config.files[0].address, s->old_image, IMAGE_BYTES) == 0);
    REQUIRE(partition_guard(s->w->nor, &s->w->config.partitions) == 0);
    s->setup = (struct device_setup){.config = &s->w->config,
                                     .board = s->w->net.b,
                                     .version_of_flash = version_of,
                                     .version_ctx = s};
    return s;
}

static void site_free(struct site *s)
{
    CHECK_INT(partition_guard_check(s->w->nor, &s->w->config.partitions), UINT32_MAX);
    world_free(s->w);
    free(s);
}

static enum sim_state power(struct site *s)
{
    return world_run(s->w, device_main, &s->setup);
}

/* Power-ons until the device goes idle; how many. */
static unsigned live(struct site *s, unsigned max)
{
    for (unsigned n = 1; n <= max; n++) {
        enum sim_state st = power(s);
        if (st == SIM_IDLE)
            return n;
        CHECK(st == SIM_RESET || st == SIM_CUT);
    }
    CHECK(false);
    return 0;
}

static void one_key(void)
{
    struct site *s = site_new();
    CHECK_INT(live(s, 3), 2);
    CHECK_STR(version_of(s), "1.1");
    CHECK_HAS(s->w->events, "start 1.0\napi cmiot_report_upgrade -5\npackage ");
    CHECK_HAS(s->w->events, "verify 1\npending 77\napi cmiot_upgrade 0\nreset ");
    CHECK_HAS(s->w->events, "start 1.1\napi cmiot_report_upgrade 0\nlog service code 2101\n"
                            "api cmiot_upgrade -4\napi cmiot_report_upgrade -5\n"
                            "log service code 2101\napi cmiot_upgrade -4\nidle 2\n");
    CHECK_INT(s->w->count[REPORT_UP], 1);
    CHECK_HAS(s->w->requests[s->w->request_count - 3].text, "\"updateStatus\":1,");
    CHECK_INT(s->w->raised, 0);
    site_free(s);
}

static void check_first(void)
{
    struct site *s = site_new();
    s->w->config.app = APP_CHECK_FIRST;
    CHECK_INT(live(s, 3), 2);
    CHECK_STR(version_of(s), "1.1");
    CHECK_HAS(s->w->events, "api cmiot_check_version 0\npackage 9296 77\nverify 1\n");
    site_free(s);
}

static void check_only(void)
{
    struct site *s = site_new();
    s->w->config.app = APP_CHECK_ONLY;
    CHECK_INT(live(s, 3), 1);
    CHECK_STR(version_of(s), "1.0");
    CHECK_INT(s->w->count[GET], 0);
    CHECK_INT(s->w->count[CHECK_VERSION], 2);
    site_free(s);
}

static void direct_variant(void)
{
    struct site *s = site_new();
    s->w->config.variant = DEVICE_DIRECT;
    /* The backup area is one erase unit: the package was made for that. */
    uint8_t *p = s->w->package;
    struct package_head h;
    struct err err;
    REQUIRE_OK(package_head_decode(&h, p, &err), &err);
    h.restore_block_bytes = 0x1000;
    h.window_bytes = 0x1000;
    package_head_encode(&h, p);
    CHECK_INT(live(s, 3), 2);
    CHECK_STR(version_of(s), "1.1");
    CHECK_INT(s->w->count[REGISTER], 2); /* first contact, and before the report */
    site_free(s);
}

/* The demo's loops: five reports, five upgrades, then the next round after the pause. */
static void no_network(void)
{
    struct site *s = site_new();
    s->w->net.refuse_connect = true;
    int64_t start_ns = s->w->net.now_ns;
    CHECK_INT(live(s, 1), 1);
    unsigned upgrades = 0;
    for (const char *at = s->w->events; (at = strstr(at, "api cmiot_upgrade -1\n")) != NULL; at++)
        upgrades++;
    CHECK_INT(upgrades, 10);
    CHECK((s->w->net.now_ns - start_ns) / NS_PER_MS >= s->w->config.check_interval_ms);
    CHECK_STR(version_of(s), "1.0");
    site_free(s);
}

/* A server that asks for patience gets it: one try per round, ten intervals between. */
static void visit_limit(void)
{
    struct site *s = site_new();
    s->w->status[CHECK_VERSION] = 1010;
    CHECK_INT(live(s, 1), 1);
    CHECK_INT(s->w->count[CHECK_VERSION], 2);
    int64_t between_ms = (s->w->requests[1].at_ns - s->w->requests[0].at_ns) / NS_PER_MS;
    CHECK(between_ms >= 10 * (int64_t)s->w->config.check_interval_ms);
    site_free(s);
}

static void unknown_image(void)
{
    struct site *s = site_new();
    s->blind = true;
    CHECK_INT(live(s, 1), 1);
    CHECK_HAS(s->w->events, "start ?\n");
    CHECK_INT(s->w->request_count, 0);
    site_free(s);
}

static void bad_configuration(void)
{
    struct site *s = site_new();
    s->w->config.segment_index = 1;
    uint64_t ops = nor_op_count(s->w->nor);
    CHECK_INT(live(s, 1), 1);
    CHECK_HAS(s->w->events, "config segment_index: is 1");
    CHECK_INT(s->w->request_count, 0);
    CHECK_INT(nor_op_count(s->w->nor), ops);
    site_free(s);
}

/* A cut at every third operation of the whole way, then in peace: the new version in the end, with
 * exactly one result at the cloud unless the cut fell between the answer and the note of it. */
static void cuts(void)
{
    struct site *s = site_new();
    CHECK_INT(live(s, 3), 2);
    uint64_t ops = nor_op_count(s->w->nor);
    site_free(s);
    for (uint64_t op = 1; op <= ops; op += 3) {
        s = site_new();
        nor_arm_cut(s->w->nor, op, TEAR_SCRAMBLED, 0);
        unsigned boots = live(s, 6);
        CHECK(boots >= 2 && boots <= 4);
        if (!CHECK_STR(version_of(s), "1.1"))
            return;
        CHECK(s->w->count[REPORT_UP] >= 1 && s->w->count[REPORT_UP] <= 2);
        CHECK_INT(s->w->raised, 0);
        site_free(s);
    }
}

/* Every allocation of a power-on fails once: never a crash, and the update comes in the end. */
static void allocation_failures(void)
{
    for (uint64_t n = 1; n < 60; n += 2) {
        struct site *s = site_new();
        s->w->config.alloc_fail_at = n;
        /* A boot loader that lacks memory at each power-on refuses each package. */
        for (int boots = 0; boots < 4 && power(s) != SIM_IDLE; boots++)
            CHECK(version_of(s) != NULL);
        s->w->config.alloc_fail_at = 0;
        (void)live(s, 4);
        CHECK_STR(version_of(s), "1.1");
        site_free(s);
    }
}

static const struct test tests[] = {
    TEST_ROWS("configuration", configuration, refused, refused_name),
    {"state layouts", layouts},
    {"one-key application", one_key},
    {"check first", check_first},
    {"check only", check_only},
    {"variant A", direct_variant},
    {"no network", no_network},
    {"visit limit", visit_limit},
    {"unknown image", unknown_image},
    {"bad configuration", bad_configuration},
    {"power cuts on the whole way", cuts},
    {"allocation failures", allocation_failures},
};
TEST_MAIN("device", tests)
