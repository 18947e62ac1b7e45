/* What scenario_parse refuses, and in which words. */
#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "scenarios/engine/scenario.h"

#define AIOT ", \"device\": {\"agent\": \"aiot\"}"
#define HEAD "{\"otabench\": 1, \"text\": \"t\""

struct bad {
    const char *text; /* after HEAD, unless it begins with '!' */
    const char *says; /* parts of the message, separated by '|' */
};

static const struct bad bads[] = {
    {"!", "test: 1:1: unexpected end"},
    {"![]", "$: is an array, must be an object"},
    {"!{\"text\": \"t\"}", "$: needs \"otabench\""},
    {"!{\"otabench\": 1}", "$: needs \"text\""},
    {"!{\"otabench\": 2, \"text\": \"t\"}", "$.otabench: is format version 2, this program reads"},
    {"!{\"otabench\": \"1\", \"text\": \"t\"}", "$.otabench: is \"1\", must be an integer"},
    {"!{\"otabench\": 1, \"text\": \"\"}", "$.text: |0 bytes, must be 1 to 399 bytes"},
    {", \"devise\": {}}", "$: has the unknown key \"devise\", allowed are \"otabench\", \"text\""},
    {", \"seed\": -1}", "$.seed: is -1, must be an integer from 0"},
    {", \"seed\": \"5eed\"}", "$.seed: is \"5eed\", must be from 0x0|\"0x\" and up to 16 hex"},
    {", \"seed\": \"0x12345678123456781\"}", "$.seed: is \"0x12345678123456781\""},
    {", \"limit_ms\": 0}", "$.limit_ms: is 0, must be an integer from 1 to 31622400000"},
    {", \"limit_ms\": 1.5}", "$.limit_ms: is 1.5, must be an integer"},
    {", \"wire\": 1}", "$.wire: is 1, must be true or false"},
    /* device */
    {", \"device\": []}", "$.device: is an array, must be an object"},
    {", \"device\": {\"variant\": \"udp\"}}",
     "$.device.variant: is \"udp\", must be one of \"direct\", \"cms\""},
    {", \"device\": {\"chip\": \"spi\"}}", "$.device.chip: |one of \"spi4k\", \"spi64k\""},
    {", \"device\": {\"try_count\": 256}}", "$.device.try_count: is 256, |from 0 to 255"},
    {", \"device\": {\"did\": 5}}", "$.device.did: is 5, must be a string of 0 to 63 bytes"},
    {", \"device\": {\"chip_bytes\": 1000000}}",
     "$.device: \"chip_bytes\" is 0xf4240, must be a multiple of the erase unit 0x1000 of spi4k"},
    {", \"device\": {\"app_bytes\": 5000}}", "$.device: partition app: |erase unit 0x1000"},
    {", \"device\": {\"download_bytes\": \"0x200000\"}}",
     "$.device: partition download: |beyond the end 0x200000 of spi4k"},
    {", \"device\": {\"user_bytes\": 0}}", "$.device.user_bytes: is 0, must be an integer from 1"},
    {", \"device\": {\"files\": []}}", "$.device.files: is an array of 0 items, must be 1 to 21"},
    {", \"device\": {\"files\": [{\"name\": \"\"}]}}", "$.device.files[0].name: |1 to 31 bytes"},
    {", \"device\": {\"files\": [{\"addr\": 0}]}}",
     "$.device.files[0]: has the unknown key \"addr\", allowed are \"name\", \"address\""},
    {", \"device\": {\"files\": [{\"address\": \"0x1ff000\"}]}}",
     "$.device.files: file app.bin: address 0x1ff000 plus area 0x40000 is beyond the chip's end"},
    {", \"device\": {\"tries\": 0}}", "$.device.tries: is 0, must be an integer from 1 to 1000"},
    {", \"device\": {\"breaks\": [\"skip\"]}}",
     "$.device.breaks[0]: is not among skip-digest, resume-too-far|record-..., boot-..."},
    {", \"device\": {\"breaks\": [\"boot-skip\"]}}",
     "$.device.breaks[0]: is not among boot-skip-verify|boot-forget-if-resumed"},
    {", \"device\": {\"breaks\": [\"record-\"]}}",
     "$.device.breaks[0]: is not among record-one-copy|record-append-marks"},
    {", \"device\": {\"breaks\": \"skip-digest\"}}", "$.device.breaks: |must be an array"},
    /* versions */
    {", \"versions\": []}", "$.versions: is an array of 0 items, must be 1 to 8 items"},
    {", \"versions\": [{}]}", "$.versions[0]: needs \"version\""},
    {", \"versions\": [{\"version\": \"1\"}, {\"version\": \"1\"}]}",
     "$.versions[1].version: \"1\" is used twice"},
    {", \"versions\": [{\"version\": \"12345678901234567890123456789012\"}]}",
     "$.versions[0].version: is longer than the 31 bytes a package can name"},
    {", \"versions\": [{\"version\": \"1\", \"images\": [{\"same\": true}]}]}",
     "$.versions[0].images[0]: is \"same\", but the first version has none before it"},
    {", \"versions\": [{\"version\": \"1\", \"images\": [{}]}]}",
     "$.versions[0].images[0]: needs exactly one of \"generate\", \"edit\", \"same\", \"file\""},
    {", \"versions\": [{\"version\": \"1\", \"images\": [{\"file\": \"x\", \"generate\": {}}]}]}",
     "$.versions[0].images[0]: needs exactly one of"},
    {", \"versions\": [{\"version\": \"1\", \"images\": [{\"generate\": {\"bytes\": 262145}}]}]}",
     "$.versions[0].images[0]: 262145 bytes do not fit the area of 262144 bytes of file app.bin"},
    {", \"versions\": [{\"version\": \"1\", \"images\": [{\"generate\": {}}, {\"generate\": "
     "{}}]}]}",
     "$.versions[0].images: is an array of 2 items, must be 0 to 1 items"},
    {", \"versions\": [{\"version\": \"1\"}, {\"version\": \"2\", \"images\": [{\"same\": "
     "false}]}]}",
     "$.versions[1].images[0].same: is false, must be true"},
    {", \"versions\": [{\"version\": \"1\"}, {\"version\": \"2\", \"images\": [{\"edit\": "
     "{\"bytes\": 1}}]}]}",
     "$.versions[1].images[0].edit: has the unknown key \"bytes\", allowed are \"seed\""},
    /* offers */
    {", \"offers\": [{\"from\": \"0.9\"}]}",
     "$.offers[0].from: is \"0.9\", must be one of \"1.0\", \"1.1\""},
    {", \"offers\": [{\"from\": \"1.1\"}]}",
     "$.offers[0]: needs \"to\": |no version after \"1.1\""},
    {", \"offers\": [{\"to\": \"1.0\"}]}", "$.offers[0]: \"from\" and \"to\" are both \"1.0\""},
    {", \"offers\": [{\"kind\": \"diff\"}]}", "$.offers[0].kind: |one of \"delta\", \"full\""},
    {", \"offers\": [{\"tamper\": \"bits\"}]}", "$.offers[0].tamper: |one of \"none\", \"source"},
    {", \"offers\": [{\"on_event\": \"segmnt\"}]}", "$.offers[0].on_event: |one of \"start\""},
    {", \"offers\": [{\"files\": 2}]}", "$.offers[0].files: |has no meaning with \"cmiot\""},
    {", \"offers\": [{\"on_event\": \"segment\", \"at_ms\": 1}]}",
     "$.offers[0]: has both \"at_ms\" and \"on_event\""},
    {", \"versions\": [{\"version\": \"1\"}], \"offers\": [{}]}", "$.offers[0]: needs \"to\""},
    {AIOT ", \"offers\": [{\"percent\": 5}]}",
     "$.offers[0].percent: |has no meaning with \"verify\""},
    {AIOT ", \"offers\": [{\"campaign\": \"batch\", \"percent\": 5}]}",
     "$.offers[0].percent: |needs \"policy\": \"static\""},
    {AIOT ", \"offers\": [{\"campaign\": \"batch\", \"percent\": 101}]}",
     "$.offers[0].percent: is 101, |from 0 to 100"},
    {AIOT ", \"offers\": [{\"campaign\": \"batch\", \"policy\": \"some\"}]}",
     "$.offers[0].policy: is \"some\", must be one of \"dynamic\", \"static\""},
    {AIOT ", \"offers\": [{\"campaign\": \"batch\", \"devices\": [\"lamp\"]}]}",
     "$.offers[0].devices[0]: \"lamp\" is neither \"device.did\" nor in \"cloud.devices\""},
    {AIOT ", \"offers\": [{\"campaign\": \"batch\", \"devices\": []}]}",
     "$.offers[0].devices: is an array of 0 items, must be 1 to 17 items"},
    {AIOT ", \"offers\": [{\"campaign\": \"batch\", \"from_versions\": [\"1.0\", \"1.0\"]}]}",
     "$.offers[0].from_versions[1]: \"1.0\" is named twice"},
    {AIOT ", \"offers\": [{\"campaign\": \"batch\", \"from_versions\": [\"1 0\"]}]}",
     "$.offers[0].from_versions[0]: must be a string of 1 to 31 bytes, without blanks"},
    {AIOT ", \"cloud\": {\"devices\": [{\"name\": \"a/b\", \"version\": \"1\"}]}}",
     "$.cloud.devices[0].name: must be 1 to 63 visible characters"},
    {AIOT ", \"cloud\": {\"devices\": [{\"name\": \"a\"}]}}",
     "$.cloud.devices[0]: needs \"version\""},
    {", \"cloud\": {\"devices\": []}}", "$.cloud.devices: has no meaning with \"cms\""},
    /* cloud */
    {", \"cloud\": {\"has_team\": 0}}", "$.cloud.has_team: is 0, must be true or false"},
    {", \"cloud\": {\"window_bytes\": \"0x20000\"}}",
     "$.cloud: \"window_bytes\" is 131072, must be at most \"restore_block_bytes\", 65536"},
    {", \"cloud\": {\"faults\": [{\"do\": \"close\"}]}}", "$.cloud.faults[0]: needs \"on\""},
    {", \"cloud\": {\"faults\": [{\"on\": \"check\"}]}}", "$.cloud.faults[0]: needs \"do\""},
    {", \"cloud\": {\"faults\": [{\"on\": \"check\", \"do\": \"code\"}]}}",
     "$.cloud.faults[0]: needs \"code\" with \"code\""},
    {", \"cloud\": {\"faults\": [{\"on\": \"check\", \"do\": \"close\", \"code\": 1003}]}}",
     "$.cloud.faults[0].code: has no meaning with \"close\""},
    {", \"cloud\": {\"faults\": [{\"on\": \"check\", \"do\": \"status\", \"code\": 1003}]}}",
     "$.cloud.faults[0].code: is 1003, must be from 200 to 599 with \"status\""},
    {", \"cloud\": {\"faults\": [{\"on\": \"check\", \"do\": \"shift\", \"bytes\": 1}]}}",
     "$.cloud.faults[0].on: \"shift\" is a fault of \"download\""},
    {", \"cloud\": {\"faults\": [{\"on\": \"download\", \"do\": \"shift\", \"bytes\": 0}]}}",
     "$.cloud.faults[0].bytes: is 0, |and not 0 with \"shift\""},
    {", \"cloud\": {\"faults\": [{\"on\": \"download\", \"do\": \"not-json\"}]}}",
     "$.cloud.faults[0].on: \"not-json\" is a fault of control requests, "},
    {", \"cloud\": {\"faults\": [{\"on\": \"any\", \"do\": \"delay\", \"for_ms\": 0}]}}",
     "$.cloud.faults[0].for_ms: is 0, must be an integer from 1"},
    {", \"cloud\": {\"faults\": [{\"on\": \"any\", \"do\": \"redirect\", \"text\": "
     "\"a\\r\\nb\"}]}}",
     "$.cloud.faults[0].text: has a control character"},
    {", \"cloud\": {\"faults\": [{\"on\": \"check\", \"do\": \"close\", \"from\": 0}]}}",
     "$.cloud.faults[0].from: is 0, must be an integer from 1"},
    /* network */
    {", \"network\": \"gprs\"}", "$.network: is \"gprs\", must be an object"},
    {", \"network\": {\"profile\": \"5g\"}}", "$.network.profile: is \"5g\", must be one of"},
    {", \"network\": {\"profile\": {\"loss_ppm\": 900001}}}",
     "$.network.profile.loss_ppm: is 900001, must be an integer from 0 to 900000"},
    {", \"network\": {\"faults\": [{\"do\": \"outage\"}]}}", "$.network.faults[0]: needs \"when\""},
    {", \"network\": {\"faults\": [{\"when\": {}, \"do\": \"outage\"}]}}",
     "$.network.faults[0].when: needs exactly one of \"at_ms\", \"op\", \"event\", \"connection\""},
    {", \"network\": {\"faults\": [{\"when\": {\"at_ms\": 1}, \"do\": \"outage\"}]}}",
     "$.network.faults[0]: needs \"for_ms\" with \"outage\""},
    {", \"network\": {\"faults\": [{\"when\": {\"at_ms\": 1}, \"do\": \"outage\", \"for_ms\": "
     "0}]}}",
     "$.network.faults[0]: \"for_ms\" must be at least 1 with \"outage\""},
    {", \"network\": {\"faults\": [{\"when\": {\"at_ms\": 1}, \"do\": \"reset\", \"for_ms\": 9}]}}",
     "$.network.faults[0].for_ms: has no meaning with \"reset\""},
    {", \"network\": {\"faults\": [{\"when\": {\"at_ms\": 1}, \"do\": \"profile\"}]}}",
     "$.network.faults[0]: needs \"profile\" with \"profile\""},
    {", \"network\": {\"faults\": [{\"when\": {\"op\": 1}, \"do\": \"reset\"}]}}",
     "$.network.faults[0].when: a network fault is set off by at_ms, event, connection or reply"},
    {", \"network\": {\"faults\": [{\"when\": {\"at_ms\": 1}, \"do\": \"corrupt\"}]}}",
     "$.network.faults[0].when: \"corrupt\" happens at a byte: it is set off by connection or "
     "reply"},
    {", \"network\": {\"faults\": [{\"when\": {\"connection\": 1, \"byte\": 1}, \"do\": "
     "\"outage\", "
     "\"for_ms\": 1}]}}",
     "$.network.faults[0].when: \"outage\" is set off by at_ms or event, not by a byte"},
    {", \"network\": {\"faults\": [{\"when\": {\"connection\": 1}, \"do\": \"reset\"}]}}",
     "$.network.faults[0].when: needs \"byte\" with \"connection\""},
    {", \"network\": {\"faults\": [{\"when\": {\"reply\": \"ping\", \"byte\": 1}, \"do\": "
     "\"reset\"}]}}",
     "$.network.faults[0].when.reply: is \"ping\", must be one of \"register\", \"check\""},
    {", \"network\": {\"faults\": [{\"when\": {\"event\": \"segment\"}, \"do\": \"reset\"}]}}",
     "$.network.faults[0].when.event: is \"segment\", must be a lane (device, boot, cloud, "
     "network"},
    {", \"network\": {\"faults\": [{\"when\": {\"event\": \"boot/segment\"}, \"do\": \"reset\"}]}}",
     "$.network.faults[0].when.event: is \"boot/segment\"|boot/verify, boot/refuse"},
    {", \"network\": {\"faults\": [{\"when\": {\"event\": \"device/segment\", \"where\": {\"no\": "
     "1}}, "
     "\"do\": \"reset\"}]}}",
     "$.network.faults[0].when.where: has the unknown field \"no\"; device/segment has: number"},
    {", \"network\": {\"faults\": [{\"when\": {\"event\": \"device/segment\", \"where\": {}}, "
     "\"do\": \"reset\"}]}}",
     "$.network.faults[0].when.where: needs exactly one field of the event: number"},
    {", \"network\": {\"faults\": [{\"when\": {\"event\": \"device/segment\", \"plus_ops\": 1}, "
     "\"do\": \"reset\"}]}}",
     "$.network.faults[0].when: \"plus_ops\" is for power cuts"},
    {", \"network\": {\"faults\": [{\"when\": {\"at_ms\": 1, \"nth\": 2}, \"do\": \"reset\"}]}}",
     "$.network.faults[0].when.nth: has no meaning with \"at_ms\""},
    /* power */
    {", \"power\": [{}]}", "$.power[0]: needs \"when\""},
    {", \"power\": [{\"when\": {\"op\": 0}}]}",
     "$.power[0].when.op: is 0, must be an integer from 1"},
    {", \"power\": [{\"when\": {\"connection\": 1, \"byte\": 0}}]}",
     "$.power[0].when: a power cut is set off by at_ms, op, message or event"},
    {", \"power\": [{\"when\": {\"op\": 1}, \"tear\": \"half\"}]}",
     "$.power[0].tear: |\"half-erased\""},
    {", \"power\": [{\"when\": {\"op\": 1}, \"off_ms\": -1}]}", "$.power[0].off_ms: is -1"},
    /* flash */
    {", \"flash\": [{\"fail\": \"read\"}]}", "$.flash[0]: needs \"address\""},
    {", \"flash\": [{\"fail\": \"write\", \"address\": 0}]}",
     "$.flash[0].fail: is \"write\", must be one of \"read\", \"program\", \"erase\", \"corrupt\""},
    {", \"flash\": [{\"fail\": \"read\", \"address\": \"0x1fffff\", \"len_bytes\": 2}]}",
     "$.flash[0]: address 0x1fffff plus 0x2 bytes is beyond the chip's end 0x200000"},
    {", \"flash\": [{\"fail\": \"read\", \"address\": 0, \"count\": 0}]}",
     "$.flash[0]: \"count\" is 0, must be from 1, or -1 for ever"},
    /* expect */
    {", \"expect\": {\"version\": \"3\"}}", "$.expect.version: \"3\" is not in \"versions\""},
    {", \"expect\": {\"result\": 1}}", "$.expect.result: is 1, must be an integer from -8 to 0"},
    {", \"expect\": {\"results\": [0, -9]}}",
     "$.expect.results[1]: must be an integer from -8 to 0"},
    {", \"expect\": {\"upgrade_status\": [\"1\"]}}",
     "$.expect.upgrade_status[0]: must be an integer"},
    {", \"expect\": {\"requests\": {\"checks\": 1}}}",
     "$.expect.requests: has the unknown key \"checks\", allowed are \"register\", \"check\""},
    {", \"expect\": {\"requests\": {\"check\": -1}}}", "$.expect.requests.check: is -1, must be"},
    {", \"expect\": {\"requests\": {\"check\": 1}, \"requests_max\": {\"check\": 2}}}",
     "$.expect: has \"check\" in both \"requests\" and \"requests_max\""},
    {", \"expect\": {\"fails\": [\"PWR5\"]}}",
     "$.expect.fails[0]: must be a requirement ID such as \"PWR-05\""},
    {", \"expect\": {\"fails\": [\"PWR-05\", \"PWR-05\"]}}",
     "$.expect.fails[1]: \"PWR-05\" is named twice"},
};

static void is_refused(const void *row)
{
    const struct bad *b = row;
    char text[1024];
    struct err err = {""};
    if (b->text[0] == '!')
        (void)snprintf(text, sizeof text, "%s", b->text + 1);
    else
        (void)snprintf(text, sizeof text, "%s%s", HEAD, b->text);
    static struct scenario s;
    CHECK_ERR(scenario_parse(&s, text, strlen(text), "test", &err), ERR_FORMAT);
    CHECK_HAS(err.text, "test: ");
    for (const char *p = b->says; *p != '\0'; p += strspn(p, "|")) {
        char part[256];
        size_t n = strcspn(p, "|");
        (void)snprintf(part, sizeof part, "%.*s", (int)n, p);
        CHECK_HAS(err.text, part);
        p += n;
    }
}

static const char *bad_name(const void *row)
{
    const struct bad *b = row;
    return b->says;
}

static void sizes_are_bounded(void)
{
    static struct scenario s;
    static char text[(1u << 20) + 2];
    struct err err = {""};
    memset(text, ' ', sizeof text);
    CHECK_ERR(scenario_parse(&s, text, sizeof text - 1, "test", &err), ERR_LIMIT);
    CHECK_HAS(err.text, "test: text of 1048577 bytes, at most 1048576 are allowed");
    memset(text, '[', 64);
    CHECK_ERR(scenario_parse(&s, text, 64, "test", &err), ERR_LIMIT);
}

static void lists_are_bounded(void)
{
    static struct scenario s;
    static char text[8192];
    struct err err = {""};
    (void)snprintf(text, sizeof text, "%s, \"power\": [", HEAD);
    for (int i = 0; i <= SCENARIO_RULES_MAX; i++)
        (void)strcat(text, i > 0 ? ",{\"when\":{\"op\":1}}" : "{\"when\":{\"op\":1}}");
    (void)strcat(text, "]}");
    CHECK_ERR(scenario_parse(&s, text, strlen(text), "test", &err), ERR_FORMAT);
    CHECK_HAS(err.text, "$.power: is an array of 33 items, must be 0 to 32 items");
}

static const struct test tests[] = {
    TEST_ROWS("refused", is_refused, bads, bad_name),
    {"sizes are bounded", sizes_are_bounded},
    {"lists are bounded", lists_are_bounded},
};
TEST_MAIN("scenario refused", tests)
