/* What the options and the set-up file of `otabench cloud` share. */
#ifndef OTABENCH_CLI_CLOUD_SETUP_INTERNAL_H
#define OTABENCH_CLI_CLOUD_SETUP_INTERNAL_H

#include "mock_cloud/campaigns/campaigns.h"
#include "scenarios/cli/cloud_setup.h"

/* "{name}&{product key}"; ERR_ARG when one of them cannot be part of a topic. */
int setup_identity(const char *product_key, const char *name, char out[STORE_TEXT_MAX],
                   struct err *err);
/* secret: devices register with it; empty: they cannot; null: the one it has. */
int setup_put_product(struct cloud_setup *s, const char *product_key, const char *secret,
                      bool enabled, struct err *err);
/* secret null: the one it has, or a new one. */
int setup_put_device(struct cloud_setup *s, const char *product_key, const char *name,
                     const char *secret, struct err *err);
/* *delta_id: the one that is there with these contents, or a new one. */
int setup_put_firmware(struct cloud_setup *s, struct campaign_firmware *f, int64_t *delta_id,
                       struct err *err);
/* Whether it is 1 to 64 letters, digits, dots, hyphens and underscores, no dot first. */
bool setup_is_file_name(const char *name);
/* Takes the devices over, also when it fails. */
int setup_add_task(struct cloud_setup *s, const struct setup_task *t, struct err *err);

#endif
