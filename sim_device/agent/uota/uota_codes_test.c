/* Every code of the AliOS client, provoked: as it shows on the device, and as the cloud is told. */
#include "common/image_trailer.h"
#include "common/signature.h"
#include "common/signature_keys.h"
#include "sim_device/agent/link_kit/kit_testing.h"

#define IMAGE_BYTES 40000u

struct code_row {
    const char *what;
    void (*before)(struct kit_world *w);
    int own;
    int told, early; /* 0: nothing is told */
};

static uint32_t part_of(const struct kit_world *w, const char *name)
{
    return partition_find(&w->config.partitions, name)->offset;
}

static void too_large(struct kit_world *w)
{
    kw_compose(w, "2.0", "http://files.test/a", NULL, "Md5", 0x80001);
}

static void older(struct kit_world *w)
{
    kw_compose(w, "0.9", "http://files.test/a", NULL, "Md5", IMAGE_BYTES);
}

static void no_login(struct kit_world *w)
{
    w->connack = 4;
}

static enum act refuse(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)g;
    test_http(reply, "403 Forbidden", "<Error/>", 8);
    return ACT_REPLY;
}

static void refused(struct kit_world *w)
{
    w->bend = refuse;
}

static void no_url(struct kit_world *w)
{
    kw_compose(w, "2.0", "ftp://files.test/a", NULL, "Md5", IMAGE_BYTES);
}

static void no_host(struct kit_world *w)
{
    kw_compose(w, "2.0", "http:///a", NULL, "Md5", IMAGE_BYTES);
}

static void no_connection(struct kit_world *w)
{
    w->net.refuse_connect = true;
}

static void cannot_read(struct kit_world *w)
{
    REQUIRE(nor_inject(w->nor, NOR_IO_READ, part_of(w, "app2") + 5000, 1, -1) == 0);
}

static void cannot_write(struct kit_world *w)
{
    REQUIRE(nor_inject(w->nor, NOR_IO_PROGRAM, part_of(w, "app2") + 5000, 1, -1) == 0);
}

static void no_trailer(struct kit_world *w)
{
    w->config.image_trailer = true;
}

static enum act flip(struct kit_world *w, const struct kw_get *g, struct buf *reply)
{
    (void)w, (void)g;
    reply->data[reply->len_bytes - 1] ^= 1;
    return ACT_REPLY;
}

static void wrong_digest(struct kit_world *w)
{
    w->bend = flip;
}

static void no_signature(struct kit_world *w)
{
    w->config.signature_required = true;
    w->config.image_key_pem = signature_public_pem;
}

static void put_trailer(struct kit_world *w, enum image_part part)
{
    struct image_trailer t = {.part = part, .size_bytes = IMAGE_BYTES - IMAGE_TRAILER_BYTES};
    digest_of(DIGEST_MD5, w->image, t.size_bytes, t.md5);
    image_trailer_encode(&t, w->image + t.size_bytes);
    w->config.image_trailer = true;
    kw_compose(w, "2.0", "http://files.test/a", NULL, "Md5", IMAGE_BYTES);
}

static void a_kernel(struct kit_world *w)
{
    put_trailer(w, IMAGE_KERNEL);
}

static void an_app(struct kit_world *w)
{
    put_trailer(w, IMAGE_APP);
}

static void no_boot_choice(struct kit_world *w)
{
    REQUIRE(nor_inject(w->nor, NOR_IO_ERASE, part_of(w, "slots"), 0x2000, -1) == 0);
}

/* The tail of the announcement is where members are added. */
static void add_member(struct kit_world *w, const char *text)
{
    char *end = strstr(w->announcement, "},\"id\"");
    char rest[256];
    REQUIRE(end != NULL);
    (void)snprintf(rest, sizeof rest, "%s", end);
    (void)snprintf(end, sizeof w->announcement - (size_t)(end - w->announcement), "%s%s", text,
                   rest);
}

static void no_difference(struct kit_world *w)
{
    add_member(w, ",\"isDiff\":1");
}

static void unreadable(struct kit_world *w)
{
    (void)snprintf(w->announcement, sizeof w->announcement, "success");
}

static void unknown_method(struct kit_world *w)
{
    kw_compose(w, "2.0", "http://files.test/a", "00", "crc", IMAGE_BYTES);
}

static const struct code_row rows[] = {
    {"too large", too_large, -1, -1, -1},
    {"older", older, -2, -1, -1},
    {"no login", no_login, -3, 0, 0},
    {"refused", refused, -4, -2, -2},
    {"no URL", no_url, -5, -2, -2},
    {"no host", no_host, -6, -2, -2},
    {"no connection", no_connection, -7, -2, -2},
    {"cannot read", cannot_read, -8, -3, -4},
    {"cannot write", cannot_write, -9, -4, -5},
    {"no trailer", no_trailer, -10, -3, -8},
    {"wrong digest", wrong_digest, -11, -3, -4},
    {"no signature", no_signature, -12, -3, -7},
    {"a kernel alone", a_kernel, -13, -1, -5},
    {"an app alone", an_app, -13, -1, -5},
    {"no boot choice", no_boot_choice, -13, -4, -5},
    {"no difference", no_difference, -14, -1, -9},
    {"unreadable", unreadable, -16, 0, 0},
    {"unknown method", unknown_method, -17, 0, 0},
};

static const char *row_name(const void *row)
{
    return ((const struct code_row *)row)->what;
}

static bool was_told(const struct kit_world *w, int code)
{
    char text[64];
    (void)snprintf(text, sizeof text, "\"step\": \"%d\"", code);
    return strstr(w->published, text) != NULL;
}

static void shows_and_is_told(const void *row)
{
    const struct code_row *r = row;
    const int told[] = {r->told, r->told == 0 ? 0 : r->own, r->early};
    for (int vocabulary = 0; vocabulary < 3; vocabulary++) {
        struct kit_world *w = kit_world_new(AGENT_UOTA, IMAGE_BYTES);
        char state[32];
        w->config.tries = 1;
        w->config.rounds = 1;
        w->config.quirks.own_codes = vocabulary == 1;
        w->config.quirks.early_codes = vocabulary == 2;
        r->before(w);
        kit_world_live(w);
        (void)snprintf(state, sizeof state, "state %d\n", r->own);
        CHECK_HAS(w->events, state);
        CHECK_INT(was_told(w, told[vocabulary]), told[vocabulary] != 0);
        CHECK_STR(kw_version(w), "1.0");
        kit_world_free(w);
    }
}

/* What is sound is taken: the checks above are not what refuses everything. */
static void what_is_sound_is_taken(void)
{
    struct kit_world *w = kit_world_new(AGENT_UOTA, IMAGE_BYTES);
    char text[SIGNATURE_TEXT_MAX], member[400];
    uint8_t md5[MD5_BYTES];
    put_trailer(w, IMAGE_SINGLE);
    no_signature(w);
    digest_of(DIGEST_MD5, w->image, IMAGE_BYTES, md5);
    REQUIRE(signature_make(signature_private_pem, md5, sizeof md5, text, NULL) == 0);
    (void)snprintf(member, sizeof member, ",\"digestsign\":\"%s\"", text);
    add_member(w, member);
    kit_world_live(w);
    CHECK_STR(kw_version(w), "2.0");
    kit_world_free(w);
}

static const struct test tests[] = {
    TEST_ROWS("shows and is told", shows_and_is_told, rows, row_name),
    {"what is sound is taken", what_is_sound_is_taken},
};
TEST_MAIN("AliOS client's codes", tests)
