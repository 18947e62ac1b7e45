#include "scenarios/engine/token.h"

#include <string.h>

#include "common/testing/testing.h"

struct row {
    const char *text;
    const char *error; /* null: valid, and prints as it was */
    uint32_t cuts;
};

static const struct row rows[] = {
    {"cms/clean#1", NULL, 0},
    {"cms/resume-in-tunnel#5eed@137t3", NULL, 1},
    {"zoo/a#b#ffffffffffffffff@1t0,2t6", NULL, 2},
    {"x#0@137t1.64,150t0", NULL, 2},
    {"x#1@1t0,2t0,3t0,4t0,5t0,6t0,7t0,8t0", NULL, 8},
    {"x#1@137t3p,137r2,138t1.64pw26,138r1w0,138i,190t6w2,190iw1", NULL, 7},
    {"x#1@0r1", NULL, 1},
    {"x#1@0i", NULL, 1},
    {"x#1@5r0", "the cut \"5r0\"", 0},
    {"x#1@5r65535", "the cut", 0},
    {"x#1@5t0w4294967295", "the cut", 0},
    {"x#1@5r2,5r1", "must rise", 0},
    {"x#1@5i,5r1", "must rise", 0},
    {"x#1@5r1,5t0", "must rise", 0},
    {"x#1@5t0pp", "behind the cuts", 0},
    {"x#1@1t0,2t0,3t0,4t0,5t0,6t0,7t0,8t0,9t0", "more than 8 cuts", 0},
    {"cms/x#1@m12", NULL, 1},
    {"cms/x#1@n3d120r", NULL, 1},
    {"cms/x#1@n1u0c,m3,5t0,n1u7s,m4,9t1.8", NULL, 6},
    {"x#1@n3d120r,n3d119r", "must rise", 0},
    {"x#1@n3d120r,n3u119r,n2d1r", NULL, 3},
    {"x#1@m4,m4", "must rise", 0},
    {"x#1@m0", "the cut \"m0\"", 0},
    {"x#1@m", "the cut \"m\"", 0},
    {"x#1@n0d1r", "the cut", 0},
    {"x#1@n1x1r", "the cut", 0},
    {"x#1@n1d1", "the cut", 0},
    {"x#1@n1d1q", "r, c or s", 0},
    {"x#1@n1dr", "the cut", 0},
    {"x#1@n4294967296d1r", "the cut", 0},
    {"clean", "names no scenario", 0},
    {"#1", "names no scenario", 0},
    {"x#", "not hexadecimal", 0},
    {"x#0x1", "not hexadecimal", 0},
    {"x#12345678123456781", "not hexadecimal", 0},
    {"x#1@", "the cut \"\"", 0},
    {"x#1@0t0", "the cut \"0t0\"", 0},
    {"x#1@5", "the cut \"5\"", 0},
    {"x#1@5t", "the cut \"5t\"", 0},
    {"x#1@5t11", "tear of 0 to 10", 0},
    {"x#1@5t1.", "the cut \"5t1.\"", 0},
    {"x#1@5t1.4294967296", "the cut", 0},
    {"x#1@5t0,5t0", "must rise", 0},
    {"x#1@5t0;6t0", "behind the cuts", 0},
    {"x#1@-5t0", "the cut", 0},
};

static const char *row_name(const void *row)
{
    return ((const struct row *)row)->text;
}

static void check_row(const void *row)
{
    const struct row *r = row;
    struct token t;
    struct err err = {.text = ""};
    char out[TOKEN_MAX];
    int rc = token_parse(&t, r->text, &err);
    if (r->error != NULL) {
        CHECK_ERR(rc, ERR_FORMAT);
        CHECK_HAS(err.text, r->error);
        return;
    }
    CHECK_OK(rc, &err);
    CHECK_INT(t.n_cuts, r->cuts);
    token_print(&t, out);
    CHECK_STR(out, r->text);
}

static const struct test tests[] = {TEST_ROWS("token", check_row, rows, row_name)};

TEST_MAIN("engine token", tests)
