#include "common/signature.h"

#include <string.h>

#include "common/digest.h"
#include "common/signature_keys.h"
#include "common/testing/testing.h"

static uint8_t digest[SHA256_BYTES];

static void sign(char text[SIGNATURE_TEXT_MAX], const char *key)
{
    struct err err = {.text = ""};
    digest_of(DIGEST_SHA256, "image", 5, digest);
    REQUIRE_OK(signature_make(key, digest, sizeof digest, text, &err), &err);
}

static void signs_and_checks(void)
{
    char text[SIGNATURE_TEXT_MAX], again[SIGNATURE_TEXT_MAX];
    sign(text, signature_private_pem);
    CHECK_INT(strlen(text), SIGNATURE_TEXT_MAX - 1);
    CHECK_INT(signature_check(signature_public_pem, digest, sizeof digest, text, NULL), 0);
    sign(again, signature_private_pem);
    CHECK_STR(again, text);
    digest[7] ^= 1;
    CHECK_INT(signature_check(signature_public_pem, digest, sizeof digest, text, NULL), ERR_DIGEST);
    digest[7] ^= 1;
    text[40] = text[40] == 'A' ? 'B' : 'A';
    CHECK_INT(signature_check(signature_public_pem, digest, sizeof digest, text, NULL), ERR_DIGEST);
}

static void of_somebody_else(void)
{
    char text[SIGNATURE_TEXT_MAX];
    sign(text, signature_other_private_pem);
    CHECK_INT(signature_check(signature_public_pem, digest, sizeof digest, text, NULL), ERR_DIGEST);
}

/* What is no signature at all: written over a good one at that place. */
struct bad_row {
    const char *what, *text;
    size_t at, len;
};
static const struct bad_row bad_rows[] = {
    {"empty", "", 0, 0},
    {"one digit short", "", 0, SIGNATURE_TEXT_MAX - 2},
    {"a blank inside", " ", 100, SIGNATURE_TEXT_MAX - 1},
    {"padding inside", "==", 100, SIGNATURE_TEXT_MAX - 1},
    {"another alphabet", "-_", 100, SIGNATURE_TEXT_MAX - 1},
    {"no padding", "AA", SIGNATURE_TEXT_MAX - 3, SIGNATURE_TEXT_MAX - 1},
};

static const char *bad_name(const void *row)
{
    return ((const struct bad_row *)row)->what;
}

static void no_signature(const void *row)
{
    const struct bad_row *b = row;
    char text[SIGNATURE_TEXT_MAX];
    sign(text, signature_private_pem);
    memcpy(text + b->at, b->text, strlen(b->text));
    text[b->len] = '\0';
    CHECK_INT(signature_check(signature_public_pem, digest, sizeof digest, text, NULL), ERR_FORMAT);
}

static void no_key(void)
{
    struct err err = {.text = ""};
    char text[SIGNATURE_TEXT_MAX];
    sign(text, signature_private_pem);
    CHECK_INT(signature_check(NULL, digest, sizeof digest, text, &err), ERR_ARG);
    CHECK_INT(signature_check(signature_private_pem, digest, sizeof digest, text, &err), ERR_ARG);
    CHECK_INT(signature_make("key", digest, sizeof digest, text, &err), ERR_ARG);
    CHECK_HAS(err.text, "RSA key of 2048 bits");
}

static const struct test tests[] = {
    {"signs and checks", signs_and_checks},
    {"of somebody else", of_somebody_else},
    TEST_ROWS("no signature", no_signature, bad_rows, bad_name),
    {"no key", no_key},
};
TEST_MAIN("signature", tests)
