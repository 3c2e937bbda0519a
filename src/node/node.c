/* SPDX-License-Identifier: MIT */
#include "node/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SPIN_MAX = 50000 };

int kn_node_fail(struct koine_node *node, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(node->why.text, sizeof node->why.text, format, args);
    va_end(args);
    return error;
}

/* A page that a forked child finds cleared: its word tells parent from child for one load. */
static volatile uint64_t *make_guard(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return NULL;
    if (madvise(page, 4096, MADV_WIPEONFORK)) {
        munmap(page, 4096);
        return NULL;
    }
    *(volatile uint64_t *)page = 1;
    return page;
}

int kn_watch_add(struct koine_node *node, int fd, struct kn_watch *watch)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
    return epoll_ctl(node->epoll, EPOLL_CTL_ADD, fd, &event) ? KOINE_ESYSTEM : 0;
}

static void stop_now(struct kn_watch *watch, uint32_t events)
{
    struct koine_node *node = KN_LIST_ENTRY(watch, struct koine_node, stop);
    uint64_t count;
    (void)events;
    if (read(node->stop_fd, &count, sizeof count) == (ssize_t)sizeof count)
        node->stopping = true;
}

static void take_options(struct koine_node *node, const struct koine_node_options *given)
{
    struct koine_node_options options = {0};
    if (given)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    node->timeout = options.timeout > 0 ? options.timeout : 30 * KOINE_SECOND;
    node->spin = options.spin < 0                          ? 0
                 : options.spin && options.spin < SPIN_MAX ? options.spin
                                                           : SPIN_MAX;
    node->max_links = options.max_links ? options.max_links : 1024;
    node->max_pending = options.max_pending ? options.max_pending : 256;
    node->max_octets = options.max_octets ? options.max_octets : KN_NODE_OCTETS;
}

static struct koine_node *free_node(struct koine_node *node)
{
    int kept = errno;
    KN_LIST_EACH(at, &node->spare)
    {
        struct koine_request *request = KN_LIST_ENTRY(at, struct koine_request, in_link);
        kn_arena_deinit(&request->arena);
        kn_buffer_deinit(&request->text);
        free(request);
    }
    kn_watches_sweep(node, true);
    kn_heap_deinit(&node->timers);
    int fds[] = {node->epoll, node->stop_fd, node->spare_fd, node->alarm_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (node->guard)
        munmap((void *)node->guard, 4096);
    free(node->dirs);
    free(node);
    errno = kept;
    return NULL;
}

int koine_node_open(struct koine_node **nodep, const struct koine_node_options *options)
{
    struct koine_node *node = calloc(1, sizeof *node);
    if (!node)
        return KOINE_ENOMEM;
    kn_list_init(&node->links);
    kn_list_init(&node->services);
    kn_list_init(&node->refs);
    kn_list_init(&node->spare);
    kn_list_init(&node->watches);
    kn_list_init(&node->users);
    node->alarm_fd = -1;
    take_options(node, options);
    node->stop.ready = stop_now;
    node->dirs = kn_dirs(
        options && options->size > offsetof(struct koine_node_options, dir) ? options->dir : NULL);
    node->guard = make_guard();
    node->epoll = epoll_create1(EPOLL_CLOEXEC);
    node->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    node->spare_fd = fcntl(node->stop_fd, F_DUPFD_CLOEXEC, 0);
    if (!node->dirs || !node->guard || node->epoll < 0 || node->stop_fd < 0 ||
        kn_watch_add(node, node->stop_fd, &node->stop) || kn_alarm_open(node)) {
        free_node(node);
        return KOINE_ESYSTEM;
    }
    *nodep = node;
    return 0;
}

int kn_node_enter(struct koine_node *node)
{
    if (!*node->guard)
        return KOINE_EFORKED;
    node->depth++;
    return 0;
}

/* A closed one that nobody waits on. */
static struct koine_ref *find_closed(struct koine_node *node)
{
    KN_LIST_EACH(at, &node->refs)
    {
        struct koine_ref *ref = KN_LIST_ENTRY(at, struct koine_ref, in_node);
        if (ref->closed && !ref->waiting)
            return ref;
        node->unswept = node->unswept || ref->closed;
    }
    return NULL;
}

/* What was closed inside a callback is freed when nobody stands on it any more. What is called back
 * from here frees nothing by itself. */
void kn_node_sweep(struct koine_node *node)
{
    if (!node->unswept)
        return;
    node->unswept = false;
    node->depth++;
    KN_LIST_EACH(at, &node->links)
    {
        struct kn_link *link = KN_LIST_ENTRY(at, struct kn_link, in_node);
        if (link->state != KN_DEAD)
            continue;
        if (link->users)
            node->unswept = true;
        else
            kn_link_free(link);
    }
    KN_LIST_EACH(at, &node->services)
    {
        struct koine_service *service = KN_LIST_ENTRY(at, struct koine_service, in_node);
        if (service->closed)
            kn_service_free(service);
    }
    for (struct koine_ref *ref; (ref = find_closed(node));)
        kn_ref_free(ref);
    kn_watches_sweep(node, false);
    node->depth--;
}

void kn_node_leave(struct koine_node *node)
{
    if (--node->depth)
        return;
    kn_node_sweep(node);
    if (node->closing)
        koine_node_close(node);
}

struct koine_node *koine_node_close(struct koine_node *node)
{
    if (!node)
        return NULL;
    if (!*node->guard)
        return NULL;
    if (node->depth) {
        node->closing = node->stopping = true;
        return NULL;
    }
    node->depth++; /* what is closed by those who are told of this is freed here */
    while (!kn_list_empty(&node->refs))
        kn_ref_free(KN_LIST_ENTRY(node->refs.next, struct koine_ref, in_node));
    KN_LIST_EACH(at, &node->services)
    {
        struct koine_service *service = KN_LIST_ENTRY(at, struct koine_service, in_node);
        koine_service_close(service);
        kn_service_free(service);
    }
    KN_LIST_EACH(at, &node->links)
    {
        struct kn_link *link = KN_LIST_ENTRY(at, struct kn_link, in_node);
        kn_link_drop(link);
        kn_link_free(link);
    }
    return free_node(node);
}

static bool is_stopping(void *arg)
{
    return ((struct koine_node *)arg)->stopping;
}

int koine_node_run(struct koine_node *node)
{
    if (node->depth && *node->guard)
        return kn_node_fail(node, KOINE_EBUSY, "koine_node_run inside a callback of the same node");
    int rc = kn_node_enter(node);
    if (rc)
        return rc;
    rc = kn_node_until(node, is_stopping, node, NULL, KOINE_FOREVER, false);
    node->stopping = false;
    kn_node_leave(node);
    return rc;
}

int koine_node_stop(struct koine_node *node)
{
    uint64_t one = 1;
    if (!*node->guard)
        return KOINE_EFORKED;
    return write(node->stop_fd, &one, sizeof one) == (ssize_t)sizeof one ? 0 : KOINE_ESYSTEM;
}

int koine_node_fd(const struct koine_node *node)
{
    return *node->guard ? node->epoll : KOINE_EFORKED;
}

const char *koine_node_why(const struct koine_node *node)
{
    return node->why.text;
}
