#include "common/digest.h"

#include <string.h>

#include "common/bytes.h"
#include "common/testing/testing.h"

struct answer {
    const char *name;
    enum digest_kind kind;
    const char *text;
    size_t repeat;
    const char *want;
};

#define DIGITS_80                                                                                  \
    "1234567890123456789012345678901234567890"                                                     \
    "1234567890123456789012345678901234567890"
#define LETTERS_62 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* MD5: RFC 1321 A.5. SHA-256: RFC 6234 8.5 (tests 1 to 4), and the empty message. */
static const struct answer answers[] = {
    {"MD5 empty", DIGEST_MD5, "", 1, "d41d8cd98f00b204e9800998ecf8427e"},
    {"MD5 a", DIGEST_MD5, "a", 1, "0cc175b9c0f1b6a831c399e269772661"},
    {"MD5 abc", DIGEST_MD5, "abc", 1, "900150983cd24fb0d6963f7d28e17f72"},
    {"MD5 message digest", DIGEST_MD5, "message digest", 1, "f96b697d7cb7938d525a2f31aaf161d0"},
    {"MD5 letters", DIGEST_MD5, LETTERS_62, 1, "d174ab98d277d9f5a5611c2c9f419d9f"},
    {"MD5 80 digits", DIGEST_MD5, DIGITS_80, 1, "57edf4a22be3c955ac49da2e2107b67a"},
    {"SHA-256 empty", DIGEST_SHA256, "", 1,
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"SHA-256 abc", DIGEST_SHA256, "abc", 1,
     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"SHA-256 two blocks", DIGEST_SHA256,
     "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"SHA-256 million a", DIGEST_SHA256, "a", 1000000,
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
    {"SHA-256 640 octal digits", DIGEST_SHA256,
     "0123456701234567012345670123456701234567012345670123456701234567", 10,
     "594847328451bdfa85056225462cc1d867d877fb388df0ce35f25ab5562bfbb5"},
};

static void is_known(const void *row)
{
    const struct answer *a = row;
    struct digest d;
    uint8_t raw[DIGEST_BYTES_MAX];
    char hex[DIGEST_HEX_MAX];
    REQUIRE(digest_begin(&d, a->kind) == 0);
    for (size_t i = 0; i < a->repeat; i++)
        digest_update(&d, a->text, strlen(a->text));
    digest_end(&d, raw);
    hex_encode(hex, raw, digest_bytes(a->kind));
    CHECK_STR(hex, a->want);
    digest_abort(&d);
    if (a->repeat == 1) {
        digest_hex_of(a->kind, a->text, strlen(a->text), hex);
        CHECK_STR(hex, a->want);
    }
}

static const char *answer_name(const void *row)
{
    const struct answer *a = row;
    return a->name;
}

static void sizes(void)
{
    CHECK_INT(digest_bytes(DIGEST_MD5), 16);
    CHECK_INT(digest_bytes(DIGEST_SHA256), 32);
}

/* Nothing is left behind; the leak check of the sanitizer is the judge of the first. */
static void abort_frees(void)
{
    struct digest d;
    REQUIRE(digest_begin(&d, DIGEST_SHA256) == 0);
    digest_update(&d, "x", 1);
    digest_abort(&d);
    CHECK(d.ctx == NULL);
    digest_abort(&d);
    CHECK(d.ctx == NULL);
}

struct hmac_answer {
    const char *name;
    const char *key_hex;
    const char *data_hex; /* repeated */
    size_t data_repeat;
    const char *want;
};

#define AA_16 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define AA_80 AA_16 AA_16 AA_16 AA_16 AA_16

/* RFC 2202 section 2, all seven; the last is the empty key over the empty message. */
static const struct hmac_answer hmac_answers[] = {
    {"1: Hi There", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265", 1,
     "9294727a3638bb1c13f48ef8158bfc9d"},
    {"2: Jefe", "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f", 1,
     "750c783e6ab0b503eaa86e310a5db738"},
    {"3: 50 times dd", AA_16, "dd", 50, "56be34521d144c88dbb8c733f0e8b3f6"},
    {"4: 50 times cd", "0102030405060708090a0b0c0d0e0f10111213141516171819", "cd", 50,
     "697eaf0aca3a3aea3a75164746ffaa79"},
    {"5: truncation", "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c",
     "546573742057697468205472756e636174696f6e", 1, "56461ef2342edc00f9bab995690efd4c"},
    {"6: key longer than a block", AA_80,
     "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d20"
     "48617368204b6579204669727374",
     1, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"},
    {"7: key and data longer", AA_80,
     "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b657920616e64"
     "204c6172676572205468616e204f6e6520426c6f636b2d53697a652044617461",
     1, "6f630fad67cda0ee1fb1f562db3aa53e"},
    {"empty key, empty data", "", "", 1, "74e6f7298a9c2d168935f58c001bad88"},
};

static void hmac_is_known(const void *row)
{
    const struct hmac_answer *a = row;
    uint8_t key[80];
    uint8_t data[128];
    size_t key_bytes = strlen(a->key_hex) / 2;
    size_t piece_bytes = strlen(a->data_hex) / 2;
    size_t data_bytes = piece_bytes * a->data_repeat;
    REQUIRE(key_bytes <= sizeof key && data_bytes <= sizeof data);
    CHECK(hex_decode(key, key_bytes, a->key_hex));
    for (size_t i = 0; i < a->data_repeat; i++)
        CHECK(hex_decode(data + i * piece_bytes, piece_bytes, a->data_hex));
    char hex[2 * MD5_BYTES + 1];
    hmac_md5_hex(key, key_bytes, data, data_bytes, hex);
    CHECK_STR(hex, a->want);
}

static const char *hmac_name(const void *row)
{
    const struct hmac_answer *a = row;
    return a->name;
}

static void hmac_takes_a_null_empty_key(void)
{
    char hex[2 * MD5_BYTES + 1];
    hmac_md5_hex(NULL, 0, "", 0, hex);
    CHECK_STR(hex, "74e6f7298a9c2d168935f58c001bad88");
}

/* RFC 2202 and RFC 4231, case 2. */
static void hmac_of_other_digests(void)
{
    static const char data[] = "what do ya want for nothing?";
    char hex[HMAC_HEX_MAX];
    uint8_t raw[HMAC_BYTES_MAX];
    hmac_hex_of(HMAC_SHA1, "Jefe", 4, data, strlen(data), hex);
    CHECK_STR(hex, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    hmac_hex_of(HMAC_SHA256, "Jefe", 4, data, strlen(data), hex);
    CHECK_STR(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK_INT(hmac_of(HMAC_SHA1, "Jefe", 4, data, strlen(data), raw), SHA1_BYTES);
    CHECK_INT(hmac_of(HMAC_SHA256, NULL, 0, "", 0, raw), SHA256_BYTES);
}

/* Known answers again, twice with each key: nothing of the first message stays. */
static void hmac_with_a_ready_key(void)
{
    static const char data[] = "what do ya want for nothing?";
    static const struct {
        enum hmac_kind kind;
        const char *want, *want_empty;
    } rows[] = {
        {HMAC_MD5, "750c783e6ab0b503eaa86e310a5db738", "74e6f7298a9c2d168935f58c001bad88"},
        {HMAC_SHA1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
         "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d"},
        {HMAC_SHA256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
         "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hmac_key key, empty;
        uint8_t raw[HMAC_BYTES_MAX];
        char hex[HMAC_HEX_MAX];
        CHECK_INT(hmac_key_begin(&key, rows[i].kind, "Jefe", 4), 0);
        CHECK_INT(hmac_key_begin(&empty, rows[i].kind, NULL, 0), 0);
        for (int t = 0; t < 2; t++) {
            hex_encode(hex, raw, hmac_key_of(&key, data, strlen(data), raw));
            CHECK_STR(hex, rows[i].want);
        }
        hex_encode(hex, raw, hmac_key_of(&empty, "", 0, raw));
        CHECK_STR(hex, rows[i].want_empty);
        hmac_key_end(&key);
        hmac_key_end(&key);
        hmac_key_end(&empty);
    }
}

static const struct test tests[] = {
    {"HMAC with a ready key", hmac_with_a_ready_key},
    TEST_ROWS("known answer", is_known, answers, answer_name),
    TEST_ROWS("HMAC-MD5 known answer", hmac_is_known, hmac_answers, hmac_name),
    {"HMAC-SHA1 and HMAC-SHA256 known answers", hmac_of_other_digests},
    {"an empty HMAC key may be null", hmac_takes_a_null_empty_key},
    {"sizes", sizes},
    {"abort frees and may come twice", abort_frees},
};

TEST_MAIN("digests", tests)
