#include <stddef.h>

#include "mock_cloud/cms/cms.h"

static const struct cms_code codes[] = {
    {CMS_SUCCESS, "success", "the request was accepted"},
    {CMS_PRODUCT_INVALID, "product id is invalid",
     "no such product, or register with a CMS product"},
    {CMS_NO_PROJECT, "project does not exist",
     "oem, models, platform or deviceType differ from the product's"},
    {CMS_PARAM_INVALID, "parameter is invalid", "a member has another JSON type"},
    {CMS_PARAM_MISSING, "parameter is missing", "a required member is absent"},
    {CMS_SYSTEM_ERROR, "system error", "the store failed"},
    {CMS_JSON_ERROR, "JSON cannot be parsed", "the body is not one strict JSON object"},
    {CMS_RULE_BROKEN, "parameter breaks the rules",
     "right type, but too long, empty, negative, fractional or not digits"},
    {CMS_MID_LENGTH, "mid length is wrong", "mid is not 4 to 31 characters"},
    {CMS_AES_ERROR, "AES error", NULL},
    {CMS_DEVICE_VISITS, "device visits exhausted", "more visits of the device today than allowed"},
    {CMS_OWNER_VISITS, "owner visits exhausted", "more visits of all the owner's devices today"},
    {CMS_SIGN_ERROR, "sign is wrong", "sign is not the HMAC-MD5 of the request"},
    {CMS_NO_VERSION, "no new version", "nothing is offered to that version"},
    {CMS_VERSION_INVALID, "version is invalid", NULL},
    {CMS_NOT_REGISTERED, "device is not registered",
     "unknown device, another product's device, or another mid"},
    {CMS_NO_TEAM, "project has no team", "the product has no project team"},
    {CMS_DOWNLOAD_STATUS, "download status is illegal",
     "downloadStatus is not 1, 8, 10, 99 or 100"},
    {CMS_DOWNLOAD_DELTA, "deltaID does not exist",
     "download report for a package never offered to the device"},
    {CMS_UPGRADE_DELTA, "deltaID does not exist",
     "upgrade report for a package never offered to the device"},
    {CMS_UPGRADE_STATUS, "upgrade status is illegal", "updateStatus is not 1, 98 or 99"},
};

const struct cms_code *cms_code_at(size_t index)
{
    return index < sizeof codes / sizeof codes[0] ? &codes[index] : NULL;
}

const struct cms_code *cms_code_find(int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (codes[i].code == code)
            return &codes[i];
    return NULL;
}
