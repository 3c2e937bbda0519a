// SPDX-License-Identifier: MIT
//
// The rule as a table, and real processes of several users, which only root can make: another user runs
// the first cases alone.
#include "process.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { ANN = 71001, BOB = 71002 };
enum { FOR_ALL = 3 }; /* tests that need not be root */

static int proc;
static const char *reason;

struct child {
    pid_t pid;
};

/* A process that has these users and its own session, and waits for signals. */
static struct child start(uid_t real, uid_t effective, uid_t saved)
{
    int ready[2];
    char octet = 0;
    assert_int_equal(pipe(ready), 0);
    struct child child = {fork()};
    if (!child.pid) {
        setsid();
        if (setresuid(real, effective, saved) || prctl(PR_SET_PDEATHSIG, SIGKILL) ||
            write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &octet, 1), 1);
    close(ready[0]);
    return child;
}

/* Root without the right to signal everybody. */
static struct child start_bare_root(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct held[2], bare[2];
    assert_int_equal(syscall(SYS_capget, &header, held), 0);
    memcpy(bare, held, sizeof bare);
    bare[0].effective &= ~(1u << CAP_KILL);
    assert_int_equal(syscall(SYS_capset, &header, bare), 0);
    struct child child = start((uid_t)-1, (uid_t)-1, (uid_t)-1);
    assert_int_equal(syscall(SYS_capset, &header, held), 0);
    return child;
}

/* The signal that ended it; 0: it was alive until now. */
static int finish(struct child child)
{
    int status = 0;
    assert_int_equal(kill(child.pid, SIGPWR),
                     0); /* of those that are there, the last to be taken */
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_true(WIFSIGNALED(status));
    return WTERMSIG(status) == SIGPWR ? 0 : WTERMSIG(status);
}

static enum signals_outcome send_from(struct child from, uid_t uid, pid_t to, int32_t signal)
{
    const struct koine_caller caller = {.uid = uid, .gid = uid, .pid = from.pid};
    return signals_send(&reason, proc, &caller, to, signal);
}

static void the_rule_is_the_kernels(void **state)
{
    static const struct {
        struct signaller by;
        struct signalled to;
        int signal;
        bool permitted;
    } rows[] = {
        {{ANN, false, 1}, {ANN, ANN, 2}, SIGTERM, true},
        {{ANN, false, 1}, {BOB, BOB, 2}, SIGTERM, false},
        {{ANN, false, 1}, {ANN, 0, 2}, SIGKILL, true}, /* a setuid program that it started */
        {{ANN, false, 1}, {0, ANN, 2}, SIGKILL, true}, /* one that can be its user again */
        {{ANN, false, 1}, {0, 0, 2}, SIGKILL, false},
        {{0, true, 1}, {ANN, ANN, 2}, SIGKILL, true},
        {{0, false, 1}, {ANN, ANN, 2}, SIGKILL, false}, /* root without the right */
        {{0, false, 1}, {0, 0, 2}, SIGKILL, true},
        {{ANN, false, 2}, {BOB, BOB, 2}, SIGCONT, true}, /* one session */
        {{ANN, false, 2}, {BOB, BOB, 2}, SIGSTOP, false},
        {{ANN, false, 0}, {BOB, BOB, 0}, SIGCONT, false}, /* unknown ones are not one */
        {{SIGNALS_UNKNOWN_USER, false, 1},
         {SIGNALS_UNKNOWN_USER, SIGNALS_UNKNOWN_USER, 2},
         SIGTERM,
         false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (signals_permitted(&rows[i].by, &rows[i].to, rows[i].signal) != rows[i].permitted)
            fail_msg("row %zu", i);
}

static void a_signal_reaches_its_process(void **state)
{
    uid_t own = geteuid();
    struct child child = start(own, own, own), self = {.pid = getpid()};
    (void)state;
    assert_int_equal(send_from(self, own, child.pid, machine_Signal_PROBE), SIGNALS_SENT);
    assert_int_equal(send_from(self, own, child.pid, machine_Signal_USR1), SIGNALS_SENT);
    assert_int_equal(finish(child), SIGUSR1);
}

static void a_process_that_ended_is_none(void **state)
{
    uid_t own = geteuid();
    struct child child = start(own, own, own), self = {.pid = getpid()};
    siginfo_t info;
    (void)state;
    assert_int_equal(kill(child.pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(send_from(self, own, child.pid, machine_Signal_TERM), SIGNALS_NO_PROCESS);
    assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
    assert_int_equal(send_from(self, own, child.pid, machine_Signal_TERM), SIGNALS_NO_PROCESS);
    assert_int_equal(send_from(self, own, 0, machine_Signal_TERM), SIGNALS_NO_PROCESS);
    assert_int_equal(send_from(self, own, -1, machine_Signal_TERM), SIGNALS_NO_PROCESS);
}

static void users_reach_their_own_processes_alone(void **state)
{
    struct child ann = start(ANN, ANN, ANN), anns = start(ANN, ANN, ANN);
    struct child bobs = start(BOB, BOB, BOB), setuid = start(ANN, 0, 0), roots = start(0, 0, 0);
    (void)state;
    assert_int_equal(send_from(ann, ANN, bobs.pid, machine_Signal_TERM), SIGNALS_DENIED);
    assert_int_equal(send_from(ann, ANN, bobs.pid, machine_Signal_PROBE), SIGNALS_DENIED);
    assert_int_equal(send_from(ann, ANN, bobs.pid, machine_Signal_CONT), SIGNALS_DENIED);
    assert_int_equal(send_from(ann, ANN, roots.pid, machine_Signal_TERM), SIGNALS_DENIED);
    assert_int_equal(send_from(ann, ANN, 1, machine_Signal_KILL), SIGNALS_DENIED);
    assert_int_equal(send_from(ann, ANN, anns.pid, machine_Signal_TERM), SIGNALS_SENT);
    assert_int_equal(send_from(ann, ANN, setuid.pid, machine_Signal_KILL), SIGNALS_SENT);
    assert_int_equal(finish(anns), SIGTERM);
    assert_int_equal(finish(setuid), SIGKILL);
    assert_int_equal(finish(bobs), 0);
    assert_int_equal(finish(roots), 0);
    assert_int_equal(finish(ann), 0);
}

static void root_needs_the_right(void **state)
{
    struct child bare = start_bare_root(), anns = start(ANN, ANN, ANN), roots = start(0, 0, 0);
    struct child self = {.pid = getpid()};
    (void)state;
    assert_int_equal(send_from(self, 0, anns.pid, machine_Signal_PROBE), SIGNALS_SENT);
    assert_int_equal(send_from(bare, 0, anns.pid, machine_Signal_PROBE), SIGNALS_DENIED);
    assert_int_equal(send_from(bare, 0, roots.pid, machine_Signal_PROBE), SIGNALS_SENT);
    assert_int_equal(finish(bare) | finish(anns) | finish(roots), 0);
}

static void this_process_stays_root_alone(void **state)
{
    uid_t real, effective, saved;
    struct child ann = start(ANN, ANN, ANN), anns = start(ANN, ANN, ANN);
    (void)state;
    assert_int_equal(send_from(ann, ANN, anns.pid, machine_Signal_PROBE), SIGNALS_SENT);
    assert_int_equal(getresuid(&real, &effective, &saved), 0);
    assert_true(real == 0 && effective == 0 && saved == 0);
    assert_int_equal(send_from(ann, 0, anns.pid, machine_Signal_TERM), SIGNALS_DENIED);
    assert_int_equal(finish(ann), 0);
    assert_int_equal(finish(anns), 0);
}

static void put(const char *folder, pid_t pid, const char *file, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%d", folder, pid);
    (void)mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/%d/%s", folder, pid, file);
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    fputs(text, to);
    fclose(to);
}

/* /proc is shown as it was before the process became root's: the kernel has the last word. */
static void a_process_that_changes_its_user_meanwhile_is_safe(void **state)
{
    char folder[256], command[300], status[128];
    const char *parent = getenv("TMPDIR");
    struct child roots = start(0, 0, 0), ann = start(ANN, ANN, ANN);
    (void)state;
    snprintf(folder, sizeof folder, "%s/host-signals-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(status, sizeof status, "Tgid:\t%d\nUid:\t%d\t%d\t%d\t0\n", roots.pid, ANN, ANN, ANN);
    put(folder, roots.pid, "status", status);
    put(folder, roots.pid, "stat",
        "9 (x) S 1 1 7 0 -1 4194304 5 0 0 0 1 5 0 0 20 -5 3 0 4200 8192000 1 1 1");
    int real = proc;
    proc = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    enum signals_outcome outcome = send_from(ann, ANN, roots.pid, machine_Signal_KILL);
    close(proc);
    proc = real;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
    assert_int_equal(outcome, SIGNALS_DENIED);
    assert_int_equal(finish(roots), 0);
    finish(ann);
}

/* The kernel drops these without a word, so a caller is told. */
static void what_would_not_be_noticed_is_refused(void **state)
{
    struct child self = {.pid = getpid()};
    (void)state;
    struct process process;
    struct text text = {0};
    int dir = process_open(proc, 2);
    bool kernel = dir >= 0 && !process_read_stat(&process, &text, dir) && process.kernel_thread;
    text_deinit(&text);
    close(dir);
    if (kernel) {
        assert_int_equal(send_from(self, 0, 2, machine_Signal_TERM), SIGNALS_UNHEARD);
        assert_true(strlen(reason) > 0);
    }
    assert_int_equal(send_from(self, 0, 1, machine_Signal_KILL), SIGNALS_UNHEARD);
    assert_int_equal(send_from(self, 0, 1, machine_Signal_STOP), SIGNALS_UNHEARD);
    assert_int_equal(send_from(self, 0, 1, machine_Signal_PROBE), SIGNALS_SENT);
}

static int open_proc(void **state)
{
    (void)state;
    proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return proc < 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rule_is_the_kernels),
        cmocka_unit_test(a_signal_reaches_its_process),
        cmocka_unit_test(a_process_that_ended_is_none),
        cmocka_unit_test(users_reach_their_own_processes_alone),
        cmocka_unit_test(root_needs_the_right),
        cmocka_unit_test(this_process_stays_root_alone),
        cmocka_unit_test(a_process_that_changes_its_user_meanwhile_is_safe),
        cmocka_unit_test(what_would_not_be_noticed_is_refused),
    };
    size_t count = geteuid() ? FOR_ALL : sizeof tests / sizeof *tests;
    return _cmocka_run_group_tests("host/signals", tests, count, open_proc, NULL);
}
