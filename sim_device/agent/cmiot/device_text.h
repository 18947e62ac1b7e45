/* What texts of a configuration may hold. */
#ifndef OTABENCH_AGENT_CMIOT_DEVICE_TEXT_H
#define OTABENCH_AGENT_CMIOT_DEVICE_TEXT_H

#include "sim_device/device.h"

enum charset { CHARS_ID, CHARS_TEXT };

struct text_rule {
    const char *name;
    size_t offset; /* in struct device_config */
    size_t cap;    /* of the array */
    size_t min, max;
    enum charset set;
};

#define TEXT_RULE(member, lo, hi, chars)                                                           \
    {                                                                                              \
#member, offsetof(struct device_config, member),                                           \
            sizeof(((struct device_config *)0)->member), lo, hi, chars                             \
    }

/* ERR_ARG naming the item, what is wrong and what is allowed. */
int device_text_check(const struct device_config *c, const struct text_rule *rules, size_t n,
                      struct err *err);
/* device_config_check of a device with AGENT_CMIOT. */
int cmiot_config_check(const struct device_config *c, struct err *err);

#endif
