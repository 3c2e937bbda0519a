/* SPDX-License-Identifier: MIT
 *
 * What a JSON-RPC call over a unix socket takes, and how much of it is koined:
 *
 *      koined-rtt KOINED...
 *
 * measures a service that attaches itself, and then each program as `KOINED --listen URI` before a service
 * in a process of its own. One call of `add` at a time, 20000 after 2000 that do not count, five rounds, the
 * rounds of all ways interleaved; of each way the median of its fastest round is printed, in nanoseconds.
 */
#include "thermostat.h"

#include <koine/dialects.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 20000, WARM = 2000, ROUNDS = 5, WAYS_MAX = 8 };

static char dir[64];

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "koined-rtt: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int add(void *self, struct koine_request *request, const struct demo_Thermostat_add_in *in,
               struct demo_Thermostat_add_out *out)
{
    (void)self;
    (void)request;
    out->return_ = in->a + in->b;
    return 0;
}

/* The service, and with a URI its own endpoint. */
static _Noreturn void serve(const char *uri)
{
    static const struct demo_Thermostat_handlers handlers = {.add = add};
    struct koine_node_options options = {.size = sizeof options, .dir = dir};
    struct koine_node *node;
    struct koine_service *service;
    struct koine_attachment *attachment;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (koine_node_open(&node, &options) ||
        koine_service_open(&service, node, "plant/thermostat", &demo_Thermostat, &handlers, NULL,
                           NULL) ||
        (uri && koine_attach(&attachment, node, uri, NULL)))
        _exit(1);
    koine_node_run(node);
    _exit(1);
}

static int dial(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timespec pause = {0, 1000000};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    for (int tries = 0; tries < 5000; tries++) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (!connect(fd, (struct sockaddr *)&address, sizeof address))
            return fd;
        close(fd);
        nanosleep(&pause, NULL);
    }
    die(path);
}

/* 0: an error, as while the service is not there yet. */
static int call(int fd)
{
    static const char request[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"plant/thermostat.add\",\"params\":[1,2],\"id\":1}\n";
    char answer[512];
    size_t length = 0;
    if (write(fd, request, sizeof request - 1) != (ssize_t)sizeof request - 1)
        die("write");
    while (!length || answer[length - 1] != '\n') {
        ssize_t part = read(fd, answer + length, sizeof answer - 1 - length);
        if (part <= 0)
            die("read");
        length += (size_t)part;
    }
    answer[length] = '\0';
    return strstr(answer, "\"result\":3") != NULL;
}

static int by_size(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static int64_t measure(int fd)
{
    static int64_t took[CALLS];
    for (int i = 0; i < WARM; i++)
        call(fd);
    for (int i = 0; i < CALLS; i++) {
        int64_t begin = koine_now();
        call(fd);
        took[i] = koine_now() - begin;
    }
    qsort(took, CALLS, sizeof *took, by_size);
    return took[CALLS / 2];
}

struct way {
    const char *program; /* NULL: attached */
    char path[100], uri[128];
    pid_t pid;
    int64_t best;
};

static void begin(struct way *way, int number)
{
    snprintf(way->path, sizeof way->path, "%s/%d.sock", dir, number);
    snprintf(way->uri, sizeof way->uri, "jsonrpc+unix://%s", way->path);
    way->best = INT64_MAX;
}

static void start(struct way *way)
{
    way->pid = fork();
    if (way->pid)
        return;
    if (!way->program)
        serve(way->uri);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen("/dev/null", "w", stdout))
        _exit(1);
    execl(way->program, way->program, "--dir", dir, "--listen", way->uri, (char *)NULL);
    _exit(127);
}

static void run(struct way *way)
{
    const struct timespec pause = {0, 1000000};
    start(way);
    pid_t service = way->program ? fork() : 1;
    if (!service)
        serve(NULL);
    int fd = dial(way->path);
    while (!call(fd))
        nanosleep(&pause, NULL);
    int64_t took = measure(fd);
    if (took < way->best)
        way->best = took;
    close(fd);
    kill(way->pid, way->program ? SIGTERM : SIGKILL);
    waitpid(way->pid, NULL, 0);
    if (way->program) {
        kill(service, SIGKILL);
        waitpid(service, NULL, 0);
    }
    unlink(way->path);
}

int main(int argc, char **argv)
{
    struct way ways[WAYS_MAX] = {{NULL}};
    int count = argc < WAYS_MAX ? argc : WAYS_MAX;
    char command[80];
    const char *where = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/koined-rtt.XXXXXX", where ? where : P_tmpdir);
    if (!mkdtemp(dir))
        die(dir);
    for (int i = 0; i < count; i++) {
        ways[i].program = i ? argv[i] : NULL;
        begin(&ways[i], i);
    }
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < count; i++)
            run(&ways[i]);
    for (int i = 0; i < count; i++)
        printf("%7lld ns  %s\n", (long long)ways[i].best, i ? argv[i] : "attached");
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) != 0;
}
