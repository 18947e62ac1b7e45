#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, int code, const char *fmt, ...)
{
    if (e != NULL) {
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
    }
    return code;
}

int err_prefix(struct err *e, int code, const char *fmt, ...)
{
    if (e != NULL) {
        char old[ERR_TEXT_MAX];
        memcpy(old, e->text, sizeof old);
        old[sizeof old - 1] = '\0';
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(e->text, sizeof e->text, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n + 2 < sizeof e->text) {
            size_t at = (size_t)n;
            size_t room = sizeof e->text - at - 3;
            size_t old_len = strnlen(old, room);
            memcpy(e->text + at, ": ", 2);
            memcpy(e->text + at + 2, old, old_len);
            e->text[at + 2 + old_len] = '\0';
        }
    }
    return code;
}

const char *err_name(int code)
{
    static const struct {
        int code;
        const char *name;
    } names[] = {
        {ERR_OK, "ERR_OK"},
        {ERR_ARG, "ERR_ARG"},
        {ERR_FORMAT, "ERR_FORMAT"},
        {ERR_LIMIT, "ERR_LIMIT"},
        {ERR_IO, "ERR_IO"},
        {ERR_NOMEM, "ERR_NOMEM"},
        {ERR_NOT_FOUND, "ERR_NOT_FOUND"},
        {ERR_WRONG_STATE, "ERR_WRONG_STATE"},
        {ERR_DIGEST, "ERR_DIGEST"},
        {ERR_UNSUPPORTED, "ERR_UNSUPPORTED"},
        {ERR_BENCH, "ERR_BENCH"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].code == code)
            return names[i].name;
    return "ERR_UNKNOWN";
}
