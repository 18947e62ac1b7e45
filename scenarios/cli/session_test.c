#include "scenarios/cli/session.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/testing/testing.h"

#define FILES 4

struct fixture {
    char dir[TEST_PATH_MAX];
    struct scenario_files files;
    char traces[FILES][TEST_PATH_MAX + 32];
    const char *trace_paths[FILES];
    struct session_options o;
    struct session s;
};

/* Full packages only: no other program is needed. Longer images take longer, so that the last
 * scenarios finish first. */
static void set_up(struct fixture *f)
{
    struct err err = {.text = ""};
    struct buf bad;
    memset(f, 0, sizeof *f);
    test_tmpdir(f->dir);
    for (int i = 0; i < FILES; i++) {
        char path[TEST_PATH_MAX + 32];
        (void)snprintf(path, sizeof path, "%s/%c.json", f->dir, 'a' + i);
        (void)snprintf(f->traces[i], sizeof f->traces[i], "%s/%c.ndjson", f->dir, 'a' + i);
        f->trace_paths[i] = f->traces[i];
        FILE *file = fopen(path, "w");
        REQUIRE(file != NULL);
        (void)fprintf(file,
                      "{\"otabench\":1,\"text\":\"t\",\"seed\":%d,\"versions\":["
                      "{\"version\":\"1.0\",\"images\":[{\"generate\":{\"bytes\":%d}}]},"
                      "{\"version\":\"1.1\",\"images\":[{\"edit\":{}}]}],"
                      "\"offers\":[{\"from\":\"1.0\",\"to\":\"1.1\",\"kind\":\"full\"}]}",
                      i + 1, 4096 * (FILES - i));
        (void)fclose(file);
    }
    char *const paths[] = {f->dir};
    REQUIRE_OK(files_collect(&f->files, paths, 1, &err), &err);
    buf_init(&bad, 4096);
    CHECK_INT(files_check(&f->files, &bad), 0);
    buf_free(&bad);
    f->o = (struct session_options){.jobs = 2, .timeout_ms = 60000, .trace_paths = f->trace_paths};
}

static void tear_down(struct fixture *f)
{
    session_free(&f->s);
    files_free(&f->files);
}

static void trace_digest(const char *path, char out[DIGEST_HEX_MAX])
{
    static char text[4 << 20];
    FILE *f = fopen(path, "r");
    REQUIRE(f != NULL);
    size_t n = fread(text, 1, sizeof text, f);
    (void)fclose(f);
    digest_hex_of(DIGEST_SHA256, text, n, out);
}

static void results_are_in_order_and_traces_whole(void)
{
    static struct fixture f;
    struct err err = {.text = ""};
    set_up(&f);
    REQUIRE_OK(session_run(&f.s, &f.files, &f.o, &err), &err);
    CHECK_INT(f.s.count, FILES);
    CHECK_STR(f.s.fault, "");
    CHECK(!f.s.interrupted);
    for (int i = 0; i < FILES; i++) {
        const struct run_result *r = &f.s.results[i];
        char name[2] = {(char)('a' + i), '\0'}, token[8], digest[DIGEST_HEX_MAX];
        (void)snprintf(token, sizeof token, "%s#%d", name, i + 1);
        CHECK_STR(r->name, name);
        CHECK_STR(r->token, token);
        CHECK_INT(r->verdict, VERDICT_PASS);
        CHECK_STR(r->cause, "");
        CHECK_STR(r->final_version, "1.1");
        CHECK(r->wall_ns > 0);
        trace_digest(f.traces[i], digest);
        CHECK_STR(r->trace_sha256, digest);
    }
    CHECK_INT(session_exit_code(&f.s), 0);
    tear_down(&f);
}

static void a_scenario_that_vanished_is_an_error_of_its_own(void)
{
    static struct fixture f;
    struct err err = {.text = ""};
    set_up(&f);
    REQUIRE(unlink(f.files.item[1].path) == 0);
    f.o.run.seed = 0xabc;
    f.o.trace_paths = NULL;
    REQUIRE_OK(session_run(&f.s, &f.files, &f.o, &err), &err);
    for (int i = 0; i < FILES; i++)
        CHECK_INT(f.s.results[i].verdict, i == 1 ? VERDICT_ERROR : VERDICT_PASS);
    CHECK_HAS(f.s.results[1].cause, "b.json");
    CHECK_STR(f.s.results[1].token, "b#abc");
    CHECK_STR(f.s.results[2].token, "c#abc");
    CHECK_INT(session_exit_code(&f.s), 2);
    tear_down(&f);
}

static void a_trace_that_cannot_be_written_is_an_error(void)
{
    static struct fixture f;
    struct err err = {.text = ""};
    set_up(&f);
    f.trace_paths[0] = "/dev/full";
    f.trace_paths[2] = "/nonexistent/x.ndjson";
    REQUIRE_OK(session_run(&f.s, &f.files, &f.o, &err), &err);
    CHECK_INT(f.s.results[2].verdict, VERDICT_ERROR);
    CHECK_HAS(f.s.results[2].cause, "/nonexistent/x.ndjson");
    CHECK_INT(f.s.results[0].verdict, VERDICT_ERROR);
    CHECK_STR(f.s.results[0].cause, "/dev/full: cannot be written: No space left on device");
    CHECK_INT(f.s.results[3].verdict, VERDICT_PASS);
    tear_down(&f);
}

static void a_folder_on_the_wire_runs_only_what_is_made_for_it(void)
{
    static struct fixture f;
    struct err err = {.text = ""};
    size_t counts[VERDICT_COUNT];
    set_up(&f);
    f.o.run.mode = RUN_WIRE;
    REQUIRE_OK(session_run(&f.s, &f.files, &f.o, &err), &err);
    session_tally(&f.s, counts);
    CHECK_INT(counts[VERDICT_NOT_APPLICABLE], FILES);
    CHECK_INT(session_exit_code(&f.s), 77);
    tear_down(&f);
}

static const struct test tests[] = {
    {"results are in order and traces whole", results_are_in_order_and_traces_whole},
    {"a scenario that vanished is an error of its own",
     a_scenario_that_vanished_is_an_error_of_its_own},
    {"a trace that cannot be written is an error", a_trace_that_cannot_be_written_is_an_error},
    {"a folder on the wire runs only what is made for it",
     a_folder_on_the_wire_runs_only_what_is_made_for_it},
};

TEST_MAIN("session", tests)
