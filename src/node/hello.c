/* SPDX-License-Identifier: MIT
 *
 * Greeting and the rest of what comes by the socket. Both ends are state machines in the node's epoll,
 * so a peer that is slow, silent or lying during the greeting holds nobody up.
 *
 * Who the peer is comes from the credentials that the kernel adds to its messages, not from SO_PEERCRED,
 * which names whoever called listen(). A pid can be used again, so READY must come from the same pid
 * that the pidfd was opened for, while that pidfd still says alive. The serving end never gives room for
 * descriptors: what a stranger sends is dropped by the kernel.
 */
#include "node/control.h"
#include "node/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FDS = 2, DRAIN_MAX = 1024 };

struct parcel {
    struct kn_control control;
    ssize_t length;
    bool cut;
    bool signed_; /* credentials came with it */
    struct ucred sender;
    int fds[FDS];
    size_t count;
};

int kn_control_send(struct kn_link *link, const struct kn_control *control, const int *fds,
                    size_t count)
{
    union {
        char octets[CMSG_SPACE(FDS * sizeof(int))];
        struct cmsghdr head;
    } ancillary = {0};
    struct iovec part = {(void *)control, sizeof *control};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        message.msg_control = ancillary.octets;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        ancillary.head = (struct cmsghdr){CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&ancillary.head), fds, count * sizeof(int));
    }
    ssize_t sent = sendmsg(link->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    link->unsent = sent != (ssize_t)sizeof *control;
    return link->unsent ? KOINE_EDOWN : 0;
}

static void open_parcel(struct parcel *parcel, struct msghdr *message)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
        size_t length = head->cmsg_len - CMSG_LEN(0);
        if (head->cmsg_level != SOL_SOCKET)
            continue;
        if (head->cmsg_type == SCM_CREDENTIALS && length == sizeof parcel->sender) {
            memcpy(&parcel->sender, CMSG_DATA(head), length);
            parcel->signed_ = true;
        } else if (head->cmsg_type == SCM_RIGHTS && length <= sizeof parcel->fds) {
            memcpy(parcel->fds, CMSG_DATA(head), length);
            parcel->count = length / sizeof(int);
        }
    }
}

/* Room for descriptors only at the calling end. */
static void receive(struct kn_link *link, struct parcel *parcel)
{
    bool due = link->ref != NULL;
    union {
        char octets[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(FDS * sizeof(int))];
        struct cmsghdr align;
    } ancillary;
    struct iovec part = {&parcel->control, sizeof parcel->control};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = ancillary.octets,
                             .msg_controllen =
                                 due ? sizeof ancillary.octets : CMSG_SPACE(sizeof(struct ucred))};
    *parcel = (struct parcel){.count = 0};
    errno = 0;
    parcel->length = recvmsg(link->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (parcel->length < 0)
        return;
    parcel->cut = message.msg_flags & MSG_TRUNC;
    open_parcel(parcel, &message);
}

static void drop_fds(struct parcel *parcel)
{
    for (size_t i = 0; i < parcel->count; i++)
        if (parcel->fds[i] >= 0)
            close(parcel->fds[i]);
    parcel->count = 0;
}

static bool watch_life(struct kn_link *link, const struct ucred *sender)
{
    link->peer = (struct koine_caller){sender->uid, sender->gid, sender->pid};
    if (!sender->pid)
        return true;
    link->pidfd = (int)syscall(SYS_pidfd_open, sender->pid, 0);
    return link->pidfd < 0 ? errno == ESRCH || errno == ENOSYS
                           : !kn_watch_add(link->node, link->pidfd, &link->life);
}

static bool is_alive(const struct kn_link *link)
{
    struct pollfd life = {.fd = link->pidfd, .events = POLLIN};
    return link->pidfd < 0 || poll(&life, 1, 0) == 0;
}

/* ---------------------------------------------------------------- the serving end */

static bool on_hello(struct kn_link *link, const struct parcel *parcel)
{
    const uint64_t *value = parcel->control.value;
    struct kn_control welcome = {.type = KN_WELCOME};
    int fds[FDS];
    if (link->out.base || !parcel->signed_ || value[0] != KN_MAGIC || value[2])
        return false;
    if (value[1] >> 32 != KN_MAJOR) {
        welcome.error = KOINE_EVERSION;
        (void)kn_control_send(link, &welcome, NULL, 0);
        return false;
    }
    if (!watch_life(link, &parcel->sender) ||
        kn_segment_create(&link->out, &fds[0], KN_LINK_SEGMENT))
        return false;
    if (kn_segment_offer(&link->in, &fds[1], KN_LINK_SEGMENT)) {
        close(fds[0]);
        return false;
    }
    link->offered = fds[1];
    welcome.value[0] = link->service->interface->hash;
    welcome.value[1] = KN_LINK_SEGMENT;
    int rc = kn_control_send(link, &welcome, fds, FDS);
    close(fds[0]);
    return !rc;
}

static bool on_ready(struct kn_link *link, const struct parcel *parcel)
{
    if (link->offered < 0 || !parcel->signed_ || parcel->sender.pid != link->peer.pid ||
        !is_alive(link))
        return false;
    int rc = kn_segment_verify(link->offered, KN_LINK_SEGMENT);
    close(link->offered);
    link->offered = -1;
    if (rc || kn_link_attach(link))
        return false;
    kn_user_greeted(link);
    link->state = KN_LINKED;
    return true;
}

/* Without a descriptor left nothing can be accepted, and the listener would stay readable for ever: one
 * is kept in reserve to accept with and to hang up. */
static void hang_up_one(struct koine_service *service)
{
    struct koine_node *node = service->node;
    if (node->spare_fd >= 0)
        close(node->spare_fd);
    int fd = accept4(service->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    node->spare_fd = fcntl(node->stop_fd, F_DUPFD_CLOEXEC, 0);
    service->counts.refused++;
}

void kn_service_accept(struct kn_watch *watch, uint32_t events)
{
    struct koine_service *service = KN_LIST_ENTRY(watch, struct koine_service, watch);
    struct koine_node *node = service->node;
    (void)events;
    int fd = accept4(service->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EMFILE || errno == ENFILE))
        hang_up_one(service);
    if (fd < 0)
        return;
    uint32_t most = service->options.max_links;
    struct kn_link *link = most && service->link_count >= most ? NULL : kn_link_new(node, fd);
    if (!link) {
        close(fd);
        service->counts.refused++;
        return;
    }
    link->service = service;
    link->greeted_by = kn_now() + KN_HELLO_NS;
    kn_list_append(&service->links, &link->in_service);
    service->link_count++;
    bool welcome = kn_user_enter(link);
    if (!welcome || kn_watch_add(node, fd, &link->watch))
        kn_link_drop(link);
    service->counts.refused += !welcome;
}

/* ---------------------------------------------------------------- the calling end */

void kn_node_reach(struct koine_node *node, kn_reach *reach, void *arg)
{
    node->reach = reach;
    node->reach_arg = arg;
}

static int reach(int *fdp, uid_t *ownerp, struct koine_node *node, const char *name)
{
    if (!node->reach)
        return kn_name_connect(fdp, ownerp, node->dirs, name, &node->why);
    int rc = kn_name_check(name, &node->why);
    if (rc)
        return rc;
    rc = node->reach(node->reach_arg, fdp, ownerp, name);
    return rc ? kn_node_fail(node, rc, "'%s' was not reached: %s", name, koine_strerror(rc)) : 0;
}

static bool may_serve(const struct kn_link *link, const struct ucred *server)
{
    return server->uid == 0 || server->uid == geteuid() || server->uid == link->dir_owner;
}

static bool on_welcome(struct kn_link *link, struct parcel *parcel)
{
    struct kn_control ready = {.type = KN_READY};
    link->error = parcel->control.error;
    if (link->error || parcel->count != FDS || !parcel->signed_ || link->out.base ||
        parcel->control.value[1] != KN_LINK_SEGMENT)
        return false;
    if (!may_serve(link, &parcel->sender)) {
        link->error = KOINE_EPERM;
        return false;
    }
    parcel->count = 0;
    int adopted = kn_segment_adopt(&link->in, parcel->fds[0], KN_LINK_SEGMENT);
    int accepted = kn_segment_accept(&link->out, parcel->fds[1], KN_LINK_SEGMENT);
    if (adopted || accepted)
        return false;
    link->hash = parcel->control.value[0];
    if (!watch_life(link, &parcel->sender) || kn_link_attach(link) ||
        kn_control_send(link, &ready, NULL, 0))
        return false;
    link->state = KN_LINKED;
    kn_ref_greeted(link, 0);
    return true;
}

static bool is_greeted(void *arg)
{
    return ((struct kn_link *)arg)->state != KN_GREETING;
}

int kn_link_begin(struct kn_link **linkp, struct koine_ref *ref)
{
    struct koine_node *node = ref->node;
    struct kn_control hello = {.type = KN_HELLO,
                               .value = {KN_MAGIC, (uint64_t)KN_MAJOR << 32 | KN_MINOR, 0}};
    uid_t owner;
    int fd, yes = 1, rc = reach(&fd, &owner, node, ref->name);
    if (rc)
        return rc;
    struct kn_link *link = kn_link_new(node, fd);
    if (!link) {
        close(fd);
        return KOINE_ENOMEM;
    }
    link->dir_owner = owner;
    link->greeted_by = INT64_MAX;
    link->ref = ref;
    if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) ||
        kn_watch_add(node, fd, &link->watch) || kn_control_send(link, &hello, NULL, 0)) {
        kn_link_drop(link);
        return kn_node_fail(node, KOINE_EDOWN, "'%s' hung up before the greeting", ref->name);
    }
    *linkp = link;
    return 0;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

/* The kernel tells nobody when a listener has room again, so a full one is asked every millisecond. */
static int begin_in_time(struct kn_link **linkp, struct koine_ref *ref, int64_t deadline)
{
    for (;;) {
        int rc = kn_link_begin(linkp, ref);
        int64_t now = kn_now();
        if (rc != KOINE_EAGAIN)
            return rc;
        if (now >= deadline)
            return KOINE_EDEADLINE;
        int64_t again = kn_deadline(now, KOINE_MILLISECOND);
        (void)kn_node_until(ref->node, never, NULL, NULL, again < deadline ? again : deadline,
                            false);
    }
}

int kn_link_connect(struct kn_link **linkp, struct koine_ref *ref, int64_t deadline)
{
    struct koine_node *node = ref->node;
    struct kn_link *link;
    int rc = begin_in_time(&link, ref, deadline);
    if (rc)
        return rc;
    link->users++;
    rc = kn_node_until(node, is_greeted, link, NULL, deadline, false);
    if (!rc && link->state == KN_DEAD)
        rc = kn_node_fail(node, link->error ? link->error : KOINE_EDOWN,
                          "'%s' hung up during the greeting", ref->name);
    if (rc)
        kn_link_drop(link);
    else
        *linkp = link;
    link->users--;
    return rc;
}

/* ---------------------------------------------------------------- both */

static bool handle_linked(struct kn_link *link, struct parcel *parcel)
{
    const struct kn_control *control = &parcel->control;
    bool event = control->type < KN_MORE || (control->type == KN_POOL && control->value[0]);
    int none = -1, *fdp = parcel->count ? &parcel->fds[0] : &none;
    if (parcel->count > 1)
        return false;
    return event ? kn_event_control(link, control, fdp) : kn_more_control(link, control, fdp);
}

static bool handle(struct kn_link *link, struct parcel *parcel)
{
    uint32_t type = parcel->control.type;
    bool serving = link->service != NULL;
    if (link->state == KN_LINKED)
        return handle_linked(link, parcel);
    if (serving && type == KN_HELLO)
        return on_hello(link, parcel);
    if (serving && type == KN_READY)
        return on_ready(link, parcel);
    return !serving && type == KN_WELCOME && on_welcome(link, parcel);
}

/* One message; false when there is none now, or no more ever (*endp). */
static bool take_parcel(struct kn_link *link, bool *endp)
{
    struct parcel parcel;
    receive(link, &parcel);
    *endp = parcel.length <= 0 && errno != EAGAIN && errno != EINTR;
    if (parcel.length <= 0)
        return false;
    bool linked = link->state == KN_LINKED, wake = parcel.length == 1 && linked;
    bool good = wake || (!parcel.cut && parcel.length == (ssize_t)sizeof parcel.control &&
                         handle(link, &parcel));
    if (!good && linked)
        kn_link_break(link);
    else if (!good)
        kn_link_drop(
            link); /* a greeting fails for many reasons, death and want of memory among them */
    drop_fds(&parcel);
    return true;
}

/* A peer that died is reported before what it sent last, once. */
void kn_link_drain(struct kn_link *link)
{
    bool end, again = true;
    for (int i = 0; i < DRAIN_MAX && link->state == KN_LINKED; i++) {
        if (take_parcel(link, &end))
            continue;
        if (!end || errno != ECONNRESET || !again)
            return;
        again = false;
    }
}

/* What was sent before the end still counts: socket and ring are read first, the ring once round. More
 * cannot have been there, and who hung up may write on for ever. */
static void hang_up(struct kn_link *link)
{
    if (link->state == KN_LINKED)
        kn_link_drain(link);
    for (int left = KN_LINK_SLOTS, count = 1; left > 0 && count && link->state == KN_LINKED;) {
        count = kn_link_poll(link);
        left -= count;
    }
    link->hung_up = true;
    kn_link_drop(link);
}

void kn_link_socket(struct kn_watch *watch, uint32_t events)
{
    struct kn_link *link = KN_LIST_ENTRY(watch, struct kn_link, watch);
    bool end = false;
    (void)events;
    link->users++;
    for (int i = 0; i < 16 && link->state != KN_DEAD && take_parcel(link, &end); i++)
        ;
    if (end)
        hang_up(link);
    link->users--;
}

int kn_link_controls(struct kn_link *link)
{
    int count = 0;
    bool end;
    char octet;
    link->users++;
    while (count < 16 && link->state != KN_DEAD &&
           recv(link->fd, &octet, 1, MSG_PEEK | MSG_DONTWAIT) > 0 && take_parcel(link, &end))
        count++;
    link->users--;
    return count;
}

void kn_link_died(struct kn_watch *watch, uint32_t events)
{
    struct kn_link *link = KN_LIST_ENTRY(watch, struct kn_link, life);
    (void)events;
    link->users++;
    hang_up(link);
    link->users--;
}
