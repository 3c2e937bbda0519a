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
    SHORT_TURNS = 64,
    SPINS_IN_VAIN = 8,
    RETRY_SPIN = 64,
    LOOK_NS = KN_BELL_NS / 2 /* sockets looked at later than this ago are looked at before a bell */
};

static int poll_links(struct koine_node *node)
{
    int count = 0;
    KN_LIST_EACH(at, &node->links)
    {
        struct kn_link *link = KN_LIST_ENTRY(at, struct kn_link, in_node);
        if (kn_link_has_news(link) || !kn_list_empty(&link->late))
            count += kn_link_poll(link);
    }
    node->handled += (unsigned)count;
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
    node->looked = node->clock = kn_now();
    node->handled += count > 0 ? (unsigned)count : 0;
    return count > 0 ? count : 0;
}

/* Ends what is over, runs what is due; when there is more to do of that kind. */
static int64_t expire(struct koine_node *node, int64_t now, int *countp)
{
    int64_t next = INT64_MAX;
    uint32_t expired = node->expired;
    int count = kn_timers_run(node, now);
    KN_LIST_EACH(at, &node->links)
    {
        struct kn_link *link = KN_LIST_ENTRY(at, struct kn_link, in_node);
        link->users++;
        int64_t own = kn_link_expire(link, now);
        link->users--;
        next = own < next ? own : next;
    }
    *countp = count + (int)(node->expired - expired);
    node->handled += (unsigned)*countp;
    int64_t timer = kn_timers_next(node);
    return timer < next ? timer : next;
}

/* Sockets, deadlines and timers. */
static int look_beyond(struct koine_node *node)
{
    int due, count = poll_sockets(node, 0);
    (void)expire(node, node->looked, &due);
    return count + due;
}

/* Links that died meanwhile stay until nobody can stand on them; see kn_node_leave. Events of one batch
 * that lead to such a link find it dead. */
int kn_node_look(struct koine_node *node)
{
    int count = poll_links(node);
    return count + look_beyond(node);
}

/* After so many messages or samples, or when they took so long, it is time to look beyond the rings. */
static int look_in_turn(struct koine_node *node)
{
    uint32_t turns = node->watch_count ? LOOK_AT_FOREIGN : LOOK_AT_SOCKETS;
    return ++node->turns % turns && !kn_node_lags(node) ? 0 : look_beyond(node);
}

/* What is in the rings; the rest of the world in turn. Who finds nothing here spins, sleeps at a bell or
 * at the sockets, and each of the last two looks at all else within KN_BELL_NS. */
static int look_at_links(struct koine_node *node)
{
    int count = poll_links(node);
    return count ? count + look_in_turn(node) : 0;
}

int kn_node_glance(struct koine_node *node)
{
    int count = look_at_links(node);
    return !count && kn_now() - node->looked >= LOOK_NS ? look_beyond(node) : count;
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

/* The first turns look at the awaited link alone, if there is one, and at no clock: that is where a quick
 * answer is met. */
static bool spin_shortly(const struct waiting *waiting)
{
    for (unsigned turn = 0; turn < SHORT_TURNS; turn++) {
        if (waiting->hot ? kn_link_has_news(waiting->hot) : has_news(waiting->node))
            return true;
        if (is_over(waiting))
            return true;
        kn_relax();
    }
    return false;
}

static bool spin_long(const struct waiting *waiting)
{
    struct koine_node *node = waiting->node;
    int64_t now = kn_now(), end = now + node->spin;
    end = waiting->deadline < end ? waiting->deadline : end;
    for (unsigned turn = 1; now < end; turn++) {
        if (has_news(node) || is_over(waiting))
            return true;
        kn_relax();
        if (turn % 64)
            continue;
        now = kn_now();
        if (node->watch_count && poll_sockets(node, 0))
            return true;
    }
    return false;
}

/* Spinning pays only while answers come soon and from another CPU; after some spins in vain it is tried
 * but now and then. Whoever watches foreign descriptors may be asked by them as well. */
static bool spin(const struct waiting *waiting)
{
    struct koine_node *node = waiting->node;
    if (!node->spin || (node->spins_failed >= SPINS_IN_VAIN && node->spins_failed++ % RETRY_SPIN))
        return false;
    bool found = spin_shortly(waiting) || spin_long(waiting);
    if (found)
        (void)look_in_turn(node);
    node->spins_failed = found ? 0 : node->spins_failed + 1;
    return found;
}

/* Who awaits nobody in particular sleeps at the bell of its only link: nothing else could be late by
 * more than a newcomer or a death. Not where foreign descriptors are watched. */
static struct kn_link *link_to_sleep_at(const struct waiting *waiting)
{
    struct koine_node *node = waiting->node;
    struct kn_link *link = waiting->hot;
    bool only = !link && !node->watch_count && !kn_list_empty(&node->links) &&
                node->links.next == node->links.prev;
    if (only)
        link = KN_LIST_ENTRY(node->links.next, struct kn_link, in_node);
    return link && link->state == KN_LINKED ? link : NULL;
}

/* A sleeper that awaits a stream looks again after a nap: its publisher has no fence. True: something
 * came. */
static bool sleep_at_bell(const struct waiting *waiting, struct kn_link *link, int64_t now)
{
    struct koine_node *node = waiting->node;
    int64_t end = node->looked + KN_BELL_NS, timer = kn_timers_next(node);
    uint32_t bell = kn_wake_bell(&link->wake);
    kn_ring_tell(&link->ring_in);
    kn_wake_park(&link->wake, KN_AT_BELL);
    if (kn_wake_throttled(&link->wake))
        end = now + KN_THROTTLED_NS < end ? now + KN_THROTTLED_NS : end;
    end = waiting->deadline < end ? waiting->deadline : end;
    end = timer < end ? timer : end;
    int64_t nap = waiting->streams && now + KN_NAP_NS < end ? now + KN_NAP_NS : end;
    bool found = has_news(node) || is_over(waiting);
    if (!found)
        kn_wake_sleep(&link->wake, bell, nap);
    found = found || has_news(node) || is_over(waiting);
    if (nap < end && !found) {
        kn_wake_sleep(&link->wake, bell, end);
        found = has_news(node) || is_over(waiting);
    }
    kn_wake_up(&link->wake);
    return found;
}

/* Late answers and calls need room that nobody rings for, so the ring is looked at every millisecond. */
static void sleep_at_sockets(const struct waiting *waiting, int64_t until)
{
    struct koine_node *node = waiting->node;
    park_all(node, KN_AT_SOCKET);
    bool late = node->full || has_late(node), nap = late || waiting->streams || is_throttled(node);
    int64_t wait = has_news(node) || is_over(waiting) ? 0 : kn_remaining(until, kn_now());
    int64_t first = nap && wait > KN_THROTTLED_NS ? KN_THROTTLED_NS : wait;
    if (!poll_sockets(node, first) && first < wait && !late && !has_news(node) && !is_over(waiting))
        (void)poll_sockets(node, wait - first);
    park_all(node, KN_UP);
}

/* At the bell, then at the sockets, which are so looked at every two milliseconds at least. */
static void wait_longer(const struct waiting *waiting, int64_t now)
{
    struct koine_node *node = waiting->node;
    struct kn_link *link = link_to_sleep_at(waiting);
    if (link && now - node->looked >= LOOK_NS && look_beyond(node))
        return;
    if (link && link->state == KN_LINKED && sleep_at_bell(waiting, link, now))
        return;
    int due;
    int64_t next = expire(node, kn_now(), &due), until = waiting->deadline;
    if (!due)
        sleep_at_sockets(waiting, next < until ? next : until);
}

bool kn_node_spin(struct koine_node *node, kn_ready *ready, void *arg, struct kn_link *hot)
{
    struct waiting waiting = {node, ready, arg, hot, INT64_MAX, true};
    (void)poll_links(node);
    (void)look_in_turn(node);
    return node->spin && node->spins_failed < SPINS_IN_VAIN && spin_shortly(&waiting) &&
           is_over(&waiting);
}

int kn_node_until(struct koine_node *node, kn_ready *ready, void *arg, struct kn_link *hot,
                  int64_t deadline, bool streams)
{
    struct waiting waiting = {node, ready, arg, hot, deadline, streams};
    for (;;) {
        if (node->depth == 1)
            kn_node_sweep(node);
        while (!is_over(&waiting) && look_at_links(node))
            if (node->clock >= deadline)
                return is_over(&waiting) ? 0 : KOINE_EDEADLINE;
        if (is_over(&waiting))
            return 0;
        if (spin(&waiting))
            continue;
        int64_t now = kn_now();
        if (now >= deadline)
            return KOINE_EDEADLINE;
        wait_longer(&waiting, now);
    }
}

static bool has_handled(void *arg)
{
    struct koine_node *node = arg;
    return node->handled || kn_node_has_samples(node);
}

/* Parked, and nothing came in the meantime: the descriptor tells of all that comes from now on. A peer
 * may be short of rings just now, and a publisher has no fence: both are over after a nap. What waits for
 * room that nobody rings for is tried again when the alarm goes. */
static int park_for_poll(struct koine_node *node)
{
    struct timespec nap = kn_timespec(KN_NAP_NS);
    if (kn_node_has_samples(node))
        return 1;
    park_all(node, KN_AT_SOCKET);
    if (!has_news(node) && (is_throttled(node) || kn_node_has_subs(node)))
        nanosleep(&nap, NULL);
    if (!has_news(node) && !kn_node_has_samples(node)) {
        int due;
        int64_t now = kn_now(), next = expire(node, now, &due);
        if (has_late(node) && now + KN_THROTTLED_NS < next)
            next = now + KN_THROTTLED_NS;
        return kn_alarm_set(node, next) ? KOINE_ESYSTEM : due;
    }
    park_all(node, KN_UP);
    return 1 + poll_links(node);
}

int koine_node_process(struct koine_node *node, int64_t timeout)
{
    int rc = kn_node_enter(node);
    if (rc)
        return rc;
    park_all(node, KN_UP);
    int count = timeout ? kn_node_glance(node) : kn_node_look(node);
    if (!count && timeout) {
        node->handled = 0;
        rc = kn_node_until(node, has_handled, node, NULL, kn_deadline(kn_now(), timeout),
                           kn_node_has_subs(node));
        count = (int)node->handled;
    }
    if (rc == KOINE_EDEADLINE)
        rc = 0;
    if (!rc && !count)
        count = park_for_poll(node);
    kn_node_leave(node);
    return rc ? rc : count;
}
