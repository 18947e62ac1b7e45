#include "scenarios/engine/components.h"

#include <string.h>

#include "common/testing/testing.h"

#define VERTICES_MAX 24u

/* An edge from a to b is matrix[a][b]. Places without an edge are empty ones. */
struct graph {
    uint32_t n;
    bool edge[VERTICES_MAX][VERTICES_MAX];
};

static uint32_t neighbour(const void *ctx, uint32_t v, uint32_t i, bool *more)
{
    const struct graph *g = ctx;
    *more = i + 1 < g->n;
    return i < g->n && g->edge[v][i] ? i : COMPONENTS_NONE;
}

/* ---- by hand ---- */

struct known_row {
    const char *name;
    const char *edges; /* "ab" from a to b, parted by spaces */
    uint32_t n, roots;
    const char *like; /* per vertex a letter: equal letters, one component; '-': not reached */
    uint32_t count, longest;
};
static const struct known_row known_rows[] = {
    {"no edges", "", 3, 3, "abc", 3, 1},
    {"a chain", "ab bc cd", 4, 4, "abcd", 4, 4},
    {"a chain with one root", "ab bc cd", 4, 1, "abcd", 4, 1},
    {"a ring", "ab bc cd da", 4, 4, "aaaa", 1, 1},
    {"to itself", "aa ab bb", 2, 2, "ab", 2, 2},
    {"two rings and a bridge", "ab ba bc cd dc", 4, 4, "aabb", 2, 2},
    {"not reached", "ab cd", 4, 1, "ab--", 2, 1},
    {"a late way back", "ab bc cd db ce ea", 5, 5, "aaaaa", 1, 1},
    {"across to what is complete", "ab ac bd cd", 4, 4, "abcd", 4, 3},
};

static const char *known_name(const void *row)
{
    return ((const struct known_row *)row)->name;
}

static void is_as_known(const void *row)
{
    const struct known_row *k = row;
    struct graph g = {.n = k->n};
    struct components c;
    for (const char *at = k->edges; *at != '\0'; at += at[2] == ' ' ? 3 : 2)
        g.edge[at[0] - 'a'][at[1] - 'a'] = true;
    REQUIRE(components_find(&c, &g, neighbour, NULL, k->n, k->roots) == 0);
    CHECK_INT(c.count, k->count);
    CHECK_INT(c.longest, k->longest);
    for (uint32_t a = 0; a < k->n; a++) {
        CHECK_INT(c.of[a] == 0, k->like[a] == '-');
        for (uint32_t b = 0; b < k->n && k->like[a] != '-'; b++)
            CHECK_INT(c.of[a] == c.of[b], k->like[a] == k->like[b]);
    }
    components_free(&c);
}

/* ---- by the definition ---- */

static uint32_t draw(uint64_t *x)
{
    *x = *x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*x >> 33);
}

static void close_paths(struct graph *reach)
{
    for (uint32_t k = 0; k < reach->n; k++)
        for (uint32_t a = 0; a < reach->n; a++)
            for (uint32_t b = 0; b < reach->n; b++)
                reach->edge[a][b] = reach->edge[a][b] || (reach->edge[a][k] && reach->edge[k][b]);
}

/* Components with roots on a path from v on, by trying; they have no cycles between them. */
static uint32_t level_of(const struct graph *reach, const struct components *c, uint32_t roots,
                         uint32_t v)
{
    uint32_t most = 0;
    bool holds_root = false;
    for (uint32_t b = 0; b < reach->n; b++) {
        holds_root = holds_root || (c->of[b] == c->of[v] && b < roots);
        if (!reach->edge[v][b] || c->of[b] == c->of[v])
            continue;
        uint32_t level = level_of(reach, c, roots, b);
        most = level > most ? level : most;
    }
    return most + holds_root;
}

static void agrees_with_the_definition(void)
{
    uint64_t x = 1;
    for (uint32_t round = 0; round < 400; round++) {
        struct graph g = {.n = 1 + draw(&x) % 9}, reach;
        uint32_t roots = 1 + draw(&x) % g.n, density = 2 + draw(&x) % 8, longest = 0;
        struct components c;
        for (uint32_t a = 0; a < g.n; a++)
            for (uint32_t b = 0; b < g.n; b++)
                g.edge[a][b] = draw(&x) % density == 0;
        memcpy(&reach, &g, sizeof reach);
        close_paths(&reach);
        REQUIRE(components_find(&c, &g, neighbour, NULL, g.n, roots) == 0);
        for (uint32_t a = 0; a < g.n; a++) {
            bool reached = a < roots;
            for (uint32_t r = 0; r < roots; r++)
                reached = reached || reach.edge[r][a];
            CHECK_INT(c.of[a] != 0, reached);
            for (uint32_t b = 0; b < g.n && reached; b++) {
                bool one = a == b || (reach.edge[a][b] && reach.edge[b][a]);
                CHECK_INT(c.of[a] == c.of[b], one);
                CHECK(!g.edge[a][b] || c.of[b] <= c.of[a]);
            }
            uint32_t level = reached ? level_of(&reach, &c, roots, a) : 0;
            longest = level > longest ? level : longest;
        }
        CHECK_INT(c.longest, longest);
        components_free(&c);
    }
}

static uint32_t long_chain(const void *ctx, uint32_t v, uint32_t i, bool *more)
{
    const uint32_t *n = ctx;
    *more = false;
    return i == 0 && v + 1 < *n ? v + 1 : COMPONENTS_NONE;
}

static void a_long_chain_needs_no_stack(void)
{
    uint32_t n = 3000000;
    struct components c;
    REQUIRE(components_find(&c, &n, long_chain, NULL, n, 1) == 0);
    CHECK_INT(c.count, n);
    CHECK_INT(c.of[0], n);
    CHECK_INT(c.longest, 1);
    components_free(&c);
}

static const struct test tests[] = {
    TEST_ROWS("known", is_as_known, known_rows, known_name),
    {"agrees with the definition", agrees_with_the_definition},
    {"a long chain needs no stack", a_long_chain_needs_no_stack},
};

TEST_MAIN("engine components", tests)
