/* Faults at a byte: every action, wherever it is, however the bytes were handed over. */
#include "common/rng.h"
#include "scenarios/engine/link_testing.h"

#define MS         NS_PER_MS
#define STREAM_LEN 301
#define WAIT_NS    (5 * NS_PER_S)

static const struct link_profile quick = {
    .name = "quick", .one_way_ns = 100 * MS, .segment_bytes = 64};
/* A byte takes 10 ms, so the whole stream is under way for 3 s. */
static const struct link_profile slow = {
    .name = "slow", .down_bps = 800, .up_bps = 800, .one_way_ns = 100 * MS, .segment_bytes = 64};

/* ---- the property: how sends are split changes nothing ---- */

static const size_t splits[] = {1, 2, 7, 63, 64, 65, 150, STREAM_LEN, 0 /* drawn */};

/* Hands over the stream in pieces; stops when the link says that the direction is closed. */
static void send_split(struct link *l, uint32_t conn, enum link_dir dir, const uint8_t *stream,
                       size_t split, uint64_t ordinal)
{
    struct rng rng;
    rng_init(&rng, 1, "test", "split", ordinal);
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < STREAM_LEN) {
        size_t n = split != 0 ? split : (size_t)rng_below(&rng, 40) + 1;
        n = n > STREAM_LEN - at ? STREAM_LEN - at : n;
        rc = link_enter(l, conn, dir, stream + at, n, NS_PER_S);
        at += n;
    }
}

struct fault {
    const char *name;
    enum link_action action;
    bool cuts; /* bytes from the offset on never arrive */
    size_t resets, eof_same, eof_other;
    bool live;
};

static const struct fault faults[] = {
    {"reset", LINK_RESET, true, 1, 0, 0, false},
    {"close", LINK_CLOSE, true, 0, 1, 1, false},
    {"half-close", LINK_HALF, true, 0, 1, 0, true},
    {"stall", LINK_STALL, false, 0, 0, 0, true},
    {"corrupt", LINK_CORRUPT, false, 0, 0, 0, true},
    {"dribble", LINK_DRIBBLE, false, 0, 0, 0, true},
};

static const char *fault_name(const void *row)
{
    return ((const struct fault *)row)->name;
}

static void check_one(const struct fault *f, enum link_dir dir, size_t offset, size_t split,
                      const uint8_t *stream)
{
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    uint32_t bystander = open_connection(l, 0);
    uint32_t conn = open_connection(l, 0);
    struct link_byte_rule r = {.connection = conn,
                               .dir = dir,
                               .offset = offset,
                               .action = f->action,
                               .duration_ns = WAIT_NS,
                               .mask = 0x81};
    REQUIRE(link_add_rule(l, &r) == 0);
    send_split(l, conn, dir, stream, split, offset);
    CHECK(link_rule_at(l, 0)->done);
    /* The other direction of a half-closed connection lives, as does any other connection. */
    if (f->live)
        CHECK_INT(link_enter(l, conn, 1 - dir, stream, 10, NS_PER_S), 0);
    CHECK_INT(link_enter(l, bystander, 1 - dir, stream, 10, NS_PER_S), 0);
    diary_run(d, l, VTIME_NEVER - 1);
    size_t arrives = f->cuts ? offset : STREAM_LEN;
    CHECK_INT(d->len[dir], arrives);
    CHECK_INT(link_sent(l, conn, dir), f->live ? arrives : 0);
    for (size_t i = 0; i < arrives; i++)
        if (d->bytes[dir][i] !=
            (stream[i] ^ (f->action == LINK_CORRUPT && i == offset ? 0x81 : 0))) {
            CHECK_INT(i, -1); /* the first wrong byte */
            break;
        }
    CHECK_INT(d->len[1 - dir], f->live ? 20 : 10);
    CHECK_INT(diary_count(d, LINK_EV_RESET, dir), f->resets);
    CHECK_INT(diary_count(d, LINK_EV_EOF, dir), f->eof_same);
    CHECK_INT(diary_count(d, LINK_EV_EOF, 1 - dir), f->eof_other);
    CHECK_INT(link_is_live(l, conn), f->live);
    link_free(l);
    free(d);
}

static void splits_change_nothing(const void *row)
{
    static const size_t offsets[] = {0, 1, 63, 64, 150, STREAM_LEN - 1};
    uint8_t stream[STREAM_LEN];
    fill_stream(stream, sizeof stream);
    for (size_t o = 0; o < sizeof offsets / sizeof offsets[0]; o++)
        for (size_t s = 0; s < sizeof splits / sizeof splits[0]; s++) {
            check_one(row, LINK_UP, offsets[o], splits[s], stream);
            check_one(row, LINK_DOWN, offsets[o], splits[s], stream);
        }
}

/* ---- time of stall and dribble ---- */

struct pause_row {
    const char *name;
    const struct link_profile *profile;
    size_t offset;
};

/* On the slow link the bytes before the stall are still under way when its time would be over. */
static const struct pause_row pauses[] = {
    {"first byte", &quick, 0},           {"in the middle", &quick, 150},
    {"last byte", &quick, 300},          {"first byte of a slow link", &slow, 0},
    {"late on a slow link", &slow, 250},
};

static const char *pause_name(const void *row)
{
    return ((const struct pause_row *)row)->name;
}

static struct diary *paused(const struct pause_row *p, enum link_action action, int64_t ns,
                            const uint8_t *stream)
{
    struct link *l = link_of(p->profile, 1);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    struct link_byte_rule r = {.connection = conn,
                               .dir = LINK_DOWN,
                               .offset = p->offset,
                               .action = action,
                               .duration_ns = ns};
    REQUIRE(link_add_rule(l, &r) == 0);
    REQUIRE(link_enter(l, conn, LINK_DOWN, stream, STREAM_LEN, NS_PER_S) == 0);
    REQUIRE(link_enter(l, conn, LINK_UP, stream, 10, NS_PER_S) == 0);
    diary_run(d, l, VTIME_NEVER - 1);
    REQUIRE(d->len[LINK_DOWN] == STREAM_LEN && d->len[LINK_UP] == 10);
    CHECK(d->byte_ns[LINK_UP][9] <= 1200 * MS); /* never the other direction */
    link_free(l);
    return d;
}

static void a_stall_is_silence(const void *row)
{
    const struct pause_row *p = row;
    uint8_t stream[STREAM_LEN];
    fill_stream(stream, sizeof stream);
    struct diary *d = paused(p, LINK_STALL, 2 * NS_PER_S, stream);
    const int64_t *at = d->byte_ns[LINK_DOWN];
    int64_t before_ns = p->offset == 0 ? 1100 * MS : at[p->offset - 1];
    CHECK_INT(at[p->offset] - before_ns, 2 * NS_PER_S);
    /* The bytes before came when they would have come without it. */
    if (p->offset > 0 && p->profile == &quick)
        CHECK_INT(at[p->offset - 1], 1100 * MS);
    CHECK(at[STREAM_LEN - 1] >= at[p->offset]);
    free(d);
}

static void a_dribble_is_byte_by_byte(const void *row)
{
    const struct pause_row *p = row;
    uint8_t stream[STREAM_LEN];
    fill_stream(stream, sizeof stream);
    struct diary *d = paused(p, LINK_DRIBBLE, 700 * MS, stream);
    const int64_t *at = d->byte_ns[LINK_DOWN];
    for (size_t i = p->offset; i < STREAM_LEN; i++)
        if (i > 0)
            CHECK_INT(at[i] - at[i - 1], 700 * MS);
    size_t pieces = 0;
    for (size_t i = 0; i < d->n; i++)
        pieces += d->event[i].kind == LINK_EV_DATA && d->event[i].dir == LINK_DOWN;
    CHECK_INT(pieces, (p->offset + 63) / 64 + STREAM_LEN - p->offset);
    free(d);
}

/* ---- which byte ---- */

static void a_rule_is_for_its_own_byte(void)
{
    static const struct link_byte_rule rules[] = {
        {.connection = 2, .dir = LINK_DOWN, .offset = 0, .action = LINK_RESET},
        {.connection = 1, .dir = LINK_UP, .offset = 0, .action = LINK_RESET},
        {.connection = 1, .dir = LINK_DOWN, .offset = STREAM_LEN, .action = LINK_RESET},
    };
    uint8_t stream[STREAM_LEN];
    fill_stream(stream, sizeof stream);
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    for (size_t i = 0; i < 3; i++)
        REQUIRE(link_add_rule(l, &rules[i]) == 0);
    CHECK_INT(link_enter(l, conn, LINK_DOWN, stream, STREAM_LEN, NS_PER_S), 0);
    diary_run(d, l, 10 * NS_PER_S);
    CHECK_INT(d->len[LINK_DOWN], STREAM_LEN);
    CHECK(!link_rule_at(l, 0)->done && !link_rule_at(l, 1)->done && !link_rule_at(l, 2)->done);
    /* The next byte is the one the third rule waits for. */
    CHECK_ERR(link_enter(l, conn, LINK_DOWN, stream, 1, NS_PER_S), ERR_WRONG_STATE);
    diary_run(d, l, 10 * NS_PER_S);
    CHECK(link_rule_at(l, 2)->done);
    CHECK_INT(d->len[LINK_DOWN], STREAM_LEN);
    CHECK_INT(diary_count(d, LINK_EV_RESET, LINK_DOWN), 1);
    link_free(l);
    free(d);
}

/* Rules happen in the order of their bytes, not of the list. */
static void rules_follow_the_stream(void)
{
    static const struct link_byte_rule rules[] = {
        {.connection = 1, .dir = LINK_DOWN, .offset = 200, .action = LINK_HALF},
        {.connection = 1, .dir = LINK_DOWN, .offset = 20, .action = LINK_CORRUPT, .mask = 0xff},
        {.connection = 1,
         .dir = LINK_DOWN,
         .offset = 10,
         .action = LINK_STALL,
         .duration_ns = NS_PER_S},
        {.connection = 1, .dir = LINK_DOWN, .offset = 250, .action = LINK_RESET},
    };
    uint8_t stream[STREAM_LEN];
    fill_stream(stream, sizeof stream);
    struct link *l = link_of(&quick, 1);
    struct diary *d = diary_new();
    uint32_t conn = open_connection(l, 0);
    for (size_t i = 0; i < 4; i++)
        REQUIRE(link_add_rule(l, &rules[i]) == 0);
    CHECK_ERR(link_enter(l, conn, LINK_DOWN, stream, STREAM_LEN, NS_PER_S), ERR_WRONG_STATE);
    diary_run(d, l, 100 * NS_PER_S);
    CHECK_INT(d->len[LINK_DOWN], 200);
    CHECK_INT(d->bytes[LINK_DOWN][20], stream[20] ^ 0xff);
    CHECK_INT(d->byte_ns[LINK_DOWN][9], 1100 * MS);
    CHECK_INT(d->byte_ns[LINK_DOWN][10], 2100 * MS);
    CHECK_INT(diary_count(d, LINK_EV_RESET, LINK_DOWN), 0);
    CHECK(link_rule_at(l, 0)->done && link_rule_at(l, 1)->done && link_rule_at(l, 2)->done);
    CHECK(!link_rule_at(l, 3)->done); /* its byte never passed */
    link_free(l);
    free(d);
}

/* Several rules at one byte all happen, in whatever order they were given. */
static void one_byte_may_have_several_rules(void)
{
    static const struct link_byte_rule rules[] = {
        {.connection = 1, .dir = LINK_UP, .offset = 9, .action = LINK_CORRUPT, .mask = 0x01},
        {.connection = 1,
         .dir = LINK_UP,
         .offset = 9,
         .action = LINK_STALL,
         .duration_ns = NS_PER_S},
        {.connection = 1, .dir = LINK_UP, .offset = 9, .action = LINK_CORRUPT, .mask = 0x10},
    };
    for (size_t first = 0; first < 3; first++) {
        uint8_t stream[STREAM_LEN];
        fill_stream(stream, sizeof stream);
        struct link *l = link_of(&quick, 1);
        struct diary *d = diary_new();
        uint32_t conn = open_connection(l, 0);
        for (size_t i = 0; i < 3; i++)
            REQUIRE(link_add_rule(l, &rules[(first + i) % 3]) == 0);
        CHECK_INT(link_enter(l, conn, LINK_UP, stream, STREAM_LEN, NS_PER_S), 0);
        diary_run(d, l, 100 * NS_PER_S);
        CHECK_INT(d->len[LINK_UP], STREAM_LEN);
        CHECK_INT(d->bytes[LINK_UP][9], stream[9] ^ 0x11);
        CHECK_INT(d->byte_ns[LINK_UP][8], 1100 * MS);
        CHECK_INT(d->byte_ns[LINK_UP][9], 2100 * MS);
        for (size_t i = 0; i < 3; i++)
            CHECK(link_rule_at(l, i)->done);
        link_free(l);
        free(d);
    }
}

static const struct test tests[] = {
    TEST_ROWS("splits change nothing", splits_change_nothing, faults, fault_name),
    TEST_ROWS("a stall is silence", a_stall_is_silence, pauses, pause_name),
    TEST_ROWS("a dribble is byte by byte", a_dribble_is_byte_by_byte, pauses, pause_name),
    {"a rule is for its own byte", a_rule_is_for_its_own_byte},
    {"rules follow the stream", rules_follow_the_stream},
    {"one byte may have several rules", one_byte_may_have_several_rules},
};
TEST_MAIN("link rules", tests)
