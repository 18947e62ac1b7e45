/*
 * What failed, as codes: of the document (seed 001), of AliOS Things since 2019 and of 2018 (aliyun
 * note §12.5). The client's own show as event "state" whatever the cloud is told.
 */
#include <stdio.h>

#include "sim_device/agent/uota/uota.h"

static const struct status {
    int code, own, early;
    const char *text;
} rows[] = {
    [STAGE_NONE] = {100, 100, 100, ""},
    [STAGE_INIT] = {-1, -1, -1, "OTA init failed"},
    [STAGE_VERSION] = {-1, -2, -1, "ota version not match"},
    [STAGE_TRANSPORT] = {-2, -3, -2, "OTA transport failed"},
    [STAGE_FETCH] = {-2, -4, -2, "OTA download failed"},
    [STAGE_URL] = {-2, -5, -2, "OTA url failed"},
    [STAGE_HOST] = {-2, -6, -2, "OTA host failed"},
    [STAGE_CONNECT] = {-2, -7, -2, "OTA connect failed"},
    [STAGE_READ] = {-3, -8, -4, "OTA read failed"},
    [STAGE_BURN] = {-4, -9, -5, "OTA write failed"},
    [STAGE_IMAGE] = {-3, -10, -8, "OTA image failed"},
    [STAGE_CHECK] = {-3, -11, -4, "OTA hash failed"},
    [STAGE_SIGN] = {-3, -12, -7, "OTA rsa failed"},
    [STAGE_PART] = {-1, -13, -5, "OTA upgrade failed"},
    [STAGE_BOOT] = {-4, -13, -5, "OTA upgrade failed"},
    [STAGE_DIFF] = {-1, -14, -9, "OTA diff failed"},
    [STAGE_REBOOT] = {-1, -15, -6, "OTA reboot failed"},
    [STAGE_PARSE] = {-1, -16, -1, "OTA parse failed"},
    [STAGE_PARAM] = {-1, -17, -1, "OTA parameter failed"},
    [STAGE_CANCELLED] = {0, 0, 0, ""},
};

int uota_code(enum uota_stage stage)
{
    const struct uota_quirks *q = &uota_config()->quirks;
    const struct status *s = &rows[stage];
    return q->own_codes ? s->own : q->early_codes ? s->early : s->code;
}

const char *uota_code_text(enum uota_stage stage)
{
    return rows[stage].text;
}

void uota_state(enum uota_stage stage)
{
    char code[8];
    (void)snprintf(code, sizeof code, "%d", rows[stage].own);
    UOTA_EVENT("state", F_STR("code", code));
}
