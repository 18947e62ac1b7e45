/*
 * The parsers of the face alone, without a cloud around them: names, client ids, topics, messages,
 * the query
 * of a signed URL and the form of a registration. The first byte chooses, the rest is the text.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/http_date.h"
#include "mock_cloud/aliyun/login.h"
#include "mock_cloud/aliyun/message.h"
#include "mock_cloud/aliyun/pre_auth.h"
#include "mock_cloud/aliyun/register.h"
#include "mock_cloud/aliyun/signed_url.h"
#include "mock_cloud/aliyun/topics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_name(const char *text)
{
    struct aliyun_name name;
    char again[MQTT_IDENTITY_MAX];
    if (!aliyun_name_parse(text, &name))
        return;
    aliyun_name_identity(&name, again);
    assert(strcmp(again, text) == 0);
}

static void read_client_id(const char *text)
{
    struct aliyun_client_id id;
    if (aliyun_client_id_parse(text, &id) == MQTT_ACCEPTED)
        assert(strncmp(id.base, text, strlen(id.base)) == 0 && text[strlen(id.base)] == '|');
}

static void read_topic(const char *text)
{
    enum aliyun_topic topic;
    struct aliyun_name name;
    char again[MQTT_TOPIC_MAX];
    if (strlen(text) >= MQTT_TOPIC_MAX || !aliyun_topic_parse(text, &topic, &name))
        return;
    if (topic >= TOPIC_LOGIN) /* these have several */
        return;
    aliyun_topic_make(topic, &name, again);
    assert(strcmp(again, text) == 0);
}

static void read_message(const uint8_t *data, size_t size)
{
    struct aliyun_message m;
    struct err err;
    char text[STORE_TEXT_MAX];
    int64_t number = 0;
    if (aliyun_message_open(&m, data, size, &err) == 0) {
        (void)aliyun_message_text(&m, "version", text, sizeof text, &err);
        if (m.params != NULL &&
            aliyun_message_number(&m, m.params, "step", -99, 100, &number, &err) == 0)
            assert(number >= -99 && number <= 100);
        assert(strlen(m.id) > 0 && strlen(m.id) < ALIYUN_ID_MAX);
    }
    aliyun_message_close(&m);
}

static void read_query(const char *text)
{
    struct storage_query q;
    int64_t unix_s = 0;
    char date[HTTP_DATE_BYTES];
    if (http_date_read(text, &unix_s)) { /* of a condition, like a query from a stranger */
        http_date_put(unix_s, date);
        assert(strlen(date) == HTTP_DATE_BYTES - 1);
    }
    if (storage_query_parse(text, &q))
        assert(strlen(q.expires) < sizeof q.expires && strlen(q.signature) < sizeof q.signature);
}

static void read_form(const char *text)
{
    struct aliyun_form f;
    if (aliyun_form_parse(text, strlen(text), &f))
        assert(strlen(f.product_key) <= ALIYUN_NAME_MAX && strlen(f.sign) < HMAC_HEX_MAX);
    struct pre_auth_form ahead;
    struct aliyun_name name;
    if (pre_auth_form_parse(text, strlen(text), &ahead))
        assert(strlen(ahead.client_id) < MQTT_CLIENT_ID_MAX && strlen(ahead.sign) < HMAC_HEX_MAX);
    if (pre_auth_name_parse(text, &name))
        assert(strlen(text) == strlen(name.device_name) + strlen(name.product_key) + 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(const char *) = {read_name, read_client_id, read_topic,
                                                    read_query, read_form};
    if (size == 0)
        return 0;
    size_t which = data[0] % 6u;
    if (which == 5) {
        read_message(data + 1, size - 1);
        return 0;
    }
    char *text = malloc(size);
    assert(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    readers[which](text);
    free(text);
    return 0;
}
