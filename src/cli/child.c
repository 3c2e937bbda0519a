/* SPDX-License-Identifier: MIT */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REPORT = 3, PATIENCE_MS = 2000, NOT_STARTED = 127 };

/* ---------------------------------------------------------------- in the child */

static const int ours[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGPIPE};

static void parent_died(int signal)
{
    (void)signal;
    kill(0, SIGKILL);
}

static void say_and_exit(int error)
{
    ssize_t sent = write(REPORT, &error, sizeof error);
    (void)sent; /* nobody is left to be told */
    _exit(NOT_STARTED);
}

/* The parent may die between fork and prctl: whoever asks afterwards sees another parent. */
static void die_with(pid_t parent, int signal)
{
    if (prctl(PR_SET_PDEATHSIG, signal) || getppid() != parent)
        kill(0, SIGKILL);
}

static void run_command(pid_t guard, char *const *argv)
{
    die_with(guard, SIGKILL);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        (void)signal(ours[i], SIG_DFL);
    execvp(argv[0], argv);
    say_and_exit(errno);
}

/* The signals that ask this group to end are for the command; the guard waits for it. */
static void guard(pid_t parent, const int *fds, char *const *argv)
{
    int status;
    (void)setpgid(0, 0);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        (void)signal(ours[i], ours[i] == SIGUSR1 ? parent_died : SIG_IGN);
    die_with(parent, SIGUSR1);
    if (dup2(fds[0], 0) < 0 || dup2(fds[1], 1) < 0 || dup2(fds[2], REPORT) < 0 ||
        fcntl(REPORT, F_SETFD, FD_CLOEXEC) || syscall(SYS_close_range, REPORT + 1, ~0U, 0))
        say_and_exit(errno);
    pid_t self = getpid(), pid = fork();
    if (pid < 0)
        say_and_exit(errno);
    if (!pid)
        run_command(self, argv);
    close(0);
    close(1);
    close(REPORT);
    while (waitpid(pid, &status, 0) < 0)
        ;
    _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

/* ---------------------------------------------------------------- in the parent */

static void close_all(int *fds, int count)
{
    for (int i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* Away from 0 to 3, where the guard puts its own. */
static int open_pipe(int *pair)
{
    if (pipe2(pair, O_CLOEXEC))
        return errno;
    for (int i = 0; i < 2; i++) {
        int high = fcntl(pair[i], F_DUPFD_CLOEXEC, REPORT + 1);
        if (high < 0)
            return errno;
        close(pair[i]);
        pair[i] = high;
    }
    return 0;
}

/* Whether the command was started: an errno, or the end of the pipe when exec closed it. */
static int await_start(int report)
{
    int error = 0;
    ssize_t got;
    while ((got = read(report, &error, sizeof error)) < 0 && errno == EINTR)
        ;
    return got == (ssize_t)sizeof error ? error : 0;
}

/* Both sides make the group, so that it is there whoever runs first. */
static int adopt(struct cli_child *child, pid_t pid, int in, int out)
{
    *child = (struct cli_child){.pid = pid, .in = in, .out = out};
    (void)setpgid(pid, pid);
    child->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return child->pidfd < 0 || fcntl(in, F_SETFL, O_NONBLOCK) || fcntl(out, F_SETFL, O_NONBLOCK)
               ? errno
               : 0;
}

int kn_cli_child_start(struct cli_child *child, char *const *argv)
{
    int pipes[6] = {-1, -1, -1, -1, -1, -1}; /* stdin, stdout, report; read end first */
    int error = open_pipe(pipes);
    if (!error)
        error = open_pipe(pipes + 2);
    if (!error)
        error = open_pipe(pipes + 4);
    pid_t self = getpid(), pid = error ? -1 : fork();
    if (!pid)
        guard(self, (int[]){pipes[0], pipes[3], pipes[5]}, argv);
    if (pid < 0) {
        error = error ? error : errno;
        close_all(pipes, 6);
        return error;
    }
    close_all((int[]){pipes[0], pipes[3], pipes[5]}, 3);
    error = adopt(child, pid, pipes[1], pipes[2]);
    if (!error)
        error = await_start(pipes[4]);
    close(pipes[4]);
    if (error)
        (void)kn_cli_child_end(child);
    return error;
}

void kn_cli_child_hang_up(struct cli_child *child)
{
    if (child->in >= 0)
        close(child->in);
    child->in = -1;
}

/* The group is killed before its leader is waited for, so its number cannot be another's yet. */
int kn_cli_child_end(struct cli_child *child)
{
    struct pollfd life = {.fd = child->pidfd, .events = POLLIN};
    int status = 0;
    kn_cli_child_hang_up(child);
    close_all(&child->out, 1);
    if (poll(&life, 1, 0) == 0) {
        (void)kill(-child->pid, SIGTERM);
        (void)poll(&life, 1, PATIENCE_MS);
    }
    (void)kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close_all(&child->pidfd, 1);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
