/* SPDX-License-Identifier: MIT
 *
 * One connection. Output is queued and goes out in one send at the end of each callback. A peer that
 * does not take its output is not read from while the queue is high, and is hung up on when it takes
 * nothing for `stall`, or when more than its share of memory is held for it. A connection is closed in
 * two steps where its peer may still be sending: what was said is sent, the sending side is shut, and
 * what still comes is swallowed for a while; a reset would destroy the answer on its way.
 */
#include "runtime/internal.h"
#include "runtime/policy.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS = 16 };
#define PROBE_FIRST_NS (20 * KOINE_MILLISECOND)
#define PROBE_LAST_NS  KOINE_SECOND

static void on_ready(void *arg, unsigned events);
static void on_due(void *arg);

/* ---------------------------------------------------------------- memory */

bool kn_conn_hold(struct kn_conn *conn, size_t size)
{
    struct koine_attachment *attachment = conn->attachment;
    if (size > KN_PEER_OCTETS - conn->octets || size > KN_ALL_OCTETS - attachment->octets)
        return false;
    conn->octets += size;
    attachment->octets += size;
    return true;
}

void kn_conn_release(struct kn_conn *conn, size_t size)
{
    conn->octets -= size;
    conn->attachment->octets -= size;
}

/* ---------------------------------------------------------------- life */

static struct koine_caller peer_of(int fd)
{
    struct ucred sender;
    socklen_t length = sizeof sender;
    struct koine_caller caller = {.uid = 65534, .gid = 65534};
    if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &sender, &length))
        caller = (struct koine_caller){sender.uid, sender.gid, sender.pid};
    return caller;
}

static struct kn_conn *new_conn(struct koine_attachment *attachment, int fd)
{
    struct kn_conn *conn = calloc(1, sizeof *conn);
    if (!conn)
        return NULL;
    *conn = (struct kn_conn){.attachment = attachment,
                             .fd = fd,
                             .reading = true,
                             .write_by = KOINE_FOREVER,
                             .owes_by = KOINE_FOREVER,
                             .linger_by = KOINE_FOREVER,
                             .probe_at = KOINE_FOREVER,
                             .caller = {.uid = 65534, .gid = 65534}};
    kn_buffer_init(&conn->queue, KN_PEER_OCTETS);
    kn_list_init(&conn->in_todo);
    kn_list_init(&conn->bonds);
    kn_list_append(&attachment->conns, &conn->in_attachment);
    attachment->counts.connections++;
    if (attachment->transport->local)
        conn->caller = peer_of(fd);
    return conn;
}

void kn_conn_free(struct kn_conn *conn)
{
    struct koine_attachment *attachment = conn->attachment;
    conn->doomed = true;
    attachment->transport->close(conn);
    kn_bonds_close(conn);
    kn_list_unlink(&conn->in_attachment);
    kn_list_unlink(&conn->in_todo);
    koine_watch_close(conn->watch);
    koine_timer_close(conn->timer);
    kn_conn_release(conn, conn->queue.length - conn->sent);
    kn_buffer_deinit(&conn->queue);
    close(conn->fd);
    attachment->counts.connections--;
    free(conn);
}

bool kn_conn_is_idle(const struct kn_conn *conn)
{
    return !conn->calls && !conn->asks && conn->sent == conn->queue.length &&
           !conn->attachment->transport->owes(conn);
}

/* Room for one more is made at the cost of the one that has been idle longest. */
static bool make_room(struct koine_attachment *attachment)
{
    if (attachment->counts.connections < attachment->limits.connections)
        return true;
    KN_LIST_EACH(at, &attachment->conns)
    {
        struct kn_conn *conn = KN_LIST_ENTRY(at, struct kn_conn, in_attachment);
        if (!kn_conn_is_idle(conn))
            continue;
        attachment->counts.dropped++;
        kn_conn_free(conn);
        return true;
    }
    return false;
}

static void begin(struct koine_attachment *attachment, int fd)
{
    struct kn_conn *conn = make_room(attachment) ? new_conn(attachment, fd) : NULL;
    if (!conn) {
        attachment->counts.refused++;
        close(fd);
        return;
    }
    if (koine_timer_open(&conn->timer, attachment->node, on_due, conn) ||
        koine_watch_open(&conn->watch, attachment->node, fd, KOINE_READABLE, on_ready, conn) ||
        attachment->transport->open(conn)) {
        attachment->counts.refused++;
        kn_conn_free(conn);
        return;
    }
    attachment->counts.accepted++;
}

/* Only of unix sockets does the kernel say who connects. */
static bool may_connect(const struct koine_attachment *attachment, int fd)
{
    return !attachment->transport->local ||
           kn_policy_admits(attachment->limits.callers_allowed, fd);
}

void kn_conn_accept(struct koine_attachment *attachment)
{
    for (int i = 0; i < ACCEPTS; i++) {
        int fd = kn_listener_accept(attachment);
        if (fd < 0)
            break;
        if (may_connect(attachment, fd)) {
            begin(attachment, fd);
            continue;
        }
        attachment->counts.refused++;
        close(fd);
    }
    kn_settle(attachment);
}

/* ---------------------------------------------------------------- output */

void kn_conn_touch(struct kn_conn *conn)
{
    struct koine_attachment *attachment = conn->attachment;
    if (!kn_list_empty(&conn->in_todo))
        return;
    kn_list_append(&attachment->todo, &conn->in_todo);
    if (!attachment->settling)
        koine_timer_set(attachment->soon, 0);
}

void kn_conn_doom(struct kn_conn *conn)
{
    conn->doomed = true;
    kn_conn_touch(conn);
}

static void drop(struct kn_conn *conn)
{
    if (!conn->doomed)
        conn->attachment->counts.dropped++;
    kn_conn_doom(conn);
}

void kn_conn_begin_anew(struct kn_conn *conn)
{
    conn->owes_by = KOINE_FOREVER;
}

int kn_conn_write(struct kn_conn *conn, struct kn_str octets)
{
    if (conn->doomed || conn->finishing)
        return KOINE_EFULL;
    kn_conn_begin_anew(conn);
    kn_conn_touch(conn);
    if (!kn_conn_hold(conn, octets.length)) {
        drop(conn);
        return KOINE_EFULL;
    }
    size_t before = conn->queue.length;
    kn_buffer_str(&conn->queue, octets);
    if (conn->queue.failed) {
        kn_conn_release(conn, octets.length - (conn->queue.length - before));
        drop(conn);
        return KOINE_EFULL;
    }
    conn->full = conn->full || conn->queue.length - conn->sent > KN_QUEUE_HIGH;
    return conn->full ? KOINE_EFULL : 0;
}

static void forget_sent(struct kn_conn *conn)
{
    if (conn->sent == conn->queue.length && conn->queue.room > KN_QUEUE_HIGH)
        kn_buffer_deinit(&conn->queue);
    else if (conn->sent == conn->queue.length)
        kn_buffer_clear(&conn->queue);
    else if (conn->sent > conn->queue.length / 2)
        kn_buffer_drop(&conn->queue, conn->sent);
    else
        return;
    conn->sent = 0;
}

static void flush(struct kn_conn *conn)
{
    size_t left = conn->queue.length - conn->sent;
    if (!left)
        return;
    ssize_t sent = send(conn->fd, conn->queue.ptr + conn->sent, left, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        drop(conn);
        return;
    }
    if (sent > 0) {
        conn->sent += (size_t)sent;
        kn_conn_release(conn, (size_t)sent);
        forget_sent(conn);
    }
    if (conn->sent == conn->queue.length)
        conn->write_by = KOINE_FOREVER;
    else if (sent > 0 || conn->write_by == KOINE_FOREVER)
        conn->write_by = kn_deadline(kn_now(), conn->attachment->limits.stall);
}

/* ---------------------------------------------------------------- input */

void kn_conn_flow(struct kn_conn *conn, bool reading)
{
    if (conn->reading == reading)
        return;
    conn->reading = reading;
    kn_conn_touch(conn);
}

static void swallow(struct kn_conn *conn, ssize_t length)
{
    conn->swallowed += length > 0 ? (size_t)length : 0;
    if (length <= 0 || conn->swallowed > KN_LINGER_OCTETS)
        kn_conn_doom(conn);
}

/* What a peer sent before it went is still worked off, as far as it has to be asked for. */
static void look_after(struct kn_conn *conn)
{
    if (!conn->asks && kn_peer_is_gone(conn->attachment->netlink, conn->fd))
        kn_conn_doom(conn);
}

static void take_end(struct kn_conn *conn)
{
    conn->ended = true;
    conn->probe_step = PROBE_FIRST_NS;
    conn->probe_at = kn_deadline(kn_now(), conn->probe_step);
    conn->attachment->transport->end(conn);
    look_after(conn);
}

static void take_input(struct kn_conn *conn)
{
    struct koine_attachment *attachment = conn->attachment;
    ssize_t length = recv(conn->fd, attachment->input, sizeof attachment->input, MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    kn_list_unlink(&conn->in_attachment);
    kn_list_append(&attachment->conns, &conn->in_attachment);
    if (conn->lingering)
        swallow(conn, length);
    else if (length < 0)
        drop(conn);
    else if (!length)
        take_end(conn);
    else
        attachment->transport->input(conn, (struct kn_str){attachment->input, (size_t)length});
}

static void on_ready(void *arg, unsigned events)
{
    struct kn_conn *conn = arg;
    struct koine_attachment *attachment = conn->attachment;
    if ((events & KOINE_READABLE) && !conn->doomed)
        take_input(conn);
    kn_conn_touch(conn);
    kn_settle(attachment);
}

/* ---------------------------------------------------------------- time */

/* A peer that ended its side and waits for answers is asked after, at growing distances. */
static void probe(struct kn_conn *conn, int64_t now)
{
    look_after(conn);
    conn->probe_step = conn->probe_step * 2 < PROBE_LAST_NS ? conn->probe_step * 2 : PROBE_LAST_NS;
    conn->probe_at = kn_deadline(now, conn->probe_step);
}

static void on_due(void *arg)
{
    struct kn_conn *conn = arg;
    struct koine_attachment *attachment = conn->attachment;
    int64_t now = kn_now();
    if (conn->write_by <= now || conn->owes_by <= now)
        drop(conn);
    else if (conn->linger_by <= now)
        kn_conn_doom(conn);
    else if (conn->probe_at <= now)
        probe(conn, now);
    kn_conn_touch(conn);
    kn_settle(attachment);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void set_timer(struct kn_conn *conn)
{
    const struct koine_attachment *attachment = conn->attachment;
    bool owes = !conn->finishing && attachment->transport->owes(conn);
    if (!owes)
        conn->owes_by = KOINE_FOREVER;
    else if (conn->owes_by == KOINE_FOREVER)
        conn->owes_by = kn_deadline(kn_now(), attachment->limits.stall);
    koine_timer_set(conn->timer, earlier(earlier(conn->write_by, conn->owes_by),
                                         earlier(conn->linger_by, conn->probe_at)));
}

/* ---------------------------------------------------------------- settling */

void kn_conn_finish(struct kn_conn *conn)
{
    conn->finishing = true;
    kn_conn_touch(conn);
}

static void linger(struct kn_conn *conn)
{
    conn->lingering = true;
    conn->linger_by = kn_deadline(kn_now(), KN_LINGER_NS);
    if (conn->ended || shutdown(conn->fd, SHUT_WR))
        conn->doomed = true;
}

static void set_interest(struct kn_conn *conn)
{
    bool waits = conn->sent < conn->queue.length;
    bool reads =
        conn->lingering || (conn->reading && !conn->ended && !conn->full && !conn->finishing);
    if (koine_watch_change(conn->watch,
                           (reads ? KOINE_READABLE : 0) | (waits ? KOINE_WRITABLE : 0)))
        conn->doomed = true;
}

static void settle(struct kn_conn *conn)
{
    const struct kn_transport *transport = conn->attachment->transport;
    if (!conn->doomed && !conn->finishing)
        transport->settle(conn);
    size_t before = conn->queue.length - conn->sent;
    if (!conn->doomed)
        flush(conn);
    size_t left = conn->queue.length - conn->sent;
    if (before && !left && (conn->ended || conn->attachment->draining))
        kn_conn_touch(conn);
    if (!conn->doomed && conn->full && left <= KN_QUEUE_LOW) {
        conn->full = false;
        kn_conn_touch(conn);
        transport->writable(conn);
    }
    if (!conn->doomed && conn->finishing && !left && !conn->lingering)
        linger(conn);
    if (!conn->doomed)
        set_interest(conn);
    if (conn->doomed)
        kn_conn_free(conn);
    else
        set_timer(conn);
}

void kn_settle(struct koine_attachment *attachment)
{
    if (attachment->inside || attachment->settling)
        return;
    attachment->settling = true;
    kn_calls_settle(attachment);
    while (!kn_list_empty(&attachment->todo)) {
        struct kn_conn *conn = KN_LIST_ENTRY(attachment->todo.next, struct kn_conn, in_todo);
        kn_list_unlink(&conn->in_todo);
        settle(conn);
        kn_calls_settle(attachment);
    }
    attachment->settling = false;
}
