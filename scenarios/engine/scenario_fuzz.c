/* What parses must be written back, read again as the same text, and stay inside its bounds. */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "scenarios/engine/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scenario *s = malloc(2 * sizeof *s);
    struct err err = {""};
    struct buf first;
    struct buf second;
    demand(s != NULL);
    buf_init(&first, 1u << 20);
    buf_init(&second, 1u << 20);
    int rc = scenario_parse(&s[0], (const char *)data, size, "fuzz", &err);
    if (rc != 0) {
        demand(strncmp(err.text, "fuzz: ", 6) == 0);
    } else {
        demand(s->n_versions >= 1 && s->n_versions <= SCENARIO_VERSIONS_MAX);
        demand(s->device.file_count >= 1 && s->device.file_count <= PACKAGE_FILES_MAX + 1);
        demand(s->n_net <= SCENARIO_RULES_MAX && s->n_power <= SCENARIO_RULES_MAX);
        demand(s->n_faults <= SCENARIO_RULES_MAX && s->n_flash <= SCENARIO_RULES_MAX);
        for (uint32_t i = 0; i < s->n_offers; i++)
            demand(s->offers[i].from < s->n_versions && s->offers[i].to < s->n_versions);
        demand(scenario_write(&s[0], &first) == 0);
        const char *text = (const char *)first.data;
        demand(scenario_parse(&s[1], text, first.len_bytes, "again", &err) == 0);
        demand(scenario_write(&s[1], &second) == 0);
        demand(strcmp(text, (const char *)second.data) == 0);
    }
    buf_free(&first);
    buf_free(&second);
    free(s);
    return 0;
}
