#include "scenarios/cli/load_cloud.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "mock_cloud/store/store.h"
#include "scenarios/cli/load_fleet.h"

#define PATH_TEXT_MAX   256
#define SETUP_BYTES_MAX (1u << 20)

int load_write_file(const char *dir, const char *name, const void *data, size_t len_bytes,
                    struct err *err)
{
    char path[PATH_TEXT_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    bool good = f != NULL && fwrite(data, 1, len_bytes, f) == len_bytes;
    good = f != NULL && fclose(f) == 0 && good;
    return good ? 0 : err_set(err, ERR_IO, "%s cannot be written: %s", path, strerror(errno));
}

static int write_setup(const char *dir, size_t devices, struct err *err)
{
    char name[FLEET_NAME_MAX], secret[FLEET_SECRET_MAX];
    struct buf text;
    buf_init(&text, SETUP_BYTES_MAX);
    (void)buf_text(&text, "{\"otabench_cloud\":1,\"aliyun\":[{\"product_key\":\"" FLEET_PRODUCT
                          "\",\"devices\":[");
    for (size_t i = 0; i < devices; i++) {
        fleet_name(i, name);
        fleet_secret(i, secret);
        (void)buf_printf(&text, "%s{\"name\":\"%s\",\"secret\":\"%s\"}", i == 0 ? "" : ",\n", name,
                         secret);
    }
    fleet_name(0, name);
    int rc =
        buf_printf(&text,
                   "],\"firmware\":[{\"version\":\"" LOAD_NEW_VERSION "\",\"file\":\"" LOAD_IMAGE
                   "\",\"tasks\":[{\"kind\":\"verify\",\"device\":\"%s\"},"
                   "{\"kind\":\"batch\"}]}]}]}\n",
                   name);
    rc = rc == 0 ? load_write_file(dir, "fleet.json", text.data, text.len_bytes, err)
                 : err_set(err, rc, "%zu devices do not fit into a set-up file", devices);
    buf_free(&text);
    return rc;
}

static void on_line(void *ctx, const char *text)
{
    struct load_cloud *c = ctx;
    const char *port = strrchr(text, ':');
    if (port != NULL && strncmp(text, "http ", 5) == 0)
        c->http_port = (uint16_t)strtoul(port + 1, NULL, 10);
    if (port != NULL && strncmp(text, "mqtt ", 5) == 0)
        c->mqtt_port = (uint16_t)strtoul(port + 1, NULL, 10);
}

int load_cloud_start(struct load_cloud *c, const char *dir, size_t devices, struct err *err)
{
    char self[512], setup[PATH_TEXT_MAX], state[PATH_TEXT_MAX], log[PATH_TEXT_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = '\0';
    (void)snprintf(setup, sizeof setup, "%s/fleet.json", dir);
    (void)snprintf(state, sizeof state, "%s/state", dir);
    (void)snprintf(log, sizeof log, "%s/cloud.log", dir);
    char word[][12] = {"cloud", "--setup", "--state", "--quiet", "--no-admin"};
    char *argv[] = {self, word[0], word[1], setup, word[2], state, word[3], word[4], NULL};
    int rc = write_setup(dir, devices, err);
    if (rc == 0)
        rc = child_start(&c->child, argv, true, log, err);
    if (rc == 0)
        rc = child_read_until(&c->child, "password", on_line, c, err);
    return rc == 0 ? 0 : err_prefix(err, rc, "the cloud");
}

int load_cloud_records(const char *dir, size_t *success, size_t *others, struct err *err)
{
    char path[PATH_TEXT_MAX];
    struct store_record record;
    int rc = 0;
    (void)snprintf(path, sizeof path, "%s/state/cloud.db", dir);
    struct store *s = store_open(path, err);
    if (s == NULL)
        return ERR_IO;
    for (size_t i = 0; (rc = store_record_at(s, i, &record, err)) == 0; i++)
        *(record.state == RECORD_SUCCESS ? success : others) += 1;
    store_close(s);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    (void)remove(path);
    return 0;
}

void load_remove_dir(const char *dir)
{
    (void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
