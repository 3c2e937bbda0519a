/* SPDX-License-Identifier: MIT
 *
 * koined: endpoints of foreign dialects, for the services of this machine. It names what it listens on,
 * one line an endpoint with the real port, then "ready", and runs until SIGTERM or SIGINT; then it
 * listens no more, lets the answers that are under way go out, and ends. A second signal does not wait.
 */
#include <koine/dialects.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { DONE = 0, USAGE = 2, PERMISSION = 5, LOCAL = 6 };
enum { ENDPOINTS_MAX = 64 };

#define DRAIN_NS (5 * KOINE_SECOND)

struct koined {
    const char *dir;
    const char *uris[ENDPOINTS_MAX];
    struct koine_attachment *attachments[ENDPOINTS_MAX];
    size_t count;
    struct koine_node *node;
    struct koine_watch *watch;
    int signals; /* a signalfd */
    int told;    /* signals that came */
};

static int complain(int code, const char *what, const char *why)
{
    fprintf(stderr, "koined: %s%s%s\n", what, *why ? ": " : "", why);
    return code;
}

static void print_help(void)
{
    puts("usage: koined --listen URI [--listen URI ...] [--dir DIR]\n\n"
         "Clients of another protocol reach the services of this machine.\n\n"
         "  --listen URI  dialect+transport://address/path?option=value, for example");
    for (size_t i = 0; koine_dialect_name(i); i++)
        printf("                %s+http://127.0.0.1:8080, %s+tcp://[::1]:0,\n"
               "                %s+unix:///run/user/1000/koine.sock\n",
               koine_dialect_name(i), koine_dialect_name(i), koine_dialect_name(i));
    puts("  --dir DIR     where services are looked up; $KOINE_DIR if not given, else\n"
         "                $XDG_RUNTIME_DIR/koine and /run/koine\n"
         "  --version\n\n"
         "Prints the URI of each endpoint with its real port, then \"ready\". SIGTERM and SIGINT "
         "end it\n"
         "when the answers under way are out, after five seconds at most; a second signal at "
         "once.\n\n"
         "exit: 0 ended by a signal, 2 usage, 5 permission, 6 local failure");
}

/* Negative: go on. */
static int parse(struct koined *koined, int argc, char **argv)
{
    static const struct option options[] = {{"listen", required_argument, NULL, 'l'},
                                            {"dir", required_argument, NULL, 'd'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        if (option == 'h') {
            print_help();
            return DONE;
        }
        if (option == 'v') {
            puts("koined " KOINE_VERSION);
            return DONE;
        }
        if (option == 'd')
            koined->dir = optarg;
        else if (option == 'l' && koined->count == ENDPOINTS_MAX)
            return complain(USAGE, "more than 64 endpoints", "start another koined");
        else if (option == 'l')
            koined->uris[koined->count++] = optarg;
        else
            return complain(USAGE, "see koined --help", "");
    }
    if (optind < argc)
        return complain(USAGE, argv[optind], "is no option; see koined --help");
    if (!koined->count)
        return complain(USAGE, "nothing to listen on", "see koined --help");
    return -1;
}

static void on_signal(void *arg, unsigned events)
{
    struct koined *koined = arg;
    struct signalfd_siginfo info;
    (void)events;
    if (read(koined->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    koined->told++;
    (void)koine_node_stop(koined->node);
}

/* Each connection takes three descriptors, its own and two of its link. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_node(struct koined *koined)
{
    struct koine_node_options options = {.size = sizeof options, .dir = koined->dir};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    raise_limit();
    koined->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (koined->signals < 0)
        return complain(LOCAL, "no descriptor for signals", strerror(errno));
    int rc = koine_node_open(&koined->node, &options);
    if (!rc)
        rc = koine_watch_open(&koined->watch, koined->node, koined->signals, KOINE_READABLE,
                              on_signal, koined);
    return rc ? complain(LOCAL, "no node", koine_strerror(rc)) : DONE;
}

static int code_of(int error)
{
    if (error == KOINE_EINVAL || error == KOINE_EUNSUPPORTED)
        return USAGE;
    return error == KOINE_EPERM ? PERMISSION : LOCAL;
}

static int attach_all(struct koined *koined)
{
    struct koine_why why = {""};
    for (size_t i = 0; i < koined->count; i++) {
        int rc = koine_attach(&koined->attachments[i], koined->node, koined->uris[i], &why);
        if (rc)
            return complain(code_of(rc), koined->uris[i], why.text);
    }
    for (size_t i = 0; i < koined->count; i++)
        puts(koine_attachment_uri(koined->attachments[i]));
    puts("ready");
    fflush(stdout);
    return DONE;
}

static bool is_quiet(const struct koined *koined)
{
    struct koine_attachment_counts counts = {.size = sizeof counts};
    for (size_t i = 0; i < koined->count; i++)
        if (koine_attachment_count(&counts, koined->attachments[i]) || counts.connections)
            return false;
    return true;
}

static void drain(struct koined *koined)
{
    int64_t end = koine_now() + DRAIN_NS;
    for (size_t i = 0; i < koined->count; i++)
        koine_attachment_drain(koined->attachments[i]);
    for (int64_t left = DRAIN_NS; left > 0 && koined->told < 2 && !is_quiet(koined);
         left = end - koine_now())
        if (koine_node_process(koined->node, left) < 0)
            return;
}

static int run(struct koined *koined)
{
    int code = open_node(koined);
    if (!code)
        code = attach_all(koined);
    if (!code) {
        int rc = koine_node_run(koined->node);
        if (rc)
            code = complain(LOCAL, koine_strerror(rc), koine_node_why(koined->node));
        drain(koined);
    }
    for (size_t i = 0; i < koined->count; i++)
        koine_detach(koined->attachments[i]);
    koine_watch_close(koined->watch);
    koine_node_close(koined->node);
    return code;
}

/* What is closed is kept from being a socket's number, and still fails to be used. */
static void hold_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

int main(int argc, char **argv)
{
    struct koined koined = {.signals = -1};
    hold_standard();
    int code = parse(&koined, argc, argv);
    return code >= 0 ? code : run(&koined);
}
