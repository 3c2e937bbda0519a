/* SPDX-License-Identifier: MIT
 *
 * What must be open is opened first, then the sandbox is entered, and only then the first octet of a
 * client is read. Names are reached by asking the supervisor, which knows the rules of the endpoints too:
 * a worker that could connect by itself could connect to every socket in the file system.
 */
#include "daemon/worker.h"

#include "daemon/letter.h"
#include "daemon/sandbox.h"
#include "node/reach.h"
#include "runtime/endpoint.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { SUPERVISOR = STDIN_FILENO, DONE = 0, FAILED = 6 };

#define REACH_NS (2 * KOINE_SECOND)

struct worker {
    struct koine_node *node;
    struct koine_watch *supervised, *told;
    struct koine_attachment **attachments;
    int count;
    int signals;
    uint32_t serial;
    bool abandoned; /* the supervisor is gone */
};

/* ---------------------------------------------------------------- names */

/* An answer to an earlier question came too late and is thrown away. */
static int take_answer(struct kn_letter *letter, int *fdp, uint32_t serial)
{
    int rc = kn_letter_receive(letter, fdp, SUPERVISOR);
    if (rc)
        return rc;
    bool mine = letter->kind == KN_LETTER_REACHED && letter->serial == serial;
    if (mine && !letter->error && *fdp >= 0)
        return 0;
    if (*fdp >= 0)
        close(*fdp);
    if (!mine)
        return KOINE_EAGAIN;
    return letter->error ? letter->error : KOINE_ESYSTEM;
}

static int reach(void *arg, int *fdp, uint32_t *ownerp, const char *name)
{
    struct worker *worker = arg;
    struct kn_letter letter = {.kind = KN_LETTER_REACH, .serial = ++worker->serial};
    struct pollfd waits = {.fd = SUPERVISOR, .events = POLLIN};
    int64_t until = koine_now() + REACH_NS;
    memcpy(letter.text, name, strlen(name));
    int rc = kn_letter_send(SUPERVISOR, &letter, -1);
    if (rc)
        return rc;
    while ((rc = take_answer(&letter, fdp, worker->serial)) == KOINE_EAGAIN) {
        int64_t left = until - koine_now();
        if (left <= 0)
            return KOINE_EDEADLINE;
        (void)poll(&waits, 1, (int)(left / KOINE_MILLISECOND) + 1);
    }
    *ownerp = letter.owner;
    return rc;
}

/* ---------------------------------------------------------------- callbacks */

/* What comes unasked is an answer that was too late, or the end. */
static void on_supervisor(void *arg, unsigned events)
{
    struct worker *worker = arg;
    struct kn_letter letter;
    int rc = kn_letter_receive(&letter, NULL, SUPERVISOR);
    (void)events;
    if (!rc || rc == KOINE_EAGAIN)
        return;
    worker->abandoned = true;
    (void)koine_node_stop(worker->node);
}

static void on_signal(void *arg, unsigned events)
{
    struct worker *worker = arg;
    struct signalfd_siginfo info;
    (void)events;
    if (read(worker->signals, &info, sizeof info) == (ssize_t)sizeof info)
        (void)koine_node_stop(worker->node);
}

/* ---------------------------------------------------------------- life */

/* SIGINT is for the supervisor, which tells. */
static int open_signals(struct worker *worker)
{
    sigset_t told, blocked;
    sigemptyset(&told);
    sigaddset(&told, SIGTERM);
    blocked = told;
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGHUP);
    (void)sigprocmask(SIG_SETMASK, &blocked, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    worker->signals = signalfd(-1, &told, SFD_CLOEXEC | SFD_NONBLOCK);
    return worker->signals < 0 ? KOINE_ESYSTEM
                               : koine_watch_open(&worker->told, worker->node, worker->signals,
                                                  KOINE_READABLE, on_signal, worker);
}

static int open_all(struct worker *worker, char *const *uris, struct koine_why *why)
{
    struct koine_node_options options = {.size = sizeof options, .dir = "/nowhere"};
    int rc = koine_node_open(&worker->node, &options);
    if (rc)
        return rc;
    kn_node_reach(worker->node, reach, worker);
    rc = open_signals(worker);
    if (!rc)
        rc = koine_watch_open(&worker->supervised, worker->node, SUPERVISOR, KOINE_READABLE,
                              on_supervisor, worker);
    for (int i = 0; !rc && i < worker->count; i++)
        rc = kn_attach_fd(&worker->attachments[i], worker->node, uris[i], KN_WORKER_LISTENERS + i,
                          why);
    return rc;
}

static void close_all(struct worker *worker)
{
    for (int i = 0; i < worker->count; i++)
        koine_detach(worker->attachments[i]);
    koine_watch_close(worker->supervised);
    koine_watch_close(worker->told);
    koine_node_close(worker->node);
    free(worker->attachments);
}

static bool is_quiet(const struct worker *worker)
{
    struct koine_attachment_counts counts = {.size = sizeof counts};
    for (int i = 0; i < worker->count; i++)
        if (koine_attachment_count(&counts, worker->attachments[i]) || counts.connections)
            return false;
    return true;
}

static void drain(struct worker *worker)
{
    int64_t end = koine_now() + KN_DRAIN_NS;
    for (int i = 0; i < worker->count; i++)
        koine_attachment_drain(worker->attachments[i]);
    for (int64_t left = KN_DRAIN_NS; left > 0 && !worker->abandoned && !is_quiet(worker);
         left = end - koine_now())
        if (koine_node_process(worker->node, left) < 0)
            return;
}

static int serve(struct worker *worker)
{
    const struct kn_letter ready = {.kind = KN_LETTER_READY};
    if (kn_letter_send(SUPERVISOR, &ready, -1))
        return KOINE_EDOWN;
    int rc = koine_node_run(worker->node);
    if (!rc && !worker->abandoned)
        drain(worker);
    return rc;
}

static void tell_failure(int error, const struct koine_why *why)
{
    struct kn_letter letter = {.kind = KN_LETTER_FAILED, .error = error};
    const char *text = *why->text ? why->text : koine_strerror(error);
    memcpy(letter.text, text, strlen(text));
    (void)kn_letter_send(SUPERVISOR, &letter, -1);
}

int kn_worker_run(char *const *uris, int count)
{
    struct worker worker = {.count = count, .signals = -1};
    struct koine_why why = {""};
    worker.attachments = calloc((size_t)count, sizeof *worker.attachments);
    int rc = worker.attachments ? open_all(&worker, uris, &why) : KOINE_ENOMEM;
    tzset();
    if (!rc)
        rc = kn_sandbox_enter(&why);
    if (rc)
        tell_failure(rc, &why);
    else
        rc = serve(&worker);
    close_all(&worker);
    return rc ? FAILED : DONE;
}
