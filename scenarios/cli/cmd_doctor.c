/* otabench doctor: is everything here that the bench stands on? */
#include <cjson/cJSON.h>
#include <errno.h>
#include <getopt.h>
#include <glob.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock_cloud/broker/broker.h"
#include "mock_cloud/packages/packages.h"
#include "scenarios/cli/cli.h"

static const char help[] =
    "usage: otabench doctor\n"
    "\n"
    "Says what of this machine the bench can use: one line each, with how to mend what is "
    "missing.\n"
    "\n"
    "example: otabench doctor\n"
    "\n"
    "Exit: 0 all there (optional parts may be missing), 2 something is missing.\n";

struct finding {
    bool ok;
    char text[400]; /* what was found, or how to mend it */
};

/* ---- programs ---- */

static bool in_path(const char *program, char *out, size_t cap)
{
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        size_t n = strcspn(path, ":");
        int len = snprintf(out, cap, "%.*s/%s", (int)n, path, program);
        struct stat st;
        if (len > 0 && (size_t)len < cap && stat(out, &st) == 0 && S_ISREG(st.st_mode) &&
            access(out, X_OK) == 0)
            return true;
        path += n + (path[n] == ':');
    }
    return false;
}

/* Makes a real difference of two small images and looks whether it can be used. */
static void check_xdelta3(struct finding *f)
{
    char where[256];
    struct buf old, new, package;
    struct err err = {.text = ""};
    enum package_kind kind = PACKAGE_FULL;
    if (!in_path("xdelta3", where, sizeof where)) {
        (void)snprintf(f->text, sizeof f->text, "not in PATH; apt install xdelta3");
        return;
    }
    buf_init(&old, 65536);
    buf_init(&new, 65536);
    buf_init(&package, 262144);
    int rc = package_generate(&old, 1, 32768);
    if (rc == 0)
        rc = package_generate_next(&new, 2, old.data, (uint32_t)old.len_bytes, 0);
    struct package_source s = {.name = "probe",
                               .old_image = old.data,
                               .old_bytes = (uint32_t)old.len_bytes,
                               .new_image = new.data,
                               .new_bytes = (uint32_t) new.len_bytes};
    struct package_params p = {.from_version = "1",
                               .to_version = "2",
                               .compare_block_kib = 64,
                               .restore_block_bytes = 65536,
                               .window_bytes = 16384};
    if (rc == 0)
        rc = package_make(&package, &s, 1, &p, &kind, &err);
    if (rc == 0)
        rc = package_verify(package.data, package.len_bytes, &err);
    f->ok = rc == 0 && kind == PACKAGE_DELTA;
    if (f->ok)
        (void)snprintf(f->text, sizeof f->text,
                       "%.200s makes plain VCDIFF (%zu bytes for %zu changed)", where,
                       package.len_bytes, new.len_bytes);
    else
        (void)snprintf(f->text, sizeof f->text, "%.100s: %.250s; apt install --reinstall xdelta3",
                       where, err.text[0] != '\0' ? err.text : "made no usable difference");
    buf_free(&package);
    buf_free(&new);
    buf_free(&old);
}

static void check_mosquitto(struct finding *f)
{
    struct err err = {.text = ""};
    char where[360];
    f->ok = broker_check(where, sizeof where, &err) == 0;
    (void)snprintf(f->text, sizeof f->text, "%.390s", f->ok ? where : err.text);
}

/* ---- libraries ---- */

static void check_microhttpd(struct finding *f)
{
    f->ok = MHD_is_feature_supported(MHD_FEATURE_EPOLL) == MHD_YES;
    (void)snprintf(f->text, sizeof f->text, "%s%s", MHD_get_version(),
                   f->ok ? "" : ": built without epoll, another build is needed");
}

static void check_sqlite(struct finding *f)
{
    f->ok = sqlite3_libversion_number() >= 3037000;
    (void)snprintf(f->text, sizeof f->text, "%s%s", sqlite3_libversion(),
                   f->ok ? "" : ": STRICT tables need 3.37 or newer");
}

static void check_openssl(struct finding *f)
{
    f->ok = OPENSSL_version_major() >= 3;
    (void)snprintf(f->text, sizeof f->text, "%s%s", OpenSSL_version(OPENSSL_VERSION_STRING),
                   f->ok ? "" : ": 3.0 or newer is needed");
}

static void check_cjson(struct finding *f)
{
    f->ok = true;
    (void)snprintf(f->text, sizeof f->text, "%s", cJSON_Version());
}

/* ---- places ---- */

static void check_temp(struct finding *f)
{
    char dir[] = "/tmp/otabench-doctor-XXXXXX";
    f->ok = mkdtemp(dir) != NULL;
    if (f->ok)
        (void)rmdir(dir);
    (void)snprintf(f->text, sizeof f->text, "/tmp %s",
                   f->ok ? "can be written" : "cannot be written: mend its permissions or space");
}

static void check_cache(struct finding *f)
{
    char dir[512], parent[512];
    cli_cache_dir(dir, sizeof dir);
    memcpy(parent, dir, sizeof parent);
    /* The folder is made when needed: what exists of the way there must be writable. */
    while (access(parent, F_OK) != 0 && strrchr(parent, '/') > parent)
        *strrchr(parent, '/') = '\0';
    f->ok = access(parent, W_OK) == 0;
    (void)snprintf(f->text, sizeof f->text, "%.200s %s", dir,
                   f->ok ? "(made packages)" : "cannot be written: use --cache DIR");
}

static void check_firmware(struct finding *f)
{
    glob_t g = {0};
    f->ok = glob(CLI_FIRMWARE_DIR "/*.bin", 0, NULL, &g) == 0 && g.gl_pathc > 0;
    if (f->ok)
        (void)snprintf(f->text, sizeof f->text, "%zu images in " CLI_FIRMWARE_DIR, g.gl_pathc);
    else
        (void)snprintf(f->text, sizeof f->text,
                       "none in " CLI_FIRMWARE_DIR "; ci/firmware fetches them; scenarios with "
                       "generated images need none");
    globfree(&g);
}

static const struct {
    const char *name;
    bool optional;
    void (*check)(struct finding *f);
} checks[] = {
    {"xdelta3", false, check_xdelta3},     {"libmicrohttpd", false, check_microhttpd},
    {"sqlite", false, check_sqlite},       {"openssl", false, check_openssl},
    {"cjson", false, check_cjson},         {"temporary files", false, check_temp},
    {"package cache", false, check_cache}, {"firmware images", true, check_firmware},
    {"mosquitto", true, check_mosquitto},
};

int cmd_doctor(int argc, char **argv)
{
    static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {0}};
    bool well = true;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (c != 'h')
            return cli_usage("doctor", "there is no such option");
        (void)fputs(help, stdout);
        return EXIT_PASSED;
    }
    if (optind < argc)
        return cli_usage("doctor", "takes no argument");
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        struct finding f = {.ok = false};
        checks[i].check(&f);
        (void)printf("%-8s %-16s %s\n",
                     f.ok                 ? "ok"
                     : checks[i].optional ? "optional"
                                          : "MISSING",
                     checks[i].name, f.text);
        well = well && (f.ok || checks[i].optional);
    }
    return well ? EXIT_PASSED : EXIT_INCONCLUSIVE;
}
