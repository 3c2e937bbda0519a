/* SPDX-License-Identifier: MIT
 *
 * Kills a victim at every point of a primitive, and looks at those who live on.
 *
 *      kill [--all] [--seed N] [--seconds N] [--wrong] [PRIMITIVE...]
 *
 * A point is a number of system calls and a number of instructions behind them. At a point the victim
 * is killed, or stopped for a while and continued; in each system call it is also killed while it blocks
 * there because everybody else stands still. After that nobody may hang, see a torn or a repeated
 * sample, lose what was acknowledged, or keep a descriptor, a map or a name of the dead.
 *
 * Without --all the boundaries of all system calls and every change of shared memory are tried, and
 * then random points, for --seconds in total. --wrong is for programs that were built with a primitive
 * made wrong: it must work undisturbed, and fail at some point.
 */
#include "step.h"
#include "victim.h"

#include "aim.h"

#include "base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum fate { KILLED, BLOCKED, STOPPED };
enum { SURVIVORS = 2, WARM_UP = 3, BLOCK_NS = 3000000, HIDDEN_MAX = 1, RECORDINGS = 5 };
#define ROUND_NS (60 * KOINE_SECOND)

static const char *const fates[] = {"killed", "killed while blocked", "stopped and continued"};

struct point {
    uint32_t call, instruction;
    enum fate fate;
};

struct driver {
    char dir[DIR_ROOM];
    const struct primitive *primitive;
    struct survivor survivors[SURVIVORS];
    struct report base[SURVIVORS]; /* after the warm-up */
    bool has_base;
    struct koine_node *rival;
    struct recording recording;
    struct point point;                 /* the last one */
    uint64_t random, rounds[3], astray; /* astray: rounds that took another way to the point */
    char why[256];
    bool all, wrong; /* wrong: a primitive is, and must be found out */
    int64_t seconds;
};

static bool fail(struct driver *driver, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool fail(struct driver *driver, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!driver->why[0])
        vsnprintf(driver->why, sizeof driver->why, format, args);
    va_end(args);
    return false;
}

static uint64_t draw(struct driver *driver, uint64_t below)
{
    driver->random ^= driver->random << 13;
    driver->random ^= driver->random >> 7;
    driver->random ^= driver->random << 17;
    return below ? driver->random % below : 0;
}

/* ---------------------------------------------------------------- survivors */

static bool hear(struct driver *driver, int which, struct report *report)
{
    if (survivor_hear(&driver->survivors[which], report))
        return fail(driver, "survivor %d hangs or is gone", which);
    return report->why[0] ? fail(driver, "survivor %d: %s", which, report->why) : true;
}

static bool ask(struct driver *driver, int which, enum what what, uint32_t number,
                struct report *report)
{
    if (survivor_tell(&driver->survivors[which], what, number))
        return fail(driver, "survivor %d is gone", which);
    return hear(driver, which, report);
}

static bool ask_well(struct driver *driver, int which, enum what what, uint32_t number)
{
    struct report report;
    if (!ask(driver, which, what, number, &report))
        return false;
    return report.rc ? fail(driver, "survivor %d, order %d: %s", which, (int)what,
                            koine_strerror(report.rc))
                     : true;
}

/* A survivor has what it had before: descriptors, segments, and no more maps. */
static bool is_as_before(struct driver *driver, int which, const struct report *now)
{
    struct report *base = &driver->base[which];
    if (!driver->has_base) {
        *base = *now;
        return true;
    }
    if (now->fds != base->fds || now->segments != base->segments || now->maps > base->maps)
        return fail(
            driver, "survivor %d has %u descriptors, %u segments, %u maps; it had %u, %u, %u",
            which, now->fds, now->segments, now->maps, base->fds, base->segments, base->maps);
    return true;
}

static bool start_survivors(struct driver *driver)
{
    static const enum role roles[2][SURVIVORS] = {{SERVICE, BYSTANDER}, {CALLER, CALLER}};
    for (int i = 0; i < SURVIVORS; i++)
        if (survivor_start(&driver->survivors[i], roles[driver->primitive->side][i], driver->dir))
            return fail(driver, "survivor %d does not start", i);
    return true;
}

static void end_survivors(struct driver *driver)
{
    for (int i = 0; i < SURVIVORS; i++) {
        pid_t pid = driver->survivors[i].pid;
        survivor_end(&driver->survivors[i]);
        if (pid > 0)
            step_reap(pid);
    }
}

static void signal_survivors(const struct driver *driver, int signal)
{
    for (int i = 0; i < SURVIVORS; i++)
        kill(driver->survivors[i].pid, signal);
}

/* ---------------------------------------------------------------- victims */

static pid_t start_victim(struct driver *driver, enum fate fate, int *controlp)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return -1;
    pid_t pid = fork();
    if (!pid) {
        close(pair[0]);
        for (int i = 0; i < SURVIVORS; i++)
            close(driver->survivors[i].control);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
            give_up("this process may not be traced", KOINE_EPERM, NULL);
        raise(SIGSTOP);
        victim_live(driver->primitive, driver->dir, pair[1], fate == STOPPED);
    }
    close(pair[1]);
    *controlp = pair[0];
    return pid;
}

/* The victim's service is there: the callers connect. */
static bool open_callers(struct driver *driver, int control)
{
    char ready;
    if (recv(control, &ready, 1, 0) != 1)
        return fail(driver, "the victim does not serve: the name was not free, or it was not free "
                            "again at once");
    for (int i = 0; i < SURVIVORS; i++)
        if (survivor_tell(&driver->survivors[i], OPEN, 0))
            return fail(driver, "survivor %d is gone", i);
    return true;
}

static bool prepare(struct driver *driver, pid_t pid, int control)
{
    const struct primitive *primitive = driver->primitive;
    bool callers = primitive->side == SERVING && primitive->name_state != NAME_COMING;
    struct report report;
    if (step_begin(pid) != STEPPED)
        return fail(driver, "the victim cannot be traced");
    if (callers && !open_callers(driver, control))
        return false;
    if (step_await(pid) != FINISHED)
        return fail(driver, "the victim does not come to the primitive");
    for (int i = 0; callers && i < SURVIVORS; i++)
        if (!hear(driver, i, &report) || report.rc)
            return fail(driver, "survivor %d cannot connect: %s", i, koine_strerror(report.rc));
    if (primitive->order == CONNECT)
        return !survivor_tell(&driver->survivors[0], CONNECT, 0);
    return primitive->order < 0 || ask_well(driver, 0, (enum what)primitive->order, 0);
}

/* ---------------------------------------------------------------- while it stands still */

/* A name that can be seen can be connected to, or its owner is dead: this one is alive. */
static bool looks_alive(struct driver *driver)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int length = snprintf(to.sun_path, sizeof to.sun_path, "%s/victim", driver->dir);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused =
        length > 0 && connect(fd, (struct sockaddr *)&to, sizeof to) && errno == ECONNREFUSED;
    close(fd);
    return refused ? fail(driver, "the name of a living service is refused") : true;
}

static bool probe(struct driver *driver, int which)
{
    struct report report;
    if (!ask(driver, which, PROBE, 0, &report))
        return false;
    return !report.rc || report.rc == KOINE_EDEADLINE || report.rc == KOINE_EDOWN ||
                   (driver->primitive->name_state == NAME_GOING && report.rc == KOINE_ENOENT)
               ? true
               : fail(driver, "survivor %d calls one that stands still: %s", which,
                      koine_strerror(report.rc));
}

static bool stand_still(struct driver *driver)
{
    const struct primitive *primitive = driver->primitive;
    if (primitive->side == CALLING)
        return ask_well(driver, 1, STAND, primitive->rounds);
    if (primitive->name_state == NAME_COMING)
        return looks_alive(driver);
    return probe(driver, 1) && looks_alive(driver);
}

static bool stop_and_continue(struct driver *driver, pid_t pid)
{
    if (!step_let_go(pid))
        return fail(driver, "the victim cannot be stopped");
    bool good = stand_still(driver);
    kill(pid, SIGCONT);
    enum stop stop = good ? step_await(pid) : FINISHED;
    return stop == FINISHED ? good : fail(driver, "after it was continued the victim failed");
}

/* It stands before a system call; everybody else stands still while it goes into it. */
static void block(struct driver *driver, pid_t pid)
{
    signal_survivors(driver, SIGSTOP);
    step_patience(BLOCK_NS);
    (void)step_through(pid);
    step_patience(ROUND_NS);
}

/* ---------------------------------------------------------------- afterwards */

static bool look_at_names(struct driver *driver)
{
    struct koine_name *names;
    struct koine_service *service;
    size_t count, allowed = driver->primitive->side == CALLING;
    static const struct aim_Target_handlers none = {0};
    int rc = koine_names(&names, &count, driver->dir);
    if (rc)
        return fail(driver, "listing names: %s", koine_strerror(rc));
    koine_names_free(names);
    if (count != allowed)
        return fail(driver, "%zu names are listed", count);
    if (driver->primitive->side == CALLING)
        return true;
    rc = koine_service_open(&service, driver->rival, "victim", &aim_Target, &none, NULL, NULL);
    if (rc)
        return fail(driver, "the name cannot be served again at once: %s",
                    koine_node_why(driver->rival));
    koine_service_close(service);
    return true;
}

static bool look_at_service(struct driver *driver)
{
    struct report service, bystander;
    if (!ask(driver, 0, SETTLE, 1, &service))
        return false;
    if (service.rc || service.links != 1)
        return fail(driver, "the service still has %u links", service.links);
    if (service.wrong)
        return fail(driver, "a dead peer was taken for a liar");
    if (!ask(driver, 1, STAND, 2, &bystander))
        return false;
    if (bystander.rc)
        return fail(driver, "the bystander: %s", koine_strerror(bystander.rc));
    return is_as_before(driver, 0, &service) && is_as_before(driver, 1, &bystander);
}

static bool look_at_caller(struct driver *driver, int which, bool complete)
{
    const struct primitive *primitive = driver->primitive;
    struct report report;
    bool called = !which && (primitive->order == ECHO || primitive->order == REPEAT);
    if (!which && primitive->order == CONNECT) {
        if (!hear(driver, which, &report))
            return false;
        bool gone = report.rc == KOINE_EDOWN || report.rc == KOINE_ENOENT;
        if (report.rc && (complete || !gone))
            return fail(driver, "connecting: %s", koine_strerror(report.rc));
    }
    if (!ask(driver, which, COLLECT, 0, &report))
        return false;
    if (called && report.call && (complete || report.call != KOINE_EDOWN))
        return fail(driver, "the call ended so: %s", koine_strerror(report.call));
    for (int event = 0; event < EVENTS; event++) {
        uint64_t most = ROUNDS_BEFORE + (primitive->event == event);
        uint64_t least = complete ? most : ROUNDS_BEFORE;
        if (report.taken[event] < least || report.taken[event] > most)
            return fail(driver, "caller %d took %llu of event %d", which,
                        (unsigned long long)report.taken[event], event);
    }
    return is_as_before(driver, which, &report);
}

static bool look_at_all(struct driver *driver, bool complete)
{
    const struct primitive *primitive = driver->primitive;
    if (primitive->side == CALLING)
        return look_at_service(driver) && look_at_names(driver);
    for (int i = 0; primitive->name_state != NAME_COMING && i < SURVIVORS; i++)
        if (!look_at_caller(driver, i, complete))
            return false;
    return look_at_names(driver);
}

/* ---------------------------------------------------------------- rounds */

static bool meet_fate(struct driver *driver, pid_t pid, const struct point *point, bool *completep)
{
    enum stop stop = step_to(pid, &driver->recording, point->call, point->instruction);
    bool good = true;
    driver->astray += stop == CALLED;
    stop = stop == CALLED ? STEPPED : stop;
    if (stop != STEPPED && stop != FINISHED)
        return fail(driver, "the victim ended by itself, or hangs");
    if (stop == STEPPED && point->fate == BLOCKED)
        block(driver, pid);
    if (stop == STEPPED && point->fate == STOPPED) {
        good = stop_and_continue(driver, pid);
        stop = FINISHED;
    }
    *completep = stop == FINISHED;
    return good;
}

static bool play(struct driver *driver, const struct point *point)
{
    int control = -1;
    bool complete = false;
    driver->point = *point;
    driver->rounds[point->fate]++;
    step_patience(ROUND_NS);
    pid_t pid = start_victim(driver, point->fate, &control);
    bool good = prepare(driver, pid, control) && meet_fate(driver, pid, point, &complete);
    step_reap(pid);
    close(control);
    signal_survivors(driver, SIGCONT);
    step_patience(0);
    return good && look_at_all(driver, complete);
}

static uint64_t total(const struct recording *recording)
{
    uint64_t sum = 0;
    for (uint32_t call = 0; call < recording->count; call++)
        sum += recording->length[call];
    return sum;
}

static bool record_once(struct driver *driver)
{
    int control;
    step_patience(ROUND_NS);
    pid_t pid = start_victim(driver, KILLED, &control);
    bool good = prepare(driver, pid, control);
    if (good && !step_record(pid, &driver->recording))
        good = fail(driver, "the victim does not come to its end step by step");
    step_reap(pid);
    close(control);
    step_patience(0);
    return good && look_at_all(driver, true);
}

/* The shortest of some recordings: how often a waiting process looks is not the same each time. */
static bool record(struct driver *driver)
{
    static struct recording best;
    if (!record_once(driver))
        return false;
    for (int i = 1; driver->all && i < RECORDINGS; i++) {
        best = driver->recording;
        if (!record_once(driver))
            return false;
        if (total(&best) < total(&driver->recording))
            driver->recording = best;
    }
    return true;
}

static bool warm_up(struct driver *driver)
{
    static const struct point to_the_end = {CALLS_MAX, 0, KILLED};
    for (int i = 0; i < WARM_UP; i++)
        if (!play(driver, &to_the_end))
            return false;
    if (!record(driver))
        return false;
    driver->has_base = true;
    return true;
}

static bool play_all(struct driver *driver)
{
    for (uint32_t call = 0; call < driver->recording.count; call++) {
        for (uint32_t i = 0; i <= driver->recording.length[call]; i++)
            for (int fate = KILLED; fate <= STOPPED; fate += STOPPED - KILLED)
                if (!play(driver, &(struct point){call, i, (enum fate)fate}))
                    return false;
        if (!play(driver, &(struct point){call, BEFORE_NEXT, BLOCKED}))
            return false;
    }
    return true;
}

static bool play_boundaries(struct driver *driver)
{
    for (uint32_t call = 0; call < driver->recording.count; call++) {
        struct point points[] = {{call, 0, KILLED},
                                 {call, BEFORE_NEXT, KILLED},
                                 {call, BEFORE_NEXT, BLOCKED},
                                 {call, 0, STOPPED}};
        for (size_t i = 0; i < sizeof points / sizeof *points; i++)
            if (!play(driver, &points[i]))
                return false;
    }
    return true;
}

/* Behind each change of shared memory. */
static bool play_changes(struct driver *driver)
{
    const struct recording *recording = &driver->recording;
    for (uint32_t i = 0; i < recording->mark_count; i++)
        for (int fate = KILLED; fate <= STOPPED; fate += STOPPED - KILLED)
            if (!play(driver, &(struct point){recording->marks[i].call,
                                              recording->marks[i].instruction, (enum fate)fate}))
                return false;
    return true;
}

static bool play_random(struct driver *driver, int64_t deadline)
{
    uint64_t points = total(&driver->recording);
    while (kn_now() < deadline) {
        uint64_t at = draw(driver, points);
        struct point point = {0, 0, draw(driver, 4) ? KILLED : STOPPED};
        while (at >= driver->recording.length[point.call])
            at -= driver->recording.length[point.call++];
        point.instruction = (uint32_t)at;
        if (!play(driver, &point))
            return false;
    }
    return true;
}

static bool play_primitive(struct driver *driver, int64_t budget)
{
    int64_t deadline = kn_now() + budget;
    memset(driver->rounds, 0, sizeof driver->rounds);
    driver->astray = 0;
    driver->has_base = false;
    driver->why[0] = 0;
    bool good = start_survivors(driver) && warm_up(driver);
    if (good && driver->all)
        good = play_all(driver);
    else if (good)
        good = play_boundaries(driver) && play_changes(driver) && play_random(driver, deadline);
    end_survivors(driver);
    return good;
}

/* ---------------------------------------------------------------- the program */

/* What a whole primitive may leave: nothing, anywhere. */
struct leftovers {
    unsigned fds, shm, hidden;
};

static unsigned count_hidden(const char *directory)
{
    unsigned count = 0;
    struct dirent *entry;
    DIR *stream = opendir(directory);
    while (stream && (entry = readdir(stream)))
        count += entry->d_name[0] == '.' && strlen(entry->d_name) > 5;
    if (stream)
        closedir(stream);
    return count;
}

static struct leftovers count_leftovers(const struct driver *driver)
{
    return (struct leftovers){count_entries("/proc/self/fd"), count_entries("/dev/shm"),
                              count_hidden(driver->dir)};
}

static bool leaves_nothing(struct driver *driver, const struct leftovers *before)
{
    struct leftovers now = count_leftovers(driver);
    if (now.fds != before->fds)
        return fail(driver, "%u descriptors, before %u", now.fds, before->fds);
    if (now.shm != before->shm)
        return fail(driver, "something stays in /dev/shm");
    if (now.hidden > before->hidden + HIDDEN_MAX)
        return fail(driver, "%u hidden sockets stay in the name directory, before %u", now.hidden,
                    before->hidden);
    return true;
}

static bool run_one(struct driver *driver, unsigned number, int64_t budget)
{
    int64_t start = kn_now();
    struct leftovers before = count_leftovers(driver);
    bool good = play_primitive(driver, budget) && leaves_nothing(driver, &before);
    bool right = driver->wrong ? !good && driver->has_base : good;
    printf("%s %u - %s%s\n", right ? "ok" : "not ok", number, driver->primitive->name,
           driver->wrong ? ", made wrong, is found out" : "");
    printf("# %u calls, %llu instructions, %u changes; %.1f s\n", driver->recording.count,
           (unsigned long long)total(&driver->recording), driver->recording.mark_count,
           (double)(kn_now() - start) / 1e9);
    printf("# killed %llu, while blocked %llu, stopped %llu; %llu of them beside the point\n",
           (unsigned long long)driver->rounds[KILLED], (unsigned long long)driver->rounds[BLOCKED],
           (unsigned long long)driver->rounds[STOPPED], (unsigned long long)driver->astray);
    if (!good)
        printf("# %s at call %u, instruction %d: %s\n", fates[driver->point.fate],
               driver->point.call, (int)driver->point.instruction, driver->why);
    fflush(stdout);
    return right;
}

static bool is_wanted(const struct primitive *primitive, char **names)
{
    bool wanted = !*names;
    for (; *names; names++)
        wanted |= !strcmp(*names, primitive->name);
    return wanted;
}

static unsigned run_wanted(struct driver *driver, char **names)
{
    unsigned wanted = 0, number = 0, failed = 0;
    for (unsigned i = 0; i < primitive_count; i++)
        wanted += is_wanted(&primitives[i], names);
    printf("1..%u\n# seed %llu\n", wanted, (unsigned long long)driver->random);
    int64_t deadline = kn_now() + driver->seconds * KOINE_SECOND;
    for (unsigned i = 0; i < primitive_count; i++) {
        if (!is_wanted(&primitives[i], names))
            continue;
        int64_t left = deadline - kn_now();
        driver->primitive = &primitives[i];
        failed += !run_one(driver, number + 1, left / (wanted - number));
        number++;
    }
    return failed;
}

static char **parse(struct driver *driver, char **argv)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    driver->random = (uint64_t)now.tv_nsec << 20 ^ (uint64_t)now.tv_sec;
    driver->seconds = 25;
    for (; *argv && !strncmp(*argv, "--", 2); argv++) {
        driver->all |= !strcmp(*argv, "--all");
        driver->wrong |= !strcmp(*argv, "--wrong");
        if (!strcmp(*argv, "--seed") && argv[1])
            driver->random = strtoull(*++argv, NULL, 0);
        else if (!strcmp(*argv, "--seconds") && argv[1])
            driver->seconds = strtoll(*++argv, NULL, 0);
    }
    driver->random += !driver->random;
    return argv;
}

/* A /dev/shm of its own, where that is allowed: others may use the machine's at the same time. */
static void be_alone(void)
{
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("none", "/dev/shm", "tmpfs", 0, NULL))
        printf("# /dev/shm is shared with everybody: %s\n", strerror(errno));
}

/* All on one CPU: a step then costs one switch, and not an interrupt from CPU to CPU. */
static void pin(void)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET((size_t)sched_getcpu(), &cpus);
    (void)sched_setaffinity(0, sizeof cpus, &cpus);
}

int main(int argc, char **argv)
{
    static struct driver driver;
    (void)argc;
    char **names = parse(&driver, argv + 1);
    if (!make_dir(driver.dir)) {
        printf("Bail out! no directory for names: %s\n", strerror(errno));
        return 1;
    }
    be_alone();
    pin();
    driver.rival = open_node(driver.dir, KOINE_SECOND);
    unsigned failed = run_wanted(&driver, names);
    koine_node_close(driver.rival);
    remove_dir(driver.dir);
    return failed != 0;
}
