/* otabench list: what there is to run, and the words a scenario may use. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenarios/cli/cli.h"
#include "scenarios/cli/files.h"
#include "scenarios/engine/result.h"

static const char help[] =
    "usage: otabench list [PATH...]\n"
    "       otabench list --requirements | --profiles | --chips | --faults | --tears\n"
    "\n"
    "Scenarios with what they show (PATH: files or folders, default scenarios), or:\n"
    "\n"
    "  --requirements  what is judged: ID, text and source\n"
    "  --profiles      access networks a scenario can name\n"
    "  --chips         flash chips\n"
    "  --faults        what can go wrong by script\n"
    "  --tears         what an interrupted flash operation can leave; the numbers of replay "
    "tokens\n"
    "\n"
    "examples:\n"
    "  otabench list scenarios/library\n"
    "  otabench list --faults\n";

static int list_requirements(void)
{
    const struct requirement *r;
    for (size_t i = 0; (r = requirement_at(i)) != NULL; i++)
        (void)printf("%-7s %s (%s)\n", r->id, r->text, r->source);
    return EXIT_PASSED;
}

static int list_profiles(void)
{
    const struct link_profile *p;
    for (size_t i = 0; (p = link_profile_at(i)) != NULL; i++) {
        char down[24] = "unlimited", up[24] = "unlimited";
        if (p->down_bps > 0)
            (void)snprintf(down, sizeof down, "%u bit/s", p->down_bps);
        if (p->up_bps > 0)
            (void)snprintf(up, sizeof up, "%u bit/s", p->up_bps);
        (void)printf("%-16s down %s, up %s, %d ms one way, jitter %d ms, loss %u ppm\n%17s%s\n",
                     p->name, down, up, (int)(p->one_way_ns / NS_PER_MS),
                     (int)(p->jitter_ns / NS_PER_MS), p->loss_ppm, "", p->text);
    }
    return EXIT_PASSED;
}

static int list_chips(void)
{
    const struct nor_geometry *g;
    for (size_t i = 0; (g = nor_geometry_at(i)) != NULL; i++)
        (void)printf("%-10s %s\n", g->name, g->text);
    return EXIT_PASSED;
}

static const char *const cloud_texts[] = {
    [CF_CODE] = "answers with a service code (1000 to 2302)",
    [CF_MESSAGE] = "status 1000 with another msg text",
    [CF_STATUS] = "answers with an HTTP status and a short page",
    [CF_TRUNCATE] = "body shorter, lengths agree with it",
    [CF_EXTRA] = "body longer, lengths agree with it",
    [CF_SHIFT] = "serves a moved range and says so",
    [CF_SHIFT_SILENT] = "serves a moved range under the asked Content-Range",
    [CF_CORRUPT] = "flips a bit of one body byte",
    [CF_IGNORE_RANGE] = "200 with the whole package",
    [CF_RANGE_416] = "416, range not satisfiable",
    [CF_WRONG_DIGEST] = "announces another MD5",
    [CF_BAD_DIGEST] = "announces an MD5 that is not hex",
    [CF_WRONG_SIZE] = "announces another size",
    [CF_STALE_VERSION] = "offers as if the device ran an older version",
    [CF_NOT_JSON] = "body is not JSON",
    [CF_REDIRECT] = "302 to another place",
    [CF_NO_CHUNK] = "Content-Length instead of chunked",
    [CF_DELAY] = "reply held back",
    [CF_CLOSE] = "closes the connection after the reply",
    [CF_EXPIRED] = "403, as if the signed URL had expired",
    [CF_FORGED] = "403, as if the signed URL had been edited",
    [CF_LOST] = "a message over MQTT never arrives",
    [CF_DUPLICATE] = "a message comes several times",
    [CF_OVERSIZED] = "a message with many blanks",
    [CF_DEEP] = "a message with a deep list",
    [CF_NOT_UTF8] = "a message that is no UTF-8",
    [CF_BLANK] = "a message with a blank after every colon",
    [CF_EMPTY] = "a query is answered as if there were nothing",
    [CF_REPLAY] = "the first announcement follows once more",
    [CF_FOREIGN] = "a push under the topic of another device",
    [CF_WRONG_SIGN] = "announces another sign beside the right MD5",
    [CF_UPPER_DIGEST] = "announces digests in upper case",
    [CF_LONG_URL] = "announces a longer URL",
    [CF_SIGN_METHOD] = "announces another signMethod",
    [CF_OMIT] = "announces without one member",
    [CF_URL] = "announces another URL",
    [CF_CHUNKED] = "replies in chunks, without a length",
    [CF_SMALL] = "serves a smaller piece than asked for",
};
_Static_assert(sizeof cloud_texts / sizeof cloud_texts[0] == CF_KIND_COUNT,
               "every cloud fault has a text");

static const char *const byte_texts[] = {
    [LINK_RESET] = "both sides see a reset",
    [LINK_CLOSE] = "both sides see an orderly close",
    [LINK_HALF] = "the receiver sees an orderly close, the other direction lives",
    [LINK_STALL] = "that direction is silent for a while",
    [LINK_CORRUPT] = "the byte arrives changed",
    [LINK_DRIBBLE] = "from here on one byte per segment",
};
_Static_assert(sizeof byte_texts / sizeof byte_texts[0] == LINK_ACTION_COUNT,
               "every action at a byte has a text");

static const char *const span_texts[][2] = {
    {"outage", "silence for a while, nothing is lost"},
    {"refuse", "connects are refused for a while"},
    {"black-hole", "connects are never answered for a while"},
    {"profile", "another access network for a while, or for good"},
    {"broker-restart", "the MQTT broker ends every connection and is away for a while"},
};
_Static_assert(sizeof span_texts / sizeof span_texts[0] == NET_BYTE, "every span has a text");

static int list_faults(void)
{
    (void)printf("cloud.faults, on a request (register, check, download, ...):\n");
    for (int i = 0; i < CF_KIND_COUNT; i++)
        (void)printf("  %-14s %s\n", cloud_fault_name((enum cloud_fault_kind)i), cloud_texts[i]);
    (void)printf("network.faults, for a time:\n");
    for (size_t i = 0; i < NET_BYTE; i++)
        (void)printf("  %-14s %s\n", span_texts[i][0], span_texts[i][1]);
    (void)printf("network.faults, at a byte of a connection or reply, at a time or an event:\n");
    for (int i = 0; i < LINK_ACTION_COUNT; i++)
        (void)printf("  %-14s %s\n", link_action_name((enum link_action)i), byte_texts[i]);
    (void)printf("power: a cut at a time, a flash operation or an event, with a tear (--tears)\n"
                 "flash: read, program or erase fails, or stores a wrong bit\n");
    return EXIT_PASSED;
}

static int list_tears(void)
{
    static const char *const texts[] = {
        [TEAR_NOTHING] = "cut before the operation began: nothing changed",
        [TEAR_PREFIX] = "the first k bytes are done",
        [TEAR_ALL_BUT_LAST] = "all but the last granule (program) or 16th (erase) is done",
        [TEAR_SCRAMBLED] = "a random part of the bits has changed",
        [TEAR_HALF_ERASED] = "half the unit is erased, the other half scattered",
        [TEAR_WEAK] = "looks complete, but reads differently at a later power-on",
        [TEAR_DONE] = "completed, but power went before it was acknowledged",
        [TEAR_ALL_BUT_BIT] = "all but the last bit has changed",
        [TEAR_UNREADABLE] = "a random part has changed, and reading it fails until the next erase",
        [TEAR_DISTURB] = "completed, and one bit of another page of the unit has fallen (program)",
        [TEAR_UNWRITTEN] =
            "not begun, and the last ones before it are lost with a write-back cache",
    };
    _Static_assert(sizeof texts / sizeof texts[0] == TEAR_COUNT, "every tear has a text");
    for (int i = 0; i < TEAR_COUNT; i++)
        (void)printf("%d  %-13s %s\n", i, nor_tear_name((enum nor_tear)i), texts[i]);
    return EXIT_PASSED;
}

static int list_scenarios(char *const *paths, size_t n)
{
    char tree[] = "scenarios";
    char *const whole[] = {tree};
    struct scenario_files f;
    struct err err = {.text = ""};
    struct buf bad;
    buf_init(&bad, (size_t)16 << 20);
    int rc = n > 0 ? files_collect(&f, paths, n, &err) : files_collect(&f, whole, 1, &err);
    int n_bad = rc == 0 ? files_check(&f, &bad) : 0;
    for (size_t i = 0; rc == 0 && i < f.count; i++)
        if (f.item[i].name[0] != '\0')
            (void)printf("%s\n    %s\n", f.item[i].name, f.item[i].text);
    (void)fflush(stdout);
    if (n_bad > 0)
        (void)fwrite(bad.data, 1, bad.len_bytes, stderr);
    buf_free(&bad);
    files_free(&f);
    if (rc != 0)
        return cli_usage("list", "%s", err.text);
    return n_bad == 0 ? EXIT_PASSED
                      : cli_fail("list", EXIT_USAGE, "%d scenarios cannot be used", n_bad);
}

int cmd_list(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*list)(void);
    } lists[] = {
        {"requirements", list_requirements},
        {"profiles", list_profiles},
        {"chips", list_chips},
        {"faults", list_faults},
        {"tears", list_tears},
    };
    enum { LISTS = sizeof lists / sizeof lists[0] };
    struct option longs[LISTS + 2] = {{"help", no_argument, NULL, 'h'}};
    for (int i = 0; i < LISTS; i++)
        longs[i + 1] = (struct option){lists[i].name, no_argument, NULL, 1000 + i};
    int which = -1;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (c == 'h') {
            (void)fputs(help, stdout);
            return EXIT_PASSED;
        }
        if (c < 1000 || which >= 0)
            return cli_usage("list", c < 1000 ? "there is no such list" : "one list at a time");
        which = c - 1000;
    }
    if (which >= 0)
        return optind == argc ? lists[which].list()
                              : cli_usage("list", "--%s takes no path", lists[which].name);
    return list_scenarios(argv + optind, (size_t)(argc - optind));
}
