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

/* Texts that are no key for this purpose; false: a public one was wanted. */
struct key_row {
    const char *what, *pem;
    bool is_private;
    const char *says;
};

static const char ec_private[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEILafRqAlZdu1Jut4QPuwcKpfXyf/8nkUk7lxv6nwgYvvoAoGCCqGSM49\n"
    "AwEHoUQDQgAEbD2ij6T1LMJZITH/ZC4bi2v88CxQi5eW72l9qyskaIXv0TW2vjtw\n"
    "ntD1wnki7GFs7EZXWsRjvgw2ZqRzLNE3vA==\n"
    "-----END EC PRIVATE KEY-----\n";
static const char ec_public[] = "-----BEGIN PUBLIC KEY-----\n"
                                "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEbD2ij6T1LMJZITH/ZC4bi2v88CxQ\n"
                                "i5eW72l9qyskaIXv0TW2vjtwntD1wnki7GFs7EZXWsRjvgw2ZqRzLNE3vA==\n"
                                "-----END PUBLIC KEY-----\n";
static const char short_public[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDJzAxAzMw0MId6flrs0Sp4Vsza\n"
    "jfGOE7tiuq69v+wr9Wccx578XR+VoQ6UjBY9MqhKHY5anvsbcajyCSk5yfmfvN5l\n"
    "hXFUGNLKCzvx6LuIkDtrzVeJhSjbDzQNAfel+V4LJaZLrOLe3D6SYSG8KmxxnHU9\n"
    "DqZJ5cBXNDQlTZXbUQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
static const char with_pass_phrase[] =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n"
    "\n"
    "MHcCAQEEILafRqAlZdu1Jut4QPuwcKpfXyf/8nkUk7lxv6nwgYvvoAoGCCqG\n"
    "-----END RSA PRIVATE KEY-----\n";

static const struct key_row key_rows[] = {
    {"nothing", "", true, "the key cannot be read, it must be a private RSA key of 2048 bits"},
    {"a public one to sign with", signature_public_pem, true, "is a public one"},
    {"a private one to check with", signature_private_pem, false, "is a private one"},
    {"another kind to sign with", ec_private, true, "is of the kind EC"},
    {"another kind to check with", ec_public, false, "is of the kind EC"},
    {"a short one", short_public, false, "has 1024 bits"},
    {"one with a pass phrase", with_pass_phrase, true, "has a pass phrase"},
    {"one with a pass phrase, PKCS#8", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", true,
     "has a pass phrase"},
    {"a certificate", "-----BEGIN CERTIFICATE-----\n", false, "is in a certificate"},
    {"PKCS#1", "-----BEGIN RSA PUBLIC KEY-----\n", false, "PKCS#1"},
};

static const char *key_name(const void *row)
{
    return ((const struct key_row *)row)->what;
}

static void no_such_key(const void *row)
{
    const struct key_row *k = row;
    struct err err = {.text = ""};
    CHECK_ERR(signature_key_check(k->pem, k->is_private, &err), ERR_ARG);
    CHECK_HAS(err.text, k->says);
}

static void good_keys(void)
{
    CHECK_OK(signature_key_check(signature_private_pem, true, NULL), NULL);
    CHECK_OK(signature_key_check(signature_public_pem, false, NULL), NULL);
}

static const struct test tests[] = {
    {"good keys", good_keys},
    TEST_ROWS("no key:", no_such_key, key_rows, key_name),
    {"signs and checks", signs_and_checks},
    {"of somebody else", of_somebody_else},
    TEST_ROWS("no signature", no_signature, bad_rows, bad_name),
    {"no key", no_key},
};
TEST_MAIN("signature", tests)
