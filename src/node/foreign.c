/* SPDX-License-Identifier: MIT
 *
 * What else a process waits for: descriptors of its own, and timers, in the node's loop. A watch that is
 * closed inside a callback may still stand in the batch of events that is being handled, so it is freed
 * with the dead links. A watch that wants nothing is taken out of epoll, which would tell of hang-ups
 * for ever.
 */
#include "node/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

struct koine_watch {
    struct kn_watch watch;
    struct kn_list in_node;
    struct koine_node *node;
    int fd; /* -1: closed */
    unsigned events;
    koine_watch_ready *ready;
    void *arg;
};

struct koine_timer {
    struct kn_heap_entry entry;
    struct koine_node *node;
    koine_timer_due *due;
    void *arg;
};

static void on_ready(struct kn_watch *base, uint32_t events)
{
    struct koine_watch *watch = KN_LIST_ENTRY(base, struct koine_watch, watch);
    struct koine_node *node = watch->node;
    bool both = events & (EPOLLERR | EPOLLHUP);
    unsigned there = (events & EPOLLIN || both ? KOINE_READABLE : 0) |
                     (events & EPOLLOUT || both ? KOINE_WRITABLE : 0);
    if (watch->fd < 0 || !(there & watch->events))
        return;
    node->depth++;
    watch->ready(watch->arg, there & watch->events);
    node->depth--;
}

int koine_watch_change(struct koine_watch *watch, unsigned events)
{
    struct epoll_event event = {.data.ptr = &watch->watch};
    if (!*watch->node->guard)
        return KOINE_EFORKED;
    if (events == watch->events)
        return 0;
    event.events = (events & KOINE_READABLE ? (uint32_t)EPOLLIN : 0) |
                   (events & KOINE_WRITABLE ? (uint32_t)EPOLLOUT : 0);
    int what = !watch->events ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    if (epoll_ctl(watch->node->epoll, what, watch->fd, &event))
        return KOINE_ESYSTEM;
    watch->events = events;
    return 0;
}

int koine_watch_open(struct koine_watch **watchp, struct koine_node *node, int fd, unsigned events,
                     koine_watch_ready *ready, void *arg)
{
    int rc = kn_node_enter(node);
    if (rc)
        return rc;
    struct koine_watch *watch = calloc(1, sizeof *watch);
    if (watch) {
        *watch =
            (struct koine_watch){{on_ready}, .node = node, .fd = fd, .ready = ready, .arg = arg};
        kn_list_append(&node->watches, &watch->in_node);
        rc = koine_watch_change(watch, events);
    } else {
        rc = KOINE_ENOMEM;
    }
    if (!rc) {
        node->watch_count++;
        *watchp = watch;
    } else if (watch) {
        kn_list_unlink(&watch->in_node);
        free(watch);
    }
    kn_node_leave(node);
    return rc;
}

struct koine_watch *koine_watch_close(struct koine_watch *watch)
{
    if (!watch || !*watch->node->guard)
        return NULL;
    (void)koine_watch_change(watch, 0);
    watch->fd = -1;
    watch->node->unswept = true;
    watch->node->watch_count--;
    if (!watch->node->depth)
        kn_watches_sweep(watch->node, false);
    return NULL;
}

void kn_watches_sweep(struct koine_node *node, bool all)
{
    KN_LIST_EACH(at, &node->watches)
    {
        struct koine_watch *watch = KN_LIST_ENTRY(at, struct koine_watch, in_node);
        if (watch->fd >= 0 && !all)
            continue;
        kn_list_unlink(at);
        free(watch);
    }
}

/* ---------------------------------------------------------------- timers */

int64_t koine_now(void)
{
    return kn_now();
}

int koine_timer_open(struct koine_timer **timerp, struct koine_node *node, koine_timer_due *due,
                     void *arg)
{
    if (!*node->guard)
        return KOINE_EFORKED;
    struct koine_timer *timer = calloc(1, sizeof *timer);
    if (!timer || kn_heap_reserve(&node->timers, node->timer_count + 1)) {
        free(timer);
        return KOINE_ENOMEM;
    }
    *timer = (struct koine_timer){.node = node, .due = due, .arg = arg};
    node->timer_count++;
    *timerp = timer;
    return 0;
}

void koine_timer_set(struct koine_timer *timer, int64_t when)
{
    if (!*timer->node->guard)
        return;
    if (when == KOINE_FOREVER)
        kn_heap_remove(&timer->node->timers, &timer->entry);
    else
        kn_heap_put(&timer->node->timers, &timer->entry, when);
}

struct koine_timer *koine_timer_close(struct koine_timer *timer)
{
    if (!timer || !*timer->node->guard)
        return NULL;
    kn_heap_remove(&timer->node->timers, &timer->entry);
    timer->node->timer_count--;
    free(timer);
    return NULL;
}

int64_t kn_timers_next(const struct koine_node *node)
{
    const struct kn_heap_entry *first = kn_heap_first(&node->timers);
    return first ? first->key : INT64_MAX;
}

/* A timer that sets itself to the past runs again at the next look, not for ever in this one. */
int kn_timers_run(struct koine_node *node, int64_t now)
{
    int count = 0;
    for (size_t most = node->timers.count; most && kn_timers_next(node) <= now; most--) {
        struct koine_timer *timer =
            KN_LIST_ENTRY(kn_heap_first(&node->timers), struct koine_timer, entry);
        kn_heap_remove(&node->timers, &timer->entry);
        node->depth++;
        timer->due(timer->arg);
        node->depth--;
        count++;
    }
    return count;
}

static void on_alarm(struct kn_watch *watch, uint32_t events)
{
    struct koine_node *node = KN_LIST_ENTRY(watch, struct koine_node, alarm);
    struct itimerspec never = {0};
    (void)events;
    (void)timerfd_settime(node->alarm_fd, 0, &never, NULL);
    node->alarm_at = INT64_MAX;
}

int kn_alarm_open(struct koine_node *node)
{
    node->alarm.ready = on_alarm;
    node->alarm_at = INT64_MAX;
    node->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return node->alarm_fd < 0 ? KOINE_ESYSTEM : kn_watch_add(node, node->alarm_fd, &node->alarm);
}

/* Who polls the node's descriptor in a loop of its own learns of what is due in the same way. */
int kn_alarm_set(struct koine_node *node, int64_t when)
{
    struct itimerspec at = {0};
    if (when == node->alarm_at)
        return 0;
    if (when != INT64_MAX)
        at.it_value = kn_timespec(when > 0 ? when : 1);
    if (timerfd_settime(node->alarm_fd, TFD_TIMER_ABSTIME, &at, NULL))
        return KOINE_ESYSTEM;
    node->alarm_at = when;
    return 0;
}
