#include "scenarios/engine/scenario.h"

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/scenario_format.h"

#define HEAD        "{\"otabench\": 1, \"text\": \"t\""
#define WRITTEN_MAX (1u << 20)

/* Too large for a stack; each test parses before it looks. */
static struct scenario *parsed(const char *text, struct err *err, int *rc)
{
    static struct scenario s;
    *rc = scenario_parse(&s, text, strlen(text), "test", err);
    return &s;
}

static struct scenario *good(const char *text)
{
    struct err err = {""};
    int rc = 0;
    struct scenario *s = parsed(text, &err, &rc);
    REQUIRE_OK(rc, &err);
    return s;
}

/* ---- what is read ---- */

static void least_is_complete(void)
{
    struct scenario *s = good("{ \"otabench\": 1, \"text\": \"A clean differential upgrade\" }");
    struct err err = {""};
    CHECK_STR(s->name, "test");
    CHECK_STR(s->text, "A clean differential upgrade");
    CHECK_INT(s->seed, 1);
    CHECK_OK(device_config_check(&s->device, &err), &err);
    CHECK_STR(s->device.geometry.name, "spi4k");
    CHECK_INT(s->device.partitions.part[0].offset, 0);
    CHECK_INT(s->device.partitions.part[1].offset, 0x41000);
    CHECK_INT(s->device.partitions.part[2].offset, 0xE2000);
    CHECK_INT(s->device.update_bytes, 0xA0000);
    CHECK_INT(s->device.file_count, 1);
    CHECK_INT(s->device.files[0].area_bytes, 0x40000);
    CHECK_STR(s->device.firmware_version, "1.0");
    CHECK_INT(s->device.segment_retries, s->device.try_count);
    CHECK_INT(s->n_versions, 2);
    CHECK_STR(s->versions[1].version, "1.1");
    CHECK_INT(s->versions[0].images[0].kind, IMAGE_GENERATED);
    CHECK_INT(s->versions[0].images[0].bytes, 65536);
    CHECK_INT(s->versions[0].images[0].seed, 1);
    CHECK_INT(s->versions[1].images[0].kind, IMAGE_NEXT);
    CHECK_INT(s->n_offers, 1);
    CHECK_INT(s->offers[0].from, 0);
    CHECK_INT(s->offers[0].to, 1);
    CHECK_INT(s->offers[0].full, false);
    CHECK_INT(s->offers[0].at_ns, 0);
    CHECK_STR(s->product.product_id, s->device.product_id);
    CHECK_STR(s->product.secret, s->device.product_key);
    CHECK_INT(s->product.cms, true);
    CHECK_INT(s->product.has_team, true);
    CHECK_INT(s->product.restore_block_bytes, 65536);
    CHECK_INT(s->product.window_bytes, 65536);
    CHECK_INT(s->registered, true);
    CHECK_STR(s->profile.name, "perfect");
    CHECK_INT(s->n_net + s->n_power + s->n_flash + s->n_faults, 0);
    CHECK_INT(s->limit_ns, 3600 * NS_PER_S);
    CHECK_INT(s->expect.has_version || s->expect.has_result || s->expect.has_download_status, 0);
    CHECK_INT(s->expect.requests[RQ_CHECK], -1);
    CHECK_INT(s->expect.requests_max[RQ_OTHER], -1);
}

static void comments_are_blanks(void)
{
    struct scenario *s = good("{ // first\n \"otabench\": 1, /* then */ \"text\": \"// no\" }");
    CHECK_STR(s->text, "// no");
}

static void seeds_keep_64_bits(void)
{
    CHECK(good(HEAD ", \"seed\": \"0xFFFFFFFFFFFFFFFF\"}")->seed == UINT64_MAX);
    CHECK(good(HEAD ", \"seed\": \"0x5eed\"}")->seed == 0x5eed);
    CHECK(good(HEAD ", \"seed\": 9007199254740991}")->seed == 9007199254740991u);
}

static void files_share_the_area(void)
{
    struct scenario *s =
        good(HEAD ", \"device\": {\"files\": [{}, {\"name\": \"b\", \"area_bytes\": "
                  "8192}, {}]}}");
    CHECK_INT(s->device.file_count, 3);
    CHECK_STR(s->device.files[0].name, "app.bin");
    CHECK_INT(s->device.files[0].area_bytes, 0x15000);
    CHECK_STR(s->device.files[1].name, "b");
    CHECK_INT(s->device.files[1].address, 0x15000);
    CHECK_INT(s->device.files[2].address, 0x17000);
    CHECK_STR(s->device.files[2].name, "file3.bin");
    CHECK_INT(s->versions[0].images[1].bytes, 8192);
    CHECK_INT(s->versions[0].images[2].seed, 201);
    CHECK_INT(s->versions[1].images[2].kind, IMAGE_NEXT);
}

static void cloud_follows_the_device(void)
{
    struct scenario *s =
        good(HEAD ", \"device\": {\"variant\": \"direct\", \"product_id\": \"p\", "
                  "\"product_key\": \"k\", \"model\": \"m\", \"ram_bytes\": 20000, "
                  "\"compare_block_kib\": 32}, \"cloud\": {\"model\": \"n\"}}");
    CHECK_INT(s->product.cms, false);
    CHECK_STR(s->product.product_id, "p");
    CHECK_STR(s->product.secret, "k");
    CHECK_STR(s->product.model, "n");
    CHECK_INT(s->product.compare_block_kib, 32);
    CHECK_INT(s->product.restore_block_bytes, 4096);
    CHECK_INT(s->product.window_bytes, 4096);
    s = good(HEAD ", \"device\": {\"ram_bytes\": 20000}}");
    CHECK_INT(s->product.window_bytes, 4096);
    s = good(HEAD ", \"device\": {\"ram_bytes\": 0}}");
    CHECK_INT(s->product.window_bytes, 1024);
}

static void chips_have_their_own_size(void)
{
    struct scenario *s = good(HEAD ", \"device\": {\"chip\": \"internal8\"}}");
    CHECK_INT(s->device.geometry.size_bytes, 1 << 20);
    CHECK_INT(s->device.geometry.granule_bytes, 8);
    s = good(HEAD ", \"device\": {\"chip\": \"spi64k\"}}");
    CHECK_INT(s->device.partitions.part[1].offset, 0x50000);
    s = good(HEAD ", \"device\": {\"chip\": \"spi64k\", \"chip_bytes\": \"0x800000\"}}");
    CHECK_INT(s->device.geometry.size_bytes, 8 << 20);
}

/* The device has to refuse it, not the file's reader. */
static void the_device_judges_its_configuration(void)
{
    struct scenario *s = good(HEAD ", \"device\": {\"segment_index\": 1, \"did\": \"\"}, "
                                   "\"expect\": {\"config_refused\": true}}");
    CHECK_ERR(device_config_check(&s->device, NULL), ERR_ARG);
    CHECK_INT(s->expect.config_refused, true);
}

static void profiles_can_be_made(void)
{
    struct scenario *s = good(HEAD ", \"network\": {\"profile\": {\"base\": \"gprs\", "
                                   "\"one_way_ms\": 900}}}");
    const struct link_profile *gprs = link_profile_find("gprs");
    CHECK_INT(s->profile.down_bps, gprs->down_bps);
    CHECK_INT(s->profile.one_way_ns, 900 * NS_PER_MS);
    CHECK_STR(s->profile.name, "custom");
}

static void triggers_of_all_kinds(void)
{
    struct scenario *s = good(
        HEAD ", \"power\": [{\"when\": {\"at_ms\": 5}},"
             "{\"when\": {\"op\": 137}, \"tear\": \"prefix\", \"tear_bytes\": 3, \"off_ms\": 7},"
             "{\"when\": {\"event\": \"boot/restore\", \"where\": {\"block\": 2}, \"nth\": 4,"
             " \"plus_ops\": 9}}],"
             "\"network\": {\"faults\": ["
             "{\"when\": {\"connection\": 2, \"dir\": \"up\", \"byte\": 10}, \"do\": \"close\"},"
             "{\"when\": {\"reply\": \"download\", \"nth\": 3, \"byte\": 20}, \"do\": \"corrupt\","
             " \"mask\": 128}]}}");
    CHECK_INT(s->power[0].when.kind, TRIGGER_TIME);
    CHECK_INT(s->power[0].when.at_ns, 5 * NS_PER_MS);
    CHECK_INT(s->power[0].tear, TEAR_NOTHING);
    CHECK_INT(s->power[0].off_ns, NS_PER_S);
    CHECK_INT(s->power[1].when.kind, TRIGGER_OP);
    CHECK_INT(s->power[1].when.op, 137);
    CHECK_INT(s->power[1].tear, TEAR_PREFIX);
    CHECK_INT(s->power[1].tear_bytes, 3);
    CHECK_INT(s->power[1].off_ns, 7 * NS_PER_MS);
    const struct trigger *t = &s->power[2].when;
    CHECK_INT(t->kind, TRIGGER_EVENT);
    CHECK_INT(t->lane, LANE_BOOT);
    CHECK_STR(t->event, "restore");
    CHECK_STR(t->field, "block");
    CHECK_STR(t->value, "2");
    CHECK_INT(t->nth, 4);
    CHECK_INT(t->op, 9);
    t = &s->net[0].when;
    CHECK_INT(t->kind, TRIGGER_BYTE);
    CHECK_INT(t->connection, 2);
    CHECK_INT(t->dir, LINK_UP);
    CHECK_INT(t->byte, 10);
    CHECK_INT(s->net[0].action, NET_BYTE);
    CHECK_INT(s->net[0].byte_action, LINK_CLOSE);
    t = &s->net[1].when;
    CHECK_INT(t->kind, TRIGGER_REPLY);
    CHECK_INT(t->request, RQ_DOWNLOAD);
    CHECK_INT(t->nth, 3);
    CHECK_INT(s->net[1].mask, 128);
}

static void demands_are_told_from_none(void)
{
    struct scenario *s = good(HEAD ", \"expect\": {\"version\": \"?\", \"result\": 0, "
                                   "\"download_status\": [], \"results\": [-1, 0], "
                                   "\"requests\": {\"check\": 0}, \"fails\": [\"PWR-05\"]}}");
    CHECK(s->expect.has_version && s->expect.has_result && s->expect.has_download_status);
    CHECK_INT(s->expect.has_upgrade_status, false);
    CHECK_INT(s->expect.n_download_status, 0);
    CHECK_INT(s->expect.n_results, 2);
    CHECK_INT(s->expect.results[0], -1);
    CHECK_INT(s->expect.requests[RQ_CHECK], 0);
    CHECK_INT(s->expect.requests[RQ_DOWNLOAD], -1);
    CHECK_INT(s->expect.n_fails, 1);
    CHECK_STR(s->expect.fails[0], "PWR-05");
}

/* ---- round trip ---- */

/* Every key of the format, nowhere its default, in the form the writer gives it. */
static const char rich[] =
    "{\"otabench\": 1, \"text\": \"everything\", \"source\": \"\\\"here\\\"\","
    "\"seed\": \"0xfedcba9876543210\","
    "\"device\": {\"agent\": \"cmiot\", \"variant\": \"direct\", \"personality\": \"vendor\", "
    "\"product_id\": \"pid\","
    " \"product_key\": \"key\", \"did\": \"did\", \"oid\": \"oid\", \"oem\": \"oem\","
    " \"model\": \"mod\", \"platform\": \"pla\", \"device_type\": \"typ\", \"network_type\": "
    "\"net\","
    " \"host\": \"h\", \"port\": 80, \"try_time_ms\": 200, \"try_count\": 2,"
    " \"network_protocol\": 1, \"algorithm\": 3, \"segment_index\": 5, \"compare_block_kib\": 32,"
    " \"ram_bytes\": 40000, \"chip\": \"spi64k\", \"chip_bytes\": 8388608, \"app_bytes\": 524288,"
    " \"download_bytes\": 1048576, \"user_bytes\": 131072, \"update_bytes\": 12345,"
    " \"files\": [{\"name\": \"k\", \"address\": 65536, \"area_bytes\": 131072},"
    "  {\"name\": \"l\", \"address\": 262144, \"area_bytes\": 65536}],"
    " \"app\": \"check-only\", \"tries\": 2, \"rounds\": 7, \"check_interval_ms\": 5,"
    " \"alloc_fail_at\": 17, \"write_back_ops\": 3, \"base_altered\": true,"
    " \"breaks\": [\"skip-digest\", \"boot-skip-journal\"]},"
    "\"versions\": [{\"version\": \"a\", \"images\": [{\"generate\": {\"bytes\": 500, \"seed\": "
    "9}},"
    "  {\"file\": \"f.bin\"}]}, {\"version\": \"b\", \"images\": [{\"edit\": {\"seed\": 8,"
    "  \"grow_bytes\": -100}}, {\"same\": true}]}, {\"version\": \"c\", \"images\": [{\"same\": "
    "true},"
    "  {\"edit\": {\"seed\": \"0x8000000000000000\", \"grow_bytes\": 5}}]}],"
    "\"offers\": [{\"from\": \"b\", \"to\": \"c\", \"kind\": \"full\", \"tamper\": \"head\","
    " \"pad_to_bytes\": 99999, \"at_ms\": 77}, {\"from\": \"c\", \"to\": \"a\", \"kind\": "
    "\"delta\","
    " \"tamper\": \"none\", \"pad_to_bytes\": 0, \"at_ms\": 0, \"on_event\": \"restored\"}],"
    "\"cloud\": {\"variant\": \"cms\", \"product_id\": \"p2\", \"secret\": \"s2\","
    " \"has_team\": false, \"oem\": \"o2\", \"model\": \"m2\", \"platform\": \"l2\","
    " \"device_type\": \"t2\", \"owner\": \"me\", \"device_visits_per_day\": 3,"
    " \"owner_visits_per_day\": 4, \"compare_block_kib\": 16, \"restore_block_bytes\": 8192,"
    " \"window_bytes\": 2048, \"registered\": false, \"url_lifetime_ms\": 60000,"
    " \"faults\": [{\"on\": \"check\", \"do\": \"code\", \"from\": 2, \"count\": 0, \"code\": "
    "1003},"
    "  {\"on\": \"download\", \"do\": \"shift\", \"from\": 1, \"count\": 1, \"bytes\": -5},"
    "  {\"on\": \"any\", \"do\": \"delay\", \"from\": 1, \"count\": 3, \"for_ms\": 11},"
    "  {\"on\": \"report-upgrade\", \"do\": \"message\", \"from\": 1, \"count\": 1,"
    "   \"text\": \"\\u00e9\"}]},"
    "\"network\": {\"profile\": {\"base\": \"perfect\", \"down_bps\": 1, \"up_bps\": 2,"
    "  \"one_way_ms\": 3, \"jitter_ms\": 4, \"loss_ppm\": 5, \"idle_ms\": 6, \"segment_bytes\": 7},"
    " \"faults\": [{\"when\": {\"at_ms\": 1}, \"do\": \"outage\", \"on\": \"mqtt\", \"for_ms\": 2},"
    "  {\"when\": {\"event\": \"cloud/reply\", \"where\": {\"rq\": \"check\"}, \"plus_ops\": 0,"
    "   \"nth\": 2}, \"do\": \"profile\", \"on\": \"all\", \"for_ms\": 3, \"profile\": \"gprs\"},"
    "  {\"when\": {\"connection\": 3, \"dir\": \"up\", \"byte\": 4}, \"do\": \"corrupt\","
    "   \"on\": \"all\", \"mask\": 5},"
    "  {\"when\": {\"reply\": \"download\", \"nth\": 6, \"byte\": 7}, \"do\": \"dribble\","
    "   \"on\": \"all\", \"for_ms\": 8}]},"
    "\"power\": [{\"when\": {\"op\": 5}, \"tear\": \"weak\", \"tear_bytes\": 2, \"off_ms\": 0, "
    "  \"draw_by_place\": true, \"reading\": 3},"
    " {\"when\": {\"event\": \"flash/erase\", \"plus_ops\": 6, \"nth\": 1}, \"tear\": \"nothing\","
    "  \"tear_bytes\": 0, \"off_ms\": 3, \"draw_by_place\": false, \"reading\": 0}],"
    "\"flash\": [{\"fail\": \"corrupt\", \"address\": 4096, \"len_bytes\": 16, \"count\": -1}],"
    "\"limit_ms\": 1000, \"wire\": true,"
    "\"expect\": {\"version\": \"b\", \"result\": -7, \"results\": [-8, 0],"
    " \"download_status\": [8, 1], \"upgrade_status\": [99],"
    " \"failures\": [-3, -17], \"record\": \"failed\", \"states\": [\"-0x0904\"],"
    " \"requests\": {\"register\": 1, \"download\": 2, \"other\": 3, \"inform\": 7, \"progress\": "
    "8,"
    " \"query\": 9, \"config\": 10, \"block\": 11, \"message\": 12, \"push\": 13},"
    " \"requests_max\": {\"check\": 4, \"report-download\": 5, \"report-upgrade\": 6},"
    " \"config_refused\": true, \"fails\": [\"PWR-01\", \"DWN-02\"]}}";

/* The same for a device with two slots, where it is other keys. */
static const char rich_slots[] =
    "{\"otabench\": 1, \"text\": \"everything\", \"seed\": 1,"
    "\"device\": {\"agent\": \"uota\", \"product_id\": \"pk\", \"did\": \"dn\","
    " \"device_secret\": \"s\", \"module\": \"m\", \"sub_device\": \"sub1\", \"sub_version\": "
    "\"3\","
    " \"mqtt_host\": \"h\", \"mqtt_port\": 8,"
    " \"tls\": true, \"keep_alive_s\": 31, \"try_time_ms\": 200, \"try_count\": 2,"
    " \"ram_bytes\": 40000, \"chip\": \"spi4k\", \"chip_bytes\": 2097152, \"app_bytes\": 524288,"
    " \"user_bytes\": 131072, \"slots_bytes\": 16384, \"kv_bytes\": 12288, \"tries\": 2,"
    " \"rounds\": 7, \"check_interval_ms\": 5, \"trial_boots_max\": 4, \"confirm_deadline_ms\": 6,"
    " \"watchdog_ms\": 7, \"fates\": [{\"version\": \"b\", \"fate\": \"hangs\"}],"
    " \"range_bytes\": 77, \"cancel_at_percent\": 9,"
    " \"keep_offset\": true, \"image_trailer\": true, \"signature_required\": true,"
    " \"alloc_fail_at\": 17, \"write_back_ops\": 3, \"breaks\": [\"slots-no-trial\"], \"quirks\": "
    "[\"no-resume\"]},"
    "\"versions\": [{\"version\": \"a\", \"images\": [{\"file\": \"f\"}]},"
    "  {\"version\": \"b\", \"images\": [{\"same\": true}]}],"
    "\"offers\": [{\"from\": \"a\", \"to\": \"b\", \"kind\": \"full\", \"tamper\": \"trailer-md5\","
    " \"pad_to_bytes\": 9, \"at_ms\": 77, \"campaign\": \"batch\", \"verified\": true,"
    " \"files\": 1, \"silent\": true, \"yields\": true, \"retries\": 2, \"retry_after_ms\": 9,"
    " \"policy\": \"static\", \"percent\": 40, \"devices\": [\"other\"], \"from_versions\": "
    "[\"a\", \"z\"],"
    " \"digest\": \"sha256\", \"transport\": \"mqtt\", \"module\": \"m\", \"ext_data\": \"{}\"},"
    " {\"from\": \"a\", \"to\": \"b\", \"kind\": \"full\", \"tamper\": \"none\","
    " \"pad_to_bytes\": 0, \"at_ms\": 78, \"campaign\": \"again\", \"digest\": \"md5\","
    " \"transport\": \"http\", \"module\": \"\", \"ext_data\": \"\", \"files\": 2}],"
    "\"cloud\": {\"variant\": \"aliyun\", \"product_id\": \"p2\", \"secret\": \"s2\","
    " \"registered\": false, \"certificate\": \"expired\", \"image_key\": \"other\", "
    "\"url_lifetime_ms\": 60000, \"refusals\": 5,"
    " \"faults\": [], \"pushes\": [{\"when\": {\"at_ms\": 9}, \"do\": \"repeat\", \"of\": 2},"
    "  {\"when\": {\"event\": \"cloud/push\", \"plus_ops\": 0, \"nth\": 3}, \"do\": \"text\","
    "   \"topic\": \"/a\", \"text\": \"{\"},"
    "  {\"when\": {\"at_ms\": 9}, \"do\": \"config\"}],"
    " \"devices\": [{\"name\": \"other\", \"version\": \"a\"}]},"
    "\"network\": {\"profile\": \"perfect\", \"faults\": []}, \"power\": [], \"flash\": [],"
    "\"limit_ms\": 1000, \"wire\": true, \"expect\": {\"results\": [], \"states\": [], "
    "\"devices_taken\": 2,"
    " \"requests\": {}, \"requests_max\": {}, \"config_refused\": false, \"fails\": []}}";

static const struct json_limits deep = {.max_bytes = WRITTEN_MAX, .max_depth = 20};

static struct json tree_of(const char *text, size_t len_bytes)
{
    struct json doc;
    struct err err = {""};
    REQUIRE_OK(json_parse(&doc, text, len_bytes, &deep, &err), &err);
    return doc;
}

static void every_key_comes_back(void)
{
    static const char *const all[] = {rich, rich_slots};
    struct buf out;
    buf_init(&out, WRITTEN_MAX);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct buf one;
        buf_init(&one, WRITTEN_MAX);
        CHECK_INT(scenario_write(good(all[i]), &one), 0);
        struct json was = tree_of(all[i], strlen(all[i]));
        struct json is = tree_of((const char *)one.data, one.len_bytes);
        if (!CHECK(cJSON_Compare(was.root, is.root, true)))
            printf("%s\n", (const char *)one.data);
        CHECK_INT(buf_append(&out, one.data, one.len_bytes), 0);
        json_free(&was);
        json_free(&is);
        buf_free(&one);
    }
    CHECK_INT(buf_append(&out, "", 1), 0);
    const struct table *t;
    for (size_t i = 0; (t = scenario_table_at(i)) != NULL; i++)
        for (size_t k = 0; k < t->n; k++) {
            char quoted[64];
            (void)snprintf(quoted, sizeof quoted, "\"%s\": ", t->fields[k].key);
            CHECK_HAS((const char *)out.data, quoted);
        }
    buf_free(&out);
}

/* Written by its own reader's defaults, so the text is long; read and written again it is equal. */
static void written_is_read_as_the_same(const void *row)
{
    const char *const *text = row;
    static struct scenario before;
    struct buf once;
    struct buf twice;
    buf_init(&once, WRITTEN_MAX);
    buf_init(&twice, WRITTEN_MAX);
    before = *good(*text);
    CHECK_INT(scenario_write(&before, &once), 0);
    const struct scenario *after = good((const char *)once.data);
    CHECK_INT(scenario_write(after, &twice), 0);
    CHECK_STR((const char *)twice.data, (const char *)once.data);
    CHECK_MEM(after->offers, before.offers, sizeof before.offers);
    CHECK_MEM(after->faults, before.faults, sizeof before.faults);
    CHECK_MEM(after->pushes, before.pushes, sizeof before.pushes);
    CHECK_MEM(after->power, before.power, sizeof before.power);
    CHECK_MEM(after->flash, before.flash, sizeof before.flash);
    CHECK_MEM(&after->expect, &before.expect, sizeof before.expect);
    CHECK_MEM(after->device.files, before.device.files, sizeof before.device.files);
    CHECK_MEM(&after->device.breaks, &before.device.breaks, sizeof before.device.breaks);
    CHECK_MEM(&after->device.partitions, &before.device.partitions,
              sizeof before.device.partitions);
    buf_free(&once);
    buf_free(&twice);
}

static const char *const trips[] = {
    HEAD "}",
    rich,
    rich_slots,
    HEAD ", \"device\": {\"agent\": \"aiot\", \"quirks\": [\"no-guard\"]}}",
    HEAD ", \"device\": {\"agent\": \"iot-ota\", \"chip\": \"spi64k\"}}",
    HEAD ", \"versions\": [{\"version\": \"1\"}]}",
    HEAD ", \"offers\": []}",
    HEAD ", \"network\": {\"profile\": {\"base\": \"tunnel\"}}}",
    HEAD ", \"network\": {\"profile\": \"ntn-geo\"}}",
    HEAD ", \"device\": {\"did\": \"\", \"oid\": \"\"}}",
    HEAD ", \"device\": {\"files\": [{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}"
         "]}}",
};

static void no_room_is_told(void)
{
    struct buf out;
    buf_init(&out, 100);
    CHECK_ERR(scenario_write(good(HEAD "}"), &out), ERR_LIMIT);
    buf_free(&out);
}

static void odd_times_are_not_rounded(void)
{
    struct buf out;
    struct scenario *s = good(HEAD "}");
    buf_init(&out, WRITTEN_MAX);
    s->limit_ns += 1;
    CHECK_ERR(scenario_write(s, &out), ERR_UNSUPPORTED);
    buf_free(&out);
}

/* ---- files and names ---- */

struct naming {
    const char *path, *name;
};

static const struct naming namings[] = {
    {"scenarios/library/cms/resume-in-a-tunnel.json", "cms/resume-in-a-tunnel"},
    {"/a/library/x.json", "x"},
    {"zoo/agent-skips-the-digest.json", "zoo/agent-skips-the-digest"},
    {"scenarios/power-zoo/one.json", "power-zoo/one"},
    {"scenarios/demo/one.json", "demo/one"},
    {"/tmp/bug.json", "bug"},
    {"bug", "bug"},
    {"./library.json", "library"},
    {"my-library/x.json", "x"},
    {"library/zoo/a.json", "zoo/a"},
    {"scenarios//library//cms/a.json", "cms/a"},
};

static void is_named(const void *row)
{
    const struct naming *n = row;
    char name[SCENARIO_NAME_MAX];
    struct err err = {""};
    CHECK_OK(scenario_name_of(n->path, name, &err), &err);
    CHECK_STR(name, n->name);
}

static const char *naming_name(const void *row)
{
    return ((const struct naming *)row)->path;
}

static void files_are_loaded(void)
{
    static struct scenario s;
    char dir[TEST_PATH_MAX];
    char path[TEST_PATH_MAX + 32];
    struct err err = {""};
    test_tmpdir(dir);
    (void)snprintf(path, sizeof path, "%s/none.json", dir);
    CHECK_ERR(scenario_load(&s, path, &err), ERR_IO);
    CHECK_HAS(err.text, "none.json: cannot be opened");
    (void)snprintf(path, sizeof path, "%s/a-bug.json", dir);
    FILE *f = fopen(path, "w");
    REQUIRE(f != NULL);
    (void)fputs(HEAD ", \"wire\": 3}", f);
    (void)fclose(f);
    CHECK_ERR(scenario_load(&s, path, &err), ERR_FORMAT);
    CHECK_HAS(err.text, "a-bug.json: $.wire: is 3, must be true or false");
    f = fopen(path, "w");
    REQUIRE(f != NULL);
    (void)fputs(HEAD "}", f);
    (void)fclose(f);
    CHECK_OK(scenario_load(&s, path, &err), &err);
    CHECK_STR(s.name, "a-bug");
    CHECK_STR(s.path, path);
    char longer[300];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CHECK_ERR(scenario_load(&s, longer, &err), ERR_ARG);
    CHECK_ERR(scenario_parse(&s, "{}", 2, longer, &err), ERR_ARG);
}

static const struct test tests[] = {
    {"the least scenario is complete", least_is_complete},
    {"comments are blanks", comments_are_blanks},
    {"seeds keep 64 bits", seeds_keep_64_bits},
    {"files share the area", files_share_the_area},
    {"the cloud follows the device", cloud_follows_the_device},
    {"chips have their own size", chips_have_their_own_size},
    {"the device judges its configuration", the_device_judges_its_configuration},
    {"profiles can be made", profiles_can_be_made},
    {"triggers of all kinds", triggers_of_all_kinds},
    {"demands are told from none", demands_are_told_from_none},
    {"every key comes back", every_key_comes_back},
    TEST_ROWS("written is read as the same", written_is_read_as_the_same, trips, NULL),
    {"no room is told", no_room_is_told},
    {"odd times are not rounded", odd_times_are_not_rounded},
    TEST_ROWS("named", is_named, namings, naming_name),
    {"files are loaded", files_are_loaded},
};
TEST_MAIN("scenario", tests)
