#include "sim_device/agent/link_kit/credentials.h"

#include <string.h>

#include "common/testing/testing.h"

static const struct kit_identity demo = {"a1X", "dev1", "secret"};

/* Passwords: computed with `openssl dgst -hmac secret` over
 * clientIda1X.dev1deviceNamedev1productKeya1Xtimestamp2524608000000. */
struct form {
    const char *name;
    enum kit_generation generation;
    bool tls;
    uint32_t connect_ms, last_error;
    const char *extra;
    const char *client_id;
    const char *password;
    uint16_t keep_alive_s;
};
#define SHA256_PASSWORD "8AA233D6EB5F2D8F1DD66AA0B6B2204E8C77022E62463A85ABCD926EBE865D81"
#define SHA1_PASSWORD   "3dac5039aa614c2db1e031403489d667d50992be"
static const struct form forms[] = {
    {"2.x", KIT_2X, false, 0, 0, NULL,
     "a1X.dev1|securemode=3,_v=sdk-c-2.3.0,timestamp=2524608000000,signmethod=hmacsha1,lan=C,gw=0,"
     "ext=0|",
     SHA1_PASSWORD, 60},
    {"3.x", KIT_3X, true, 0, 0, NULL,
     "a1X.dev1|timestamp=2524608000000,_v=sdk-c-3.2.0,securemode=2,signmethod=hmacsha256,lan=C,"
     "_ss=1,gw=0,ext=0|",
     SHA256_PASSWORD, 120},
    {"4.x", KIT_4X, false, 0, 0, NULL,
     "a1X.dev1|timestamp=2524608000000,_ss=1,_v=sdk-c-4.2.0,securemode=3,signmethod=hmacsha256,"
     "ext=3,_conn=tcp_0|",
     SHA256_PASSWORD, 60},
    {"4.x, after a loss, with a parameter", KIT_4X, true, 255, 0xF15, "a=1",
     "a1X.dev1|timestamp=2524608000000,_ss=1,_v=sdk-c-4.2.0,securemode=2,signmethod=hmacsha256,"
     "ext=3,_conn=tls_FF_-0F15,a=1|",
     SHA256_PASSWORD, 60},
};

static const char *form_name(const void *row)
{
    return ((const struct form *)row)->name;
}

static void has_form(const void *row)
{
    const struct form *f = row;
    struct kit_login login;
    struct err err;
    REQUIRE_OK(kit_login(&login, f->generation, &demo, f->tls, 60, f->connect_ms, f->last_error,
                         f->extra, &err),
               &err);
    CHECK_STR(login.client_id, f->client_id);
    CHECK_STR(login.user_name, "dev1&a1X");
    CHECK_STR(login.password, f->password);
    CHECK_INT(login.keep_alive_s, f->keep_alive_s);
    CHECK_INT(login.clean_session, f->generation != KIT_3X);
}

struct refusal {
    const char *name;
    struct kit_identity id;
    const char *extra;
    const char *why;
};
#define A33 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
static const struct refusal refusals[] = {
    {"no product key", {NULL, "d", "s"}, NULL, "product key: must have 1..20 characters"},
    {"an empty device name", {"p", "", "s"}, NULL, "device name: must have 1..32 characters"},
    {"a long device name", {"p", A33, "s"}, NULL, "device name: must have 1..32 characters"},
    {"a long secret", {"p", "d", A33 A33}, NULL, "device secret: must have 1..64 characters"},
    {"a bar", {"p|x", "d", "s"}, NULL, "product key: takes letters, digits"},
    {"an ampersand", {"p", "d&e", "s"}, NULL, "device name: takes letters, digits"},
    {"too many parameters", {"p", "d", "s"}, A33 A33 A33 A33 A33, "client id: too long"},
};

static const char *refusal_name(const void *row)
{
    return ((const struct refusal *)row)->name;
}

static void is_refused(const void *row)
{
    const struct refusal *r = row;
    struct kit_login login;
    struct err err;
    CHECK_ERR(kit_login(&login, KIT_4X, &r->id, false, 60, 0, 0, r->extra, &err), ERR_ARG);
    CHECK_HAS(err.text, r->why);
}

static void keep_alive_is_capped(void)
{
    struct kit_login login;
    CHECK_INT(kit_login(&login, KIT_3X, &demo, false, 40000, 0, 0, NULL, NULL), 0);
    CHECK_INT(login.keep_alive_s, UINT16_MAX);
}

static const struct test tests[] = {
    TEST_ROWS("login of", has_form, forms, form_name),
    TEST_ROWS("refused", is_refused, refusals, refusal_name),
    {"twice a long keep-alive is capped", keep_alive_is_capped},
};

TEST_MAIN("logins of the Link SDKs", tests)
