#include "scenarios/cli/load_nginx.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "scenarios/cli/load_cloud.h"

#define START_TRIES   5
#define START_STEPS   500 /* of 10 ms */
#define PATH_TEXT_MAX 256

const char *nginx_find(void)
{
    static const char *const places[] = {"/usr/sbin/nginx", "/usr/local/sbin/nginx",
                                         "/usr/bin/nginx"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

/* A port nobody has now: a listener of nginx cannot choose one itself. */
static uint16_t free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    uint16_t port = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        port = ntohs(a.sin_port);
    if (fd >= 0)
        (void)close(fd);
    return port;
}

static bool answers(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
    if (fd >= 0)
        (void)close(fd);
    return yes;
}

static int write_config(const char *dir, uint16_t port, struct err *err)
{
    static const char *const temporary[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};
    struct buf text;
    buf_init(&text, 8192);
    if (geteuid() == 0) /* else its workers could not read the folder */
        (void)buf_text(&text, "user root;\n");
    (void)buf_printf(&text,
                     "daemon off;\n"
                     "worker_processes auto;\n"
                     "pid %s/nginx.pid;\n"
                     "error_log stderr warn;\n"
                     "events { worker_connections 4096; }\n"
                     "http {\n"
                     "    access_log off;\n"
                     "    sendfile on;\n"
                     "    tcp_nopush on;\n",
                     dir);
    for (size_t i = 0; i < sizeof temporary / sizeof temporary[0]; i++)
        (void)buf_printf(&text, "    %s_temp_path %s/nginx-%s;\n", temporary[i], dir, temporary[i]);
    int rc = buf_printf(&text,
                        "    server {\n"
                        "        listen 127.0.0.1:%u backlog=2048;\n"
                        "        root %s;\n"
                        "    }\n"
                        "}\n",
                        port, dir);
    if (rc == 0)
        rc = load_write_file(dir, "nginx.conf", text.data, text.len_bytes, err);
    buf_free(&text);
    return rc;
}

int nginx_start(struct child *c, const char *program, const char *dir, uint16_t *port,
                struct err *err)
{
    static const struct timespec step = {.tv_nsec = 10000000};
    char conf[PATH_TEXT_MAX], log[PATH_TEXT_MAX], line[256] = "no reason given";
    char path[PATH_TEXT_MAX], word[][10] = {"-c", "-e", "stderr"};
    (void)snprintf(path, sizeof path, "%s", program);
    (void)snprintf(conf, sizeof conf, "%s/nginx.conf", dir);
    (void)snprintf(log, sizeof log, "%s/nginx.log", dir);
    char *argv[] = {path, word[0], conf, word[1], word[2], NULL};
    /* Somebody else may take the port before nginx has it. */
    for (int t = 0; t < START_TRIES; t++) {
        *port = free_port();
        int rc = *port == 0 ? err_set(err, ERR_IO, "no free port: %s", strerror(errno))
                            : write_config(dir, *port, err);
        if (rc == 0)
            rc = child_start(c, argv, false, log, err);
        if (rc != 0)
            return rc;
        for (int i = 0; i < START_STEPS && child_alive(c); i++) {
            if (answers(*port))
                return 0;
            (void)nanosleep(&step, NULL);
        }
        (void)child_end(c, SIGTERM);
    }
    FILE *f = fopen(log, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        line[strcspn(line, "\n")] = '\0';
    if (f != NULL)
        (void)fclose(f);
    return err_set(err, ERR_IO, "%s does not start: %s", program, line);
}
