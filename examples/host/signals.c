// SPDX-License-Identifier: MIT
#include "signals.h"

#include "process.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A user whom nobody is; the largest number that is one. */
static const uid_t nobody_at_all = (uid_t)-2;

static const int numbers[] = {
    [machine_Signal_PROBE] = 0,        [machine_Signal_HUP] = SIGHUP,
    [machine_Signal_INT] = SIGINT,     [machine_Signal_QUIT] = SIGQUIT,
    [machine_Signal_KILL] = SIGKILL,   [machine_Signal_USR1] = SIGUSR1,
    [machine_Signal_USR2] = SIGUSR2,   [machine_Signal_TERM] = SIGTERM,
    [machine_Signal_CONT] = SIGCONT,   [machine_Signal_STOP] = SIGSTOP,
    [machine_Signal_WINCH] = SIGWINCH,
};

bool signals_permitted(const struct signaller *by, const struct signalled *to, int signal)
{
    if (by->may_all || (signal == SIGCONT && by->session && by->session == to->session))
        return true;
    return by->uid != SIGNALS_UNKNOWN_USER && (by->uid == to->uid || by->uid == to->saved_uid);
}

/* ---------------------------------------------------------------- who */

struct target {
    int dir, pidfd;
    struct process process;
    struct process_status status;
};

static void close_target(struct target *target)
{
    if (target->dir >= 0)
        close(target->dir);
    if (target->pidfd >= 0)
        close(target->pidfd);
}

static bool is_alive(int pidfd)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    return poll(&end, 1, 0) == 0;
}

/* The process did not end while all was read, so its number was nobody else's. */
static int open_target(struct target *target, int proc, int32_t pid)
{
    struct text text = {0};
    *target = (struct target){.dir = -1, .pidfd = -1};
    if (pid <= 0)
        return ESRCH;
    target->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    target->dir = target->pidfd >= 0 ? process_open(proc, pid) : -1;
    if (target->dir < 0)
        return errno;
    int rc = process_read_stat(&target->process, &text, target->dir);
    if (!rc)
        rc = process_read_status(&target->status, &text, target->dir);
    text_deinit(&text);
    return rc || is_alive(target->pidfd) ? rc : ESRCH;
}

/* Unknown, that is the same, where this process may not look: it cannot do more than it may then. */
static bool same_namespace(int dir)
{
    struct stat own, its;
    return stat("/proc/self/ns/user", &own) || fstatat(dir, "ns/user", &its, 0) ||
           (own.st_ino == its.st_ino && own.st_dev == its.st_dev);
}

static void look_at_caller(struct signaller *by, int proc, const struct koine_caller *caller)
{
    struct text text = {0};
    struct process process;
    struct process_status status;
    *by = (struct signaller){.uid = caller->uid};
    int dir = process_open(proc, caller->pid);
    if (dir < 0)
        return;
    bool known = !process_read_stat(&process, &text, dir) &&
                 !process_read_status(&status, &text, dir) &&
                 (status.uid == caller->uid || status.effective_uid == caller->uid ||
                  status.saved_uid == caller->uid) &&
                 same_namespace(dir);
    if (known) {
        by->session = process.session;
        by->may_all = caller->uid == 0 && status.capabilities >> CAP_KILL & 1;
    }
    text_deinit(&text);
    close(dir);
}

/* ---------------------------------------------------------------- whether it would be noticed */

/* The first process of a machine is sent only what it has a handler for. */
static const char *unheard(const struct target *target, int signal)
{
    if (target->process.kernel_thread)
        return "a thread of the kernel takes no signals";
    if (target->process.value.pid == 1 && signal && !(target->status.caught >> (signal - 1) & 1))
        return "the first process takes only signals that it has a handler for";
    return NULL;
}

/* ---------------------------------------------------------------- sending */

static int send_now(int pidfd, int signal)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) ? errno : 0;
}

/* Nothing may go on with the users mixed up; that it cannot become root again does not happen, because
 * the saved user stays root. */
static int send_as(uid_t uid, int pidfd, int signal)
{
    if (setresuid(nobody_at_all, uid, 0))
        return errno;
    int rc = send_now(pidfd, signal);
    if (setresuid(0, 0, 0))
        abort();
    return rc;
}

static int send_for(const struct signaller *by, const struct target *target, int signal)
{
    const struct signalled own_rule = {.uid = target->status.uid,
                                       .saved_uid = target->status.saved_uid};
    bool by_user = !by->may_all && signals_permitted(by, &own_rule, 0);
    uid_t own = geteuid();
    if (own == 0 && by_user && by->uid != 0)
        return send_as(by->uid, target->pidfd, signal);
    if (own != 0 && own != by->uid && by->uid != 0)
        return EPERM;
    return send_now(target->pidfd, signal);
}

static enum signals_outcome outcome(const char **reasonp, int rc)
{
    *reasonp = rc ? strerror(rc) : "";
    return !rc           ? SIGNALS_SENT
           : rc == ESRCH ? SIGNALS_NO_PROCESS
           : rc == EPERM ? SIGNALS_DENIED
                         : SIGNALS_FAILED;
}

enum signals_outcome signals_send(const char **reasonp, int proc, const struct koine_caller *caller,
                                  int32_t pid, int32_t signal)
{
    struct signaller by;
    struct target target;
    int number = numbers[signal], rc = open_target(&target, proc, pid);
    enum signals_outcome result = outcome(reasonp, rc);
    if (!rc) {
        struct signalled to = {target.status.uid, target.status.saved_uid, target.process.session};
        look_at_caller(&by, proc, caller);
        const char *reason = unheard(&target, number);
        if (!signals_permitted(&by, &to, number)) {
            result = SIGNALS_DENIED;
        } else if (reason) {
            *reasonp = reason;
            result = SIGNALS_UNHEARD;
        } else {
            result = outcome(reasonp, send_for(&by, &target, number));
        }
    }
    close_target(&target);
    return result;
}
