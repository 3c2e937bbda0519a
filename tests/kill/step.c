/* SPDX-License-Identifier: MIT */
#include "step.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

/* Is the next instruction a system call? */
#if defined(__x86_64__)
enum { SYSCALL_INSTRUCTION = 0x050f, SYSCALL_MASK = 0xffff };
#define PROGRAM_COUNTER  offsetof(struct user_regs_struct, rip)
#define CALL_NUMBER      offsetof(struct user_regs_struct, orig_rax)
#define BREAK_ADDRESS    offsetof(struct user, u_debugreg[0])
#define BREAK_CONTROL    offsetof(struct user, u_debugreg[7])
#define BREAK_ON_EXECUTE 1L /* DR7: local, DR0, one octet of code */
#else
#error "the kill test knows the system call instruction of x86-64 only"
#endif

static void on_alarm(int signal)
{
    (void)signal;
}

/* Repeats, so that an alarm that comes just before the wait begins is not lost. */
void step_patience(int64_t nanoseconds)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct timeval value = {nanoseconds / 1000000000, nanoseconds % 1000000000 / 1000};
    struct itimerval timer = {.it_interval = {0, nanoseconds ? 100000 : 0}, .it_value = value};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

static enum stop await_stop(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, WUNTRACED) < 0)
        return errno == EINTR ? HUNG : GONE;
    if (!WIFSTOPPED(status))
        return GONE;
    int signal = WSTOPSIG(status);
    return signal == SIGTRAP            ? STEPPED
           : signal == (SIGTRAP | 0x80) ? CALLED
           : signal == SIGSTOP          ? FINISHED
                                        : GONE;
}

static enum stop resume(enum __ptrace_request how, pid_t pid)
{
    return ptrace(how, pid, NULL, NULL) ? GONE : await_stop(pid);
}

enum stop step_begin(pid_t pid)
{
    if (await_stop(pid) != FINISHED ||
        ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)))
        return GONE;
    return ptrace(PTRACE_CONT, pid, NULL, NULL) ? GONE : STEPPED;
}

enum stop step_await(pid_t pid)
{
    return await_stop(pid);
}

static uintptr_t counter_of(pid_t pid)
{
    return (uintptr_t)ptrace(PTRACE_PEEKUSER, pid, (void *)PROGRAM_COUNTER, NULL);
}

static bool is_call(pid_t pid, uintptr_t counter)
{
    return (ptrace(PTRACE_PEEKTEXT, pid, (void *)counter, NULL) & SYSCALL_MASK) ==
           SYSCALL_INSTRUCTION;
}

/* ---------------------------------------------------------------- memory that others map */

enum { WATCHED_MAX = 8, WATCHED_SIZE = 20480, LINE = 512 };

/* The control page and ring at the beginning of each segment that the victim writes. */
struct watched {
    void *at[WATCHED_MAX];
    size_t size[WATCHED_MAX];
    uint8_t seen[WATCHED_MAX][WATCHED_SIZE];
    int count;
};

static ssize_t read_segment(const struct watched *watched, pid_t pid, int which, void *to)
{
    struct iovec local = {to, watched->size[which]};
    struct iovec remote = {watched->at[which], watched->size[which]};
    return process_vm_readv(pid, &local, 1, &remote, 1, 0);
}

static void find_segments(struct watched *watched, pid_t pid)
{
    char line[LINE], path[40];
    unsigned long from, to;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    watched->count = 0;
    while (file && fgets(line, sizeof line, file) && watched->count < WATCHED_MAX) {
        char *rights = strchr(line, ' ');
        if (!strstr(line, "memfd:koine") || !rights || strncmp(rights, " rw-s", 5) ||
            sscanf(line, "%lx-%lx", &from, &to) != 2)
            continue;
        int which = watched->count++;
        watched->at[which] = (void *)from;
        watched->size[which] = to - from < WATCHED_SIZE ? to - from : WATCHED_SIZE;
        (void)read_segment(watched, pid, which, watched->seen[which]);
    }
    if (file)
        fclose(file);
}

static bool has_changed(struct watched *watched, pid_t pid)
{
    static uint8_t now[WATCHED_SIZE];
    bool changed = false;
    for (int i = 0; i < watched->count; i++) {
        if (read_segment(watched, pid, i, now) != (ssize_t)watched->size[i] ||
            !memcmp(now, watched->seen[i], watched->size[i]))
            continue;
        memcpy(watched->seen[i], now, watched->size[i]);
        changed = true;
    }
    return changed;
}

static void mark(struct recording *recording)
{
    uint32_t call = recording->count - 1;
    if (recording->mark_count == MARKS_MAX)
        return;
    recording->marks[recording->mark_count].call = call;
    recording->marks[recording->mark_count++].instruction = recording->length[call];
}

static void place(struct recording *recording, uintptr_t counter)
{
    uint32_t pass = 1, at = recording->place_count;
    for (uint32_t i = recording->first[recording->count - 1]; i < at; i++)
        pass += recording->places[i].counter == counter;
    recording->places[at].counter = counter;
    recording->places[at].pass = pass;
    recording->place_count++;
}

static void begin_stretch(struct recording *recording, pid_t pid)
{
    recording->first[recording->count++] = recording->place_count;
    place(recording, counter_of(pid));
}

/* One instruction; a repeating one is stepped turn by turn and counts once. */
static enum stop record_one(struct recording *recording, pid_t pid, uintptr_t *counterp)
{
    uintptr_t before = *counterp;
    enum stop stop;
    do {
        stop = resume(PTRACE_SINGLESTEP, pid);
        *counterp = stop == STEPPED ? counter_of(pid) : 0;
    } while (*counterp == before);
    if (stop != STEPPED)
        return stop;
    recording->length[recording->count - 1]++;
    place(recording, *counterp);
    return STEPPED;
}

bool step_record(pid_t pid, struct recording *recording)
{
    static struct watched watched;
    memset(recording, 0, sizeof *recording);
    find_segments(&watched, pid);
    begin_stretch(recording, pid);
    uintptr_t counter = counter_of(pid);
    while (recording->count < CALLS_MAX && recording->place_count < PLACES_MAX - 1) {
        if (is_call(pid, counter)) {
            enum stop in = resume(PTRACE_SYSCALL, pid), out = resume(PTRACE_SYSCALL, pid);
            if (in != CALLED || out != CALLED)
                return false;
            counter = counter_of(pid);
            begin_stretch(recording, pid);
            find_segments(&watched, pid);
            continue;
        }
        enum stop stop = record_one(recording, pid, &counter);
        if (stop == FINISHED) { /* the last call was its own stop */
            recording->count--;
            return true;
        }
        if (stop != STEPPED)
            return false;
        if (has_changed(&watched, pid))
            mark(recording);
    }
    return false;
}

enum stop step_through(pid_t pid)
{
    return resume(PTRACE_SYSCALL, pid);
}

static bool set_breakpoint(pid_t pid, uintptr_t at)
{
    return !ptrace(PTRACE_POKEUSER, pid, (void *)BREAK_ADDRESS, (void *)at) &&
           !ptrace(PTRACE_POKEUSER, pid, (void *)BREAK_CONTROL,
                   (void *)(at ? BREAK_ON_EXECUTE : 0L));
}

/* In a system call: is it the one by which the victim stops itself? A second SIGSTOP would be lost in it. */
static bool is_own_stop(pid_t pid)
{
    return ptrace(PTRACE_PEEKUSER, pid, (void *)CALL_NUMBER, NULL) == SYS_kill;
}

static enum stop finish(pid_t pid)
{
    enum stop stop = resume(PTRACE_SYSCALL, pid);
    return stop == CALLED ? resume(PTRACE_SYSCALL, pid) : stop;
}

/* It stops at each pass of the place, or at the next system call, when it went another way this time. */
static enum stop run_to_place(pid_t pid, uintptr_t counter, uint32_t pass)
{
    enum stop stop = STEPPED;
    if (!set_breakpoint(pid, counter))
        return GONE;
    for (uint32_t i = 0; i < pass && stop == STEPPED; i++)
        stop = resume(PTRACE_SYSCALL, pid);
    (void)set_breakpoint(pid, 0);
    return stop == CALLED && is_own_stop(pid) ? finish(pid) : stop;
}

enum stop step_to(pid_t pid, const struct recording *recording, uint32_t calls,
                  uint32_t instructions)
{
    for (uint32_t i = 0; i < 2 * calls; i++) {
        enum stop stop = resume(PTRACE_SYSCALL, pid);
        if (stop != CALLED)
            return stop;
        if (i % 2 == 0 && is_own_stop(pid))
            return finish(pid);
    }
    if (!instructions)
        return STEPPED;
    if (instructions == BEFORE_NEXT) {
        enum stop stop = resume(PTRACE_SYSCALL, pid);
        return stop == CALLED ? STEPPED : stop;
    }
    uint32_t at = recording->first[calls] + instructions;
    return run_to_place(pid, recording->places[at].counter, recording->places[at].pass);
}

bool step_let_go(pid_t pid)
{
    return !ptrace(PTRACE_DETACH, pid, NULL, (void *)SIGSTOP) && await_stop(pid) == FINISHED;
}

void step_reap(pid_t pid)
{
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}
