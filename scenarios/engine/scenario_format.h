/*
 * The scenario format as tables: every object of the format is one ordered const table of its keys,
 * and one reader and one writer walk them. So a key exists in one place: what can be read can be
 * written, what is allowed is what is listed, and a test holds docs/scenario.schema.json to it.
 *
 * Only scenario*.c include this.
 */
#ifndef OTABENCH_ENGINE_SCENARIO_FORMAT_H
#define OTABENCH_ENGINE_SCENARIO_FORMAT_H

#include "common/bytes.h"
#include "common/json.h"
#include "scenarios/engine/scenario.h"

#define SCENARIO_BYTES_MAX (1u << 20)               /* of a scenario file */
#define TIME_MS_MAX        INT64_C(31622400000)     /* 366 days */
#define EXACT_MAX          ((INT64_C(1) << 53) - 1) /* largest integer JSON keeps */
#define CHIP_BYTES_MAX     (INT64_C(1) << 28)
#define WORDS_MAX          64 /* of one FIELD_WORD */

struct reader {
    const cJSON *root; /* for paths in messages */
    struct scenario *s;
    struct err *err;
};

struct writer {
    struct buf *out;
    const struct scenario *s;
    int depth;
    bool first; /* nothing yet in the innermost object or array */
    int rc;     /* first error; nothing is written after it */
};

enum field_kind {
    FIELD_INT,    /* integer of width bytes */
    FIELD_SIZE,   /* the same, or "0x..." as a string: addresses, sizes, seeds */
    FIELD_MS,     /* milliseconds in the file, int64_t nanoseconds in memory */
    FIELD_BOOL,   /* true or false */
    FIELD_TEXT,   /* char[width]; min: shortest, in bytes */
    FIELD_WORD,   /* one of word(0..); index into an int, enum or bool */
    FIELD_OBJECT, /* table, at offset; absent: as if {} */
    FIELD_LIST,   /* array of up to max objects of table; count at count_offset */
    FIELD_INTS,   /* array of up to max ints; count at count_offset; values min.. and up */
    FIELD_SPECIAL /* read and write below */
};

struct table;
struct field {
    const char *key;
    enum field_kind kind;
    bool required;
    uint32_t offset, width;
    int64_t min, max;               /* FIELD_SIZE: max -1 means all 64 bits */
    const char *(*word)(int index); /* null past the last */
    const struct table *table;
    uint32_t count_offset; /* of a uint32_t */
    uint32_t has_offset;   /* not 0: a bool that says whether the key is there */
    /* Called when the key is there. */
    int (*read)(const struct reader *r, const struct field *f, const cJSON *obj, void *base);
    void (*write)(struct writer *w, const struct field *f, const void *base);
};

/* A key that belongs to some kinds of an object only. A key never named here is always allowed. */
struct key_use {
    int kind;
    const char *key;
    bool must; /* that kind cannot do without it */
};

struct table {
    const char *name; /* of its definition in the JSON Schema */
    const struct field *fields;
    size_t n;
    uint32_t item_bytes; /* of a list's item */
    /* Defaults, before any key is read. */
    void (*init)(const struct reader *r, void *item, uint32_t index);
    /* A list that is not in the file. */
    void (*absent)(const struct reader *r);
    /* Sets the kind from the keys that are there, before they are read. */
    int (*decide)(const struct reader *r, const cJSON *obj, void *item);
    int (*kind_of)(const void *item);
    const char *(*kind_word)(int kind); /* how messages call it */
    const struct key_use *uses;
    size_t n_uses;
    /* After all keys were read. */
    int (*check)(const struct reader *r, const cJSON *obj, void *item);
};

#define MEMBER(type, member) .offset = offsetof(type, member), .width = sizeof(((type *)0)->member)
#define COUNTED(a)           .fields = (a), .n = sizeof(a) / sizeof((a)[0])
#define USES(a)              .uses = (a), .n_uses = sizeof(a) / sizeof((a)[0])

extern const struct table scenario_table, device_table, fate_table, file_table, version_table,
    image_table, generate_table, edit_table, offer_table, cloud_table, cloud_fault_table,
    network_table, profile_table, push_table, net_fault_table, trigger_table, power_table,
    flash_table, expect_table, requests_table, other_device_table;
/* All tables there are, for the test against the schema; null past the last. */
const struct table *scenario_table_at(size_t index);

/* Reads one object by its table into base: unknown keys, defaults, keys, uses, check. */
int fields_read(const struct reader *r, const struct table *t, const cJSON *obj, void *base,
                uint32_t index);
void fields_write(struct writer *w, const struct table *t, const void *base);
/* Whether the key belongs to what item is. */
bool field_applies(const struct table *t, const char *key, const void *item);
/* Reads array `key` of obj: item by item into base by t. */
int list_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base);

/* As json_get_int, but "0x..." is allowed too; full 64 bits that way. */
int size_read(const struct reader *r, const cJSON *obj, const char *key, uint64_t min, uint64_t max,
              uint64_t *out);

/* Words that the schema must list too. */
const char *break_word(int index);
const char *quirk_word(int index);
int breaks_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base);
void breaks_write(struct writer *w, const struct field *f, const void *base);
int quirks_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base);
void quirks_write(struct writer *w, const struct field *f, const void *base);
const char *chip_word(int index);
const char *profile_word(int index);
const char *net_word(int kind);
const char *offer_event_word(int index);

/* Writer: one key or item each; all do nothing after an error. */
void write_open(struct writer *w, const char *key, char bracket); /* key null: an array's item */
void write_close(struct writer *w, char bracket);
void write_int(struct writer *w, const char *key, int64_t v);
void write_size(struct writer *w, const char *key, uint64_t v);
void write_bool(struct writer *w, const char *key, bool yes);
void write_text(struct writer *w, const char *key, const char *text);
/* word null: the value has none, ERR_ARG. */
void write_word(struct writer *w, const char *key, const char *word);

/* The events that triggers and offers may name. Null past the last. */
struct event_name {
    enum lane lane;
    const char *event;
    const char *fields; /* separated by blanks */
};
const struct event_name *event_name_at(size_t index);

/* Keys of an offer that only a batch has. */
const char *batch_policy_word(int index);
int batch_devices_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base);
void batch_devices_write(struct writer *w, const struct field *f, const void *base);
int batch_sources_read(const struct reader *r, const struct field *f, const cJSON *obj, void *base);
void batch_sources_write(struct writer *w, const struct field *f, const void *base);
int batch_check(const struct reader *r, const cJSON *obj, const struct offer_spec *offer);
/* Devices that batches name, once all there are have been read. */
int batch_check_devices(const struct reader *r);

/* Version text to index and back; used by offers. -1: there is none of that name. */
int version_index(const struct scenario *s, const char *version);

/* The name a scenario at this path has (scenario.h). ERR_ARG: too long. */
int scenario_name_of(const char *path, char out[SCENARIO_NAME_MAX], struct err *err);

#endif
