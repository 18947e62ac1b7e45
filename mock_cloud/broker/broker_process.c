#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mock_cloud/broker/broker_internal.h"

#define PLUGIN_NAME "otabench_mqtt.so"

/* What old device stacks offer (RSA key exchange with AES-CBC) besides modern suites. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:kRSA+AESGCM:kRSA+AES"

extern char **environ;

/* ---- files ---- */

int broker_path(const struct broker *b, const char *name, char out[PATH_MAX_BYTES], struct err *err)
{
    int n = snprintf(out, PATH_MAX_BYTES, "%s/%s", b->dir, name);
    if (n < 0 || n >= PATH_MAX_BYTES)
        return err_set(err, ERR_LIMIT, "%s: too long a path for a socket", b->dir);
    return 0;
}

/* The plugin lies beside the program, or above it in a build tree, or in the library directory. */
static int find_plugin(char *out, size_t cap, struct err *err)
{
    char self[512];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = '\0';
    for (int up = 0; up < 5; up++) {
        char *slash = strrchr(self, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
        static const char *const places[] = {"", "/lib/otabench"};
        for (size_t i = 0; i < 2; i++)
            if (snprintf(out, cap, "%s%s/" PLUGIN_NAME, self, places[i]) < (int)cap &&
                access(out, R_OK) == 0)
                return 0;
    }
    return err_set(err, ERR_UNSUPPORTED,
                   PLUGIN_NAME " is not beside this program; it is built along with it");
}

static int find_mosquitto(char *out, size_t cap, struct err *err)
{
    static const char *const places[] = {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto",
                                         "/usr/bin/mosquitto"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (access(places[i], X_OK) == 0) {
            (void)snprintf(out, cap, "%s", places[i]);
            return 0;
        }
    return err_set(err, ERR_UNSUPPORTED,
                   "the Mosquitto broker is not installed (Debian package mosquitto)");
}

int broker_check(char *where, size_t cap, struct err *err)
{
    char program[128], plugin[600];
    int rc = find_mosquitto(program, sizeof program, err);
    if (rc == 0)
        rc = find_plugin(plugin, sizeof plugin, err);
    if (rc == 0)
        (void)snprintf(where, cap, "%s with %s", program, plugin);
    return rc;
}

/* A TCP port nobody has now; Mosquitto cannot choose one itself. */
static uint16_t free_port(const char *ip)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint16_t port = 0;
    if (fd >= 0 && inet_pton(AF_INET, ip, &a.sin_addr) == 1 &&
        bind(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
        getsockname(fd, (struct sockaddr *)&a, &len) == 0)
        port = ntohs(a.sin_port);
    if (fd >= 0)
        (void)close(fd);
    return port;
}

static int write_config(struct broker *b, const char *plugin, struct err *err)
{
    const char *ip = b->cfg.bind_ip == NULL ? "127.0.0.1" : b->cfg.bind_ip;
    char path[PATH_MAX_BYTES], sock[PATH_MAX_BYTES], own[PATH_MAX_BYTES], log[PATH_MAX_BYTES];
    int rc = broker_path(b, "mosquitto.conf", path, err);
    if (rc == 0)
        rc = broker_path(b, "plugin.sock", sock, err);
    if (rc == 0)
        rc = broker_path(b, "own.sock", own, err);
    if (rc == 0)
        rc = broker_path(b, "mosquitto.log", log, err);
    if (rc != 0)
        return rc;
    b->port = b->cfg.port != 0 ? b->cfg.port : free_port(ip);
    if (b->cfg.cert_path != NULL)
        b->tls_port = b->cfg.tls_port != 0 ? b->cfg.tls_port : free_port(ip);
    if (b->port == 0 || (b->cfg.cert_path != NULL && b->tls_port == 0))
        return err_set(err, ERR_IO, "no free port on %s: %s", ip, strerror(errno));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
    if (f == NULL)
        return err_set(err, ERR_IO, "%s cannot be written: %s", path, strerror(errno));
    if (geteuid() == 0) /* else it would give up its rights, and with them its own files */
        (void)fprintf(f, "user root\n");
    (void)fprintf(f,
                  "persistence false\n"
                  "allow_anonymous false\n"
                  "log_dest file %s\n"
                  "log_type error\nlog_type warning\n"
                  "connection_messages false\n"
                  "sys_interval 0\n"
                  "max_packet_size %u\n"
                  "message_size_limit %u\n"
                  "max_queued_messages 100\n"
                  "max_inflight_messages 20\n"
                  "set_tcp_nodelay true\n"
                  "plugin %s\n"
                  "plugin_opt_socket %s\n"
                  "plugin_opt_token %s\n"
                  "listener 0 %s\n"
                  "listener %u %s\n"
                  "max_qos 1\n",
                  log, BROKER_PACKET_MAX, MQTT_PAYLOAD_MAX, plugin, sock, b->token, own, b->port,
                  ip);
    if (b->tls_port != 0)
        (void)fprintf(f,
                      "listener %u %s\n"
                      "max_qos 1\n"
                      "certfile %s\nkeyfile %s\n"
                      "tls_version tlsv1.2\n"
                      "ciphers " CIPHERS "\n",
                      b->tls_port, ip, b->cfg.cert_path, b->cfg.key_path);
    if (fclose(f) != 0)
        return err_set(err, ERR_IO, "%s cannot be written: %s", path, strerror(errno));
    (void)unlink(own);
    return 0;
}

/* ---- start ---- */

int broker_listen(struct broker *b, struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char path[PATH_MAX_BYTES];
    int rc = broker_path(b, "plugin.sock", path, err);
    if (rc != 0)
        return rc;
    memcpy(a.sun_path, path, sizeof a.sun_path);
    (void)unlink(path);
    b->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (b->listen_fd < 0 || bind(b->listen_fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        chmod(path, 0600) != 0 || listen(b->listen_fd, 1) != 0)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    return 0;
}

int broker_spawn(struct broker *b, struct err *err)
{
    char plugin[600], program[128], conf[PATH_MAX_BYTES], log[PATH_MAX_BYTES];
    int rc = find_plugin(plugin, sizeof plugin, err);
    if (rc == 0)
        rc = find_mosquitto(program, sizeof program, err);
    if (rc == 0)
        rc = write_config(b, plugin, err);
    if (rc == 0)
        rc = broker_path(b, "mosquitto.conf", conf, err);
    if (rc == 0)
        rc = broker_path(b, "mosquitto.log", log, err);
    if (rc != 0)
        return rc;
    char *argv[] = {program, (char[]){"-c"}, conf, NULL};
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none;
    (void)sigemptyset(&none);
    (void)posix_spawn_file_actions_init(&fa);
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    (void)posix_spawn_file_actions_addopen(&fa, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    (void)posix_spawn_file_actions_adddup2(&fa, 1, 2);
    /* Ctrl-C is for this process; the broker goes when it does. */
    (void)posix_spawnattr_setpgroup(&attr, 0);
    (void)posix_spawnattr_setsigmask(&attr, &none);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    rc = posix_spawn(&b->pid, program, &fa, &attr, argv, environ);
    (void)posix_spawn_file_actions_destroy(&fa);
    (void)posix_spawnattr_destroy(&attr);
    if (rc == 0)
        return 0;
    b->pid = 0;
    return err_set(err, ERR_IO, "%s cannot be started: %s", program, strerror(rc));
}

/* The first error in the broker's log, or else its last line: why a start failed. */
static void last_words(const struct broker *b, char *out, size_t cap)
{
    char path[PATH_MAX_BYTES], line[256];
    out[0] = '\0';
    FILE *f = broker_path(b, "mosquitto.log", path, NULL) == 0 ? fopen(path, "r") : NULL;
    while (f != NULL && strstr(out, "Error") == NULL && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0')
            (void)snprintf(out, cap, "%s", line);
    }
    if (f != NULL)
        (void)fclose(f);
}

static bool has_ended(struct broker *b)
{
    if (b->pid == 0 || waitpid(b->pid, NULL, WNOHANG) != b->pid)
        return b->pid == 0;
    b->pid = 0;
    return true;
}

/* Waits for an fd in small steps, so that an early death of the broker is noticed. */
int broker_await(struct broker *b, int fd, int *left_ms, struct err *err)
{
    enum { STEP_MS = 20 };
    for (; *left_ms > 0; *left_ms -= STEP_MS) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, STEP_MS) > 0)
            return 0;
        if (has_ended(b))
            break;
    }
    char words[256];
    last_words(b, words, sizeof words);
    return err_set(err, ERR_IO, "the MQTT broker does not start: %s",
                   words[0] != '\0' ? words : "no reason given");
}
