#include "sim_device/agent/aiot/aiot_bundle.h"

#include "sim_device/agent/aiot/aiot_ota.h"

uint32_t aiot_bundle_files(const struct aiot_bundle *p)
{
    return p->first == NULL ? 0 : p->first->file_num > 1 ? p->first->file_num : 1;
}

void aiot_bundle_drop(struct board *b, struct aiot_bundle *p)
{
    for (uint32_t i = 1; p->rest != NULL && i < aiot_bundle_files(p); i++)
        board_free(b, p->rest[i - 1]);
    board_free(b, p->rest);
    board_free(b, p->first);
    *p = (struct aiot_bundle){.first = NULL};
}

aiot_download_task_desc_t *aiot_bundle_at(const struct aiot_bundle *p, uint32_t i)
{
    return i == 0 ? p->first : p->rest[i - 1];
}

bool aiot_bundle_put(struct board *b, struct aiot_bundle *p, const aiot_download_task_desc_t *task)
{
    const uint32_t i = task->file_id;
    if (i == 0) {
        aiot_bundle_drop(b, p);
        p->first = aiot_ota_copy_task(b, task);
        if (p->first != NULL && task->file_num > 1)
            p->rest = kit_calloc(b, (task->file_num - 1) * sizeof *p->rest);
    } else if (p->rest != NULL && i < aiot_bundle_files(p) && p->rest[i - 1] == NULL) {
        p->rest[i - 1] = aiot_ota_copy_task(b, task);
    }
    const bool there = p->first != NULL && (i == 0 || (p->rest != NULL && p->rest[i - 1] != NULL));
    if (!there || (task->file_num > 1 && p->rest == NULL))
        aiot_bundle_drop(b, p);
    return p->first != NULL;
}

void aiot_bundle_move(struct board *b, struct aiot_bundle *to, struct aiot_bundle *from)
{
    aiot_bundle_drop(b, to);
    *to = *from;
    *from = (struct aiot_bundle){.first = NULL};
}

static struct kit_offer offer_of(const aiot_download_task_desc_t *t, aiot_ota_recv_type_t type)
{
    return (struct kit_offer){
        .kind = type == AIOT_OTARECV_FOTA ? KIT_PUSH_FIRMWARE : KIT_PUSH_CONFIG,
        .product_key = t->product_key,
        .device_name = t->device_name,
        .version = t->version,
        .module = t->module,
        .method = aiot_ota_digest_kind(t->digest_method),
        .digest = t->expect_digest,
        .size_bytes = t->size_total,
        .file_count = t->file_num,
    };
}

struct kit_offer aiot_bundle_offer(const struct device_config *c, const struct aiot_bundle *p,
                                   aiot_ota_recv_type_t type, struct aiot_offer_room *room)
{
    struct kit_offer o = offer_of(p->first, type);
    const uint32_t n = aiot_bundle_files(p);
    if (n == 1 || n > KIT_FILES_MAX)
        return o;
    for (uint32_t i = 0; i < n; i++) {
        const aiot_download_task_desc_t *t = aiot_bundle_at(p, i);
        room->files[i] = (struct kit_push_file){.name = t->file_name,
                                                .url = t->url,
                                                .size_bytes = t->size_total,
                                                .method = aiot_ota_digest_kind(t->digest_method),
                                                .digest = t->expect_digest};
    }
    kit_offer_files(&o, c, room->files, n, room->id);
    return o;
}
