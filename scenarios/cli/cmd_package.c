/* otabench package: update packages by hand. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "mock_cloud/packages/packages.h"
#include "scenarios/cli/cli.h"
#include "scenarios/cli/input.h"
#include "scenarios/cli/report.h"
#include "sim_device/device.h"

static const char help[] =
    "usage: otabench package make --new F... [--old F...] --to V --out F [option...]\n"
    "       otabench package info FILE\n"
    "       otabench package verify FILE\n"
    "\n"
    "Makes and inspects update packages. --old, --new, --name and --address may be given up to 20\n"
    "times; the n-th of each belong together. Without --old the package carries whole images.\n"
    "\n"
    "  --old F            image that is on the device\n"
    "  --new F            image it is to become\n"
    "  --name N           name of the file on the device (default: that of the standard device\n"
    "                     for a single file, else the name of --new)\n"
    "  --address N        flash address of the file (default: standard device, single file)\n"
    "  --from V, --to V   versions\n"
    "  --full             whole images even when --old is given\n"
    "  --compare-block N  KiB (default 64)\n"
    "  --restore-block N  bytes, at most the device's backup area (default: standard device)\n"
    "  --window N         bytes of RAM for one VCDIFF window (default 16384)\n"
    "  --out F            the package\n"
    "\n"
    "examples:\n"
    "  otabench package make --old v1.bin --new v2.bin --from 1.0 --to 1.1 --out update.pkg\n"
    "  otabench package info update.pkg\n"
    "\n"
    "Exit: 0 done or sound, 1 damaged (verify), 2 it failed, 64 wrong usage.\n";

#define WINDOW_DEFAULT 16384
#define PACKAGE_MAX    ((size_t)PACKAGE_IMAGE_MAX * PACKAGE_FILES_MAX)

struct list {
    const char *item[PACKAGE_FILES_MAX];
    size_t count;
};

struct make {
    struct list old, new, name, address;
    const char *out;
    struct package_params params;
    uint32_t restore_block_bytes;
};

static int inspect(const char *path, bool describe)
{
    struct buf data, text;
    struct err err = {.text = ""};
    buf_init(&data, PACKAGE_MAX);
    buf_init(&text, (size_t)1 << 20);
    int code = EXIT_PASSED;
    if (input_read(&data, path, &err) != 0) {
        code = cli_fail("package", EXIT_INCONCLUSIVE, "%s", err.text);
    } else if (data.len_bytes == 0) {
        code = cli_fail("package", EXIT_FAILED, "%s: is empty", path);
    } else if (describe) {
        if (package_describe(data.data, data.len_bytes, &text, &err) != 0)
            code = cli_fail("package", EXIT_FAILED, "%s: %s", path, err.text);
        else
            (void)fwrite(text.data, 1, text.len_bytes, stdout);
    } else if (package_verify(data.data, data.len_bytes, &err) != 0) {
        code = cli_fail("package", EXIT_FAILED, "%s: %s", path, err.text);
    } else {
        (void)printf("%s: sound\n", path);
    }
    buf_free(&text);
    buf_free(&data);
    return code;
}

/* ---- make ---- */

/* Everything of the command line that a source needs; an exit code. */
static int describe_sources(const struct make *m, struct package_source *files)
{
    struct device_config standard;
    device_config_default(&standard);
    if (m->new.count == 0)
        return cli_usage("package", "make needs --new");
    if (m->old.count != 0 && m->old.count != m->new.count)
        return cli_usage("package", "%zu --old for %zu --new", m->old.count, m->new.count);
    if (m->name.count > m->new.count || m->address.count > m->new.count)
        return cli_usage("package", "more --name or --address than --new");
    for (size_t i = 0; i < m->new.count; i++) {
        const char *base = strrchr(m->new.item[i], '/');
        const char *name = i < m->name.count   ? m->name.item[i]
                           : m->new.count == 1 ? standard.files[0].name
                           : base != NULL      ? base + 1
                                               : m->new.item[i];
        uint64_t address = standard.files[0].address;
        if (strlen(name) >= sizeof files[i].name)
            return cli_usage("package", "--name %s: longer than %zu bytes", name,
                             sizeof files[i].name - 1);
        if (i >= m->address.count && m->new.count > 1)
            return cli_usage("package", "several files need an --address each");
        if (i < m->address.count && !cli_number(m->address.item[i], 0, UINT32_MAX, &address))
            return cli_usage("package", "--address %s: must be a number below 2^32",
                             m->address.item[i]);
        (void)snprintf(files[i].name, sizeof files[i].name, "%s", name);
        files[i].address = (uint32_t)address;
    }
    return 0;
}

static int make_package(const struct make *m)
{
    struct package_source files[PACKAGE_FILES_MAX] = {0};
    struct buf images[2 * PACKAGE_FILES_MAX], package;
    struct err err = {.text = ""};
    enum package_kind kind = PACKAGE_FULL;
    int code = describe_sources(m, files), rc = 0;
    if (code != 0)
        return code;
    if (m->out == NULL || m->params.to_version[0] == '\0')
        return cli_usage("package", "make needs --out and --to");
    buf_init(&package, PACKAGE_MAX);
    for (size_t i = 0; i < 2 * PACKAGE_FILES_MAX; i++)
        buf_init(&images[i], PACKAGE_IMAGE_MAX);
    for (size_t i = 0; i < m->new.count &&rc == 0; i++) {
        struct buf *old = &images[2 * i], *new = &images[2 * i + 1];
        rc = input_read(new, m->new.item[i], &err);
        if (rc == 0 && m->old.count > 0)
            rc = input_read(old, m->old.item[i], &err);
        files[i].old_image = old->data;
        files[i].old_bytes = (uint32_t)old->len_bytes;
        files[i].new_image = new->data;
        files[i].new_bytes = (uint32_t) new->len_bytes;
    }
    if (rc == 0)
        rc = package_make(&package, files, m->new.count, &m->params, &kind, &err);
    if (rc == 0)
        rc = report_save(m->out, &package, &err);
    if (rc == 0)
        (void)printf("%s: %zu bytes, %s\n", m->out, package.len_bytes,
                     kind == PACKAGE_FULL ? "whole images" : "differences");
    for (size_t i = 0; i < 2 * PACKAGE_FILES_MAX; i++)
        buf_free(&images[i]);
    buf_free(&package);
    return rc == 0 ? EXIT_PASSED : cli_fail("package", EXIT_INCONCLUSIVE, "%s", err.text);
}

/* ---- command line ---- */

enum {
    OPT_OLD = 1000,
    OPT_NEW,
    OPT_NAME,
    OPT_ADDRESS,
    OPT_FROM,
    OPT_TO,
    OPT_FULL,
    OPT_COMPARE,
    OPT_RESTORE,
    OPT_WINDOW,
    OPT_OUT
};

static const struct option longs[] = {
    {"help", no_argument, NULL, 'h'},
    {"old", required_argument, NULL, OPT_OLD},
    {"new", required_argument, NULL, OPT_NEW},
    {"name", required_argument, NULL, OPT_NAME},
    {"address", required_argument, NULL, OPT_ADDRESS},
    {"from", required_argument, NULL, OPT_FROM},
    {"to", required_argument, NULL, OPT_TO},
    {"full", no_argument, NULL, OPT_FULL},
    {"compare-block", required_argument, NULL, OPT_COMPARE},
    {"restore-block", required_argument, NULL, OPT_RESTORE},
    {"window", required_argument, NULL, OPT_WINDOW},
    {"out", required_argument, NULL, OPT_OUT},
    {0},
};

static int add(struct list *l, const char *item)
{
    if (l->count == PACKAGE_FILES_MAX)
        return cli_usage("package", "more than %d files", PACKAGE_FILES_MAX);
    l->item[l->count++] = item;
    return 0;
}

static int take_version(char out[PACKAGE_NAME_MAX], const char *text)
{
    int n = snprintf(out, PACKAGE_NAME_MAX, "%s", text);
    return n > 0 && n < PACKAGE_NAME_MAX
               ? 0
               : cli_usage("package", "version \"%s\" must have 1 to %d bytes", text,
                           PACKAGE_NAME_MAX - 1);
}

static int take(int option, void *ctx)
{
    struct make *m = ctx;
    uint64_t n = 0;
    switch (option) {
    case OPT_OLD:
        return add(&m->old, optarg);
    case OPT_NEW:
        return add(&m->new, optarg);
    case OPT_NAME:
        return add(&m->name, optarg);
    case OPT_ADDRESS:
        return add(&m->address, optarg);
    case OPT_FROM:
        return take_version(m->params.from_version, optarg);
    case OPT_TO:
        return take_version(m->params.to_version, optarg);
    case OPT_FULL:
        m->params.full = true;
        return 0;
    case OPT_OUT:
        m->out = optarg;
        return 0;
    case OPT_COMPARE:
    case OPT_RESTORE:
    case OPT_WINDOW:
        if (!cli_number(optarg, 1, option == OPT_COMPARE ? UINT16_MAX : UINT32_MAX, &n))
            return cli_usage("package", "\"%s\" is not a size that fits", optarg);
        if (option == OPT_COMPARE)
            m->params.compare_block_kib = (uint16_t)n;
        else if (option == OPT_RESTORE)
            m->params.restore_block_bytes = (uint32_t)n;
        else
            m->params.window_bytes = (uint32_t)n;
        return 0;
    default:
        return 0;
    }
}

int cmd_package(int argc, char **argv)
{
    struct device_config standard;
    struct state_layout layout;
    device_config_default(&standard);
    device_state_layout(&standard, &layout);
    struct make m = {.params = {.compare_block_kib = standard.compare_block_kib,
                                .restore_block_bytes = layout.backup_bytes,
                                .window_bytes = WINDOW_DEFAULT}};
    int code = cli_options("package", help, longs, argc, argv, take, &m);
    if (code >= 0)
        return code;
    int words = argc - optind;
    const char *action = words > 0 ? argv[optind] : "";
    if (words == 1 && strcmp(action, "make") == 0)
        return make_package(&m);
    if (words == 2 && strcmp(action, "info") == 0)
        return inspect(argv[optind + 1], true);
    if (words == 2 && strcmp(action, "verify") == 0)
        return inspect(argv[optind + 1], false);
    return cli_usage("package", "needs make, info FILE or verify FILE");
}
