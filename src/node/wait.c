/* SPDX-License-Identifier: MIT
 *
 * Waiting, in three stages: spin as long as recent answers took; sleep on the bell of the link that is
 * awaited, two milliseconds at most; then in epoll, over sockets, listeners and the peers' lives. A busy
 * pair so pays a pair of futex calls and neither socket nor epoll, deaths and newcomers are seen within
 * two milliseconds, and an idle node costs nothing.
 */
#include "node/internal.h"

#include <errno.h>
#include <sys/epoll.h>

enum {
    EVENTS = 32,
    LOOK_AT_SOCKETS = 128,
    LOOK_AT_FOREIGN = 8, /* the same, where foreign descriptors are watched */
    SPINS_IN_VAIN = 8,
    RETRY_SPIN = 64
};

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

static int poll_links(struct koine_node *node)
{
    int count = 0;
    KN_LIST_EACH(at, &node->links)
    {
        struct kn_link *link = KN_LIST_ENTRY(at, struct kn_link, in_node);
        if (kn_link_has_news(link) || !kn_list_empty(&link->late))
            count += kn_link_poll(link);
    }
    return count;
}

/* Linux before 5.11 counts in milliseconds, rounded up so that nothing wakes too early and spins. */
static int wait_for_events(struct koine_node *node, struct epoll_event *events, int64_t wait)
{
    struct timespec exact = kn_timespec(wait);
    if (wait > 0) {
        int count =
            epoll_pwait2(node->epoll, events, EVENTS, wait == INT64_MAX ? NULL : &exact, NULL);
        if (count >= 0 || errno != ENOSYS)
            return count;
    }
    int64_t ms = wait > INT32_MAX * INT64_C(1000000) ? -1 : (wait + 999999) / 1000000;
    return epoll_wait(node->epoll, events, EVENTS, (int)ms);
}

static int poll_sockets(struct koine_node *node, int64_t wait)
{
    struct epoll_event events[EVENTS];
    int count = wait_for_events(node, events, wait);
    for (int i = 0; i < count; i++) {
        struct kn_watch *watch = events[i].data.ptr;
        watch->ready(watch, events[i].events);
    }
    node->handled += count > 0 ? (uint64_t)count : 0;
    return count > 0 ? count : 0;
}

/* Ends what is over, runs what is due; when there is more to do of that kind. */
static int64_t expire(struct koine_node *node, int *countp)
{
    int64_t next = INT64_MAX, now = kn_now();
    *countp = kn_timers_run(node, now);
    node->handled += (uint64_t)*countp;
    KN_LIST_EACH(at, &node->links)
    {
        struct kn_link *link = KN_LIST_ENTRY(at, struct kn_link, in_node);
        link->users++;
        int64_t own = kn_link_expire(link, now);
        link->users--;
        next = own < next ? own : next;
    }
    int64_t timer = kn_timers_next(node);
    return timer < next ? timer : next;
}

/* Links that died meanwhile stay until nobody can stand on them; see kn_node_leave. Events of one batch
 * that lead to such a link find it dead. */
int kn_node_look(struct koine_node *node)
{
    int count = poll_links(node), due;
    if (count && ++node->turns % (node->watch_count ? LOOK_AT_FOREIGN : LOOK_AT_SOCKETS))
        return count;
    count += poll_sockets(node, 0);
    (void)expire(node, &due);
    return count + due;
}

static bool has_news(struct koine_node *node)
{
    KN_LIST_EACH(at, &node->links)
    {
        if (kn_link_has_news(KN_LIST_ENTRY(at, struct kn_link, in_node)))
            return true;
    }
    return false;
}

static void park_all(struct koine_node *node, enum kn_where where)
{
    KN_LIST_EACH(at, &node->links)
    {
        struct kn_link *link = KN_LIST_ENTRY(at, struct kn_link, in_node);
        if (link->state != KN_LINKED)
            continue;
        kn_ring_tell(&link->ring_in);
        if (where)
            kn_wake_park(&link->wake, where);
        else
            kn_wake_up(&link->wake);
    }
}

static bool has_late(struct koine_node *node)
{
    KN_LIST_EACH(at, &node->links)
    {
        struct kn_link *link = KN_LIST_ENTRY(at, struct kn_link, in_node);
        if (link->state == KN_LINKED && !kn_list_empty(&link->late))
            return true;
    }
    return false;
}

static bool is_throttled(struct koine_node *node)
{
    KN_LIST_EACH(at, &node->links)
    {
        struct kn_link *link = KN_LIST_ENTRY(at, struct kn_link, in_node);
        if (link->state == KN_LINKED && kn_wake_throttled(&link->wake))
            return true;
    }
    return false;
}

struct waiting {
    struct koine_node *node;
    kn_ready *ready;
    void *arg;
    struct kn_link *hot;
    int64_t deadline;
    bool streams;
};

static bool is_over(const struct waiting *waiting)
{
    return waiting->ready(waiting->arg);
}

/* Spinning pays only while answers come soon and from another CPU; after some spins in vain it is tried
 * but now and then. Whoever watches foreign descriptors may be asked by them as well. */
static bool spin(const struct waiting *waiting)
{
    struct koine_node *node = waiting->node;
    int64_t longest = node->spin;
    if (!longest || (node->spins_failed >= SPINS_IN_VAIN && node->spins_failed++ % RETRY_SPIN))
        return false;
    int64_t start = kn_now(), end = start + longest;
    for (unsigned turn = 1;; turn++) {
        if (has_news(node) || is_over(waiting)) {
            node->spins_failed = 0;
            return true;
        }
        relax();
        if (turn % 64)
            continue;
        if (kn_now() > end)
            break;
        if (node->watch_count && poll_sockets(node, 0)) {
            node->spins_failed = 0;
            return true;
        }
    }
    node->spins_failed++;
    return false;
}

/* A sleeper that awaits a stream looks again after a nap: its publisher has no fence. */
static void sleep_at_bell(const struct waiting *waiting)
{
    struct kn_link *link = waiting->hot;
    uint32_t bell = kn_wake_bell(&link->wake);
    int64_t now = kn_now(), end = now + KN_BELL_NS;
    kn_ring_tell(&link->ring_in);
    kn_wake_park(&link->wake, KN_AT_BELL);
    if (kn_wake_throttled(&link->wake))
        end = now + KN_THROTTLED_NS;
    end = waiting->deadline < end ? waiting->deadline : end;
    int64_t timer = kn_timers_next(waiting->node);
    end = timer < end ? timer : end;
    int64_t nap = waiting->streams && now + KN_NAP_NS < end ? now + KN_NAP_NS : end;
    if (!has_news(waiting->node) && !is_over(waiting))
        kn_wake_sleep(&link->wake, bell, nap);
    if (nap < end && !has_news(waiting->node) && !is_over(waiting))
        kn_wake_sleep(&link->wake, bell, end);
    kn_wake_up(&link->wake);
}

/* Late answers and calls need room that nobody rings for, so the ring is looked at every millisecond. */
static void sleep_at_sockets(const struct waiting *waiting, int64_t until)
{
    struct koine_node *node = waiting->node;
    park_all(node, KN_AT_SOCKET);
    int64_t wait = kn_remaining(until, kn_now());
    bool nap = waiting->streams || is_throttled(node), late = node->full || has_late(node);
    if (has_news(node) || is_over(waiting))
        wait = 0;
    if ((nap || late) && wait > KN_THROTTLED_NS && !poll_sockets(node, KN_THROTTLED_NS))
        wait = late || has_news(node) || is_over(waiting) ? 0 : wait - KN_THROTTLED_NS;
    else if (nap || late)
        wait = 0;
    if (wait)
        (void)poll_sockets(node, wait);
    park_all(node, KN_UP);
}

int kn_node_until(struct koine_node *node, kn_ready *ready, void *arg, struct kn_link *hot,
                  int64_t deadline, bool streams)
{
    struct waiting waiting = {node, ready, arg, hot, deadline, streams};
    for (;;) {
        if (node->depth == 1)
            kn_node_sweep(node);
        while (!is_over(&waiting) && kn_node_look(node))
            ;
        if (ready(arg))
            return 0;
        if (deadline != INT64_MAX && kn_now() >= deadline)
            return KOINE_EDEADLINE;
        if (spin(&waiting))
            continue;
        if (hot && hot->state == KN_LINKED) {
            sleep_at_bell(&waiting);
            if (has_news(node) || is_over(&waiting))
                continue;
        }
        int due;
        int64_t next = expire(node, &due);
        if (!due)
            sleep_at_sockets(&waiting, next < deadline ? next : deadline);
    }
}

struct tally {
    struct koine_node *node;
    int count;
    uint64_t before; /* of node->handled */
};

/* What ended a sleep was handled there, and counts as well. */
static bool has_handled(void *arg)
{
    struct tally *tally = arg;
    struct koine_node *node = tally->node;
    if (!tally->count)
        tally->count = kn_node_look(node);
    if (!tally->count && node->handled != tally->before)
        tally->count = (int)(node->handled - tally->before);
    return tally->count > 0;
}

/* Parked, and nothing came in the meantime: the descriptor tells of all that comes from now on. A peer
 * may be short of rings just now, and a publisher has no fence: both are over after a nap. */
static int park_for_poll(struct koine_node *node)
{
    struct timespec nap = kn_timespec(KN_NAP_NS);
    park_all(node, KN_AT_SOCKET);
    if (!has_news(node) && (is_throttled(node) || kn_node_has_subs(node) || has_late(node)))
        nanosleep(&nap, NULL);
    if (!has_news(node) && !kn_node_has_samples(node) && !has_late(node)) {
        int due;
        return kn_alarm_set(node, expire(node, &due)) ? KOINE_ESYSTEM : due;
    }
    park_all(node, KN_UP);
    return 1 + poll_links(node);
}

int koine_node_process(struct koine_node *node, int64_t timeout)
{
    int rc = kn_node_enter(node);
    if (rc)
        return rc;
    struct tally tally = {node, 0, node->handled};
    park_all(node, KN_UP);
    if (!has_handled(&tally) && timeout)
        rc = kn_node_until(node, has_handled, &tally, NULL, kn_deadline(kn_now(), timeout), false);
    if (rc == KOINE_EDEADLINE)
        rc = 0;
    if (!rc && !tally.count)
        tally.count = park_for_poll(node);
    kn_node_leave(node);
    return rc ? rc : tally.count;
}
