/* otabench run: scenarios through the engine, verdicts out. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "scenarios/cli/cli.h"
#include "scenarios/engine/run.h"

static void to_file(void *ctx, int64_t t_ns, enum lane lane, const char *line, size_t len_bytes)
{
    (void)t_ns;
    (void)lane;
    FILE *f = ctx;
    (void)fwrite(line, 1, len_bytes, f);
    (void)fputc('\n', f);
}

static void print_result(const struct run_result *r)
{
    (void)printf("%-15s %s  (virtual %" PRId64 " ms, %u cuts, %u boots, ops %" PRIu64 ") %s\n",
                 verdict_name(r->verdict), r->name, r->virtual_ns / 1000000, r->cuts, r->boots,
                 r->flash_ops, r->cause);
    for (uint32_t i = 0; i < r->n_checks; i++)
        if (r->checks[i].verdict != VERDICT_PASS)
            (void)printf("    %-7s %-12s %s\n", r->checks[i].id, verdict_name(r->checks[i].verdict),
                         r->checks[i].detail);
    if (r->verdict != VERDICT_PASS)
        (void)printf("    otabench replay '%s'\n", r->token);
}

static void put_result(FILE *f, const struct run_result *r)
{
    struct buf b;
    buf_init(&b, 1u << 20);
    (void)buf_text(&b, "{\"name\":");
    (void)json_put_string(&b, r->name);
    (void)buf_printf(&b, ",\"mode\":\"%s\",\"seed\":%" PRIu64 ",\"verdict\":\"%s\",\"cause\":",
                     r->mode == RUN_SIM ? "sim" : "wire", r->seed, verdict_name(r->verdict));
    (void)json_put_string(&b, r->cause);
    (void)buf_text(&b, ",\"token\":");
    (void)json_put_string(&b, r->token);
    (void)buf_printf(&b, ",\"trace_sha256\":\"%s\",\"virtual_ms\":%" PRId64 ",\"checks\":[",
                     r->trace_sha256, r->virtual_ns / 1000000);
    for (uint32_t i = 0; i < r->n_checks; i++) {
        (void)buf_printf(&b, "%s{\"id\":\"%s\",\"verdict\":\"%s\",\"detail\":", i ? "," : "",
                         r->checks[i].id, verdict_name(r->checks[i].verdict));
        (void)json_put_string(&b, r->checks[i].detail);
        (void)buf_text(&b, "}");
    }
    (void)buf_text(&b, "]}");
    (void)fwrite(b.data, 1, b.len_bytes, f);
    buf_free(&b);
}

int cmd_run(int argc, char **argv)
{
    static const struct option longs[] = {{"wire", no_argument, NULL, 'w'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"trace", required_argument, NULL, 't'},
                                          {"json", required_argument, NULL, 'j'},
                                          {0}};
    char cache[512];
    cli_cache_dir(cache, sizeof cache);
    struct run_options o = {.cache_dir = cache, .self_exe = "/proc/self/exe"};
    const char *trace = NULL, *json = NULL;
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'w')
            o.mode = RUN_WIRE;
        else if (c == 's' && !cli_number(optarg, 1, UINT64_MAX, &o.seed))
            return cli_usage("run", "--seed %s is not a number", optarg);
        else if (c == 't')
            trace = optarg;
        else if (c == 'j')
            json = optarg;
        else if (c == '?')
            return cli_usage("run", "wrong option");
    }
    int n = argc - optind;
    if (n < 1)
        return cli_usage("run", "which scenario?");
    (void)signal(SIGPIPE, SIG_IGN);
    struct err err = {0};
    struct scenario *s = calloc((size_t)n, sizeof *s);
    struct run_result *r = calloc((size_t)n, sizeof *r);
    struct world *w = world_new(&err);
    if (s == NULL || r == NULL || w == NULL)
        return cli_fail("run", EXIT_INCONCLUSIVE, "%s", err.text);
    for (int i = 0; i < n; i++)
        if (scenario_load(&s[i], argv[optind + i], &err) != 0)
            return cli_fail("run", EXIT_USAGE, "%s", err.text);
    FILE *tf = trace == NULL ? NULL : fopen(trace, "w");
    if (tf != NULL)
        o.sink = (struct trace_sink){.line = to_file, .ctx = tf};
    for (int i = 0; i < n; i++) {
        if (o.mode == RUN_WIRE)
            wire_run(&s[i], &o, &r[i]);
        else
            world_run(w, &s[i], &o, &r[i]);
        print_result(&r[i]);
    }
    if (tf != NULL)
        (void)fclose(tf);
    FILE *jf = json == NULL ? NULL : fopen(json, "w");
    if (jf != NULL) {
        (void)fputs("{\"otabench\":\"" OTABENCH_VERSION "\",\"results\":[\n", jf);
        for (int i = 0; i < n; i++) {
            (void)fputs(i ? ",\n" : "", jf);
            put_result(jf, &r[i]);
        }
        (void)fputs("\n]}\n", jf);
        (void)fclose(jf);
    }
    int rc = result_exit_code(r, (size_t)n);
    world_free(w);
    free(s);
    free(r);
    return rc;
}
