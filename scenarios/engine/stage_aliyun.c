/* The Aliyun side of the stage: firmware as uploads, offers as tasks of a campaign. */
#include <stdio.h>
#include <string.h>

#include "mock_cloud/aliyun/aliyun.h"
#include "mock_cloud/campaigns/campaigns.h"
#include "scenarios/engine/stage_internal.h"

#define CONFIG_PACKAGE_ID 8000
#define CONFIG_TEXT       "{\"interval_s\":60,\"endpoint\":\"ota.example\"}"

bool is_aliyun(const struct stage *g)
{
    return g->s->variant == CLOUD_ALIYUN;
}

static void identity_of(const struct device_config *c, const char *name,
                        char out[MQTT_IDENTITY_MAX])
{
    (void)snprintf(out, MQTT_IDENTITY_MAX, "%s&%s", name, c->product_id);
}

void aliyun_stage_identity(const struct device_config *d, char out[MQTT_IDENTITY_MAX])
{
    identity_of(d, d->did, out);
}

/* The sub-device whose gateway the device is. */
static int put_sub_device(struct stage *g, struct err *err)
{
    const struct device_config *c = &g->s->device;
    struct store_device d = {.registered_ns = g->now_ns};
    struct store_sub_device sub = {.logs_in = false};
    aliyun_stage_identity(c, sub.gateway_id);
    (void)snprintf(d.device_id, sizeof d.device_id, "%s&%s", c->sub_device, c->product_id);
    (void)snprintf(d.product_id, sizeof d.product_id, "%s", c->product_id);
    (void)snprintf(d.mid, sizeof d.mid, "%s", c->sub_device);
    memcpy(sub.device_id, d.device_id, sizeof sub.device_id);
    int rc = store_put_device(g->store, &d, err);
    return rc == 0 ? store_put_sub_device(g->store, &sub, err) : rc;
}

/* Devices of the product that are not there, and the version that each has told once. */
static int put_others(struct stage *g, struct err *err)
{
    const struct device_config *c = &g->s->device;
    int rc = 0;
    for (uint32_t i = 0; i < g->s->n_others && rc == 0; i++) {
        const struct other_device *o = &g->s->others[i];
        struct store_device d = {.registered_ns = g->now_ns};
        identity_of(c, o->name, d.device_id);
        (void)snprintf(d.product_id, sizeof d.product_id, "%s", c->product_id);
        (void)snprintf(d.mid, sizeof d.mid, "%s", o->name);
        rc = store_put_device(g->store, &d, err);
        if (rc == 0)
            rc = store_put_version(g->store, d.device_id, c->module, o->version, err);
    }
    return rc;
}

int aliyun_stage_device(struct stage *g, const char *secret, struct err *err)
{
    const struct device_config *c = &g->s->device;
    struct store_device d = {.registered_ns = g->now_ns};
    aliyun_stage_identity(c, d.device_id);
    (void)snprintf(d.product_id, sizeof d.product_id, "%s", c->product_id);
    (void)snprintf(d.mid, sizeof d.mid, "%s", c->did);
    (void)snprintf(d.secret, sizeof d.secret, "%s", secret);
    int rc = store_put_device(g->store, &d, err);
    if (rc == 0)
        rc = put_others(g, err);
    return rc == 0 && c->sub_device[0] != '\0' ? put_sub_device(g, err) : rc;
}

#define PIECES_ID 2000 /* packages of firmware in pieces */

/* The image as it is, or cut into pieces, as a package of several files is. */
static int upload(struct stage *g, const struct build_package *p, const struct offer_spec *o,
                  struct err *err)
{
    struct campaign_file files[STORE_FILES_MAX] = {{.name = NULL}};
    char names[STORE_FILES_MAX][PACKAGE_NAME_MAX];
    const uint32_t n = p->n_parts > 0 ? p->n_parts : o->files > 1 ? o->files : 1;
    const size_t all = p->bytes.len_bytes;
    for (uint32_t i = 0; i < n; i++) {
        const struct build_part *part = p->n_parts > 0 ? &p->parts[i] : NULL;
        const size_t from = part != NULL ? part->offset : all * i / n;
        const size_t to = part != NULL ? from + part->len_bytes : all * (i + 1) / n;
        if (part != NULL)
            (void)snprintf(names[i], sizeof names[i], "%s", g->s->device.files[i].name);
        else
            (void)snprintf(names[i], sizeof names[i], "part%u.bin", i + 1);
        files[i] = (struct campaign_file){.name = n > 1 ? names[i] : NULL,
                                          .content = p->bytes.data + from,
                                          .bytes = (uint32_t)(to - from)};
    }
    const struct campaign_firmware f = {
        .delta_id = p->row.delta_id,
        .package_id = n > 1 ? PIECES_ID + STORE_FILES_MAX * p->row.delta_id : 0,
        .product_id = p->row.product_id,
        .module = o->module,
        .version = p->row.to_version,
        .sign = o->sign,
        .diff = o->aliyun && !o->full,
        .over_mqtt = o->over_mqtt,
        .extra = o->extra[0] == '\0' ? NULL : o->extra,
        .files = files,
        .file_count = n};
    return campaign_upload(g->store, &f, err);
}

/* The firmware counts as verified by another device. */
static int mark_verified(struct stage *g, int64_t delta_id, struct err *err)
{
    struct store_firmware f;
    int rc = store_get_firmware(g->store, delta_id, &f, err);
    f.verified = true;
    return rc == 0 ? store_put_firmware(g->store, &f, err) : rc;
}

static int start(struct stage *g, int64_t delta_id, const struct offer_spec *o, struct err *err)
{
    struct store_task t = {.delta_id = delta_id,
                           .kind = o->campaign,
                           .silent = o->silent,
                           .yields = o->yields,
                           .retries = (int)o->retries,
                           .retry_after_ns = o->retry_after_ns,
                           .fixed = o->fixed,
                           .percent = (int)o->percent};
    char devices[BATCH_DEVICES_MAX][STORE_TEXT_MAX] = {""};
    if (t.kind != TASK_BATCH)
        aliyun_stage_identity(&g->s->device, t.device_id);
    for (uint32_t i = 0, n = 0; i < o->n_from_versions; i++)
        n += (uint32_t)snprintf(t.sources + n, sizeof t.sources - n, "%s%s", i == 0 ? "" : "\n",
                                o->from_versions[i]);
    for (uint32_t i = 0; i < o->n_devices; i++)
        identity_of(&g->s->device, o->devices[i], devices[i]);
    return campaign_start_for(g->cloud, g->now_ns, &t, (const char(*)[STORE_TEXT_MAX])devices,
                              o->n_devices, err);
}

/* The firmware that "again" is about: of the first offer that leads to the same version. */
static uint32_t firmware_of(const struct scenario *s, uint32_t offer)
{
    for (uint32_t i = 0; i < offer; i++)
        if (s->offers[i].to == s->offers[offer].to)
            return i;
    return offer;
}

int aliyun_stage_publish(struct stage *g, uint32_t offer, struct err *err)
{
    const struct offer_spec *o = &g->s->offers[offer];
    const bool again = o->campaign == TASK_AGAIN;
    const struct build_package *p = &g->build->offers[again ? firmware_of(g->s, offer) : offer];
    int rc = again ? 0 : upload(g, p, o, err);
    if (rc == 0 && o->campaign == TASK_BATCH && o->verified)
        rc = mark_verified(g, p->row.delta_id, err);
    return rc == 0 ? start(g, p->row.delta_id, o, err) : rc;
}

bool aliyun_stage_config(struct stage *g)
{
    return aliyun_set_config(g->cloud, g->now_ns, g->s->device.product_id, "config-1",
                             CONFIG_PACKAGE_ID, CONFIG_TEXT, sizeof CONFIG_TEXT - 1, NULL) == 0;
}

int aliyun_stage_keep_config(struct stage *g, struct err *err)
{
    return aliyun_keep_config(g->cloud, g->s->device.product_id, CONFIG_PACKAGE_ID, CONFIG_TEXT,
                              sizeof CONFIG_TEXT - 1, err);
}

bool aliyun_stage_cancel(struct stage *g)
{
    struct store_task t = {.task_id = 0};
    while (store_next_any_task(g->store, 0, t.task_id, &t, NULL) == 0)
        ;
    return t.task_id != 0 && campaign_cancel(g->cloud, g->now_ns, t.task_id, NULL) == 0;
}

/* How the known-good update is offered. */
static struct offer_spec plain_offer(const struct stage *g)
{
    struct offer_spec plain = {.sign = SIGN_MD5, .campaign = TASK_VERIFY};
    (void)snprintf(plain.module, sizeof plain.module, "%s", g->s->device.module);
    return plain;
}

int aliyun_stage_heal(struct stage *g, struct err *err)
{
    const struct device_config *d = &g->s->device;
    const struct offer_spec plain = plain_offer(g);
    struct build_package known = g->build->heal;
    struct store_product p = {.has_team = true};
    (void)snprintf(p.product_id, sizeof p.product_id, "%s", d->product_id);
    (void)snprintf(known.row.product_id, sizeof known.row.product_id, "%s", d->product_id);
    int rc = store_put_product(g->store, &p, err);
    if (rc == 0)
        rc = aliyun_stage_device(g, d->device_secret, err);
    if (rc == 0)
        rc = upload(g, &known, &plain, err);
    return rc == 0 ? start(g, BUILD_HEAL_ID, &plain, err) : rc;
}

static bool heal_record_is(struct stage *g, enum record_state state)
{
    struct store_record rec;
    char identity[MQTT_IDENTITY_MAX];
    aliyun_stage_identity(&g->s->device, identity);
    return store_get_record(g->store, BUILD_HEAL_ID, identity, &rec, NULL) == 0 &&
           rec.state == state;
}

bool aliyun_stage_healed(struct stage *g)
{
    return strcmp(stage_version(g), BUILD_HEAL_VERSION) == 0 && heal_record_is(g, RECORD_SUCCESS);
}

/* A device that is told of two versions at once takes the first: its version is another one than
 * that of the task, which has failed by that and would never be announced again. */
int aliyun_stage_heal_again(struct stage *g, const char *before, struct err *err)
{
    const char *now = stage_version(g);
    const struct offer_spec plain = plain_offer(g);
    if (strcmp(now, before) == 0 || strcmp(now, "?") == 0 || strcmp(now, BUILD_HEAL_VERSION) == 0 ||
        !heal_record_is(g, RECORD_FAILED))
        return 0;
    return start(g, BUILD_HEAL_ID, &plain, err);
}
