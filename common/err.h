/*
 * Errors: a negative code that a program can branch on, and a sentence that a person can act on.
 *
 * A function that can fail returns 0 or one of the codes below, and puts the story into the
 * caller's struct err. Callers on the way up prefix what they know ("scenario x.json: device:
 * ..."). Libraries never print and never exit.
 */
#ifndef OTABENCH_COMMON_ERR_H
#define OTABENCH_COMMON_ERR_H

enum err_code {
    ERR_OK = 0,
    ERR_ARG = -1,         /* the caller broke the contract of the call */
    ERR_FORMAT = -2,      /* outside input is malformed */
    ERR_LIMIT = -3,       /* a declared maximum was exceeded */
    ERR_IO = -4,          /* a file, socket, program or flash operation failed */
    ERR_NOMEM = -5,       /* no memory, real or emulated */
    ERR_NOT_FOUND = -6,   /* what was named does not exist */
    ERR_WRONG_STATE = -7, /* not allowed now */
    ERR_DIGEST = -8,      /* content does not match its digest, CRC or signature */
    ERR_UNSUPPORTED = -9, /* understood, and deliberately not done */
    ERR_BENCH = -10,      /* the bench itself is at fault */
};

#define ERR_TEXT_MAX 512

/* Owned by the caller; zero it or let the first err_set fill it. Longer text is cut. */
struct err {
    char text[ERR_TEXT_MAX];
};

/* Stores the formatted sentence (no full stop, no newline) and returns code. e may be null. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "<formatted>: " before the text already there and returns code. e may be null. */
int err_prefix(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The constant's name, for example "ERR_FORMAT"; "ERR_UNKNOWN" for any other value. */
const char *err_name(int code);

#endif
