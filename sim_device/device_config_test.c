/* Configurations of devices with two slots: what is refused, and in which words. */
#include <string.h>

#include "common/testing/testing.h"
#include "sim_device/device.h"

struct refused {
    const char *what;
    void (*bend)(struct device_config *c);
    const char *error;
};

static void no_agent(struct device_config *c)
{
    c->agent = (enum device_agent)7;
}

static void no_key(struct device_config *c)
{
    c->product_id[0] = '\0';
}

static void secret_with_blank(struct device_config *c)
{
    c->device_secret[3] = ' ';
}

static void no_host(struct device_config *c)
{
    c->mqtt_host[0] = '\0';
}

static void no_port(struct device_config *c)
{
    c->mqtt_port = 0;
}

static void short_keep_alive(struct device_config *c)
{
    c->keep_alive_s = 29;
}

static void no_trial(struct device_config *c)
{
    c->trial_boots_max = 0;
}

static void no_deadline(struct device_config *c)
{
    c->confirm_deadline_ms = 0;
}

static void keeps_offset_of_3x(struct device_config *c)
{
    c->agent = AGENT_IOT_OTA;
    c->keep_offset = true;
}

static void tls_without_ca(struct device_config *c)
{
    c->tls = true;
}

static void many_images(struct device_config *c)
{
    c->n_images = 5;
}

static void unknown_fate(struct device_config *c)
{
    c->images[0].fate = (enum device_image_fate)9;
    c->n_images = 1;
}

static void no_second_slot(struct device_config *c)
{
    memcpy(c->partitions.part[1].name, "spare", 6);
}

static void uneven_slots(struct device_config *c)
{
    c->partitions.part[1].size_bytes -= 0x1000;
}

static void small_record(struct device_config *c)
{
    c->partitions.part[2].size_bytes = 0x1000;
}

static void no_store(struct device_config *c)
{
    memcpy(c->partitions.part[3].name, "spare", 6);
}

static void overlap(struct device_config *c)
{
    c->partitions.part[3].offset = c->partitions.part[2].offset;
}

static const struct refused rows[] = {
    {"agent", no_agent, "agent: is 7, must be cmiot, iot_ota, aiot or uota"},
    {"product key", no_key, "product_id: has 0 characters, must have 1..63"},
    {"secret", secret_with_blank, "device_secret: character 4 is not allowed, only letters"},
    {"host", no_host, "mqtt_host: has 0 characters, must have 1..127"},
    {"port", no_port, "mqtt_port: is 0, must be 1..65535"},
    {"keep-alive", short_keep_alive, "keep_alive_s: is 29, must be 30..1200"},
    {"trials", no_trial, "trial_boots_max: is 0, must be 1..16"},
    {"deadline", no_deadline, "confirm_deadline_ms: is 0, must be 1..86400000"},
    {"an offset of 3.x", keeps_offset_of_3x, "keep_offset: only aiot"},
    {"TLS", tls_without_ca, "tls: needs the certificate of a CA (ca_pem)"},
    {"images", many_images, "images: is 5, must be 0..4"},
    {"fate", unknown_fate, "images[0]: is 9, must be runs, crashes, hangs, never-connects or"},
    {"second slot", no_second_slot, "partitions: two slots need one named \"app2\""},
    {"uneven slots", uneven_slots, "slots must be of one size"},
    {"boot record", small_record, "partition \"slots\": 4096 bytes for a record of 240"},
    {"store", no_store, "partitions: there must be one named \"kv\""},
    {"overlap", overlap, "partitions: "},
};

static const char *refused_name(const void *row)
{
    return ((const struct refused *)row)->what;
}

static void refuses(const void *row)
{
    const struct refused *r = row;
    for (enum device_agent agent = AGENT_IOT_OTA; agent <= AGENT_UOTA; agent++) {
        struct device_config c;
        struct err err = {0};
        device_config_default_for(&c, agent);
        r->bend(&c);
        CHECK_ERR(device_config_check(&c, &err), ERR_ARG);
        CHECK_HAS(err.text, r->error);
    }
}

static void defaults_are_good(void)
{
    static const char *const names[DEVICE_AGENTS] = {"cmiot", "iot_ota", "aiot", "uota"};
    for (int i = 0; i < DEVICE_AGENTS; i++) {
        struct device_config c;
        struct err err = {0};
        device_config_default_for(&c, (enum device_agent)i);
        CHECK_OK(device_config_check(&c, &err), &err);
        CHECK_STR(device_agent_name(c.agent), names[i]);
    }
    CHECK_STR(device_agent_name((enum device_agent)DEVICE_AGENTS), "unknown");
    CHECK_STR(device_image_fate_name(IMAGE_NEVER_CONNECTS), "never-connects");
    CHECK_STR(device_image_fate_name((enum device_image_fate)99), "unknown");
}

static const struct test tests[] = {
    {"defaults are good", defaults_are_good},
    TEST_ROWS("refuses", refuses, rows, refused_name),
};
TEST_MAIN("device configuration", tests)
