/* The otabench command: finds the subcommand and hands over. */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "scenarios/cli/cli.h"

static const struct command commands[] = {
    {"run", "run scenario files or folders and judge them", cmd_run},
    {"replay", "repeat one run exactly, from its token", cmd_replay},
    {"shrink", "make a failing run as small as it gets", cmd_shrink},
    {"list", "scenarios, requirements, networks, chips, faults, tears", cmd_list},
    {"flash", "look into a flash image", cmd_flash},
    {"package", "make and inspect update packages", cmd_package},
    {"doctor", "say what of this machine is missing", cmd_doctor},
    {"explore", "cut the power at every flash operation of a scenario", cmd_explore},
    {"closure", "prove the restore under any number of power cuts", cmd_closure},
    {"merge", "put the shards of an exploration together", cmd_merge},
    {"bench", "measure how fast a scenario simulates", cmd_bench},
    {"cloud", "run the mock cloud for real devices", cmd_cloud},
    {"device", "run the emulated device alone, against a cloud", cmd_device},
};

static void print_help(FILE *out)
{
    (void)fputs("otabench: a wind tunnel for over-the-air firmware updates\n\n"
                "usage: otabench COMMAND [ARGUMENT...]\n\n",
                out);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].text != NULL)
            (void)fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].text);
    (void)fputs("\n'otabench COMMAND --help' shows options and examples.\n"
                "Exit: 0 all passed, 1 a requirement failed, 2 inconclusive or bench fault,\n"
                "64 wrong usage, 77 nothing applicable.\n",
                out);
}

/* A result that went nowhere is none; a reader that has seen enough is no fault. */
static int said(const char *command, int code)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    errno = 0;
    bool lost = fflush(stdout) != 0 || ferror(stdout) != 0;
    int number = errno;
    if (!lost || code != EXIT_PASSED || (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0))
        return code;
    return cli_fail(command, EXIT_INCONCLUSIVE, "what was to be printed is lost%s%s",
                    number != 0 ? ": " : "", number != 0 ? strerror(number) : "");
}

int main(int argc, char **argv)
{
    /* Flash chips of some MiB come and go with every run: keep their pages instead of giving them
     * back to the kernel and faulting them in again. */
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_PASSED;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("otabench " OTABENCH_VERSION);
        return EXIT_PASSED;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return said(argv[1], commands[i].run(argc - 1, argv + 1));
    return cli_usage(NULL, "no command \"%s\"", argv[1]);
}
