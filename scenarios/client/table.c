#include "scenarios/client/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CELL_MAX 160

static bool ends_in_ms(const char *key)
{
    size_t len = strlen(key);
    return len > 3 && strcmp(key + len - 3, "_ms") == 0;
}

static void put_time(int64_t ms, char out[CELL_MAX])
{
    time_t second = (time_t)(ms / 1000);
    struct tm tm;
    char text[32];
    if (gmtime_r(&second, &tm) == NULL ||
        strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        text[0] = '\0';
    (void)snprintf(out, CELL_MAX, "%s", text);
}

/* As far as a double is exact; beyond that the nearest one. */
static int64_t whole(const cJSON *item)
{
    const double most = 9007199254740991.0;
    double v = item->valuedouble;
    return (int64_t)(v > most ? most : v < -most ? -most : v);
}

static void put_value(const cJSON *item, char out[CELL_MAX]);

/* Parts of one cell: "default 1.0, mcu 7". */
static void put_parts(const cJSON *list, char out[CELL_MAX])
{
    const cJSON *item = NULL;
    size_t len = 0;
    out[0] = '\0';
    cJSON_ArrayForEach(item, list)
    {
        char value[CELL_MAX];
        if (cJSON_IsObject(item) || cJSON_IsArray(item))
            continue;
        put_value(item, value);
        int n = snprintf(out + len, CELL_MAX - len, "%s%s%s%s", len == 0 ? "" : ", ",
                         item->string == NULL ? "" : item->string, item->string == NULL ? "" : " ",
                         value);
        if (n < 0 || (size_t)n >= CELL_MAX - len)
            return;
        len += (size_t)n;
    }
}

/* U+0080 to U+009F: terminals take them for escapes too. */
static bool is_c1(const char *text)
{
    return (unsigned char)text[0] == 0xC2 && (unsigned char)text[1] >= 0x80 &&
           (unsigned char)text[1] < 0xA0;
}

/* Devices choose some of it: nothing of it may move the cursor. */
static void tame(char *text)
{
    for (; *text != '\0'; text++) {
        if (is_c1(text))
            *text++ = '?';
        else if ((unsigned char)*text >= ' ' && *text != 0x7f)
            continue;
        *text = '?';
    }
}

static void put_value(const cJSON *item, char out[CELL_MAX])
{
    out[0] = '\0';
    if (cJSON_IsString(item))
        (void)snprintf(out, CELL_MAX, "%s", item->valuestring);
    else if (cJSON_IsBool(item))
        (void)snprintf(out, CELL_MAX, "%s", cJSON_IsTrue(item) ? "yes" : "no");
    else if (cJSON_IsNumber(item) && item->string != NULL && ends_in_ms(item->string))
        put_time(whole(item), out);
    else if (cJSON_IsNumber(item))
        (void)snprintf(out, CELL_MAX, "%" PRId64, whole(item));
    else if (cJSON_IsObject(item) || cJSON_IsArray(item))
        put_parts(item, out);
    tame(out);
}

static void cell(const cJSON *row, const char *key, char out[CELL_MAX])
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(row, key);
    put_value(item, out);
    if (out[0] == '\0')
        (void)snprintf(out, CELL_MAX, "-");
}

/* As wide as it looks: bytes that go on with a character of UTF-8 do not count. */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static int put_padded(struct buf *out, const char *text, int width)
{
    int room = width - columns_of(text);
    return buf_printf(out, "%s%*s", text, room > 0 ? room : 0, "");
}

int table_rows(struct buf *out, const cJSON *rows, const struct table_column *columns)
{
    int width[TABLE_COLUMNS_MAX] = {0}, n = 0, rc = 0;
    char text[CELL_MAX];
    const cJSON *row = NULL;
    if (cJSON_GetArraySize(rows) == 0)
        return buf_text(out, "none\n");
    for (; n < TABLE_COLUMNS_MAX && columns[n].key != NULL; n++)
        width[n] = columns_of(columns[n].head);
    cJSON_ArrayForEach(row, rows)
    {
        for (int i = 0; i < n; i++) {
            cell(row, columns[i].key, text);
            int wide = columns_of(text);
            width[i] = wide > width[i] ? wide : width[i];
        }
    }
    for (int i = 0; i < n && rc == 0; i++)
        rc = put_padded(out, columns[i].head, i == n - 1 ? 0 : width[i] + 2);
    cJSON_ArrayForEach(row, rows)
    {
        for (int i = 0; i < n && rc == 0; i++) {
            cell(row, columns[i].key, text);
            if (i == 0)
                rc = buf_text(out, "\n");
            if (rc == 0)
                rc = put_padded(out, text, i == n - 1 ? 0 : width[i] + 2);
        }
    }
    return rc == 0 ? buf_text(out, "\n") : rc;
}

static void put_key(const cJSON *item, char out[CELL_MAX])
{
    (void)snprintf(out, CELL_MAX, "%s", item->string);
    tame(out);
}

int table_lines(struct buf *out, const cJSON *object)
{
    const cJSON *item = NULL;
    char key[CELL_MAX], text[CELL_MAX];
    int width = 0, rc = 0;
    cJSON_ArrayForEach(item, object)
    {
        put_key(item, key);
        int wide = columns_of(key);
        width = wide > width ? wide : width;
    }
    cJSON_ArrayForEach(item, object)
    {
        put_key(item, key);
        put_value(item, text);
        if (rc == 0 && text[0] != '\0')
            rc = put_padded(out, key, width + 2);
        if (rc == 0 && text[0] != '\0')
            rc = buf_printf(out, "%s\n", text);
    }
    return rc;
}
