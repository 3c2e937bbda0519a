/* SPDX-License-Identifier: MIT */
#include "daemon/child.h"

#include "daemon/letter.h"
#include "runtime/endpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LETTERS_AT_ONCE = 16 };

#define DELAY_FIRST_NS (100 * KOINE_MILLISECOND)
#define DELAY_LAST_NS  (10 * KOINE_SECOND)
#define LONG_LIFE_NS   (30 * KOINE_SECOND)

static void on_life(void *arg, unsigned events);
static void on_letters(void *arg, unsigned events);
static void on_log(void *arg, unsigned events);

/* ---------------------------------------------------------------- what it writes */

static void print_line(const struct kn_child *child, const char *line, size_t length)
{
    fprintf(stderr, "koined: %s: ", child->name);
    for (size_t i = 0; i < length; i++)
        putc((unsigned char)line[i] < ' ' || line[i] == 127 ? '?' : line[i], stderr);
    putc('\n', stderr);
}

/* False: there is no more now, or ever. */
static bool pass_on(struct kn_child *child)
{
    char text[4096];
    ssize_t length = read(child->spawned.log, text, sizeof text);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (length <= 0 || child->logged > KN_CHILD_LOG_MAX) {
        child->log = koine_watch_close(child->log);
        return false;
    }
    child->logged += (size_t)length;
    for (char *at = text, *end = text + length; at < end;) {
        size_t left = (size_t)(end - at);
        char *line_end = memchr(at, '\n', left);
        size_t line = line_end ? (size_t)(line_end - at) : left;
        print_line(child, at, line);
        at += line + 1;
    }
    return true;
}

static void on_log(void *arg, unsigned events)
{
    (void)events;
    (void)pass_on(arg);
}

/* ---------------------------------------------------------------- what it asks */

static bool is_reached(const struct kn_child *child, const char *name)
{
    for (size_t i = 0; i < child->count; i++)
        if (kn_attachment_reaches(child->endpoints[i], kn_str(name)))
            return true;
    return false;
}

/* A worker that does not read its letters waits in vain for this one. */
static void reach(struct kn_child *child, const struct kn_letter *asked)
{
    struct kn_letter answer = {.kind = KN_LETTER_REACHED, .serial = asked->serial};
    int fd = -1;
    if (is_reached(child, asked->text))
        answer.error = kn_name_connect(&fd, &answer.owner, child->dirs, asked->text, NULL);
    else
        answer.error = KOINE_EPERM;
    (void)kn_letter_send(child->spawned.letters, &answer, answer.error ? -1 : fd);
    if (!answer.error)
        close(fd);
}

static void tell_failure(struct kn_child *child, const struct kn_letter *letter)
{
    child->error = letter->error;
    print_line(child, letter->text, strlen(letter->text));
}

/* False: what it says makes no sense. */
static bool take_letter(struct kn_child *child, const struct kn_letter *letter)
{
    if (letter->kind == KN_LETTER_REACH && child->ready)
        reach(child, letter);
    else if (letter->kind == KN_LETTER_FAILED && !child->ready)
        tell_failure(child, letter);
    else if (letter->kind == KN_LETTER_READY && !child->ready)
        child->ready = true;
    else
        return false;
    if (letter->kind == KN_LETTER_READY)
        child->changed(child->arg, child);
    return true;
}

static void on_letters(void *arg, unsigned events)
{
    struct kn_child *child = arg;
    struct kn_letter letter;
    int rc = 0;
    (void)events;
    for (int i = 0; !rc && i < LETTERS_AT_ONCE; i++) {
        rc = kn_letter_receive(&letter, NULL, child->spawned.letters);
        if (!rc && !take_letter(child, &letter))
            rc = KOINE_EPROTOCOL;
    }
    if (!rc || rc == KOINE_EAGAIN)
        return;
    child->letters = koine_watch_close(child->letters);
    if (rc == KOINE_EPROTOCOL) {
        fprintf(stderr, "koined: %s: its worker breaks the rules and is killed\n", child->name);
        kill(child->spawned.pid, SIGKILL);
    }
}

/* ---------------------------------------------------------------- life and death */

static void close_all(struct kn_child *child)
{
    child->life = koine_watch_close(child->life);
    child->letters = koine_watch_close(child->letters);
    child->log = koine_watch_close(child->log);
    close(child->spawned.pidfd);
    close(child->spawned.letters);
    close(child->spawned.log);
    child->spawned = (struct kn_spawned){0};
}

static int watch_all(struct kn_child *child)
{
    struct koine_node *node = child->node;
    const struct kn_spawned *spawned = &child->spawned;
    int rc = koine_watch_open(&child->life, node, spawned->pidfd, KOINE_READABLE, on_life, child);
    if (!rc)
        rc = koine_watch_open(&child->letters, node, spawned->letters, KOINE_READABLE, on_letters,
                              child);
    if (!rc)
        rc = koine_watch_open(&child->log, node, spawned->log, KOINE_READABLE, on_log, child);
    return rc;
}

static int start(struct kn_child *child)
{
    int listeners[KN_SPAWN_LISTENERS_MAX];
    for (size_t i = 0; i < child->count; i++)
        listeners[i] = kn_attachment_fd(child->endpoints[i]);
    child->born = koine_now();
    child->ready = false;
    child->logged = 0;
    if (kn_spawn(&child->spawned, child->uris, listeners, child->count)) {
        child->spawned.pid = 0;
        return -1;
    }
    if (!watch_all(child))
        return 0;
    kill(child->spawned.pid, SIGKILL);
    (void)waitpid(child->spawned.pid, NULL, 0);
    close_all(child);
    errno = ENOMEM;
    return -1;
}

static void plan_again(struct kn_child *child)
{
    int64_t now = koine_now();
    if (now - child->born > LONG_LIFE_NS || !child->delay)
        child->delay = DELAY_FIRST_NS;
    else if ((child->delay *= 2) > DELAY_LAST_NS)
        child->delay = DELAY_LAST_NS;
    koine_timer_set(child->again, now + child->delay);
}

static void on_again(void *arg)
{
    struct kn_child *child = arg;
    if (!start(child))
        return;
    fprintf(stderr, "koined: %s: no worker: %s\n", child->name, strerror(errno));
    plan_again(child);
}

static void describe(char to[80], const siginfo_t *info)
{
    const char *name = info->si_code == CLD_EXITED ? NULL : sigabbrev_np(info->si_status);
    if (info->si_code == CLD_EXITED)
        snprintf(to, 80, "exit code %d", info->si_status);
    else
        snprintf(to, 80, "killed by SIG%s%s", name ? name : "?",
                 info->si_status == SIGSYS ? ": it tried what its sandbox forbids" : "");
}

static void tell_end(const struct kn_child *child, const siginfo_t *info)
{
    char why[80];
    describe(why, info);
    if (child->stopping && child->code && !child->killed)
        fprintf(stderr, "koined: %s: the worker did not end well: %s\n", child->name, why);
    else if (!child->stopping)
        fprintf(stderr, "koined: %s: worker %d ended: %s; the next one in %lld ms\n", child->name,
                (int)info->si_pid, why,
                (long long)((child->delay ? child->delay : DELAY_FIRST_NS) / KOINE_MILLISECOND));
}

static void on_life(void *arg, unsigned events)
{
    struct kn_child *child = arg;
    siginfo_t info = {.si_pid = 0};
    (void)events;
    if (waitid(P_PID, (id_t)child->spawned.pid, &info, WEXITED | WNOHANG) || !info.si_pid)
        return;
    while (child->log && pass_on(child))
        ;
    if (child->letters)
        on_letters(child, 0);
    close_all(child);
    child->ready = false;
    child->code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    if (!child->stopping)
        plan_again(child);
    tell_end(child, &info);
    child->changed(child->arg, child);
}

int kn_child_start(struct kn_child *child)
{
    int rc = koine_timer_open(&child->again, child->node, on_again, child);
    errno = ENOMEM;
    return rc ? -1 : start(child);
}

void kn_child_stop(struct kn_child *child, int signal)
{
    child->stopping = true;
    child->code = 0;
    child->killed = signal == SIGKILL;
    koine_timer_set(child->again, KOINE_FOREVER);
    if (kn_child_runs(child))
        kill(child->spawned.pid, signal);
}

void kn_child_deinit(struct kn_child *child)
{
    child->again = koine_timer_close(child->again);
}
