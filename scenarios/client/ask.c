#include "scenarios/client/ask.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/bytes.h"

#define CONNECT_TIMEOUT_S 5L
#define STALL_TIMEOUT_S   60L
#define REPLY_DEPTH_MAX   8

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
    return buf_append(ctx, data, size * n) == 0 ? size * n : 0;
}

static int open_file(const char *path, FILE **f, curl_off_t *bytes, struct err *err)
{
    struct stat st;
    *f = fopen(path, "re");
    if (*f == NULL || fstat(fileno(*f), &st) != 0)
        return err_set(err, ERR_FORMAT, "%s: %s", path, strerror(errno));
    *bytes = st.st_size;
    return S_ISREG(st.st_mode) ? 0 : err_set(err, ERR_FORMAT, "%s: is no file", path);
}

static CURLcode send_request(CURL *curl, const struct ask *what, FILE *file, curl_off_t bytes)
{
    (void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, what->method);
    if (what->text != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(what->text));
        (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, what->text);
    }
    if (file != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
        (void)curl_easy_setopt(curl, CURLOPT_READDATA, file);
        (void)curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, bytes);
    }
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    (void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_TIMEOUT_S);
    return curl_easy_perform(curl);
}

/* What an answer means that is none of ours is for its reader to find out: only its status. */
static int read_answer(const struct admin_place *place, long status, const struct buf *text,
                       struct json *out, struct err *err)
{
    static const struct json_limits limits = {.max_bytes = ASK_REPLY_MAX,
                                              .max_depth = REPLY_DEPTH_MAX};
    const char *why = "";
    int rc = text->len_bytes == 0
                 ? ERR_FORMAT
                 : json_parse(out, (const char *)text->data, text->len_bytes, &limits, NULL);
    bool ours = rc == 0 && cJSON_IsObject(out->root);
    if (ours && status == 200)
        return 0;
    ours = ours && json_get_string(out->root, out->root, "error", 1, ERR_TEXT_MAX, &why, NULL) == 0;
    if (!ours)
        return err_set(err, ERR_IO, "%s is no cloud of otabench: it answers %ld", place->url,
                       status);
    if (status == 401)
        return err_set(err, ERR_DIGEST,
                       "the cloud at %s has another token; \"--state DIR\" finds that of a state",
                       place->url);
    return err_set(err, ERR_WRONG_STATE, "%s", why);
}

int ask(const struct admin_place *place, const struct ask *what, struct json *out, struct err *err)
{
    char url[ADMIN_URL_MAX + ASK_PATH_MAX], header[ADMIN_TOKEN_MAX + 32], why[CURL_ERROR_SIZE];
    struct buf text;
    FILE *file = NULL;
    curl_off_t bytes = 0;
    long status = 0;
    *out = (struct json){.root = NULL};
    int rc = what->file == NULL ? 0 : open_file(what->file, &file, &bytes, err);
    CURL *curl = rc == 0 ? curl_easy_init() : NULL;
    (void)snprintf(url, sizeof url, "%s%s", place->url, what->path);
    (void)snprintf(header, sizeof header, "Authorization: Bearer %s", place->token);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    struct curl_slist *more = curl_slist_append(headers, "Expect:");
    buf_init(&text, ASK_REPLY_MAX);
    why[0] = '\0';
    if (rc == 0 && (curl == NULL || more == NULL))
        rc = err_set(err, ERR_NOMEM, "no memory");
    if (rc == 0) {
        (void)curl_easy_setopt(curl, CURLOPT_URL, url);
        (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
        (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
        (void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
        CURLcode code = send_request(curl, what, file, bytes);
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        if (code == CURLE_COULDNT_CONNECT)
            rc = err_set(err, ERR_NOT_FOUND, "no cloud is running at %s", place->url);
        else if (code != CURLE_OK && status != 401 && status != 413)
            rc = err_set(err, ERR_IO, "%s: %s", place->url,
                         why[0] == '\0' ? curl_easy_strerror(code) : why);
        else
            rc = read_answer(place, status, &text, out, err);
    }
    if (rc != 0)
        json_free(out);
    buf_free(&text);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (file != NULL)
        (void)fclose(file);
    return rc;
}

int ask_escape(char out[ASK_PATH_MAX], const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    size_t was = strlen(out), at = was;
    for (; *text != '\0'; text++) {
        bool whole = strchr(plain, *text) != NULL;
        int n =
            snprintf(out + at, ASK_PATH_MAX - at, whole ? "%c" : "%%%02X", (unsigned char)*text);
        at += (size_t)n;
        if (at >= ASK_PATH_MAX) {
            out[was] = '\0';
            return ERR_LIMIT;
        }
    }
    return 0;
}
