/* otabench device: the emulated device alone, against a cloud. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/signature.h"
#include "mock_cloud/tls/ca.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/input.h"
#include "scenarios/engine/lone_device.h"

static const char help[] =
    "usage: otabench device --cloud ENDPOINTS --agent NAME --secret SECRET [option...]\n"
    "\n"
    "Runs the emulated device alone, in real time, against 'otabench cloud' or any Aliyun IoT or "
    "CMS-OTA cloud:\n"
    "it reports its version, takes the upgrade it is told of, starts it and reports again. One "
    "line\n"
    "per event: seconds, flash operations so far, lane, event. Ends when all rounds are done; "
    "Ctrl-C\n"
    "is a power cut.\n"
    "\n"
    "  --cloud LIST            mqtt://HOST:PORT or mqtts://HOST:PORT; http:// endpoints may stand\n"
    "                          beside it, separated by commas: downloads go where the cloud's URL\n"
    "                          says\n"
    "  --agent NAME            whose client it runs: iot-ota (Link SDK 2 and 3), aiot (Link SDK "
    "4),\n"
    "                          uota (AliOS Things), cmiot (CMS-OTA; LIST is then one http://)\n"
    "  --product KEY           product key (default demo)\n"
    "  --device NAME           device name (default device1)\n"
    "  --secret SECRET         device secret, as the cloud has it; cmiot: the product's, left out "
    "by\n"
    "                          products of the tunnel, where the device has an OID\n"
    "  --ca FILE               PEM file of the CA that mqtts:// and https:// are checked with\n"
    "  --public-key FILE       uota: images must be signed, and this public RSA key must say so, "
    "PEM\n"
    "                          (default: any image is taken that is not signed)\n"
    "  --flash FILE            keep the flash there between runs; made with the factory image "
    "when\n"
    "                          absent (default: a new chip each time)\n"
    "  --version V             of the factory image (default 1.0.0)\n"
    "  --image FILE            factory image (default: a generated one of 64 KiB)\n"
    "  --rounds N              rounds until it goes idle (default 3)\n"
    "  --check-interval MS     between two rounds (default 5000)\n"
    "  --cut OP[tTEAR]         cut the power at that flash operation of this run, and switch it "
    "on\n"
    "                          again a second later; up to 8, separated by commas, rising. TEAR "
    "is\n"
    "                          a number of 'otabench list --tears' (default 0: not begun)\n"
    "  --quiet                 only the end\n"
    "\n"
    "example, with the cloud of docs/clouds/aliyun.md:\n"
    "  otabench device --cloud mqtt://127.0.0.1:60899 --agent aiot --secret 38e3... --flash "
    "dev.bin\n"
    "\n"
    "Exit: 0 idle and alive, 1 the device does not start any more, 2 bench fault, 64 wrong "
    "usage.\n";

struct request {
    struct device_config config;
    struct lone_device_options lone;
    const char *cloud, *agent, *ca, *image, *public_key;
    bool quiet, secret;
};

static void print_event(void *ctx, int64_t now_ns, uint64_t ops, enum lane lane, const char *event,
                        const struct trace_field *fields, size_t n)
{
    const struct request *r = ctx;
    if (r->quiet || lane == LANE_FLASH || strcmp(event, "heap") == 0)
        return;
    (void)printf("%9.3f %6" PRIu64 "  %-7s %s", (double)now_ns / (double)NS_PER_S, ops,
                 lane_name(lane), event);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].text != NULL)
            (void)printf(" %s=%s", fields[i].key, fields[i].text);
        else
            (void)printf(" %s=%" PRId64, fields[i].key, fields[i].integer);
    }
    (void)putchar('\n');
    (void)fflush(stdout);
}

/* ---- command line ---- */

enum {
    OPT_CLOUD = 1000,
    OPT_AGENT,
    OPT_PRODUCT,
    OPT_DEVICE,
    OPT_SECRET,
    OPT_CA,
    OPT_PUBLIC_KEY,
    OPT_FLASH,
    OPT_VERSION,
    OPT_IMAGE,
    OPT_ROUNDS,
    OPT_INTERVAL,
    OPT_CUT,
    OPT_QUIET
};

static const struct option longs[] = {
    {"help", no_argument, NULL, 'h'},
    {"cloud", required_argument, NULL, OPT_CLOUD},
    {"agent", required_argument, NULL, OPT_AGENT},
    {"product", required_argument, NULL, OPT_PRODUCT},
    {"device", required_argument, NULL, OPT_DEVICE},
    {"secret", required_argument, NULL, OPT_SECRET},
    {"ca", required_argument, NULL, OPT_CA},
    {"public-key", required_argument, NULL, OPT_PUBLIC_KEY},
    {"flash", required_argument, NULL, OPT_FLASH},
    {"version", required_argument, NULL, OPT_VERSION},
    {"image", required_argument, NULL, OPT_IMAGE},
    {"rounds", required_argument, NULL, OPT_ROUNDS},
    {"check-interval", required_argument, NULL, OPT_INTERVAL},
    {"cut", required_argument, NULL, OPT_CUT},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {0},
};

static int take_text(char *out, size_t cap, const char *option)
{
    size_t len = strlen(optarg);
    if (len == 0 || len >= cap)
        return cli_usage("device", "%s: must have 1 to %zu bytes", option, cap - 1);
    memset(out, 0, cap);
    memcpy(out, optarg, len);
    return 0;
}

static int take_number(uint32_t *out, const char *option, uint32_t max)
{
    uint64_t n = 0;
    if (!cli_number(optarg, 1, max, &n))
        return cli_usage("device", "%s %s: must be from 1 to %u", option, optarg, (unsigned)max);
    *out = (uint32_t)n;
    return 0;
}

static int take_cuts(struct request *r)
{
    struct err err = {.text = ""};
    return lone_device_cuts(&r->lone, optarg, &err) == 0
               ? 0
               : cli_usage("device", "--cut %s", err.text);
}

static int take(struct request *r, int option)
{
    struct device_config *c = &r->config;
    switch (option) {
    case OPT_CLOUD:
        r->cloud = optarg;
        return 0;
    case OPT_AGENT:
        return 0; /* came first: it decides about the defaults */
    case OPT_PRODUCT:
        return take_text(c->product_id, sizeof c->product_id, "--product");
    case OPT_DEVICE:
        return take_text(c->did, sizeof c->did, "--device");
    case OPT_SECRET:
        r->secret = true;
        return take_text(c->device_secret, sizeof c->device_secret, "--secret");
    case OPT_CA:
        r->ca = optarg;
        return 0;
    case OPT_PUBLIC_KEY:
        r->public_key = optarg;
        return 0;
    case OPT_FLASH:
        r->lone.flash_path = optarg;
        return 0;
    case OPT_VERSION:
        return take_text(c->firmware_version, SLOTS_VERSION_MAX, "--version");
    case OPT_IMAGE:
        r->image = optarg;
        return 0;
    case OPT_ROUNDS:
        return take_number(&c->rounds, "--rounds", 1000000);
    case OPT_INTERVAL:
        return take_number(&c->check_interval_ms, "--check-interval", 86400000);
    case OPT_CUT:
        return take_cuts(r);
    default:
        r->quiet = true;
        return 0;
    }
}

static int choose_agent(struct request *r)
{
    static const struct {
        const char *word;
        enum device_agent agent;
    } words[] = {{"iot-ota", AGENT_IOT_OTA},
                 {"aiot", AGENT_AIOT},
                 {"uota", AGENT_UOTA},
                 {"cmiot", AGENT_CMIOT}};
    for (size_t i = 0; r->agent != NULL && i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(r->agent, words[i].word) != 0)
            continue;
        device_config_default_for(&r->config, words[i].agent);
        (void)snprintf(r->config.product_id, sizeof r->config.product_id, "demo");
        (void)snprintf(r->config.firmware_version, sizeof r->config.firmware_version, "1.0.0");
        r->config.check_interval_ms = 5000;
        return 0;
    }
    return cli_usage("device", "--agent %s: must be iot-ota, aiot, uota or cmiot",
                     r->agent == NULL ? "is missing" : r->agent);
}

/* The agent first, the others over its defaults. */
static int read_options(struct request *r, int argc, char **argv)
{
    int c;
    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (c == '?')
            return cli_bad_option("device", argv);
        if (c == 'h') {
            (void)fputs(help, stdout);
            return -1;
        }
        if (c == OPT_AGENT)
            r->agent = optarg;
    }
    if (optind < argc)
        return cli_usage("device", "\"%s\" means nothing here", argv[optind]);
    int code = choose_agent(r);
    optind = 1;
    while (code == 0 && (c = getopt_long(argc, argv, "h", longs, NULL)) != -1)
        code = take(r, c);
    return code;
}

static int check_cloud(struct request *r)
{
    struct err err = {.text = ""};
    if (r->cloud == NULL)
        return cli_usage("device", "--cloud is missing: mqtt://HOST:PORT, or with cmiot "
                                   "http://HOST:PORT, as otabench cloud prints it");
    if (lone_device_endpoints(&r->config, r->cloud, &err) != 0)
        return cli_usage("device", "--cloud %s", err.text);
    if (r->public_key != NULL && r->config.agent != AGENT_UOTA)
        return cli_usage("device", "--public-key is for --agent uota: the others check no "
                                   "signature");
    if (r->config.agent == AGENT_CMIOT) {
        /* A product with a secret registers its devices; one without is known by OID. */
        r->config.variant = r->secret ? DEVICE_DIRECT : DEVICE_CMS;
        if (r->secret)
            (void)snprintf(r->config.product_key, sizeof r->config.product_key, "%s",
                           r->config.device_secret);
        return 0;
    }
    if (!r->secret)
        return cli_usage("device",
                         "--secret is missing: the device's, as otabench cloud prints it");
    if (r->config.tls && r->ca == NULL)
        return cli_usage("device", "mqtts:// needs --ca, as otabench cloud prints it");
    return 0;
}

/* ---- running ---- */

static int read_public_key(struct request *r, char pem[CA_PEM_MAX], struct err *err)
{
    int rc = ca_read_pem(r->public_key, pem, err);
    if (rc == 0 && (rc = signature_key_check(pem, false, err)) != 0)
        (void)err_prefix(err, rc, "%s", r->public_key);
    r->config.image_key_pem = pem;
    r->config.signature_required = true;
    return rc;
}

static int run(struct request *r)
{
    static char ca_pem[CA_PEM_MAX], key_pem[CA_PEM_MAX];
    char own_dir[] = "/tmp/otabench-device-XXXXXX", own_flash[64] = "", own_meta[80], own_label[80];
    struct err err = {.text = ""};
    struct lone_device_result result = {.alive = false};
    struct buf image;
    buf_init(&image, 64u << 20);
    int rc = 0;
    if (r->ca != NULL) {
        rc = ca_read_pem(r->ca, ca_pem, &err);
        r->config.ca_pem = ca_pem;
    }
    if (rc == 0 && r->public_key != NULL)
        rc = read_public_key(r, key_pem, &err);
    if (rc == 0 && r->image != NULL) {
        rc = input_read(&image, r->image, &err);
        r->lone.image = &image;
    }
    if (rc == 0 && r->lone.flash_path == NULL) {
        if (mkdtemp(own_dir) == NULL)
            rc = err_set(&err, ERR_IO, "no temporary directory");
        (void)snprintf(own_flash, sizeof own_flash, "%s/flash.bin", own_dir);
        (void)snprintf(own_meta, sizeof own_meta, "%s.meta", own_flash);
        (void)snprintf(own_label, sizeof own_label, "%s.version", own_flash);
        r->lone.flash_path = own_flash;
    }
    if (rc == 0)
        rc = lone_device_run(&r->lone, &result, &err);
    if (own_flash[0] != '\0') {
        (void)unlink(own_flash);
        (void)unlink(own_meta);
        (void)unlink(own_label);
        (void)rmdir(own_dir);
    }
    buf_free(&image);
    if (rc != 0)
        return cli_fail("device", rc == ERR_ARG ? EXIT_USAGE : EXIT_INCONCLUSIVE, "%s", err.text);
    (void)printf("%s, version %s, %u power cut%s\n", result.alive ? "idle" : "does not start",
                 result.version, (unsigned)result.cuts, result.cuts == 1 ? "" : "s");
    return result.alive ? EXIT_PASSED : EXIT_FAILED;
}

int cmd_device_cloud(int argc, char **argv)
{
    static struct request r; /* large, and there is one */
    opterr = 0;
    (void)signal(SIGPIPE, SIG_IGN);
    int code = read_options(&r, argc, argv);
    if (code != 0)
        return code < 0 ? EXIT_PASSED : code;
    code = check_cloud(&r);
    if (code != 0)
        return code;
    r.lone.config = &r.config;
    r.lone.event = print_event;
    r.lone.event_ctx = &r;
    return run(&r);
}
