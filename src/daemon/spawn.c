/* SPDX-License-Identifier: MIT
 *
 * The child is prepared by calls that are safe between fork and exec. Its descriptors are first copied to
 * above all places that will be used, so that none is overwritten before it is moved.
 */
#include "daemon/spawn.h"

#include "daemon/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ABOVE = KN_WORKER_LISTENERS + KN_SPAWN_LISTENERS_MAX };

extern char **environ;

struct plan {
    char *argv[KN_SPAWN_LISTENERS_MAX + 3];
    int fds[ABOVE]; /* what descriptor i of the worker is here */
    int count;
    pid_t parent;
};

static void place(const struct plan *plan)
{
    int copies[ABOVE];
    for (int i = 0; i < plan->count; i++)
        if ((copies[i] = fcntl(plan->fds[i], F_DUPFD_CLOEXEC, plan->count)) < 0)
            _exit(127);
    for (int i = 0; i < plan->count; i++)
        if (dup2(copies[i], i) < 0)
            _exit(127);
}

/* Kernels before 5.9 have no close_range; there all is close-on-exec that we opened ourselves. */
static _Noreturn void become(const struct plan *plan)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != plan->parent)
        _exit(127);
    place(plan);
    (void)syscall(SYS_close_range, (unsigned)plan->count, ~0u, 0);
    (void)!chdir("/");
    execve("/proc/self/exe", plan->argv, environ);
    _exit(127);
}

static void make_plan(struct plan *plan, const char *const *uris, const int *listeners,
                      size_t count)
{
    *plan = (struct plan){.argv = {"koined", "--worker"},
                          .count = KN_WORKER_LISTENERS + (int)count,
                          .parent = getpid()};
    for (size_t i = 0; i < count; i++) {
        plan->argv[2 + i] = (char *)uris[i];
        plan->fds[KN_WORKER_LISTENERS + i] = listeners[i];
    }
}

static void close_all(const int *fds, size_t count)
{
    int kept = errno;
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    errno = kept;
}

static int start(struct kn_spawned *spawned, const struct plan *plan)
{
    spawned->pid = fork();
    if (!spawned->pid)
        become(plan);
    if (spawned->pid < 0)
        return -1;
    spawned->pidfd = (int)syscall(SYS_pidfd_open, spawned->pid, 0);
    if (spawned->pidfd >= 0)
        return 0;
    int kept = errno;
    kill(spawned->pid, SIGKILL);
    waitpid(spawned->pid, NULL, 0);
    errno = kept;
    return -1;
}

int kn_spawn(struct kn_spawned *spawned, const char *const *uris, const int *listeners,
             size_t count)
{
    struct plan plan;
    int fds[5] = {-1, -1, -1, -1, -1}; /* letters: ours, its; log: ours, its; nothing */
    make_plan(&plan, uris, listeners, count);
    int rc = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
    if (!rc)
        rc = pipe2(fds + 2, O_CLOEXEC | O_NONBLOCK);
    if (!rc)
        rc = (fds[4] = open("/dev/null", O_WRONLY | O_CLOEXEC)) < 0 ? -1 : 0;
    plan.fds[STDIN_FILENO] = fds[1];
    plan.fds[STDOUT_FILENO] = fds[4];
    plan.fds[STDERR_FILENO] = fds[3];
    if (!rc)
        rc = start(spawned, &plan);
    if (rc) {
        close_all(fds, 5);
        return -1;
    }
    spawned->letters = fds[0];
    spawned->log = fds[2];
    close_all((const int[]){fds[1], fds[3], fds[4]}, 3);
    return 0;
}
