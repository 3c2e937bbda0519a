/* SPDX-License-Identifier: MIT
 *
 * Honest processes among liars.
 *
 *      lie [--seconds N] [--seed N]
 *
 * Callers that lie, as nobody when root runs this, meet a service that an honest bystander calls and reads all
 * the time. Services that lie meet a caller, this process, that also calls an honest service. Nobody
 * honest may crash, hang, get a wrong answer, lose a sample, or keep anything of a liar.
 */
#include "liar.h"

#include "../kill/survivor.h"
#include "aim.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROUNDS = 3, TAKES = 20, MAPS_KEPT = 40 };
#define LONGEST (8 * KOINE_SECOND) /* of what has deadlines of 100 ms, on a loaded machine */

static struct {
    char dir[DIR_ROOM];
    struct survivor service, bystander;
    struct report base[2];
    struct koine_node *node;
    struct koine_ref *honest;
    uint64_t seed;
    unsigned number, failed, fds;
} self;

static void say(const char *why, const char *how, const char *name)
{
    self.failed += why != NULL;
    printf("%s %u - a %s that %s\n", why ? "not ok" : "ok", ++self.number, how, name);
    if (why)
        printf("# seed %llu: %s\n", (unsigned long long)self.seed, why);
    fflush(stdout);
}

static int reap(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* ---------------------------------------------------------------- a service among lying callers */

static const char *stand(struct report *report)
{
    if (survivor_tell(&self.bystander, STAND, ROUNDS) || survivor_hear(&self.bystander, report))
        return "the bystander hangs or is gone";
    if (report->why[0])
        return report->why;
    return report->rc ? koine_strerror(report->rc) : NULL;
}

static const char *settle(struct report *report)
{
    if (survivor_tell(&self.service, SETTLE, 1) || survivor_hear(&self.service, report))
        return "the service hangs or is gone";
    return report->links == 1 ? NULL : "the service keeps a liar's link";
}

/* Maps may grow by what an allocator keeps, and not by something for each liar. */
static const char *compare(const struct report *now, struct report *base)
{
    static char why[120];
    if (!base->fds)
        *base = *now;
    if (now->fds == base->fds && now->segments == base->segments &&
        now->maps <= base->maps + MAPS_KEPT)
        return NULL;
    snprintf(why, sizeof why, "%u descriptors, %u segments, %u maps; before %u, %u, %u", now->fds,
             now->segments, now->maps, base->fds, base->segments, base->maps);
    return why;
}

static const char *meet_caller(const struct lie *lie)
{
    static struct report service, bystander;
    pid_t liar = liar_call(self.dir, lie, self.seed);
    const char *why = NULL, *wrong;
    int status;
    while (!(why = stand(&bystander)) && waitpid(liar, &status, WNOHANG) == 0)
        ;
    if (why)
        status = (kill(liar, SIGKILL), reap(liar));
    if (!why && (!WIFEXITED(status) || WEXITSTATUS(status)))
        why = "the liar was not hung up on, or did not get so far";
    if (!why && !(why = settle(&service)) && (wrong = compare(&service, &self.base[0])))
        why = wrong;
    return why ? why : compare(&bystander, &self.base[1]);
}

/* ---------------------------------------------------------------- a caller of lying services */

static unsigned count_fds(void)
{
    return count_entries("/proc/self/fd");
}

static bool is_void(const struct koine_sample *sample)
{
    return !koine_sample_value(sample);
}

static const char *take_all(struct koine_sub *sub)
{
    struct koine_sample *sample;
    for (int i = 0; i < TAKES; i++) {
        int rc = koine_event_wait(&sample, sub, 2 * KOINE_MILLISECOND);
        if (rc == KOINE_EDOWN || rc == KOINE_EPROTOCOL)
            return NULL;
        if (!rc && is_void(sample))
            return "a sample without a value";
        if (!rc)
            (void)koine_sample_release(sample);
    }
    return NULL;
}

static const char *use(struct koine_ref *ref)
{
    static const uint32_t events[] = {aim_Target_small_index, aim_Target_middle_index,
                                      aim_Target_large_index};
    const struct aim_Target_echo_out *echo;
    const struct aim_Target_repeat_out *repeat;
    struct aim_Target_echo_in number = {14};
    struct aim_Target_repeat_in text = {KOINE_TEXT("who are you?")};
    const char *why = NULL;
    int64_t timeout = 20 * KOINE_MILLISECOND;
    (void)aim_Target_echo_call(&echo, ref, &number, timeout);
    if (!aim_Target_repeat_call(&repeat, ref, &text, timeout) &&
        strlen(repeat->return_.ptr) > repeat->return_.length)
        why = "a string without an end";
    for (size_t i = 0; !why && i < sizeof events / sizeof *events; i++) {
        struct koine_sub *sub;
        if (koine_subscribe(&sub, ref, events[i], timeout))
            continue;
        why = take_all(sub);
        koine_unsubscribe(sub);
    }
    return why;
}

static const char *call_once(bool typed)
{
    struct koine_ref *ref;
    const struct koine_interface *interface;
    const char *why = NULL;
    int64_t start = kn_now();
    uint64_t answer = 0;
    int rc =
        koine_ref_open(&ref, self.node, "liar", typed ? &aim_Target : NULL, 50 * KOINE_MILLISECOND);
    if (!rc && typed)
        why = use(ref);
    else if (!rc)
        (void)koine_ref_interface(&interface, ref, 50 * KOINE_MILLISECOND);
    if (!rc)
        koine_ref_close(ref);
    if (why)
        return why;
    if (kn_now() - start > LONGEST)
        return "what has deadlines took too long";
    if (aim_Target_echo(&answer, self.honest, self.seed) || answer != echo_of(self.seed))
        return "the honest service answers wrong meanwhile";
    (void)koine_node_process(self.node, 0);
    return count_fds() == self.fds ? NULL : "descriptors are left";
}

static const char *meet_server(const struct lie *lie)
{
    const char *why = NULL;
    pid_t liar = liar_serve(self.dir, lie, self.seed);
    if (liar < 0)
        return "the liar cannot serve";
    for (int i = 0; i < ROUNDS && !why; i++)
        why = call_once(i != 1);
    kill(liar, SIGKILL);
    (void)reap(liar);
    return why;
}

/* ---------------------------------------------------------------- the program */

static const char *repeat(const char *meet(const struct lie *lie), const struct lie *lie,
                          int64_t budget)
{
    int64_t deadline = kn_now() + budget;
    const char *why;
    do
        self.seed++;
    while (!(why = meet(lie)) && kn_now() < deadline);
    return why;
}

static void parse(char **argv, int64_t *secondsp)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    self.seed = (uint64_t)now.tv_nsec;
    for (; argv[0] && argv[1]; argv += 2)
        if (!strcmp(argv[0], "--seed"))
            self.seed = strtoull(argv[1], NULL, 0) - 1;
        else if (!strcmp(argv[0], "--seconds"))
            *secondsp = strtoll(argv[1], NULL, 0);
}

static void prepare(void)
{
    if (!make_dir(self.dir) || survivor_start(&self.service, SERVICE, self.dir) ||
        survivor_start(&self.bystander, BYSTANDER, self.dir)) {
        printf("Bail out! the honest do not start\n");
        exit(1);
    }
}

static void prepare_caller(void)
{
    self.node = open_node(self.dir, 10 * KOINE_SECOND);
    int rc = koine_ref_open(&self.honest, self.node, "service", &aim_Target, 0);
    if (rc)
        give_up("connecting", rc, self.node);
    self.fds = count_fds();
}

static void clean(void)
{
    koine_node_close(self.node);
    survivor_end(&self.service);
    survivor_end(&self.bystander);
    remove_dir(self.dir);
}

int main(int argc, char **argv)
{
    int64_t seconds = 10;
    (void)argc;
    parse(argv + 1, &seconds);
    int64_t budget = seconds * KOINE_SECOND / (caller_lie_count + server_lie_count);
    printf("1..%u\n# seed %llu\n", caller_lie_count + server_lie_count,
           (unsigned long long)self.seed + 1);
    prepare();
    for (unsigned i = 0; i < caller_lie_count; i++)
        say(repeat(meet_caller, &caller_lies[i], budget), "caller", caller_lies[i].name);
    prepare_caller();
    for (unsigned i = 0; i < server_lie_count; i++)
        say(repeat(meet_server, &server_lies[i], budget), "service", server_lies[i].name);
    clean();
    return self.failed != 0;
}
