#include "scenarios/cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/vtime.h"
#include "scenarios/cli/report.h"

static void complain(const char *command, const char *fmt, va_list ap)
{
    (void)fflush(stdout);
    (void)fprintf(stderr, "otabench%s%s: ", command == NULL ? "" : " ",
                  command == NULL ? "" : command);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
}

int cli_usage(const char *command, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain(command, fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "see: otabench%s%s --help\n", command == NULL ? "" : " ",
                  command == NULL ? "" : command);
    return EXIT_USAGE;
}

int cli_bad_option(const char *command, char *const *argv)
{
    return cli_usage(command, "%s: that option does not exist or lacks its value",
                     argv[optind - 1]);
}

int cli_fail(const char *command, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    complain(command, fmt, ap);
    va_end(ap);
    return code;
}

void cli_clip(char *text, unsigned columns)
{
    unsigned seen = 0;
    for (char *p = text; *p != '\0'; p++)
        if (((unsigned char)*p & 0xC0u) != 0x80 && seen++ == columns) {
            *p = '\0';
            return;
        }
}

static unsigned width_of(FILE *f)
{
    struct winsize size;
    return isatty(fileno(f)) && ioctl(fileno(f), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void cli_status(const char *fmt, ...)
{
    char line[320];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (!isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "%s\n", line);
        return;
    }
    unsigned columns = width_of(stderr);
    if (columns > 1) /* the last column wraps on some terminals */
        cli_clip(line, columns - 1);
    (void)fprintf(stderr, "\r\x1b[K%s", line);
    (void)fflush(stderr);
}

void cli_status_clear(void)
{
    if (!isatty(STDERR_FILENO))
        return;
    (void)fputs("\r\x1b[K", stderr);
    (void)fflush(stderr);
}

int cli_reports(const char *command, const char *const *paths, size_t n)
{
    struct err err = {.text = ""};
    int rc = report_probe(paths, n, &err);
    return rc == 0         ? 0
           : rc == ERR_ARG ? cli_usage(command, "%s", err.text)
                           : cli_fail(command, EXIT_INCONCLUSIVE, "%s", err.text);
}

int cli_options(const char *command, const char *help, const struct option *longs, int argc,
                char **argv, int (*take)(int option, void *ctx), void *ctx)
{
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (option == 'h') {
            (void)fputs(help, stdout);
            return EXIT_PASSED;
        }
        int code = option == '?' ? cli_bad_option(command, argv) : take(option, ctx);
        if (code != 0)
            return code;
    }
    return -1;
}

bool cli_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    if (*digits == '\0' ||
        digits[strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789")] != '\0')
        return false;
    errno = 0;
    unsigned long long v = strtoull(digits, NULL, hex ? 16 : 10);
    if (errno != 0 || v < min || v > max)
        return false;
    *out = v;
    return true;
}

int64_t cli_clock_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

void cli_cache_dir(char *out, size_t cap)
{
    const char *xdg = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    int n = -1;
    if (xdg != NULL && xdg[0] == '/')
        n = snprintf(out, cap, "%s/otabench", xdg);
    else if (home != NULL && home[0] == '/' && access(home, W_OK) == 0)
        n = snprintf(out, cap, "%s/.cache/otabench", home);
    if (n < 0 || (size_t)n >= cap)
        (void)snprintf(out, cap, "/tmp/otabench-cache-%u", (unsigned)getuid());
}

struct paper cli_paper(FILE *f)
{
    const char *no = getenv("NO_COLOR");
    unsigned width = width_of(f);
    struct paper p = {.colour = isatty(fileno(f)) && (no == NULL || no[0] == '\0'),
                      .columns = PAPER_COLUMNS_MAX};
    if (width > 0)
        p.columns = width < PAPER_COLUMNS_MIN   ? PAPER_COLUMNS_MIN
                    : width < PAPER_COLUMNS_MAX ? (int)width
                                                : PAPER_COLUMNS_MAX;
    return p;
}
