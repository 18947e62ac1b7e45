/* `otabench device --scenario ...`: the device process of wire mode. Started by the bench, not
 * meant for people; without --scenario it is the device alone (cmd_device_cloud.c). */
#include <getopt.h>
#include <signal.h>
#include <string.h>

#include "scenarios/cli/cli.h"
#include "scenarios/engine/wire_device.h"

static int parse(int argc, char **argv, struct wire_device_options *o)
{
    static const struct option longs[] = {
        {"scenario", required_argument, NULL, 's'}, {"flash", required_argument, NULL, 'f'},
        {"relay", required_argument, NULL, 'r'},    {"events", required_argument, NULL, 'e'},
        {"offset", required_argument, NULL, 'o'},   {"seed", required_argument, NULL, 'S'},
        {"cache", required_argument, NULL, 'c'},    {"heal", no_argument, NULL, 'h'},
        {"rule", required_argument, NULL, 'R'},     {"relay-mqtt", required_argument, NULL, 'm'},
        {"ca", required_argument, NULL, 'C'},       {NULL, 0, NULL, 0}};
    *o = (struct wire_device_options){.event_fd = -1};
    uint64_t n = 0;
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        bool good = true;
        switch (c) {
        case 's':
            o->scenario_path = optarg;
            break;
        case 'f':
            o->flash_path = optarg;
            break;
        case 'r':
            good = cli_number(optarg, 1, 65535, &n);
            o->relay_port = (uint16_t)n;
            break;
        case 'm':
            good = cli_number(optarg, 1, 65535, &n);
            o->relay_mqtt_port = (uint16_t)n;
            break;
        case 'C':
            o->ca_path = optarg;
            break;
        case 'e':
            good = cli_number(optarg, 0, 1023, &n);
            o->event_fd = (int)n;
            break;
        case 'o':
            good = cli_number(optarg, 0, INT64_MAX, &n);
            o->now_offset_ns = (int64_t)n;
            break;
        case 'S':
            good = cli_number(optarg, 0, UINT64_MAX, &o->seed);
            break;
        case 'c':
            o->cache_dir = optarg;
            break;
        case 'h':
            o->heal = true;
            break;
        case 'R':
            good = o->n_rules < SCENARIO_RULES_MAX &&
                   wire_rule_parse(optarg, &o->rules[o->n_rules]) == 0;
            o->n_rules++;
            break;
        default:
            good = false;
            break;
        }
        if (!good)
            return cli_usage("device", "bad argument");
    }
    if (o->scenario_path == NULL || o->flash_path == NULL || o->relay_port == 0 || o->event_fd < 0)
        return cli_usage("device", "needs --scenario, --flash, --relay and --events");
    return 0;
}

static int wire_process(int argc, char **argv)
{
    struct wire_device_options o;
    int code = parse(argc, argv, &o);
    if (code != 0)
        return code;
    (void)signal(SIGPIPE, SIG_IGN);
    struct err err = {.text = ""};
    int rc = wire_device_run(&o, &err);
    return rc == 0 ? EXIT_PASSED : cli_fail("device", EXIT_INCONCLUSIVE, "%s", err.text);
}

int cmd_device(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--scenario") == 0)
            return wire_process(argc, argv);
    return cmd_device_cloud(argc, argv);
}
