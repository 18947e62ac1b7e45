#include "scenarios/engine/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads a number up to the first character that is no digit of the base; false when there is none
 * or it overflows. */
static bool number(const char **at, int base, uint64_t max, uint64_t *out)
{
    const char *digits = "0123456789abcdefABCDEF";
    size_t n = strspn(*at, base == 16 ? digits : "0123456789");
    if (n == 0 || n > 20)
        return false;
    char *end;
    uint64_t v = strtoull(*at, &end, base);
    if (end != *at + n || v > max || (n > 16 && base == 16))
        return false;
    *at += n;
    *out = v;
    return true;
}

static bool take(const char **at, char letter)
{
    bool there = **at == letter;
    *at += there;
    return there;
}

/* In an operation: tTEAR[.ARG][p] */
static bool one_tear(const char **at, struct run_cut *c)
{
    uint64_t tear, arg = 0;
    if (c->op == 0 || !number(at, 10, TEAR_COUNT - 1, &tear))
        return false;
    if (take(at, '.') && !number(at, 10, UINT32_MAX, &arg))
        return false;
    c->tear = (enum nor_tear)tear;
    c->arg = (uint32_t)arg;
    c->by_place = take(at, 'p');
    return true;
}

static bool flash_cut(const char **at, struct run_cut *c)
{
    uint64_t n = 0;
    bool good = false;
    if (!number(at, 10, UINT64_MAX - 1, &c->op))
        return false;
    if (take(at, 't')) {
        good = one_tear(at, c);
    } else if (take(at, 'r')) {
        c->kind = CUT_BETWEEN;
        good = number(at, 10, RUN_CUT_IDLE - 1, &n) && n > 0;
        c->after = (uint16_t)n;
    } else if (take(at, 'i')) {
        c->kind = CUT_BETWEEN;
        good = true;
        c->after = RUN_CUT_IDLE;
    }
    if (good && take(at, 'w')) {
        good = number(at, 10, UINT32_MAX - 1, &n);
        c->reading = (uint32_t)(n + 1);
    }
    return good;
}

/* Cuts in operations and behind them are one order. */
static bool is_flash(const struct run_cut *c)
{
    return c->kind == CUT_FLASH || c->kind == CUT_BETWEEN;
}

static bool message_cut(const char **at, struct run_cut *c)
{
    c->kind = CUT_MESSAGE;
    return number(at, 10, UINT64_MAX - 1, &c->op) && c->op > 0;
}

static const struct {
    char letter;
    enum link_action action;
} actions[] = {{'r', LINK_RESET}, {'c', LINK_CLOSE}, {'s', LINK_STALL}};

static bool network_cut(const char **at, struct run_cut *c)
{
    uint64_t connection;
    c->kind = CUT_NETWORK;
    if (!number(at, 10, UINT32_MAX, &connection) || connection == 0 || (**at != 'u' && **at != 'd'))
        return false;
    c->connection = (uint32_t)connection;
    c->dir = **at == 'u' ? LINK_UP : LINK_DOWN;
    ++*at;
    if (!number(at, 10, UINT64_MAX - 1, &c->byte))
        return false;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (**at == actions[i].letter) {
            c->action = actions[i].action;
            ++*at;
            return true;
        }
    return false;
}

static bool one_cut(const char **at, struct run_cut *c)
{
    if (**at == 'm' || **at == 'n') {
        bool message = **at == 'm';
        ++*at;
        return message ? message_cut(at, c) : network_cut(at, c);
    }
    return flash_cut(at, c);
}

/* Whether a cut may follow those in front of it. */
static bool rises(const struct token *t, const struct run_cut *c)
{
    for (uint32_t i = 0; i < t->n_cuts; i++) {
        const struct run_cut *b = &t->cuts[i];
        if (is_flash(b) && is_flash(c)) {
            if (b->op > c->op || (b->op == c->op && b->after >= c->after))
                return false;
            continue;
        }
        if (b->kind != c->kind)
            continue;
        if (c->kind != CUT_NETWORK
                ? b->op >= c->op
                : b->connection == c->connection && b->dir == c->dir && b->byte >= c->byte)
            return false;
    }
    return true;
}

int token_parse(struct token *t, const char *text, struct err *err)
{
    static const char form[] = "a token looks like cms/name#5eed or cms/name#5eed@137t3,150t0";
    memset(t, 0, sizeof *t);
    const char *hash = strrchr(text, '#');
    if (hash == NULL || hash == text || (size_t)(hash - text) >= sizeof t->name)
        return err_set(err, ERR_FORMAT, "\"%.80s\" names no scenario and seed; %s", text, form);
    memcpy(t->name, text, (size_t)(hash - text));
    const char *at = hash + 1;
    if (!number(&at, 16, UINT64_MAX, &t->seed))
        return err_set(err, ERR_FORMAT, "the seed \"%.20s\" is not hexadecimal; %s", hash + 1,
                       form);
    if (*at == '\0')
        return 0;
    if (*at != '@')
        return err_set(err, ERR_FORMAT, "\"%.20s\" behind the seed means nothing; %s", at, form);
    do {
        at++;
        if (t->n_cuts == RUN_CUTS_MAX)
            return err_set(err, ERR_FORMAT, "more than %d cuts", RUN_CUTS_MAX);
        const char *start = at;
        struct run_cut *c = &t->cuts[t->n_cuts];
        if (!one_cut(&at, c))
            return err_set(err, ERR_FORMAT,
                           "the cut \"%.30s\" is not OPERATIONtTEAR with a tear of 0 to %d, nor "
                           "OPERATIONrREPLY, OPERATIONi, mMESSAGE, nor nCONNECTIONdBYTEr with d or "
                           "u, and r, c or s; %s",
                           start, TEAR_COUNT - 1, form);
        if (!rises(t, c))
            return err_set(err, ERR_FORMAT,
                           "operation and message numbers must rise, \"%.30s\" does not", start);
        t->n_cuts++;
    } while (*at == ',');
    if (*at != '\0')
        return err_set(err, ERR_FORMAT, "\"%.20s\" behind the cuts means nothing; %s", at, form);
    return 0;
}

void token_print_cut(const struct run_cut *c, char out[TOKEN_CUT_MAX])
{
    if (c->kind == CUT_MESSAGE) {
        (void)snprintf(out, TOKEN_CUT_MAX, "m%" PRIu64, c->op);
    } else if (c->kind == CUT_NETWORK) {
        char how = '?';
        for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
            if (actions[i].action == c->action)
                how = actions[i].letter;
        (void)snprintf(out, TOKEN_CUT_MAX, "n%" PRIu32 "%c%" PRIu64 "%c", c->connection,
                       c->dir == LINK_UP ? 'u' : 'd', c->byte, how);
    } else {
        char arg[16] = "", reading[16] = "";
        if (c->arg > 0)
            (void)snprintf(arg, sizeof arg, ".%" PRIu32, c->arg);
        if (c->reading > 0)
            (void)snprintf(reading, sizeof reading, "w%" PRIu32, c->reading - 1);
        if (c->kind == CUT_BETWEEN && c->after == RUN_CUT_IDLE)
            (void)snprintf(out, TOKEN_CUT_MAX, "%" PRIu64 "i%s", c->op, reading);
        else if (c->kind == CUT_BETWEEN)
            (void)snprintf(out, TOKEN_CUT_MAX, "%" PRIu64 "r%u%s", c->op, c->after, reading);
        else
            (void)snprintf(out, TOKEN_CUT_MAX, "%" PRIu64 "t%d%s%s%s", c->op, (int)c->tear, arg,
                           c->by_place ? "p" : "", reading);
    }
}

void token_print(const struct token *t, char out[TOKEN_MAX])
{
    int n = snprintf(out, TOKEN_MAX, "%s#%" PRIx64, t->name, t->seed);
    for (uint32_t i = 0; i < t->n_cuts && n > 0 && n < TOKEN_MAX; i++) {
        char cut[TOKEN_CUT_MAX];
        token_print_cut(&t->cuts[i], cut);
        n += snprintf(out + n, (size_t)(TOKEN_MAX - n), "%c%s", i == 0 ? '@' : ',', cut);
    }
}
