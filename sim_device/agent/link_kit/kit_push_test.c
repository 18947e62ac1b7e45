#include "sim_device/agent/link_kit/push.h"

#include <stdio.h>
#include <string.h>

#include "common/testing/testing.h"
#include "sim_device/agent/link_kit/kit_testing.h"

#define MD5  "93230c3bde425a9d7984a594ac55ea1e"
#define SHA  MD5 MD5
#define TAIL ",\"id\":1,\"message\":\"success\"}"

struct sample {
    const char *name;
    enum kit_generation generation;
    enum kit_push_kind kind;
    int rc;
    const char *text;
};

#define PLAIN(data) "{\"code\":\"1000\",\"data\":{" data "}" TAIL
#define BASE        "\"version\":\"2\",\"url\":\"http://h/p\",\"md5\":\"" MD5 "\""
#define SIZED(n)    PLAIN("\"size\":" n "," BASE)

static const struct sample samples[] = {
    {"as the seed shows it", KIT_3X, KIT_PUSH_FIRMWARE, 0, SIZED("432945")},
    {"the same for 4.x", KIT_4X, KIT_PUSH_FIRMWARE, 0, SIZED("432945")},
    {"size as text", KIT_4X, KIT_PUSH_FIRMWARE, 0, SIZED("\"432945\"")},
    {"code and id as they come", KIT_4X, KIT_PUSH_FIRMWARE, 0,
     "{\"code\":200,\"id\":\"7\",\"data\":{\"size\":1," BASE "}}"},
    {"unknown members", KIT_4X, KIT_PUSH_FIRMWARE, 0,
     "{\"code\":\"1000\",\"x\":[1,{}],\"data\":{\"size\":1,\"isDiff\":0,\"y\":{\"size\":9}," BASE
     "}}"},
    {"sign in SHA-256", KIT_4X, KIT_PUSH_FIRMWARE, 0,
     PLAIN("\"size\":1,\"sign\":\"" SHA "\",\"signMethod\":\"SHA256\"," BASE)},
    {"a word of its own for MD5", KIT_4X, KIT_PUSH_FIRMWARE, 0,
     PLAIN("\"size\":1,\"sign\":\"" MD5 "\",\"signMethod\":\"MD5\"," BASE)},
    {"an escaped slash", KIT_4X, KIT_PUSH_FIRMWARE, 0,
     PLAIN("\"size\":1,\"version\":\"2\",\"url\":\"http:\\/\\/h\\/p\",\"md5\":\"" MD5 "\"")},
    {"white space", KIT_4X, KIT_PUSH_FIRMWARE, 0,
     "{ \"code\" : \"1000\" ,\n\"data\" : { \"size\" : 1 , " BASE " } }"},
    {"nothing to do", KIT_4X, KIT_PUSH_FIRMWARE, ERR_NOT_FOUND, "{\"code\":200,\"data\":{}}"},
    {"no message, 3.x", KIT_3X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     "{\"code\":\"1000\",\"data\":{\"size\":1," BASE "}}"},
    {"another message, 3.x", KIT_3X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     "{\"code\":\"1000\",\"data\":{\"size\":1," BASE "},\"message\":\"failed\"}"},
    {"no MD5, 3.x", KIT_3X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"size\":1,\"version\":\"2\",\"url\":\"http://h/p\",\"sign\":\"" MD5
           "\",\"signMethod\":\"Md5\"")},
    {"a refusing code", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     "{\"code\":\"400\",\"data\":{\"size\":1," BASE "}}"},
    {"no digest", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"size\":1,\"version\":\"2\",\"url\":\"http://h/p\"")},
    {"no url", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"size\":1,\"version\":\"2\",\"md5\":\"" MD5 "\"")},
    {"no version", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"size\":1,\"url\":\"http://h/p\",\"md5\":\"" MD5 "\"")},
    {"an empty version", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"size\":1,\"version\":\"\",\"url\":\"http://h/p\",\"md5\":\"" MD5 "\"")},
    {"no size", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, PLAIN(BASE)},
    {"size 0", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, SIZED("0")},
    {"size -1", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, SIZED("-1")},
    {"size 2^31", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, SIZED("2147483648")},
    {"size 2^32 + 1", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, SIZED("4294967297")},
    {"size as words", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, SIZED("\"12x\"")},
    {"size as empty text", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, SIZED("\"\"")},
    {"size with 20 digits", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     SIZED("\"18446744073709551617\"")},
    {"a half size", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, SIZED("1.5")},
    {"a short MD5", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"size\":1,\"version\":\"2\",\"url\":\"http://h/p\",\"md5\":\"93230c\"")},
    {"an MD5 that is no hex", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"size\":1,\"version\":\"2\",\"url\":\"http://h/p\",\"md5\":"
           "\"z3230c3bde425a9d7984a594ac55ea1e\"")},
    {"sign of the wrong length", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"size\":1,\"sign\":\"" MD5 "\",\"signMethod\":\"SHA256\"," BASE)},
    {"an unknown method", KIT_4X, KIT_PUSH_FIRMWARE, ERR_UNSUPPORTED,
     PLAIN("\"size\":1,\"sign\":\"" MD5 "\",\"signMethod\":\"Sha1\"," BASE)},
    {"MQTT without a stream", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"size\":1,\"dProtocol\":\"mqtt\",\"version\":\"2\",\"md5\":\"" MD5 "\"")},
    {"an unknown protocol", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"size\":1,\"dProtocol\":\"coap\",\"streamId\":1," BASE)},
    {"no files", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, PLAIN("\"version\":\"2\",\"files\":[]")},
    {"a file that is a number", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"version\":\"2\",\"files\":[7]")},
    {"a key twice", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, PLAIN("\"size\":1,\"size\":2," BASE)},
    {"data that is a list", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     "{\"code\":\"1000\",\"data\":[]}"},
    {"no data", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, "{\"code\":\"1000\"}"},
    {"a list", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, "[]"},
    {"nothing", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, ""},
    {"not JSON", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, "hello"},
    {"bytes behind it", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT, SIZED("1") "x"},
    {"not UTF-8", KIT_4X, KIT_PUSH_FIRMWARE, ERR_FORMAT,
     PLAIN("\"size\":1,\"version\":\"\xff\",\"url\":\"http://h/p\",\"md5\":\"" MD5 "\"")},
    {"nine deep", KIT_4X, KIT_PUSH_FIRMWARE, ERR_LIMIT,
     PLAIN("\"size\":1,\"extData\":{\"a\":[[[[[[1]]]]]]}," BASE)},
    {"a configuration", KIT_4X, KIT_PUSH_CONFIG, 0,
     "{\"id\":\"9\",\"version\":\"1.0\",\"params\":{\"configId\":\"c\",\"configSize\":4,\"sign\":"
     "\"" SHA "\",\"signMethod\":\"Sha256\",\"url\":\"https://h/c\",\"getType\":\"file\"}}"},
    {"a configuration for 3.x", KIT_3X, KIT_PUSH_CONFIG, 0,
     "{\"id\":\"9\",\"version\":\"1.0\",\"params\":{\"configId\":\"c\",\"configSize\":4,\"sign\":"
     "\"" SHA "\",\"signMethod\":\"Sha256\",\"url\":\"https://h/c\",\"getType\":\"file\"}}"},
    {"firmware in the place of a configuration", KIT_4X, KIT_PUSH_CONFIG, ERR_FORMAT, SIZED("1")},
};

static const char *sample_name(const void *row)
{
    return ((const struct sample *)row)->name;
}

static const struct sample *sample;
static int result;
static struct err result_err;
static struct kit_quirks quirks;
static char version[64], url[512], module[64], ext[512];
static uint32_t size_bytes;

static void copy(char *out, size_t cap, const char *text)
{
    (void)snprintf(out, cap, "%s", text != NULL ? text : "(null)");
}

static void parse(struct kit_world *w)
{
    struct kit_push *p;
    result = kit_push_parse(&p, w->net.b, sample->kind, sample->generation, sample->text,
                            strlen(sample->text), &quirks, &result_err);
    CHECK((result == 0) == (p != NULL));
    if (p == NULL)
        return;
    copy(version, sizeof(version), p->version);
    copy(url, sizeof(url), p->files[0].url);
    copy(module, sizeof(module), p->module);
    copy(ext, sizeof(ext), p->ext);
    size_bytes = p->files[0].size_bytes;
    CHECK(p->files[0].digest != NULL);
    CHECK_INT(board_heap_blocks(w->net.b), 1);
    board_free(w->net.b, p);
}

static void parse_sample(const struct sample *s)
{
    struct kit_world *w = kit_world_new(AGENT_AIOT, 100);
    sample = s;
    kit_world_call(w, parse);
    kit_world_free(w);
}

static void reads(const void *row)
{
    memset(&quirks, 0, sizeof(quirks));
    parse_sample(row);
    if (!CHECK_ERR(result, sample->rc))
        fprintf(stderr, "%s\n", result_err.text);
}

/* The real cloud's form, with extData whose members carry the names of others. */
static const struct sample nested = {
    "", KIT_4X, KIT_PUSH_FIRMWARE, 0,
    "{\"code\":\"1000\",\"data\":{\"size\":77,\"extData\":{\"version\":\"9\",\"url\":\"evil\"},"
    "\"sign\":\"" MD5 "\",\"version\":\"2.0\",\"signMethod\":\"Md5\",\"url\":\"http://h/p?a=b\","
    "\"md5\":\"" MD5 "\",\"module\":\"mcu\"},\"id\":1,\"message\":\"success\"}"};

static void finds_members_where_they_are(void)
{
    memset(&quirks, 0, sizeof(quirks));
    parse_sample(&nested);
    CHECK_INT(result, 0);
    CHECK_STR(version, "2.0");
    CHECK_STR(url, "http://h/p?a=b");
    CHECK_STR(module, "mcu");
    CHECK_STR(ext, "{\"version\":\"9\",\"url\":\"evil\"}");
    CHECK_INT(size_bytes, 77);
}

static void first_key_wins(void)
{
    memset(&quirks, 0, sizeof(quirks));
    REQUIRE(kit_quirks_set(&quirks, "first-key-wins"));
    parse_sample(&nested);
    CHECK_INT(result, 0);
    CHECK_STR(version, "9");
    CHECK_STR(url, "evil");
}

static void strict_words(void)
{
    const struct sample s = {"", KIT_4X, KIT_PUSH_FIRMWARE, 0,
                             PLAIN("\"size\":1,\"sign\":\"" MD5 "\",\"signMethod\":\"MD5\"," BASE)};
    memset(&quirks, 0, sizeof(quirks));
    REQUIRE(kit_quirks_set(&quirks, "strict-sign-method"));
    parse_sample(&s);
    CHECK_ERR(result, ERR_UNSUPPORTED);
}

static void every_quirk_has_a_name(void)
{
    size_t n = 0;
    for (const struct kit_quirk *q; (q = kit_quirk_at(n)) != NULL; n++) {
        memset(&quirks, 0, sizeof(quirks));
        CHECK(kit_quirks_set(&quirks, q->name));
        for (size_t i = 0; i < sizeof(quirks); i++)
            CHECK_INT(((const bool *)&quirks)[i], i == q->offset);
    }
    CHECK_INT(n, sizeof(quirks));
    CHECK(!kit_quirks_set(&quirks, "no-such-quirk"));
}

static const struct test tests[] = {
    TEST_ROWS("announcement", reads, samples, sample_name),
    {"members are found where they are", finds_members_where_they_are},
    {"the first key wins, when asked for", first_key_wins},
    {"words are strict, when asked for", strict_words},
    {"every quirk has a name", every_quirk_has_a_name},
};

TEST_MAIN("announcements", tests)
