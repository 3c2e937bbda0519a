/* SPDX-License-Identifier: MIT */
#include "victim.h"

#include "aim.h"

#include "base/clock.h"
#include "node/names.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE (20 * KOINE_SECOND)

/* Linked in place of the C library's, which loops for as long as the kernel changes the clock's page:
 * under a tracer that is often, and every turn is a point that is like the last. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    return (int)syscall(SYS_clock_gettime, clock, time);
}

static void stop_self(void)
{
    syscall(SYS_kill, getpid(), SIGSTOP);
}

/* What must have worked, unless the victim stood still for so long that it was dropped. */
static void need(const struct victim *victim, const char *what, int rc)
{
    if (rc && !(victim->stopped && rc == KOINE_EDOWN))
        give_up(what, rc, victim->reader.node ? victim->reader.node : victim->target.node);
}

static void need_right(bool right, const char *what)
{
    if (!right)
        give_up(what, KOINE_EDATA, NULL);
}

/* ---------------------------------------------------------------- calling */

static void set_node(struct victim *victim)
{
    victim->reader.node = open_node(victim->dir, PATIENCE);
}

static void link_up(struct victim *victim)
{
    need(victim, "connecting",
         koine_ref_open(&victim->reader.ref, victim->reader.node, "service", &aim_Target, 0));
}

static void set_link(struct victim *victim)
{
    set_node(victim);
    link_up(victim);
}

static void call_inline(struct victim *victim)
{
    uint64_t answer = echo_of(14);
    need(victim, "calling", aim_Target_echo(&answer, victim->reader.ref, 14));
    need_right(answer == echo_of(14), "the answer");
}

static void call_chunk(struct victim *victim)
{
    struct koine_string answer = koine_string(victim->text);
    need(victim, "calling", aim_Target_repeat(&answer, victim->reader.ref, victim->text));
    need_right(!strcmp(answer.ptr, victim->text), "the answer");
}

static void subscribe(struct victim *victim)
{
    need(victim, "subscribing",
         koine_subscribe(&victim->reader.subs[SMALL], victim->reader.ref, aim_Target_small_index,
                         0));
}

static void set_samples(struct victim *victim, int first, int last)
{
    uint64_t serial;
    set_link(victim);
    for (int event = first; event <= last; event++)
        reader_subscribe(&victim->reader, event);
    need(victim, "publishing", aim_Target_publish(&serial, victim->reader.ref));
    for (int event = 0; event < EVENTS; event++)
        victim->reader.taken[event] = serial - 1;
}

static void set_small(struct victim *victim)
{
    set_samples(victim, SMALL, SMALL);
}

static void set_middle(struct victim *victim)
{
    set_samples(victim, MIDDLE, MIDDLE);
}

static void set_large(struct victim *victim)
{
    set_samples(victim, LARGE, LARGE);
}

static void set_all(struct victim *victim)
{
    set_samples(victim, 0, EVENTS - 1);
}

static void take_one(struct victim *victim, int event)
{
    const char *why = NULL;
    need(victim, "taking", reader_take(&victim->reader, event, 0, &why));
    need_right(!why, why);
}

static void take_small(struct victim *victim)
{
    take_one(victim, SMALL);
}

static void take_middle(struct victim *victim)
{
    take_one(victim, MIDDLE);
}

static void take_large(struct victim *victim)
{
    take_one(victim, LARGE);
}

static void hang_up(struct victim *victim)
{
    reader_close(&victim->reader);
}

/* ---------------------------------------------------------------- serving */

static void set_server_node(struct victim *victim)
{
    victim->target.node = open_node(victim->dir, PATIENCE);
}

static void take_name(struct victim *victim)
{
    target_open(&victim->target, "victim", 0);
}

/* The name alone: opening a service checks the whole interface before, which nobody sees. */
static void claim_name(struct victim *victim)
{
    struct kn_name_claim claim;
    struct koine_why why;
    int listener, rc = kn_name_take(&claim, &listener, victim->dir, "victim", 0600, &why);
    need(victim, "taking the name", rc);
}

static void process_until(struct victim *victim, const uint64_t *count, uint64_t wanted)
{
    int64_t deadline = kn_now() + PATIENCE;
    while (*count < wanted) {
        int rc = koine_node_process(victim->target.node, KOINE_SECOND);
        if (rc < 0 || kn_now() > deadline)
            give_up("serving", rc, victim->target.node);
    }
}

static void set_readers(struct victim *victim)
{
    set_server_node(victim);
    take_name(victim);
    (void)send(victim->control, "", 1, MSG_NOSIGNAL);
    process_until(victim, &victim->target.ready, 2);
    for (uint64_t serial = 1; serial <= ROUNDS_BEFORE; serial++)
        for (int event = 0; event < EVENTS; event++)
            need(victim, "publishing", target_publish(&victim->target, event, serial, true));
    while (koine_node_process(victim->target.node, 0) > 0)
        ;
}

static void greet(struct victim *victim)
{
    process_until(victim, &victim->target.ready, 3);
}

static void serve(struct victim *victim)
{
    process_until(victim, &victim->target.served, 1);
}

static void publish_inline(struct victim *victim)
{
    need(victim, "publishing", target_publish(&victim->target, SMALL, ROUNDS_BEFORE + 1, false));
}

static void publish_chunk(struct victim *victim)
{
    need(victim, "publishing", target_publish(&victim->target, MIDDLE, ROUNDS_BEFORE + 1, false));
}

static void publish_loan(struct victim *victim)
{
    need(victim, "publishing", target_publish(&victim->target, MIDDLE, ROUNDS_BEFORE + 1, true));
}

static void give_name(struct victim *victim)
{
    koine_service_close(victim->target.service);
}

/* The pool of an event has 32 chunks: so many rounds come back to the first, and not to the second. */
enum { LAP = 32 };

const struct primitive primitives[] = {
    {"link", CALLING, set_node, link_up, -1, -1, 2, NAME_STAYS},
    {"call", CALLING, set_link, call_inline, -1, -1, 2, NAME_STAYS},
    {"call by chunk", CALLING, set_link, call_chunk, -1, -1, 2, NAME_STAYS},
    {"subscribe", CALLING, set_link, subscribe, -1, -1, 2, NAME_STAYS},
    {"take", CALLING, set_small, take_small, -1, -1, LAP, NAME_STAYS},
    {"take from a chunk", CALLING, set_middle, take_middle, -1, -1, LAP, NAME_STAYS},
    {"take and release in place", CALLING, set_large, take_large, -1, -1, LAP, NAME_STAYS},
    {"hang up", CALLING, set_all, hang_up, -1, -1, 2, NAME_STAYS},
    {"accept and greet", SERVING, set_readers, greet, CONNECT, -1, 0, NAME_STAYS},
    {"serve", SERVING, set_readers, serve, ECHO, -1, 0, NAME_STAYS},
    {"serve by chunk", SERVING, set_readers, serve, REPEAT, -1, 0, NAME_STAYS},
    {"publish", SERVING, set_readers, publish_inline, -1, SMALL, 0, NAME_STAYS},
    {"publish by chunk", SERVING, set_readers, publish_chunk, -1, MIDDLE, 0, NAME_STAYS},
    {"publish a loan", SERVING, set_readers, publish_loan, -1, MIDDLE, 0, NAME_STAYS},
    {"take a name", SERVING, set_server_node, claim_name, -1, -1, 0, NAME_COMING},
    {"give a name", SERVING, set_readers, give_name, -1, -1, 0, NAME_GOING},
};
const unsigned primitive_count = sizeof primitives / sizeof *primitives;

void victim_live(const struct primitive *primitive, const char *dir, int control, bool stopped)
{
    static struct victim victim;
    victim = (struct victim){.dir = dir, .control = control, .stopped = stopped};
    memset(victim.text, 't', REPEATED);
    primitive->setup(&victim);
    stop_self();
    primitive->run(&victim);
    stop_self();
    _exit(0);
}
