/* SPDX-License-Identifier: MIT
 *
 * Runs one method: a leader and its peers, each a process pinned to its processor, never more than one
 * method at a time. The leader doubles its count until a repetition is long enough, which is also the
 * warm-up, then repeats many times for a short while; the quietest third of the repetitions counts, quiet
 * being how little our processes waited for a processor meanwhile.
 *
 * No child outlives kn_bench_run: the leader reports through a pipe, then all are killed; a child that dies
 * by itself, a signal, or the end of the time ends the measurement in the same way; and children die
 * with their parent.
 */
#include "cli/bench.h"

#include <koine/koine.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 1 + BENCH_PEERS, LOOK_MS = 20, GRACE_S = 10 };

_Static_assert(sizeof(struct bench_report) <= 4096, "a report is one write to a pipe");

/* ---------------------------------------------------------------- in a child */

bool kn_bench_fail(struct bench_side *side, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(side->report->text, sizeof side->report->text, format, args);
    va_end(args);
    side->report->failed = true;
    return false;
}

void kn_bench_ready(struct bench_side *side)
{
    atomic_fetch_add(&side->shared->ready, 1);
}

void kn_bench_await(struct bench_side *side)
{
    while (atomic_load(&side->shared->ready) < side->method->peers)
        sched_yield();
}

/* How long a process was ready to run and did not; 0 where the kernel does not count it. */
static uint64_t delay_of(int32_t pid)
{
    char path[64];
    unsigned long long ran, delayed = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
    FILE *from = fopen(path, "re");
    if (!from)
        return 0;
    if (fscanf(from, "%llu %llu", &ran, &delayed) != 2)
        delayed = 0;
    fclose(from);
    return delayed;
}

static uint64_t all_delays(const struct bench_side *side)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i <= side->method->peers; i++)
        sum += delay_of(side->pids[i]);
    return sum;
}

static bool repeat(struct bench_side *side, bool (*run)(void *arg, uint64_t count), void *arg,
                   uint64_t count, struct bench_sample *sample)
{
    uint64_t delays = all_delays(side);
    int64_t start = koine_now();
    if (!run(arg, count))
        return false;
    int64_t took = koine_now() - start;
    sample->value = (double)took / (double)count;
    sample->noise = (double)(all_delays(side) - delays) / (double)(took + 1);
    return true;
}

bool kn_bench_measure(struct bench_side *side, bool (*run)(void *arg, uint64_t count), void *arg)
{
    struct bench_report *report = side->report;
    struct bench_sample warm = {0};
    uint64_t count = 4;
    for (; warm.value * (double)count < (double)side->ns / 2; count *= 2)
        if (!repeat(side, run, arg, 2 * count, &warm))
            return false;
    double wanted = (double)side->ns / (warm.value > 0 ? warm.value : 1);
    count = wanted > 4 ? (uint64_t)wanted : 4;
    while (report->count < side->repetitions)
        if (!repeat(side, run, arg, count, &report->samples[report->count++]))
            return false;
    return true;
}

static void pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

static _Noreturn void be_child(struct bench_side *side, int cpu, pid_t parent, int pipe)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    pin(cpu);
    struct bench_report report = {0};
    side->report = &report;
    bool leads = side->index == BENCH_PEERS;
    bool done = leads ? side->method->lead(side) : side->method->peer(side);
    if (!done && !report.failed)
        kn_bench_fail(side, "failed");
    bool told = write(pipe, &report, sizeof report) == (ssize_t)sizeof report;
    _exit(done && told ? 0 : 1);
}

/* ---------------------------------------------------------------- in the parent */

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

void kn_bench_catch(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

int kn_bench_interrupted(void)
{
    return caught;
}

struct measurement {
    const struct bench_method *method;
    struct bench_shared *shared;
    int32_t *pids; /* the leader's first; shared, because children read it */
    int pipe[2];
    int64_t deadline;
};

static bool start(struct measurement *m, const struct bench_plan *plan)
{
    uint32_t repetitions = 3 * plan->kept;
    struct bench_side side = {.method = m->method,
                              .shared = m->shared,
                              .dir = plan->dir,
                              .same_cpu = plan->cpus[0] == plan->cpus[1],
                              .ns = (int64_t)(plan->seconds * 1e9) / repetitions,
                              .repetitions = repetitions,
                              .pids = m->pids};
    pid_t parent = getpid();
    for (uint32_t i = 0; i <= m->method->peers; i++) {
        side.index = i ? i - 1 : BENCH_PEERS;
        pid_t pid = fork();
        if (!pid)
            be_child(&side, plan->cpus[i ? 1 : 0], parent, m->pipe[1]);
        if (pid < 0)
            return false;
        m->pids[i] = pid;
    }
    return true;
}

/* A child that ended by itself without a report; its number in *statusp. */
static bool has_died(struct measurement *m, int *statusp)
{
    for (uint32_t i = 0; i <= m->method->peers; i++) {
        if (m->pids[i] <= 0 || waitpid(m->pids[i], statusp, WNOHANG) != m->pids[i])
            continue;
        m->pids[i] = 0;
        return true;
    }
    return false;
}

/* The first report, or the reason why there is none. */
static bool await_report(struct measurement *m, struct bench_report *report, char *why)
{
    struct pollfd ready = {.fd = m->pipe[0], .events = POLLIN};
    int status;
    while (!caught) {
        bool dead = has_died(m, &status);
        if (poll(&ready, 1, dead ? 0 : LOOK_MS) > 0 &&
            read(m->pipe[0], report, sizeof *report) == (ssize_t)sizeof *report)
            return true;
        if (dead) {
            snprintf(why, BENCH_TEXT, "a process died (%s %d)",
                     WIFSIGNALED(status) ? "signal" : "status",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            return false;
        }
        if (koine_now() > m->deadline) {
            snprintf(why, BENCH_TEXT, "did not end in time");
            return false;
        }
    }
    snprintf(why, BENCH_TEXT, "interrupted");
    return false;
}

static void end_children(struct measurement *m)
{
    for (int i = 0; i < CHILDREN; i++)
        if (m->pids[i] > 0)
            kill(m->pids[i], SIGKILL);
    for (int i = 0; i < CHILDREN; i++)
        while (m->pids[i] > 0 && waitpid(m->pids[i], NULL, 0) < 0 && errno == EINTR)
            ;
}

static int by_noise(const void *a, const void *b)
{
    const struct bench_sample *left = a, *right = b;
    return (left->noise > right->noise) - (left->noise < right->noise);
}

static int by_value(const void *a, const void *b)
{
    const struct bench_sample *left = a, *right = b;
    return (left->value > right->value) - (left->value < right->value);
}

static void digest(struct bench_result *result, struct bench_report *report, uint32_t kept)
{
    if (report->failed || !report->count || report->count > BENCH_KEPT) {
        memcpy(result->failed, report->text, sizeof result->failed);
        result->failed[sizeof result->failed - 1] = 0;
        return;
    }
    struct bench_sample *samples = report->samples;
    uint32_t count = report->count < kept ? report->count : kept;
    qsort(samples, report->count, sizeof *samples, by_noise);
    qsort(samples, count, sizeof *samples, by_value);
    result->median = samples[count / 2].value;
    result->min = samples[0].value;
    result->max = samples[count - 1].value;
}

static void measure(struct measurement *m, struct bench_result *result,
                    const struct bench_plan *plan)
{
    struct bench_report report;
    if (!start(m, plan))
        snprintf(result->failed, sizeof result->failed, "no more processes: %s", strerror(errno));
    else if (await_report(m, &report, result->failed))
        digest(result, &report, plan->kept);
    end_children(m);
}

bool kn_bench_run(struct bench_result *result, const struct bench_method *method,
                  const struct bench_plan *plan)
{
    size_t pids = CHILDREN * sizeof(int32_t), size = sizeof(struct bench_shared) + 4096;
    struct measurement m = {.method = method,
                            .deadline = koine_now() + (int64_t)((plan->seconds + GRACE_S) * 1e9)};
    *result = (struct bench_result){""};
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED || pipe(m.pipe)) {
        snprintf(result->failed, sizeof result->failed, "no memory or descriptors: %s",
                 strerror(errno));
        if (memory != MAP_FAILED)
            munmap(memory, size);
        return !caught;
    }
    m.shared = memory;
    m.pids = memset((uint8_t *)memory + sizeof(struct bench_shared), 0, pids);
    measure(&m, result, plan);
    close(m.pipe[0]);
    close(m.pipe[1]);
    munmap(memory, size);
    return !caught;
}
