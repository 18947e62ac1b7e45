/* otabench-cloud, which `otabench cloud VERB` starts: asks a running cloud. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/cli/cli.h"
#include "scenarios/client/verbs.h"

static const char help[] =
    "usage: otabench cloud VERB [argument...] [option...]\n"
    "\n"
    "Looks at a running 'otabench cloud', or changes it. ('otabench cloud --help' is about "
    "running\n"
    "one.)\n"
    "\n"
    "  products                    which there are\n"
    "  devices                     of a product: online, what they run\n"
    "  add-device NAME             a new one; prints its secret\n"
    "  firmware                    what has been uploaded\n"
    "  add-firmware FILE           new firmware, --version V; of several files: NAME=FILE...\n"
    "  tasks                       verifications and batches\n"
    "  add-task KIND               starts one: verify, batch or again\n"
    "  task ID                     how far it is\n"
    "  cancel ID                   ends it\n"
    "  records                     what has become of each upgrade\n"
    "  set-up FILE                 a whole set-up file, with the files it names\n"
    "  files, add-file FILE, drop-file NAME\n"
    "                              uploads that set-ups sent by other means name\n"
    "\n"
    "which cloud (default: the one that this user has started last):\n"
    "  --state DIR                 the one with this state\n"
    "  --cloud URL --token-file F  the one at http://HOST:PORT; F holds its token\n"
    "of what:\n"
    "  --product KEY               may be left out when there is only one\n"
    "  --device NAME               of records; of tasks verify and again\n"
    "  --firmware ID               of records and tasks; or --version V [--module M]\n"
    "  --status WORD               of records: pending, upgrading, success, failed, superseded\n"
    "  --limit N                   of a list (default 100000)\n"
    "new devices:\n"
    "  --gateway NAME              over whose connection it speaks\n"
    "  --secret-file F             its secret (default: the cloud makes one)\n"
    "new firmware:\n"
    "  --version V, --module M     what it is called\n"
    "  --sign md5|sha256           announced digest (default md5)\n"
    "  --diff, --over-mqtt         a difference; fetched over MQTT\n"
    "  --extra JSON                extData\n"
    "  --verify DEVICE, --batch    tasks at once; the batch waits for the verification\n"
    "batches:\n"
    "  --from V[,V...]             only devices of these versions (default: all lower ones)\n"
    "  --devices NAME[,NAME...]    only these\n"
    "  --policy dynamic|static, --percent N, --delay S, --no-push, --no-overwrite,\n"
    "  --retries N, --retry-after S\n"
    "                              as docs/clouds/aliyun.md has them\n"
    "others:\n"
    "  --wait S                    task: until all its upgrades have ended; exit 1 if one failed\n"
    "  --name NAME                 add-file: what it is called there (default: its own name)\n"
    "  --json                      the reply itself\n"
    "\n"
    "examples:\n"
    "  otabench cloud add-firmware lamp.bin --version 2.1.0 --verify lamp1 --batch\n"
    "  otabench cloud records --status failed\n"
    "  otabench cloud task 2 --wait 60\n"
    "\n"
    "Exit: 0 done, 1 the cloud refuses, or what was waited for has failed, 2 no cloud was reached, "
    "or\n"
    "not with this token, or a file cannot be used, 64 wrong usage.\n";

enum { OPT_HELP = 1000, OPT_JSON, OPT_STATE, OPT_CLOUD, OPT_TOKEN_FILE };

#define OWN_OPTIONS 5

struct command_line {
    struct client_request request;
    const char *state, *cloud, *token_file;
    bool json;
};

/* After a complaint about the command line. */
static int usage(int code)
{
    (void)fputs("see: otabench cloud help\n", stderr);
    return code;
}

static void fill_options(struct option longs[OPTION_COUNT + OWN_OPTIONS + 1])
{
    static const struct option own[OWN_OPTIONS + 1] = {
        {"help", no_argument, NULL, OPT_HELP},
        {"json", no_argument, NULL, OPT_JSON},
        {"state", required_argument, NULL, OPT_STATE},
        {"cloud", required_argument, NULL, OPT_CLOUD},
        {"token-file", required_argument, NULL, OPT_TOKEN_FILE},
        {0}};
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct client_option_row *row = &client_options[i];
        bool flag = row->value == VALUE_YES || row->value == VALUE_NO || i == OPTION_BATCH;
        longs[i] = (struct option){row->name, flag ? no_argument : required_argument, NULL, i};
    }
    memcpy(longs + OPTION_COUNT, own, sizeof own);
}

static int take(struct command_line *c, int option)
{
    switch (option) {
    case OPT_JSON:
        c->json = true;
        return 0;
    case OPT_STATE:
        c->state = optarg;
        return 0;
    case OPT_CLOUD:
        c->cloud = optarg;
        return 0;
    case OPT_TOKEN_FILE:
        c->token_file = optarg;
        return 0;
    default:
        break;
    }
    if ((c->request.verb->takes & TAKES(option)) == 0)
        return usage(cli_fail("cloud", EXIT_USAGE, "%s has no --%s", c->request.verb->name,
                              client_options[option].name));
    c->request.value[option] = optarg == NULL ? "" : optarg;
    return 0;
}

static int check_line(const struct command_line *c)
{
    const struct client_verb *verb = c->request.verb;
    int n = c->request.argument_count;
    if ((c->cloud == NULL) != (c->token_file == NULL))
        return usage(cli_fail("cloud", EXIT_USAGE, "--cloud and --token-file go together"));
    if (c->cloud != NULL && c->state != NULL)
        return usage(cli_fail("cloud", EXIT_USAGE, "either --cloud or --state"));
    if (n > verb->most)
        return usage(cli_fail("cloud", EXIT_USAGE, "%s: \"%s\" means nothing here", verb->name,
                              c->request.argument[verb->most]));
    if (n == 0 && verb->most > 0)
        return usage(cli_fail("cloud", EXIT_USAGE, "%s: which %s?", verb->name, verb->argument));
    for (int i = 0; i < n; i++)
        if (c->request.argument[i][0] == '\0')
            return usage(
                cli_fail("cloud", EXIT_USAGE, "%s: an empty %s", verb->name, verb->argument));
    return 0;
}

/* 0, an exit code, or below 0: help was asked for. */
static int read_line(struct command_line *c, int argc, char **argv)
{
    struct option longs[OPTION_COUNT + OWN_OPTIONS + 1];
    fill_options(longs);
    opterr = 0;
    for (int o, code; (o = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (o == 'h' || o == OPT_HELP)
            return -1;
        if (o == '?')
            return usage(cli_fail("cloud", EXIT_USAGE,
                                  "%s: that option does not exist or lacks its value",
                                  argv[optind - 1]));
        if ((code = take(c, o)) != 0)
            return code;
    }
    c->request.argument = argv + optind;
    c->request.argument_count = argc - optind;
    return check_line(c);
}

/* What is said when a cloud is looked for and nobody is there. */
static int not_running(const char *why)
{
    return cli_fail("cloud", EXIT_INCONCLUSIVE,
                    "%s\n  start one with \"otabench cloud\", or say which: --state DIR", why);
}

static int find_place(const struct command_line *c, struct admin_place *out)
{
    char path[ADMIN_PATH_MAX];
    struct err err = {""};
    int rc = 0;
    if (c->cloud != NULL) {
        *out = (struct admin_place){.url = ""};
        if (admin_place_url(out, c->cloud, &err) != 0)
            return usage(cli_fail("cloud", EXIT_USAGE, "--cloud %s", err.text));
        rc = admin_place_token(out, c->token_file, &err);
    } else {
        rc = c->state != NULL ? admin_place_in(c->state, path, &err)
                              : admin_place_of_user(path, &err);
        if (rc == 0)
            rc = admin_place_read(path, out, &err);
        if (rc == ERR_NOT_FOUND)
            return not_running(c->state != NULL ? "no cloud is running on this state"
                                                : "no cloud of this user is running");
    }
    return rc == 0 ? 0 : cli_fail("cloud", EXIT_INCONCLUSIVE, "%s", err.text);
}

static int exit_of(int rc, const struct err *err)
{
    switch (rc) {
    case ERR_ARG:
        return usage(cli_fail("cloud", EXIT_USAGE, "%s", err->text));
    case ERR_NOT_FOUND:
        return not_running(err->text);
    case ERR_WRONG_STATE:
        return cli_fail("cloud", EXIT_FAILED, "%s", err->text);
    default:
        return cli_fail("cloud", EXIT_INCONCLUSIVE, "%s", err->text);
    }
}

static int print(const struct command_line *c, const cJSON *reply)
{
    struct buf text;
    int code = EXIT_PASSED;
    if (c->json) {
        char *printed = cJSON_Print(reply);
        if (printed == NULL || puts(printed) < 0)
            code = cli_fail("cloud", EXIT_INCONCLUSIVE, "cannot print");
        cJSON_free(printed);
        return code;
    }
    buf_init(&text, 64u << 20);
    if (client_show(c->request.verb, reply, &text) != 0)
        code = cli_fail("cloud", EXIT_INCONCLUSIVE, "too much to show, try --limit or --json");
    else if (text.len_bytes > 0)
        (void)fwrite(text.data, 1, text.len_bytes, stdout);
    buf_free(&text);
    return code;
}

int main(int argc, char **argv)
{
    struct command_line c = {.json = false};
    struct admin_place place;
    struct json reply;
    struct err err = {""};
    if (argc < 2 || strcmp(argv[1], "help") == 0 || argv[1][0] == '-') {
        (void)fputs(help, argc < 2 ? stderr : stdout);
        return argc < 2 ? EXIT_USAGE : EXIT_PASSED;
    }
    c.request.verb = client_find_verb(argv[1]);
    if (c.request.verb == NULL)
        return usage(cli_fail("cloud", EXIT_USAGE, "there is no verb \"%s\"", argv[1]));
    int code = read_line(&c, argc - 1, argv + 1);
    if (code < 0) {
        (void)fputs(help, stdout);
        return EXIT_PASSED;
    }
    if (code == 0)
        code = find_place(&c, &place);
    if (code != 0)
        return code;
    c.request.place = &place;
    int rc = client_act(&c.request, &reply, &err);
    code = rc == 0 ? print(&c, reply.root) : exit_of(rc, &err);
    json_free(&reply);
    return code;
}
