/*
 * One device's conversation with the face. Each line is a step: the first character says what is
 * done, a tab parts the arguments.
 *
 *   C client-id TAB user TAB password   a login
 *   T topic, S filter                   a topic rule; a subscription if it is allowed
 *   M topic TAB payload                 a message, with a zero byte for every 0x01
 *   G path TAB query TAB range          a download; "@" alone as path: a good URL
 *   O, X, W                             online, offline, a second passes
 *
 * Since no fuzzer finds an HMAC, "@" as password means the right one.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/vtime.h"
#include "mock_cloud/aliyun/aliyun.h"
#include "mock_cloud/aliyun/login.h"
#include "mock_cloud/aliyun/signed_url.h"
#include "mock_cloud/campaigns/campaigns.h"

#define PK       "pk"
#define DEVICE   "dn&" PK
#define SUB      "sub&" PK
#define STRANGER "other&" PK
#define LINE_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bench {
    struct cloud *c;
    int64_t now_ns;
};

/* Nothing may ever go to, or be said of, somebody else. */
static int on_deliver(void *ctx, int64_t now_ns, const char *identity, const struct mqtt_message *m)
{
    (void)ctx;
    (void)now_ns;
    assert(strcmp(identity, DEVICE) == 0);
    assert(m->payload_bytes <= MQTT_PAYLOAD_MAX && strstr(m->topic, "other") == NULL);
    assert(strstr(m->topic, "/dn") != NULL || strstr(m->topic, "/sub") != NULL);
    return 0;
}

static void put_device(struct store *s, const char *identity, const char *name)
{
    struct store_device d = {.product_id = PK, .secret = "s"};
    size_t len = strlen(identity);
    assert(len < sizeof d.device_id);
    memcpy(d.device_id, identity, len);
    memcpy(d.mid, name, strlen(name));
    int rc = store_put_device(s, &d, NULL);
    assert(rc == 0);
}

static void set_up(struct bench *b, struct store *s)
{
    static const struct face *const faces[] = {&aliyun_face};
    static const struct campaign_file file = {.content = "0123456789", .bytes = 10};
    struct cloud_config cfg = {.store = s,
                               .download_host = "h",
                               .download_port = 80,
                               .project_key = "k",
                               .deliver = on_deliver};
    const struct store_sub_device sub = {.device_id = SUB, .gateway_id = DEVICE};
    struct store_product p = {.product_id = PK, .secret = "ps", .has_team = true};
    struct campaign_firmware f = {
        .delta_id = 7, .product_id = PK, .version = "2", .files = &file, .file_count = 1};
    int rc = store_reset(s, NULL);
    assert(rc == 0);
    b->now_ns = 0;
    b->c = cloud_new(&cfg, faces, 1, NULL);
    assert(b->c != NULL);
    rc = store_put_product(s, &p, NULL);
    assert(rc == 0);
    put_device(s, DEVICE, "dn");
    put_device(s, SUB, "sub");
    put_device(s, STRANGER, "other");
    rc = store_put_sub_device(s, &sub, NULL);
    assert(rc == 0);
    rc = campaign_upload(s, &f, NULL);
    assert(rc == 0);
    f.delta_id = 8;
    f.over_mqtt = true;
    f.module = "m";
    rc = campaign_upload(s, &f, NULL);
    assert(rc == 0);
    rc = aliyun_set_config(b->c, 0, PK, "c", 9, "{}", 2, NULL);
    assert(rc == 0);
    struct store_task t = {.delta_id = 7, .kind = TASK_VERIFY, .device_id = DEVICE};
    rc = campaign_start(b->c, 0, &t, NULL);
    assert(rc == 0);
    t = (struct store_task){.delta_id = 8, .kind = TASK_VERIFY, .device_id = SUB};
    rc = campaign_start(b->c, 0, &t, NULL);
    assert(rc == 0);
}

static void log_in(struct bench *b, char *client_id, char *user, char *password)
{
    char identity[MQTT_IDENTITY_MAX], right[65] = "";
    struct aliyun_client_id id;
    bool good = strcmp(password, "@") == 0;
    if (good && aliyun_client_id_parse(client_id, &id) == MQTT_ACCEPTED) {
        char *bar = strchr(client_id, '|');
        size_t len = strlen(bar + 1);
        char extension[LINE_MAX];
        memcpy(extension, bar + 1, len);
        extension[len - 1] = '\0';
        (void)aliyun_password(id.base, extension, "dn", PK, "s", right);
        password = right;
    }
    const struct mqtt_login login = {
        .client_id = client_id, .user_name = user, .password = password};
    enum mqtt_connack code = cloud_mqtt_login(b->c, b->now_ns, &login, identity);
    assert((code == MQTT_ACCEPTED) == (identity[0] != '\0'));
    if (code == MQTT_ACCEPTED)
        assert(good && strcmp(user, identity) == 0 && strcmp(identity, DEVICE) == 0);
}

static void message(struct bench *b, char *topic, char *payload, size_t len)
{
    for (size_t i = 0; i < len; i++)
        payload[i] = payload[i] == 1 ? '\0' : payload[i];
    const struct mqtt_message m = {
        .topic = topic, .payload = (const uint8_t *)payload, .payload_bytes = len};
    if (cloud_mqtt_topic(b->c, DEVICE, topic, MQTT_PUBLISH))
        cloud_mqtt_message(b->c, b->now_ns, DEVICE, &m);
}

static void download(struct bench *b, const char *path, const char *query, const char *range)
{
    char url[ALIYUN_URL_MAX];
    struct http_reply rp = {.status = 0};
    bool good = strcmp(path, "@") == 0;
    if (good) {
        int rc = aliyun_url(b->c, b->now_ns, DEVICE, 7, 1, url, NULL);
        assert(rc == 0);
        char *at = strchr(strstr(url, "://") + 3, '/');
        path = at;
        at = strchr(at, '?');
        *at = '\0';
        query = at + 1;
    }
    buf_init(&rp.text, 1 << 16);
    const struct http_request rq = {.method = "GET",
                                    .path = path,
                                    .query = query[0] == '\0' ? NULL : query,
                                    .range = range[0] == '\0' ? NULL : range};
    cloud_http(b->c, b->now_ns, &rq, &rp);
    bool served = rp.status == 200 || rp.status == 206;
    assert(served ? good : rp.view == NULL);
    assert(!good || served || rp.status == 416);
    buf_free(&rp.text);
}

/* The line cut at up to two tabs; parts that are missing are empty. */
static void step(struct bench *b, char *line, size_t len)
{
    char *part[3] = {line + 1, line + len, line + len};
    for (int i = 0; i < 2; i++) {
        char *tab = memchr(part[i], '\t', (size_t)(line + len - part[i]));
        if (tab == NULL)
            break;
        *tab = '\0';
        part[i + 1] = tab + 1;
    }
    switch (line[0]) {
    case 'C':
        log_in(b, part[0], part[1], part[2]);
        break;
    case 'T':
        assert(!cloud_mqtt_topic(b->c, DEVICE, part[0], MQTT_PUBLISH) ||
               strpbrk(part[0], "+#") == NULL);
        break;
    case 'S':
        if (cloud_mqtt_topic(b->c, DEVICE, part[0], MQTT_SUBSCRIBE))
            cloud_mqtt_subscribed(b->c, b->now_ns, DEVICE, part[0]);
        break;
    case 'M':
        message(b, part[0], part[1], (size_t)(line + len - part[1]));
        break;
    case 'G':
        download(b, part[0], part[1], part[2]);
        break;
    case 'O':
        cloud_mqtt_online(b->c, b->now_ns, DEVICE);
        break;
    case 'X':
        cloud_mqtt_offline(b->c, b->now_ns, DEVICE);
        break;
    case 'W':
        b->now_ns += NS_PER_S;
        (void)cloud_tick(b->c, b->now_ns);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct store *store; /* kept between inputs, emptied for each */
    struct bench b;
    if (store == NULL)
        store = store_open(NULL, NULL);
    char *line = malloc(LINE_MAX);
    assert(store != NULL && line != NULL);
    set_up(&b, store);
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end == NULL ? size : (size_t)(end - data);
        size_t kept = len < LINE_MAX ? len : LINE_MAX - 1;
        if (kept > 0) {
            memcpy(line, data, kept);
            line[kept] = '\0';
            step(&b, line, kept);
        }
        data += len + (end != NULL);
        size -= len + (end != NULL);
    }
    struct store_record rec;
    assert(store_get_record(store, 7, STRANGER, &rec, NULL) == ERR_NOT_FOUND);
    cloud_free(b.c);
    free(line);
    return 0;
}
