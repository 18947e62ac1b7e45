/* otabench cloud: the mock cloud alone, for real devices. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/vtime.h"
#include "mock_cloud/aliyun/aliyun.h"
#include "mock_cloud/broker/remote.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/cloud_serve.h"
#include "scenarios/cli/cloud_setup.h"

static const char help[] =
    "usage: otabench cloud [option...]\n"
    "       otabench cloud VERB ...    asks one that is running: 'otabench cloud help'\n"
    "\n"
    "Runs the mock update cloud for real devices: MQTT (Aliyun IoT), HTTP and HTTPS (object "
    "storage,\n"
    "China Mobile CMS-OTA), until Ctrl-C. Prints where it listens, what a device needs to log in, "
    "and\n"
    "commands to try it by hand. docs/clouds/aliyun.md walks through an upgrade.\n"
    "\n"
    "what it offers:\n"
    "  --product KEY           Aliyun product key (default demo)\n"
    "  --device NAME[:SECRET]  device of that product (default device1); may be given up to 64 "
    "times\n"
    "  --firmware VERSION=FILE firmware for the first device, offered to it as a verification; may "
    "be\n"
    "                          given up to 16 times, the last is the one it gets\n"
    "  --setup FILE            JSON set-up file: products, devices, firmware, tasks\n"
    "  --state DIR             keep everything there: uploads, tasks, records and keys survive a\n"
    "                          restart and a kill (default: in memory)\n"
    "where it listens:\n"
    "  --bind IP               IPv4 address of the listeners (default 127.0.0.1)\n"
    "  --host NAME             what URLs name (default: the address; needed with 0.0.0.0)\n"
    "  --http-port N, --https-port N, --mqtt-port N, --mqtts-port N\n"
    "                          (default: those of the last start on this state, else free ones;\n"
    "                          devices that take no port in a URL need 80 and 443)\n"
    "  --tls                   URLs begin with https\n"
    "  --broker URL            an external MQTT broker or cluster in place of our own:\n"
    "                          mqtt://[USER[:PASSWORD]@]HOST[:PORT] or mqtts://; logins and topic\n"
    "                          rules are that broker's then\n"
    "  --broker-ca FILE        its CA for mqtts, PEM (default: the system's)\n"
    "  --no-mqtt               HTTP alone\n"
    "  --admin-port N, --no-admin\n"
    "                          live operation over HTTP, always on 127.0.0.1: devices, firmware, "
    "tasks\n"
    "                          and records, with the printed token; or none\n"
    "how it behaves:\n"
    "  --signing-key FILE      announced images are signed with this private key: RSA of 2048 "
    "bits,\n"
    "                          PEM, no pass phrase; AliOS Things checks it, see 'otabench device'\n"
    "  --auth-key              URLs carry an auth_key, as behind a content network\n"
    "  --refusals N            a device that uses an expired URL so often is slowed down, and its\n"
    "                          upgrade has failed (default 100; 0: no end)\n"
    "  --url-lifetime S        seconds a download URL is good for (default 1800)\n"
    "  --task-timeout S        seconds without a sign of life until an upgrade has failed "
    "(default\n"
    "                          900)\n"
    "  --log quiet|info|debug  one line per event on standard error (default info); only debug "
    "shows\n"
    "                          payloads and URLs\n"
    "  --quiet                 --log quiet, and only endpoints and credentials on standard output\n"
    "\n"
    "examples:\n"
    "  otabench cloud --firmware 2.0.0=new.bin\n"
    "  otabench cloud --setup fleet.json --state ./cloud --bind 192.168.1.10 --http-port 80\n"
    "\n"
    "Exit: 0 stopped by Ctrl-C or SIGTERM, 2 it could not start or an edge ended, 64 wrong "
    "usage.\n";

#define DEVICES_MAX  64
#define FIRMWARE_MAX 16
#define EXTENSION    "timestamp=2524608000000,securemode=%d,signmethod=hmacsha256"

struct request {
    struct serve_config serve;
    const char *product, *setup;
    const char *device[DEVICES_MAX];
    size_t device_count;
    const char *firmware[FIRMWARE_MAX];
    size_t firmware_count;
    bool quiet;
};

/* ---- what is printed ---- */

static void print_endpoints(struct serve *s, const struct request *r)
{
    const char *ip = r->serve.bind_ip;
    (void)printf("http      http://%s:%u\n", ip, serve_http_port(s));
    if (serve_https_port(s) != 0)
        (void)printf("https     https://%s:%u\n", ip, serve_https_port(s));
    if (serve_mqtt_port(s) != 0)
        (void)printf("mqtt      mqtt://%s:%u\n", ip, serve_mqtt_port(s));
    if (serve_mqtts_port(s) != 0)
        (void)printf("mqtts     mqtts://%s:%u\n", ip, serve_mqtts_port(s));
    struct remote_url url;
    if (r->serve.broker_url != NULL && remote_url_parse(r->serve.broker_url, &url, NULL) == 0)
        (void)printf("broker    mqtt%s://%s:%u\n", url.tls ? "s" : "", url.host, url.port);
    if (serve_admin_port(s) != 0) {
        (void)printf("admin     http://127.0.0.1:%u/admin\n", serve_admin_port(s));
        (void)printf("token     %s\n", serve_admin_token(s));
    }
    if (serve_ca_path(s)[0] != '\0')
        (void)printf("ca        %s\n", serve_ca_path(s));
}

struct login {
    char device_name[STORE_TEXT_MAX], product_key[STORE_TEXT_MAX], client_id[512], password[65];
    struct store_device device;
};

static bool make_login(struct serve *s, const char *identity, struct login *out)
{
    char base[2 * STORE_TEXT_MAX], extension[128];
    if (store_get_device(cloud_store(serve_cloud(s)), identity, &out->device, NULL) != 0)
        return false;
    (void)snprintf(out->device_name, sizeof out->device_name, "%s", out->device.mid);
    (void)snprintf(out->product_key, sizeof out->product_key, "%s", out->device.product_id);
    (void)snprintf(base, sizeof base, "%s.%s", out->product_key, out->device_name);
    (void)snprintf(extension, sizeof extension, EXTENSION, 3);
    (void)snprintf(out->client_id, sizeof out->client_id, "%s|%s|", base, extension);
    return aliyun_password(base, extension, out->device_name, out->product_key, out->device.secret,
                           out->password) == 0;
}

static void print_credentials(const struct login *l)
{
    (void)printf("product   %s\n", l->product_key);
    (void)printf("device    %s\n", l->device_name);
    (void)printf("secret    %s\n", l->device.secret);
    (void)printf("client id %s\n", l->client_id);
    (void)printf("user name %s\n", l->device.device_id);
    (void)printf("password  %s\n", l->password);
}

/* The commands of docs/clouds/aliyun.md, with what this run has. */
static void print_commands(struct serve *s, const struct request *r, const struct login *l)
{
    if (serve_mqtt_port(s) == 0)
        return;
    (void)printf("\nlisten as the device:\n"
                 "  mosquitto_sub -h %s -p %u -i '%s' -u '%s' -P %s -q 1 -v"
                 " -t /ota/device/upgrade/%s/%s\n",
                 r->serve.bind_ip, serve_mqtt_port(s), l->client_id, l->device.device_id,
                 l->password, l->product_key, l->device_name);
    static const struct {
        const char *text, *topic, *payload;
    } deeds[] = {
        {"tell the version it runs", "inform", "{\"id\":1,\"params\":{\"version\":\"1.0.0\"}}"},
        {"tell progress", "progress", "{\"id\":2,\"params\":{\"step\":\"10\",\"desc\":\"\"}}"},
    };
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++)
        (void)printf("%s:\n"
                     "  mosquitto_pub -h %s -p %u -i '%s' -u '%s' -P %s -q 1"
                     " -t /ota/device/%s/%s/%s -m '%s'\n",
                     deeds[i].text, r->serve.bind_ip, serve_mqtt_port(s), l->client_id,
                     l->device.device_id, l->password, deeds[i].topic, l->product_key,
                     l->device_name, deeds[i].payload);
    (void)printf("or let the emulated device be it:\n"
                 "  otabench device --cloud mqtt://%s:%u --agent aiot --product '%s' --device '%s'"
                 " --secret '%s' --flash dev.bin",
                 r->serve.bind_ip, serve_mqtt_port(s), l->product_key, l->device_name,
                 l->device.secret);
    if (r->serve.tls) /* the URLs are https then */
        (void)printf(" --ca '%s'", serve_ca_path(s));
    (void)printf("\n");
}

static void print_all(struct serve *s, const struct request *r, const struct cloud_setup *setup)
{
    struct login l;
    print_endpoints(s, r);
    if (setup->device_id[0] != '\0' && make_login(s, setup->device_id, &l)) {
        print_credentials(&l);
        if (!r->quiet)
            print_commands(s, r, &l);
    }
    if (!r->quiet && serve_admin_port(s) != 0)
        (void)printf("look at it while it runs:\n  otabench cloud records%s%s\n",
                     r->serve.state_dir == NULL ? "" : " --state ",
                     r->serve.state_dir == NULL ? "" : r->serve.state_dir);
    if (!r->quiet)
        (void)printf("\nCtrl-C ends it.\n");
    (void)fflush(stdout);
}

/* ---- running ---- */

/* Blocks the signals that end it; a file descriptor that becomes readable instead. */
static int open_signals(void)
{
    sigset_t mask;
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGINT);
    (void)sigaddset(&mask, SIGTERM);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) != 0)
        return -1;
    return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int set_up(struct cloud_setup *setup, const struct request *r, struct err *err)
{
    bool own =
        r->setup == NULL || r->product != NULL || r->device_count > 0 || r->firmware_count > 0;
    const char *product = r->product == NULL ? "demo" : r->product;
    const char *first = r->device_count == 0 ? "device1" : r->device[0];
    char name[STORE_TEXT_MAX];
    int rc = r->setup == NULL ? 0 : setup_file(setup, r->setup, err);
    if (rc != 0 || !own)
        return rc;
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(first, ":"), first);
    rc = setup_device(setup, product, first, err);
    for (size_t i = 1; rc == 0 && i < r->device_count; i++)
        rc = setup_device(setup, product, r->device[i], err);
    for (size_t i = 0; rc == 0 && i < r->firmware_count; i++)
        rc = setup_firmware(setup, product, name, r->firmware[i], err);
    return rc;
}

/* Tasks that wait for a failure are tried again every second. */
static int serve(struct serve *s, struct cloud_setup *setup, int stop_fd, struct err *err)
{
    for (;;) {
        int64_t now_ns = serve_now_ns(s);
        int rc = setup_start(setup, now_ns, err);
        if (rc < 0)
            return rc;
        rc = serve_run(s, setup->task_count == 0 ? VTIME_NEVER : now_ns + NS_PER_S, stop_fd, err);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
}

static int run(const struct request *r)
{
    struct err err = {.text = ""};
    int stop_fd = open_signals();
    if (stop_fd < 0)
        return cli_fail("cloud", EXIT_INCONCLUSIVE, "cannot take signals");
    struct serve *s = serve_open(&r->serve, &err);
    if (s == NULL)
        return cli_fail("cloud", EXIT_INCONCLUSIVE, "%s", err.text);
    static struct cloud_setup setup; /* large, and there is one */
    setup = (struct cloud_setup){.cloud = serve_cloud(s), .now_ns = serve_now_ns(s)};
    int rc = set_up(&setup, r, &err);
    if (rc == 0)
        rc = store_sync(cloud_store(serve_cloud(s)), &err);
    int code = EXIT_PASSED;
    if (rc != 0) {
        bool usage = rc == ERR_ARG || rc == ERR_FORMAT;
        code = cli_fail("cloud", usage ? EXIT_USAGE : EXIT_INCONCLUSIVE, "%s", err.text);
    } else {
        print_all(s, r, &setup);
        if (serve(s, &setup, stop_fd, &err) != 0)
            code = cli_fail("cloud", EXIT_INCONCLUSIVE, "%s", err.text);
    }
    serve_close(s);
    (void)close(stop_fd);
    return code;
}

/* ---- command line ---- */

enum {
    OPT_PRODUCT = 1000,
    OPT_DEVICE,
    OPT_FIRMWARE,
    OPT_SETUP,
    OPT_STATE,
    OPT_BIND,
    OPT_HOST,
    OPT_HTTP,
    OPT_HTTPS,
    OPT_MQTT,
    OPT_MQTTS,
    OPT_TLS,
    OPT_BROKER,
    OPT_BROKER_CA,
    OPT_NO_MQTT,
    OPT_ADMIN,
    OPT_NO_ADMIN,
    OPT_SIGNING_KEY,
    OPT_AUTH_KEY,
    OPT_REFUSALS,
    OPT_LIFETIME,
    OPT_TIMEOUT,
    OPT_LOG,
    OPT_QUIET
};

static const struct option longs[] = {
    {"help", no_argument, NULL, 'h'},
    {"product", required_argument, NULL, OPT_PRODUCT},
    {"device", required_argument, NULL, OPT_DEVICE},
    {"firmware", required_argument, NULL, OPT_FIRMWARE},
    {"setup", required_argument, NULL, OPT_SETUP},
    {"state", required_argument, NULL, OPT_STATE},
    {"bind", required_argument, NULL, OPT_BIND},
    {"host", required_argument, NULL, OPT_HOST},
    {"http-port", required_argument, NULL, OPT_HTTP},
    {"https-port", required_argument, NULL, OPT_HTTPS},
    {"mqtt-port", required_argument, NULL, OPT_MQTT},
    {"mqtts-port", required_argument, NULL, OPT_MQTTS},
    {"tls", no_argument, NULL, OPT_TLS},
    {"broker", required_argument, NULL, OPT_BROKER},
    {"broker-ca", required_argument, NULL, OPT_BROKER_CA},
    {"no-mqtt", no_argument, NULL, OPT_NO_MQTT},
    {"admin-port", required_argument, NULL, OPT_ADMIN},
    {"no-admin", no_argument, NULL, OPT_NO_ADMIN},
    {"signing-key", required_argument, NULL, OPT_SIGNING_KEY},
    {"auth-key", no_argument, NULL, OPT_AUTH_KEY},
    {"refusals", required_argument, NULL, OPT_REFUSALS},
    {"url-lifetime", required_argument, NULL, OPT_LIFETIME},
    {"task-timeout", required_argument, NULL, OPT_TIMEOUT},
    {"log", required_argument, NULL, OPT_LOG},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {0},
};

static int take_port(uint16_t *out, const char *option)
{
    uint64_t n = 0;
    if (!cli_number(optarg, 1, 65535, &n))
        return cli_usage("cloud", "%s %s: must be from 1 to 65535", option, optarg);
    *out = (uint16_t)n;
    return 0;
}

static int take_seconds(int64_t *out, const char *option)
{
    uint64_t n = 0;
    if (!cli_number(optarg, 1, 31622400, &n))
        return cli_usage("cloud", "%s %s: must be from 1 to 31622400 seconds", option, optarg);
    *out = (int64_t)n * NS_PER_S;
    return 0;
}

static int take_refusals(uint32_t *out)
{
    uint64_t n = 0;
    if (!cli_number(optarg, 0, 1000000, &n))
        return cli_usage("cloud", "--refusals %s: must be from 0 to 1000000", optarg);
    *out = (uint32_t)n;
    return 0;
}

static int take_item(const char **list, size_t *count, size_t max, const char *option)
{
    if (*count == max)
        return cli_usage("cloud", "%s more than %zu times", option, max);
    list[(*count)++] = optarg;
    return 0;
}

static int take_log(struct request *r)
{
    static const char *const words[] = {"quiet", "info", "debug"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(optarg, words[i]) == 0) {
            r->serve.log = (enum serve_log)i;
            return 0;
        }
    }
    return cli_usage("cloud", "--log %s: must be quiet, info or debug", optarg);
}

static int take_bind(struct request *r)
{
    struct in_addr address;
    if (inet_pton(AF_INET, optarg, &address) != 1)
        return cli_usage("cloud", "--bind %s: must be an IPv4 address", optarg);
    r->serve.bind_ip = optarg;
    return 0;
}

static int take_host(struct request *r)
{
    size_t len = strlen(optarg);
    if (len == 0 || len > 63 ||
        strspn(optarg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") != len)
        return cli_usage("cloud", "--host %s: must be 1 to 63 letters, digits, dots and hyphens",
                         optarg);
    r->serve.host = optarg;
    return 0;
}

static int take_broker(struct request *r)
{
    struct remote_url url;
    struct err err = {""};
    if (remote_url_parse(optarg, &url, &err) != 0) /* the URL may hold a password: not shown */
        return cli_usage("cloud", "--broker: %s", err.text);
    r->serve.broker_url = optarg;
    return 0;
}

static int take(struct request *r, int option)
{
    switch (option) {
    case OPT_PRODUCT:
        r->product = optarg;
        return 0;
    case OPT_DEVICE:
        return take_item(r->device, &r->device_count, DEVICES_MAX, "--device");
    case OPT_FIRMWARE:
        return take_item(r->firmware, &r->firmware_count, FIRMWARE_MAX, "--firmware");
    case OPT_SETUP:
        r->setup = optarg;
        return 0;
    case OPT_STATE:
        r->serve.state_dir = optarg;
        return 0;
    case OPT_BIND:
        return take_bind(r);
    case OPT_HOST:
        return take_host(r);
    case OPT_HTTP:
        return take_port(&r->serve.http_port, "--http-port");
    case OPT_HTTPS:
        return take_port(&r->serve.https_port, "--https-port");
    case OPT_MQTT:
        return take_port(&r->serve.mqtt_port, "--mqtt-port");
    case OPT_MQTTS:
        return take_port(&r->serve.mqtts_port, "--mqtts-port");
    case OPT_TLS:
        r->serve.tls = true;
        return 0;
    case OPT_BROKER:
        return take_broker(r);
    case OPT_BROKER_CA:
        r->serve.broker_ca = optarg;
        return 0;
    case OPT_NO_MQTT:
        r->serve.no_mqtt = true;
        return 0;
    case OPT_ADMIN:
        return take_port(&r->serve.admin_port, "--admin-port");
    case OPT_NO_ADMIN:
        r->serve.no_admin = true;
        return 0;
    case OPT_SIGNING_KEY:
        r->serve.signing_key = optarg;
        return 0;
    case OPT_AUTH_KEY:
        r->serve.auth_key = true;
        return 0;
    case OPT_REFUSALS:
        return take_refusals(&r->serve.refusals_max);
    case OPT_LIFETIME:
        return take_seconds(&r->serve.url_lifetime_ns, "--url-lifetime");
    case OPT_TIMEOUT:
        return take_seconds(&r->serve.task_timeout_ns, "--task-timeout");
    case OPT_LOG:
        return take_log(r);
    default:
        r->quiet = true;
        r->serve.log = LOG_QUIET;
        return 0;
    }
}

/* A word instead of an option: for the client, a program of its own beside this one. */
static int ask_running(char **argv)
{
    char path[600], *slash = NULL;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 20);
    path[n < 0 ? 0 : n] = '\0';
    slash = strrchr(path, '/');
    if (slash != NULL) {
        (void)snprintf(slash + 1, 16, "otabench-cloud");
        (void)execv(path, argv);
    }
    return cli_fail("cloud", EXIT_INCONCLUSIVE,
                    "%s: %s (target otabench-cloud; a whole build makes it)", path,
                    strerror(errno));
}

int cmd_cloud(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] != '-')
        return ask_running(argv);
    struct request r = {.serve = {.bind_ip = "127.0.0.1",
                                  .url_lifetime_ns = ALIYUN_URL_LIFETIME_NS,
                                  .task_timeout_ns = 900 * NS_PER_S,
                                  .refusals_max = 100,
                                  .log = LOG_INFO,
                                  .log_file = stderr}};
    int option, code = 0;
    while (code == 0 && (option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (option == 'h') {
            (void)fputs(help, stdout);
            return EXIT_PASSED;
        }
        code = option == '?' ? cli_bad_option("cloud", argv) : take(&r, option);
    }
    if (code == 0 && optind < argc)
        code = cli_usage("cloud", "%s: options only; what a running cloud is asked comes first",
                         argv[optind]);
    bool own_broker = r.serve.no_mqtt || r.serve.mqtt_port != 0 || r.serve.mqtts_port != 0;
    if (code == 0 && r.serve.broker_url != NULL && own_broker)
        code = cli_usage("cloud", "--broker goes with neither --no-mqtt nor a port of our own");
    if (code == 0 && r.serve.host == NULL && strcmp(r.serve.bind_ip, "0.0.0.0") == 0)
        code = cli_usage("cloud", "--bind 0.0.0.0 is every address: --host says which one the URLs "
                                  "name, a device cannot fetch from 0.0.0.0");
    if (code == 0 && r.serve.broker_url == NULL && r.serve.broker_ca != NULL)
        code = cli_usage("cloud", "--broker-ca is for --broker");
    return code != 0 ? code : run(&r);
}
