/* SPDX-License-Identifier: MIT */
#include "daemon/supervisor.h"

#include "daemon/child.h"
#include "daemon/worker.h"
#include "node/names.h"
#include "runtime/endpoint.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* A worker that has not drained by then is killed. */
#define PATIENCE_NS (KN_DRAIN_NS + KOINE_SECOND)
#define KILLED_NS   (5 * KOINE_SECOND)

struct supervisor {
    const struct kn_config *config;
    char *dirs;
    struct koine_attachment *listeners[KN_ENDPOINTS_MAX];
    struct kn_child *children;
    size_t child_count;
    struct koine_node *node;
    struct koine_watch *watch;
    int signals; /* a signalfd */
    int told;    /* signals that came */
    bool served; /* all were ready once */
    int code;
};

int kn_complain(int code, const char *what, const char *why)
{
    fprintf(stderr, "koined: %s%s%s\n", what, *why ? ": " : "", why);
    return code;
}

int kn_exit_code(int error)
{
    if (error == KOINE_EINVAL || error == KOINE_EUNSUPPORTED)
        return KN_EXIT_USAGE;
    return error == KOINE_EPERM ? KN_EXIT_PERMISSION : KN_EXIT_LOCAL;
}

/* ---------------------------------------------------------------- the process */

static void on_signal(void *arg, unsigned events)
{
    struct supervisor *supervisor = arg;
    struct signalfd_siginfo info;
    (void)events;
    if (read(supervisor->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    supervisor->told++;
    (void)koine_node_stop(supervisor->node);
}

/* Each connection takes three descriptors of its worker, its own and two of its link. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_node(struct supervisor *supervisor, const char *dir)
{
    struct koine_node_options options = {.size = sizeof options, .dir = dir};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    raise_limit();
    supervisor->dirs = kn_dirs(dir);
    supervisor->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (supervisor->signals < 0)
        return kn_complain(KN_EXIT_LOCAL, "no descriptor for signals", strerror(errno));
    int rc = supervisor->dirs ? koine_node_open(&supervisor->node, &options) : KOINE_ENOMEM;
    if (!rc)
        rc = koine_watch_open(&supervisor->watch, supervisor->node, supervisor->signals,
                              KOINE_READABLE, on_signal, supervisor);
    return rc ? kn_complain(KN_EXIT_LOCAL, "no node", koine_strerror(rc)) : KN_EXIT_DONE;
}

/* ---------------------------------------------------------------- endpoints and workers */

static int listen_all(struct supervisor *supervisor)
{
    const struct kn_config *config = supervisor->config;
    for (size_t i = 0; i < config->count; i++) {
        struct koine_why why = {""};
        const struct kn_endpoint_config *endpoint = &config->endpoints[i];
        int rc = kn_listen(&supervisor->listeners[i], endpoint->uri, &why);
        if (rc)
            return kn_complain(kn_exit_code(rc), endpoint->where ? endpoint->where : endpoint->uri,
                               why.text);
    }
    return KN_EXIT_DONE;
}

/* One that ends before all were ready once would do so again. */
static void on_change(void *arg, struct kn_child *changed)
{
    struct supervisor *supervisor = arg;
    if (supervisor->served)
        return;
    supervisor->served = true;
    for (size_t i = 0; i < supervisor->child_count; i++)
        supervisor->served = supervisor->served && supervisor->children[i].ready;
    if (!changed->ready)
        supervisor->code = kn_exit_code(changed->error);
    if (supervisor->served || supervisor->code)
        (void)koine_node_stop(supervisor->node);
}

static struct kn_child *new_child(struct supervisor *supervisor, const char *name)
{
    struct kn_child *child = &supervisor->children[supervisor->child_count++];
    *child = (struct kn_child){.node = supervisor->node,
                               .dirs = supervisor->dirs,
                               .name = name,
                               .changed = on_change,
                               .arg = supervisor};
    return child;
}

static struct kn_child *find_group(const struct supervisor *supervisor, const char *group)
{
    for (size_t i = 0; group && i < supervisor->child_count; i++)
        if (!strcmp(supervisor->children[i].name, group))
            return &supervisor->children[i];
    return NULL;
}

static void add(struct kn_child *child, const struct kn_endpoint_config *endpoint,
                const struct koine_attachment *listener)
{
    child->uris[child->count] = endpoint->uri;
    child->endpoints[child->count++] = listener;
}

/* Groups first, so that no endpoint of a group's name is taken for it. */
static void plan_groups(struct supervisor *supervisor)
{
    const struct kn_config *config = supervisor->config;
    for (size_t i = 0; i < config->count; i++) {
        const struct kn_endpoint_config *endpoint = &config->endpoints[i];
        struct kn_child *child = find_group(supervisor, endpoint->group);
        if (!child && endpoint->group)
            child = new_child(supervisor, endpoint->group);
        if (child)
            add(child, endpoint, supervisor->listeners[i]);
    }
}

static void plan_others(struct supervisor *supervisor)
{
    const struct kn_config *config = supervisor->config;
    for (size_t i = 0; i < config->count; i++) {
        const struct kn_endpoint_config *endpoint = &config->endpoints[i];
        const char *uri = koine_attachment_uri(supervisor->listeners[i]);
        for (unsigned n = 0; !endpoint->group && n < endpoint->workers; n++)
            add(new_child(supervisor, endpoint->name ? endpoint->name : uri), endpoint,
                supervisor->listeners[i]);
    }
}

static int start_all(struct supervisor *supervisor)
{
    supervisor->children = calloc(KN_WORKERS_MAX, sizeof *supervisor->children);
    if (!supervisor->children)
        return kn_complain(KN_EXIT_LOCAL, "no memory", "");
    plan_groups(supervisor);
    plan_others(supervisor);
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (kn_child_start(&supervisor->children[i]))
            return kn_complain(KN_EXIT_LOCAL, "no worker", strerror(errno));
    return KN_EXIT_DONE;
}

/* ---------------------------------------------------------------- serving and ending */

static void tell_endpoints(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->config->count; i++)
        puts(koine_attachment_uri(supervisor->listeners[i]));
    puts("ready");
    fflush(stdout);
}

static int run_node(struct supervisor *supervisor)
{
    int rc = koine_node_run(supervisor->node);
    return rc ? kn_complain(KN_EXIT_LOCAL, koine_strerror(rc), koine_node_why(supervisor->node))
              : supervisor->code;
}

static int serve(struct supervisor *supervisor)
{
    int code = run_node(supervisor);
    if (code || supervisor->told)
        return code;
    tell_endpoints(supervisor);
    return run_node(supervisor);
}

static bool some_run(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (kn_child_runs(&supervisor->children[i]))
            return true;
    return false;
}

static void stop_all(struct supervisor *supervisor, int signal)
{
    for (size_t i = 0; i < supervisor->child_count; i++)
        kn_child_stop(&supervisor->children[i], signal);
}

/* Until none runs, or the time is over, or more than `told` signals came. */
static void await_all(struct supervisor *supervisor, int64_t patience, int told)
{
    int64_t end = koine_now() + patience;
    for (int64_t left = patience; left > 0 && supervisor->told <= told && some_run(supervisor);
         left = end - koine_now())
        if (koine_node_process(supervisor->node, left) < 0)
            return;
}

/* The socket files go first, so nobody connects who would not be served. */
static int end_all(struct supervisor *supervisor)
{
    int code = KN_EXIT_DONE;
    for (size_t i = 0; i < KN_ENDPOINTS_MAX; i++)
        if (supervisor->listeners[i])
            koine_attachment_drain(supervisor->listeners[i]);
    stop_all(supervisor, SIGTERM);
    await_all(supervisor, PATIENCE_NS, 1);
    if (some_run(supervisor)) {
        stop_all(supervisor, SIGKILL);
        await_all(supervisor, KILLED_NS, INT_MAX);
        return code;
    }
    for (size_t i = 0; i < supervisor->child_count; i++)
        if (supervisor->children[i].stopping && supervisor->children[i].code)
            code = KN_EXIT_LOCAL;
    return code;
}

int kn_supervise(const struct kn_config *config, const char *dir)
{
    struct supervisor supervisor = {.config = config, .signals = -1};
    int code = open_node(&supervisor, dir), ended;
    if (!code)
        code = listen_all(&supervisor);
    if (!code)
        code = start_all(&supervisor);
    if (!code)
        code = serve(&supervisor);
    ended = end_all(&supervisor);
    for (size_t i = 0; i < supervisor.child_count; i++)
        kn_child_deinit(&supervisor.children[i]);
    for (size_t i = 0; i < KN_ENDPOINTS_MAX; i++)
        koine_detach(supervisor.listeners[i]);
    koine_watch_close(supervisor.watch);
    koine_node_close(supervisor.node);
    if (supervisor.signals >= 0)
        close(supervisor.signals);
    free(supervisor.children);
    free(supervisor.dirs);
    return code ? code : ended;
}
