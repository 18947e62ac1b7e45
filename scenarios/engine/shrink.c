#include "scenarios/engine/shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenarios/engine/shrink_internal.h"
#include "scenarios/engine/token.h"

#define SEARCH_REACH 24u /* operations on either side of the place a cut is expected at */

/* ---- what is compared ---- */

const struct check_result *shrink_failing(const struct run_result *r, const char *requirement)
{
    for (uint32_t i = 0; i < r->n_checks; i++) {
        const struct check_result *c = &r->checks[i];
        bool fails = c->verdict == VERDICT_FAIL || c->verdict == VERDICT_EXPECTED_FAIL;
        if (fails && (requirement == NULL || strcmp(requirement, c->id) == 0))
            return c;
    }
    return NULL;
}

static uint64_t image_bytes(const struct scenario *s)
{
    uint64_t all = 0;
    for (uint32_t f = 0; f < s->device.file_count && f < PACKAGE_FILES_MAX; f++) {
        int64_t bytes = 0;
        for (uint32_t v = 0; v < s->n_versions; v++) {
            const struct image_spec *i = &s->versions[v].images[f];
            if (i->kind == IMAGE_GENERATED)
                bytes = i->bytes;
            else if (i->kind == IMAGE_NEXT)
                bytes = bytes + i->grow_bytes > 0 ? bytes + i->grow_bytes : 0;
            else if (i->kind == IMAGE_FILE)
                bytes = s->device.files[f].area_bytes;
            all += (uint64_t)bytes;
        }
    }
    return all;
}

static void measure(struct shrinking *x, struct shrink_size *out)
{
    const struct scenario *s = x->now;
    struct buf b;
    buf_init(&b, DOCUMENT_BYTES_MAX);
    (void)document_write(x->doc, &b);
    *out = (struct shrink_size){.faults = s->n_power + s->n_net + s->n_faults + s->n_flash,
                                .files = s->device.file_count,
                                .versions = s->n_versions,
                                .offers = s->n_offers,
                                .image_bytes = image_bytes(s),
                                .ops = x->ops,
                                .document_bytes = b.len_bytes};
    buf_free(&b);
}

static bool usable(const struct device_config *c)
{
    return device_config_check(c, NULL) == 0;
}

/* What a shorter text must not pay with: more work, or a device that refuses to start, which breaks
 * nearly every requirement. */
static bool pays(const struct scenario *from, const struct scenario *to)
{
    return image_bytes(to) > image_bytes(from) || to->device.rounds > from->device.rounds ||
           to->device.tries > from->device.tries || usable(&from->device) != usable(&to->device);
}

/* ---- one try ---- */

static bool was_tried(struct shrinking *x, uint8_t digest[SHA256_BYTES])
{
    digest_of(DIGEST_SHA256, x->next_text.data, x->next_text.len_bytes, digest);
    for (uint32_t i = 0; i < x->n_tried; i++)
        if (memcmp(x->tried[i], digest, SHA256_BYTES) == 0)
            return true;
    return false;
}

static void report(struct shrinking *x)
{
    if (x->o->progress == NULL)
        return;
    struct shrink_progress p = {
        .runs = x->out->runs, .runs_max = x->runs_max, .step = x->step, .now = x->out->after};
    x->out->exhausted = !x->o->progress(x->o->ctx, &p);
}

static bool run_fails(struct shrinking *x)
{
    uint8_t digest[SHA256_BYTES];
    if (was_tried(x, digest))
        return false;
    if (x->out->exhausted || x->out->runs == x->runs_max) {
        x->out->exhausted = true;
        return false;
    }
    x->out->runs++;
    world_run(x->w, x->next, &x->run, x->result);
    bool fails = shrink_failing(x->result, x->out->requirement) != NULL;
    if (!fails) {
        memcpy(x->tried[x->n_tried++], digest, SHA256_BYTES);
        x->next_ops = x->result->main_ops;
    }
    report(x);
    return fails;
}

static void accept(struct shrinking *x, cJSON *candidate)
{
    struct scenario *s = x->now;
    struct buf text = x->text;
    cJSON_Delete(x->doc);
    x->doc = candidate;
    x->now = x->next;
    x->next = s;
    x->text = x->next_text;
    x->next_text = text;
}

bool shrink_try(struct shrinking *x, cJSON *candidate)
{
    x->next_ops = 0;
    buf_clear(&x->next_text);
    if (candidate == NULL ||
        document_read(candidate, x->origin->name, x->origin->path, x->next, NULL) != 0 ||
        scenario_write(x->next, &x->next_text) != 0 || pays(x->now, x->next)) {
        cJSON_Delete(candidate);
        return false;
    }
    bool same = x->next_text.len_bytes == x->text.len_bytes &&
                memcmp(x->next_text.data, x->text.data, x->text.len_bytes) == 0;
    if (!same && !run_fails(x)) {
        cJSON_Delete(candidate);
        return false;
    }
    accept(x, candidate);
    if (!same) {
        const struct check_result *c = shrink_failing(x->result, x->out->requirement);
        x->ops = x->result->main_ops;
        x->out->steps++;
        memcpy(x->out->detail, c->detail, sizeof x->out->detail);
        measure(x, &x->out->after);
    }
    return true;
}

/* ---- looking for a cut's new place ---- */

/* The number of the operation or message that a power rule waits for; null: of neither. */
static cJSON *op_of(const cJSON *rule)
{
    const cJSON *when = cJSON_GetObjectItemCaseSensitive(rule, "when");
    cJSON *op = cJSON_GetObjectItemCaseSensitive(when, "op");
    return op != NULL ? op : cJSON_GetObjectItemCaseSensitive(when, "message");
}

/* Every cut at an absolute operation moves by as much. Null: there is none, or one would leave the
 * numbers there are. */
static cJSON *moved(const cJSON *doc, int64_t by)
{
    cJSON *copy = cJSON_Duplicate(doc, true);
    bool any = false;
    const cJSON *rule;
    cJSON_ArrayForEach(rule, cJSON_GetObjectItemCaseSensitive(copy, "power"))
    {
        cJSON *op = op_of(rule);
        if (op == NULL)
            continue;
        any = true;
        (void)cJSON_SetNumberHelper(op, op->valuedouble + (double)by);
        if (op->valuedouble < 1) {
            any = false;
            break;
        }
    }
    if (any)
        return copy;
    cJSON_Delete(copy);
    return NULL;
}

/* By how much the first cut would move if it stayed at the same share of the run. */
static int64_t expected_move(const struct shrinking *x, const cJSON *doc)
{
    const cJSON *rule;
    cJSON_ArrayForEach(rule, cJSON_GetObjectItemCaseSensitive(doc, "power"))
    {
        const cJSON *op = op_of(rule);
        if (op != NULL && x->ops > 0)
            return (int64_t)op->valuedouble * (int64_t)x->next_ops / (int64_t)x->ops -
                   (int64_t)op->valuedouble;
    }
    return 0;
}

bool shrink_try_near(struct shrinking *x, cJSON *candidate)
{
    cJSON *kept = cJSON_Duplicate(candidate, true);
    bool helped = shrink_try(x, candidate);
    if (!helped && x->next_ops > 0) {
        int64_t centre = expected_move(x, kept);
        for (uint32_t i = 0; i <= 2 * SEARCH_REACH && !helped && !x->out->exhausted; i++) {
            int64_t off = i % 2 == 0 ? (int64_t)(i / 2) : -(int64_t)(i / 2 + 1);
            helped = shrink_try(x, moved(kept, centre + off));
        }
    }
    cJSON_Delete(kept);
    return helped;
}

/* ---- the start ---- */

/* A relative image path is looked up beside the scenario, but the result may lie elsewhere. */
static void images_from_anywhere(struct scenario *s)
{
    const char *slash = strrchr(s->path, '/');
    for (uint32_t v = 0; v < s->n_versions && slash != NULL; v++)
        for (uint32_t f = 0; f < PACKAGE_FILES_MAX; f++) {
            struct image_spec *i = &s->versions[v].images[f];
            char path[sizeof i->path + sizeof s->path];
            if (i->kind != IMAGE_FILE || i->path[0] == '/')
                continue;
            int n =
                snprintf(path, sizeof path, "%.*s%s", (int)(slash + 1 - s->path), s->path, i->path);
            if (n > 0 && (size_t)n < sizeof i->path && access(path, R_OK) == 0)
                memcpy(i->path, path, (size_t)n + 1);
        }
}

static int add_cuts(struct scenario *s, const struct run_options *run, struct err *err)
{
    uint32_t most = s->n_power > s->n_net ? s->n_power : s->n_net;
    if (most + run->n_cuts > SCENARIO_RULES_MAX)
        return err_set(err, ERR_LIMIT, "%u rules and %u cuts are more than %d", most, run->n_cuts,
                       SCENARIO_RULES_MAX);
    for (uint32_t i = 0; i < run->n_cuts; i++) {
        const struct run_cut *c = &run->cuts[i];
        if (c->kind == CUT_BETWEEN)
            return err_set(err, ERR_UNSUPPORTED,
                           "a cut between two flash operations cannot be written as a rule");
        enum trigger_kind kind = c->kind == CUT_MESSAGE ? TRIGGER_MESSAGE : TRIGGER_OP;
        if (c->kind == CUT_NETWORK)
            s->net[s->n_net++] =
                (struct net_rule){.when = {.kind = TRIGGER_BYTE,
                                           .connection = c->connection,
                                           .dir = c->dir,
                                           .byte = c->byte,
                                           .nth = 1},
                                  .action = NET_BYTE,
                                  .byte_action = c->action,
                                  .mask = 1,
                                  .profile = s->profile,
                                  .duration_ns = c->action == LINK_STALL ? RUN_SILENCE_NS : 0};
        else
            s->power[s->n_power++] =
                (struct power_rule){.when = {.kind = kind, .op = c->op, .nth = 1},
                                    .tear = c->tear,
                                    .tear_bytes = c->arg,
                                    .draw_by_place = c->by_place,
                                    .reading = c->reading,
                                    .off_ns = NS_PER_S};
    }
    if (run->seed != 0)
        s->seed = run->seed;
    return 0;
}

static void list_failing(const struct run_result *r, char *out, size_t cap)
{
    out[0] = '\0';
    for (uint32_t i = 0; i < r->n_checks; i++)
        if (shrink_failing(r, r->checks[i].id) != NULL && strlen(out) + 10 < cap)
            (void)snprintf(out + strlen(out), cap - strlen(out), "%s%s", out[0] == '\0' ? "" : ", ",
                           r->checks[i].id);
}

/* The run as it was given: what fails there. */
static int find_requirement(struct shrinking *x, struct err *err)
{
    struct run_options given = x->run;
    given.seed = x->o->run->seed;
    given.n_cuts = x->o->run->n_cuts;
    memcpy(given.cuts, x->o->run->cuts, sizeof given.cuts);
    world_run(x->w, x->now, &given, x->result);
    memcpy(x->out->token, x->result->token, sizeof x->out->token);
    const struct check_result *c = shrink_failing(x->result, x->o->requirement);
    if (c != NULL) {
        memcpy(x->out->requirement, c->id, sizeof x->out->requirement);
        memcpy(x->out->detail, c->detail, sizeof x->out->detail);
        return 0;
    }
    char list[200];
    list_failing(x->result, list, sizeof list);
    if (x->o->requirement != NULL && list[0] != '\0')
        return err_set(err, ERR_NOT_FOUND, "%s does not fail in %s, but %s", x->o->requirement,
                       x->out->token, list);
    return err_set(err, ERR_NOT_FOUND, "nothing fails in %s: %s%s%s", x->out->token,
                   verdict_name(x->result->verdict), x->result->cause[0] != '\0' ? ", " : "",
                   x->result->cause);
}

/* The first document: cuts as rules, everything explicit; it must fail, too. */
static int first_document(struct shrinking *x, struct err *err)
{
    int rc = add_cuts(x->now, x->o->run, err);
    if (rc != 0)
        return rc;
    x->now->source[0] = '\0';
    images_from_anywhere(x->now);
    x->doc = document_of(x->now, err);
    if (x->doc == NULL)
        return ERR_UNSUPPORTED;
    rc = scenario_write(x->now, &x->text);
    if (rc != 0)
        return err_set(err, rc, "the scenario cannot be written: %s", err_name(rc));
    world_run(x->w, x->now, &x->run, x->result);
    if (shrink_failing(x->result, x->out->requirement) == NULL)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s fails in %s, but not with its cuts as rules of the scenario",
                       x->out->requirement, x->out->token);
    x->ops = x->result->main_ops;
    return 0;
}

static void set_text(struct shrinking *x)
{
    char text[sizeof x->now->text];
    int n = snprintf(text, sizeof text, "%s fails; shrunk from %s.", x->out->requirement,
                     x->out->token);
    size_t left = sizeof text - (size_t)n;
    /* A command that is cut off is worse than none. */
    if (x->o->repeat != NULL && strlen(x->o->repeat) + sizeof " Repeat: " <= left)
        (void)snprintf(text + n, left, " Repeat: %s", x->o->repeat);
    cJSON *node = cJSON_CreateString(text);
    if (node == NULL || !cJSON_ReplaceItemInObjectCaseSensitive(x->doc, "text", node))
        cJSON_Delete(node);
}

int shrink(const struct scenario *s, struct world *w, const struct shrink_options *o,
           struct shrink_result *out, struct buf *document, struct err *err)
{
    struct shrinking x = {
        .w = w,
        .o = o,
        .run = {.cache_dir = o->run->cache_dir, .firmware_dir = o->run->firmware_dir},
        .origin = s,
        .out = out,
        .step = "start",
        .runs_max = o->runs_max > 0 ? o->runs_max : SHRINK_RUNS_DEFAULT};
    int rc = ERR_NOMEM;
    memset(out, 0, sizeof *out);
    buf_init(&x.text, DOCUMENT_BYTES_MAX);
    buf_init(&x.next_text, DOCUMENT_BYTES_MAX);
    x.now = malloc(sizeof *x.now);
    x.next = malloc(sizeof *x.next);
    x.result = malloc(sizeof *x.result);
    x.tried = calloc(x.runs_max, sizeof *x.tried);
    if (x.now == NULL || x.next == NULL || x.result == NULL || x.tried == NULL) {
        (void)err_set(err, rc, "no memory for shrinking");
        goto cleanup;
    }
    *x.now = *s;
    x.now->expect.n_fails = 0;
    rc = find_requirement(&x, err);
    if (rc == 0)
        rc = first_document(&x, err);
    if (rc != 0)
        goto cleanup;
    shrink_tidy(&x, false);
    measure(&x, &out->before);
    out->after = out->before;
    while (!out->exhausted && shrink_round(&x))
        continue;
    shrink_tidy(&x, true);
    set_text(&x);
    measure(&x, &out->after);
    rc = document_write(x.doc, document);
    if (rc != 0)
        (void)err_set(err, rc, "no room for the document");
cleanup:
    cJSON_Delete(x.doc);
    free(x.now);
    free(x.next);
    free(x.result);
    free(x.tried);
    buf_free(&x.text);
    buf_free(&x.next_text);
    return rc;
}
