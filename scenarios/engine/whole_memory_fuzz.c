/*
 * Any bytes as what a cloud with its broker and the script ('c' in front) or a judge ('j')
 * remember: refused with
 * a reason, or taken; then what is remembered of it comes back as itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/engine/judge_internal.h"
#include "scenarios/engine/whole_internal.h"
#include "scenarios/engine/world_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

static const char document[] =
    "{\"otabench\": 1, \"text\": \"t\", \"device\": {\"agent\": \"iot-ota\"}, \"versions\": "
    "[{\"version\": \"1.0\", \"images\": [{\"generate\": {\"bytes\": 700}}]}, {\"version\": "
    "\"1.1\"}], \"network\": {\"faults\": [{\"when\": {\"event\": \"device/progress\", \"nth\": "
    "3}, "
    "\"do\": \"broker-restart\", \"for_ms\": 900}, {\"when\": {\"connection\": 3, \"byte\": 9}, "
    "\"do\": \"reset\"}]}, \"cloud\": {\"pushes\": [{\"when\": {\"event\": \"device/progress\"}, "
    "\"do\": \"repeat\"}, {\"when\": {\"event\": \"device/progress\"}, \"do\": "
    "\"config\"}]}, \"flash\": [{\"fail\": \"read\", \"address\": \"0x9000\", \"count\": "
    "4}]}";

/* One world for all inputs: a memory that is taken leaves nothing of the one before. */
static struct sim_run *a_run(void)
{
    static struct sim_run r;
    static struct scenario s;
    static struct run_options o = {.cache_dir = "."}; /* a full package needs none */
    static struct world *w;
    struct err err = {.text = ""};
    if (w != NULL)
        return &r;
    demand(scenario_parse(&s, document, strlen(document), "tiny", &err) == 0);
    w = world_new(&err);
    demand(w != NULL);
    r = (struct sim_run){.g = {.s = &s, .o = &o, .store = w->store, .build = &w->build},
                         .power_on_ns = VTIME_NEVER};
    demand(sim_build_for(w, &s, &o, &err) == 0 && sim_set_up(&r, w->stacks, &err) == 0);
    demand(whole_start_script(&r.g, &err) == 0);
    return &r;
}

static void as_cloud(const uint8_t *data, size_t size)
{
    struct stage *g = &a_run()->g;
    struct err err = {.text = ""};
    struct buf first, second;
    int rc = whole_recall(g, data, size, true, &err);
    if (rc != 0) {
        demand(err.text[0] != '\0');
        return;
    }
    buf_init(&first, 1u << 20);
    buf_init(&second, 1u << 20);
    /* What is longer than a state may be is said so. */
    if (whole_remember(g, WHOLE_AS_IT_IS, NULL, &first, &err) == 0) {
        demand(whole_recall(g, first.data, first.len_bytes, true, &err) == 0);
        demand(whole_remember(g, WHOLE_AS_IT_IS, NULL, &second, &err) == 0);
        demand(first.len_bytes == second.len_bytes &&
               memcmp(first.data, second.data, first.len_bytes) == 0);
    }
    buf_free(&first);
    buf_free(&second);
}

static void as_judge(const uint8_t *data, size_t size)
{
    struct judge *j = a_run()->g.judge;
    struct judge_memory m, first, second;
    struct err err = {.text = ""};
    if (judge_memory_read(j, data, size, &m, &err) != 0) {
        demand(err.text[0] != '\0');
        return;
    }
    judge_recall(j, &m, 0);
    judge_remember(j, 0, &first);
    demand(judge_memory_read(j, &first, sizeof first, &m, &err) == 0);
    judge_recall(j, &m, 0);
    judge_remember(j, 0, &second);
    demand(memcmp(&first, &second, sizeof first) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] == 'c')
        as_cloud(data + 1, size - 1);
    else if (size > 0 && data[0] == 'j')
        as_judge(data + 1, size - 1);
    return 0;
}
