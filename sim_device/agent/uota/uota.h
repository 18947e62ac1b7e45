/* Inside the AliOS client: what its files share. */
#ifndef OTABENCH_AGENT_UOTA_UOTA_H
#define OTABENCH_AGENT_UOTA_UOTA_H

#include "common/digest_state.h"
#include "common/image_trailer.h"
#include "sim_device/agent/uota/ota_push.h"
#include "sim_device/agent/uota/ota_service.h"
#include "sim_device/port/alios/alios_port.h"

#define UOTA_SAVE_BYTES 8192u /* between stored positions */
#define UOTA_STEP_GRID  5
#define UOTA_INBOX      4
#define UOTA_TOPIC_MAX  128

/* What failed: the rows of ota_status.c. */
enum uota_stage {
    STAGE_NONE,
    STAGE_INIT,      /* the announcement cannot be installed, or the area cannot be begun */
    STAGE_VERSION,   /* not newer */
    STAGE_TRANSPORT, /* MQTT: no login, or something could not be told */
    STAGE_FETCH,
    STAGE_URL,
    STAGE_HOST, /* the URL has none */
    STAGE_CONNECT,
    STAGE_READ, /* flash cannot be read back */
    STAGE_BURN,
    STAGE_IMAGE, /* the trailer */
    STAGE_CHECK, /* the digest */
    STAGE_SIGN,  /* the signature */
    STAGE_PART,  /* an image of a part only: the slots hold whole ones */
    STAGE_BOOT,
    STAGE_DIFF,
    STAGE_REBOOT,
    STAGE_PARSE,    /* the announcement cannot be read */
    STAGE_PARAM,    /* it names a digest method that nobody knows */
    STAGE_CANCELLED /* something newer waits: nothing is told */
};

/* RAM of the service. */
struct uota {
    void *thread;
    void *lock;              /* of inbox */
    void *bell;              /* posted when inbox is filled */
    void *inbox[UOTA_INBOX]; /* payloads not looked at, oldest first; the oldest goes when full */
    int inbox_bytes[UOTA_INBOX];
    uint32_t inbox_count;
    bool logged_in;
    uint32_t pause_ms;              /* behind the last login that failed */
    struct ota_push task;           /* being fetched; size_bytes 0: none */
    struct ota_push next;           /* came meanwhile and is newer; size_bytes 0: none */
    bool told_again;                /* the task was announced once more */
    int last_step;                  /* told for the task */
    int owed_step;                  /* a failure that could not be told; 0: none */
    char refused[OTA_VERSION_MAX];  /* its refusal was told */
    char given_up[OTA_VERSION_MAX]; /* failed `tries` times in this power-on */
    uint32_t failures;
    /* The download. */
    uint32_t at;                /* bytes of the image written */
    uint32_t saved;             /* position in the store */
    uint32_t first;             /* position this download began at */
    struct digest_state digest; /* of the first `at` bytes */
};

struct uota *uota_self(void);
const struct device_config *uota_config(void);
#define UOTA_EVENT(name, ...) BOARD_EVENT(board_current(), LANE_DEVICE, (name), __VA_ARGS__)
void uota_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ota_status.c */
/* The step that the cloud is told for it, by the quirks, and its text. */
int uota_code(enum uota_stage stage);
const char *uota_code_text(enum uota_stage stage);
/* Event "state" with the client's own code. */
void uota_state(enum uota_stage stage);

/* ota_service.c */
/* Progress in percent, in steps of UOTA_STEP_GRID, never falling. */
void uota_progress(struct uota *u, uint32_t percent);
/* Of the task, when so much is written: 100 is for a verified image only. */
uint32_t uota_percent(const struct uota *u, uint32_t at);
bool uota_report_version(struct uota *u);
/* Waits for a push and reads it: 0 and *out; ERR_NOT_FOUND: none in that time; other: not usable.
 */
int uota_listen(struct uota *u, uint32_t timeout_ms, struct ota_push *out);
bool uota_same_image(const struct ota_push *a, const struct ota_push *b);
bool uota_is_newer(const char *version, const char *than);

/* ota_resume.c */
/* Sets at and digest to where the store says the task came; 0 without. What was told of the task
 * before a power cut is not told again: last_step follows (RPT-04). */
void uota_recall(struct uota *u);
/* Stores that `at` bytes are in flash. */
void uota_remember(struct uota *u, bool sync);
/* A new task: position 0 of it. */
void uota_begin_record(struct uota *u);
void uota_forget(struct uota *u);
/* Digest of the first `at` bytes, from flash. */
bool uota_digest_flash(struct uota *u, struct digest_state *out);
bool uota_digest_range(enum digest_kind method, uint32_t len_bytes, struct digest_state *out);

/* ota_verify.c */
/* What arrived, and then what flash holds, must have the announced digest; the signature must be of
 * it, and a whole image must end in its trailer. *part: what the image is for. */
enum uota_stage uota_verify(struct uota *u, enum image_part *part);

/* ota_download.c */
/* The whole of a task, up to the boot choice. */
enum uota_stage uota_install(struct uota *u);

#endif
