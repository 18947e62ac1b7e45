/*
 * OpenSSL's EVP interface has no way to take a running digest out; its older one has. It is
 * deprecated, not gone, and there is no other in the library.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "common/digest_state.h"

#include <openssl/md5.h>
#include <openssl/sha.h>
#include <string.h>

#include "common/bytes.h"

enum { AT_H = 0, AT_LENGTH = 32, AT_BLOCK = 40, AT_KIND = 104 };

#define MD5_WORDS    4
#define SHA256_WORDS 8
#define BLOCK_BYTES  64u

void digest_state_begin(struct digest_state *s, enum digest_kind kind)
{
    memset(s, 0, sizeof *s);
    s->kind = kind;
    if (kind == DIGEST_MD5) {
        MD5_CTX c;
        (void)MD5_Init(&c);
        const uint32_t h[MD5_WORDS] = {c.A, c.B, c.C, c.D};
        memcpy(s->h, h, sizeof h);
    } else {
        SHA256_CTX c;
        (void)SHA256_Init(&c);
        for (int i = 0; i < SHA256_WORDS; i++)
            s->h[i] = c.h[i];
    }
}

static uint32_t pending(const struct digest_state *s)
{
    return (uint32_t)(s->len_bytes % BLOCK_BYTES);
}

static void to_md5(const struct digest_state *s, MD5_CTX *c)
{
    (void)MD5_Init(c);
    c->A = s->h[0];
    c->B = s->h[1];
    c->C = s->h[2];
    c->D = s->h[3];
    c->Nl = (MD5_LONG)(s->len_bytes << 3);
    c->Nh = (MD5_LONG)(s->len_bytes >> 29);
    c->num = pending(s);
    memcpy(c->data, s->block, pending(s));
}

static void to_sha256(const struct digest_state *s, SHA256_CTX *c)
{
    (void)SHA256_Init(c);
    for (int i = 0; i < SHA256_WORDS; i++)
        c->h[i] = s->h[i];
    c->Nl = (SHA_LONG)(s->len_bytes << 3);
    c->Nh = (SHA_LONG)(s->len_bytes >> 29);
    c->num = pending(s);
    memcpy(c->data, s->block, pending(s));
}

void digest_state_update(struct digest_state *s, const void *data, size_t len_bytes)
{
    uint64_t total = s->len_bytes + len_bytes;
    if (s->kind == DIGEST_MD5) {
        MD5_CTX c;
        to_md5(s, &c);
        (void)MD5_Update(&c, data, len_bytes);
        const uint32_t h[MD5_WORDS] = {c.A, c.B, c.C, c.D};
        memcpy(s->h, h, sizeof h);
        memcpy(s->block, c.data, total % BLOCK_BYTES);
    } else {
        SHA256_CTX c;
        to_sha256(s, &c);
        (void)SHA256_Update(&c, data, len_bytes);
        for (int i = 0; i < SHA256_WORDS; i++)
            s->h[i] = c.h[i];
        memcpy(s->block, c.data, total % BLOCK_BYTES);
    }
    s->len_bytes = total;
}

void digest_state_end(const struct digest_state *s, uint8_t *out)
{
    if (s->kind == DIGEST_MD5) {
        MD5_CTX c;
        to_md5(s, &c);
        (void)MD5_Final(out, &c);
    } else {
        SHA256_CTX c;
        to_sha256(s, &c);
        (void)SHA256_Final(out, &c);
    }
}

void digest_state_save(const struct digest_state *s, uint8_t out[DIGEST_STATE_BYTES])
{
    memset(out, 0, DIGEST_STATE_BYTES);
    for (uint32_t i = 0; i < SHA256_WORDS; i++)
        put_le32(out + AT_H + 4 * i, s->h[i]);
    put_le64(out + AT_LENGTH, s->len_bytes);
    memcpy(out + AT_BLOCK, s->block, pending(s));
    out[AT_KIND] = (uint8_t)s->kind;
}

int digest_state_load(struct digest_state *s, const uint8_t in[DIGEST_STATE_BYTES])
{
    memset(s, 0, sizeof *s);
    if (in[AT_KIND] != DIGEST_MD5 && in[AT_KIND] != DIGEST_SHA256)
        return ERR_FORMAT;
    s->kind = (enum digest_kind)in[AT_KIND];
    for (uint32_t i = 0; i < SHA256_WORDS; i++)
        s->h[i] = get_le32(in + AT_H + 4 * i);
    s->len_bytes = get_le64(in + AT_LENGTH);
    memcpy(s->block, in + AT_BLOCK, pending(s));
    return 0;
}
