/* SPDX-License-Identifier: MIT */
#include "node/internal.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct kn_link *kn_link_new(struct koine_node *node, int fd)
{
    struct kn_link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->watch.ready = kn_link_socket;
    link->life.ready = kn_link_died;
    link->node = node;
    link->fd = fd;
    link->pidfd = link->offered = -1;
    link->peer = (struct koine_caller){65534, 65534, 0};
    kn_list_init(&link->in_service);
    kn_list_init(&link->pending);
    kn_list_init(&link->requests);
    kn_list_init(&link->late);
    kn_rooms_init(link->rooms);
    kn_views_init(link->views);
    kn_list_init(&link->readers);
    kn_list_append(&node->links, &link->in_node);
    return link;
}

/* Taken out of epoll by hand: a forked child may hold a copy, and then closing is not enough. */
static void close_fd(struct kn_link *link, int *fdp)
{
    if (*fdp < 0)
        return;
    (void)epoll_ctl(link->node->epoll, EPOLL_CTL_DEL, *fdp, NULL);
    close(*fdp);
    *fdp = -1;
}

static void end_pending(struct kn_link *link)
{
    while (!kn_list_empty(&link->pending)) {
        int error = link->ref && link->ref->closed ? KOINE_ECLOSED : KOINE_EDOWN;
        kn_pending_finish(KN_LIST_ENTRY(link->pending.next, struct koine_pending, in_link), error,
                          NULL, NULL);
    }
}

void kn_link_drop(struct kn_link *link)
{
    if (link->state == KN_DEAD)
        return;
    kn_user_leave(link);
    link->state = KN_DEAD;
    link->node->unswept = true;
    link->users++;
    kn_event_leave_all(link); /* says that samples are revoked, before the hang-up can be seen */
    close_fd(link, &link->fd);
    close_fd(link, &link->pidfd);
    close_fd(link, &link->offered);
    if (link->service) /* the calling end's rooms were never counted */
        kn_octets_give(link->node, link->rooms);
    kn_rooms_deinit(link->rooms);
    KN_LIST_EACH(at, &link->requests)
    kn_request_orphan(KN_LIST_ENTRY(at, struct koine_request, in_link));
    kn_late_clear(link);
    if (link->service) {
        link->service->link_count--;
        kn_list_unlink(&link->in_service);
    }
    if (link->ref) {
        kn_subs_unlink(link);
        if (link->ref->link == link)
            link->ref->link = NULL;
    }
    end_pending(link);
    kn_ref_greeted(link, link->error ? link->error : KOINE_EDOWN);
    link->users--;
}

void kn_link_break(struct kn_link *link)
{
    if (link->service && link->state != KN_DEAD && !link->unsent)
        link->service->counts.protocol_errors++;
    kn_link_drop(link);
}

void kn_link_free(struct kn_link *link)
{
    kn_list_unlink(&link->in_node);
    kn_ring_out_deinit(&link->ring_out);
    kn_rooms_deinit(link->rooms);
    kn_views_deinit(link->views);
    kn_segment_deinit(&link->out);
    kn_segment_deinit(&link->in);
    free(link);
}

/* Both segments are there: from now on messages flow. */
int kn_link_attach(struct kn_link *link)
{
    struct kn_control_page *own = (void *)link->out.base, *peer = (void *)link->in.base;
    kn_ring_out_init(&link->ring_out, link->out.base + KN_RING_AT, KN_LINK_SLOTS);
    kn_ring_in_init(&link->ring_in, link->in.base + KN_RING_AT, KN_LINK_SLOTS, &own->cursor, 0);
    kn_wake_init(&link->wake, own, peer);
    struct kn_room *room = &link->rooms[0];
    struct kn_view *view = &link->views[0];
    room->size = view->size = KN_CHUNK_SIZE;
    room->count = view->count = KN_LINK_CHUNKS;
    view->base = link->in.base + KN_POOL_AT;
    int rc = kn_ring_join(&link->ring_out, link, &peer->cursor);
    if (!rc)
        rc = kn_pool_init(&room->pool, 0, link->out.base + KN_POOL_AT, room->size, room->count);
    return rc;
}

/* ---------------------------------------------------------------- sending */

static int make_room(struct kn_link *link)
{
    void *owner;
    if (link->state != KN_LINKED)
        return KOINE_EDOWN;
    if (kn_ring_has_room(&link->ring_out))
        return 0;
    if (kn_ring_refresh(&link->ring_out, &owner)) {
        kn_link_break(link);
        return KOINE_EPROTOCOL;
    }
    return kn_ring_has_room(&link->ring_out) ? 0 : KOINE_EFULL;
}

static void publish(struct kn_link *link, uint32_t length, uint32_t ref)
{
    if (ref)
        kn_rooms_publish(link->rooms, ref, link->ring_out.pos);
    kn_ring_publish(&link->ring_out, length, ref);
    if (kn_wake_look(&link->wake, true))
        (void)send(link->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int kn_outgoing_put(void *to, const struct kn_outgoing *body, struct koine_why *why)
{
    if (body->type)
        return kn_value_gather(to, body->size, body->type, body->value, why);
    memcpy(to, body->value, body->size);
    return 0;
}

static int send_inline(struct kn_link *link, const struct kn_head *head,
                       const struct kn_outgoing *body, struct koine_why *why)
{
    uint64_t words[KN_SLOT_ROOM / 8];
    size_t at = kn_head_size(head);
    kn_head_write(words, head);
    int rc = body->size ? kn_outgoing_put((uint8_t *)words + at, body, why) : 0;
    if (rc)
        return rc;
    kn_copy_out(kn_ring_slot(&link->ring_out)->payload, words, at + body->size);
    publish(link, (uint32_t)(at + body->size), 0);
    return 0;
}

static int explain(struct koine_why *why, int rc, size_t size)
{
    if (rc == KOINE_ENOMEM || rc == KOINE_ELIMIT)
        return kn_refuse(why, rc, NULL, "no memory to send %zu octets", size);
    return rc;
}

static int send_chunk(struct kn_link *link, const struct kn_head *head,
                      const struct kn_outgoing *body, struct koine_why *why)
{
    uint64_t words[KN_HEAD_MAX / 8];
    uint32_t ref;
    void *chunk;
    int rc = kn_link_take(&ref, &chunk, link, body->size);
    if (rc)
        return explain(why, rc, body->size);
    if ((rc = kn_outgoing_put(chunk, body, why))) {
        kn_rooms_give(link->rooms, ref);
        return rc;
    }
    kn_head_write(words, head);
    kn_copy_out(kn_ring_slot(&link->ring_out)->payload, words, kn_head_size(head));
    publish(link, (uint32_t)body->size, ref);
    return 0;
}

int kn_link_put(struct kn_link *link, const struct kn_head *head, const struct kn_outgoing *body,
                struct koine_why *why)
{
    int rc = make_room(link);
    if (rc)
        return rc;
    if (kn_head_size(head) + body->size <= KN_SLOT_ROOM)
        return send_inline(link, head, body, why);
    return send_chunk(link, head, body, why);
}

static int measure(struct kn_outgoing *body, const struct koine_type *type, const void *value,
                   struct koine_why *why)
{
    *body = (struct kn_outgoing){type, value, 0};
    int rc = type ? kn_value_size(&body->size, type, value, why) : 0;
    if (!rc && body->size > KN_BODY_MAX)
        rc = kn_refuse(why, KOINE_ETOOBIG, NULL, "%zu octets, a message holds at most %d",
                       body->size, KN_BODY_MAX);
    return rc;
}

int kn_link_send(struct kn_link *link, const struct kn_head *head, const struct koine_type *type,
                 const void *value, struct koine_why *why)
{
    struct kn_outgoing body;
    int rc = measure(&body, type, value, why);
    if (!rc && !kn_list_empty(&link->late))
        rc = KOINE_EFULL;
    return rc ? rc : kn_link_put(link, head, &body, why);
}

int kn_link_post(struct kn_link *link, const struct kn_head *head, const struct koine_type *type,
                 const void *value, struct koine_why *why)
{
    struct kn_outgoing body;
    int rc = measure(&body, type, value, why);
    if (rc)
        return rc;
    if (!kn_list_empty(&link->late))
        kn_late_send(link);
    if (link->state != KN_LINKED)
        return KOINE_EDOWN;
    rc = kn_list_empty(&link->late) ? kn_link_put(link, head, &body, why) : KOINE_EFULL;
    return rc == KOINE_EFULL ? kn_late_add(link, head, &body, why) : rc;
}

/* ---------------------------------------------------------------- receiving */

static void handle(struct kn_link *link, const struct kn_head *head, struct kn_body *body)
{
    switch (head->kind) {
    case KN_CALL:
    case KN_GET:
    case KN_SET:
    case KN_DESCRIBE:
        kn_request_arrived(link, head, body);
        return;
    case KN_REPLY:
    case KN_FAULT:
        kn_answer_arrived(link, head, body);
        return;
    case KN_CANCEL:
        kn_request_cancelled(link, head->serial);
        return;
    default:
        kn_link_drop(link);
    }
}

/* Up to the spine's limit the body is copied, more stays where it is; either before the cursor moves. */
static int open_chunk(struct kn_link *link, struct kn_body *body, struct kn_arena *arena,
                      uint32_t ref)
{
    const void *chunk;
    int rc = kn_link_find(&chunk, link, ref, (uint32_t)body->length);
    if (rc)
        return rc;
    if (body->length > KN_SPINE_MAX) {
        body->octets = chunk;
        return kn_loan_take(&body->loan, link, ref);
    }
    void *copy = kn_arena_alloc(arena, (body->length + 7) & ~(size_t)7);
    if (!copy)
        return KOINE_ENOMEM;
    kn_copy_in(copy, chunk, body->length);
    body->octets = copy;
    return 0;
}

/* One message, out of the peer's reach before anybody acts on it. */
static void take_one(struct kn_link *link)
{
    uint64_t words[KN_SLOT_ROOM / 8] = {0};
    uint32_t length, ref;
    struct kn_head head;
    struct kn_arena arena;
    struct kn_body body = {.error = KOINE_EPROTOCOL};
    kn_arena_init(&arena, 2 * KN_SPINE_MAX);
    kn_ring_take(&link->ring_in, words, &length, &ref);
    size_t at = kn_head_read(&head, words) ? kn_head_size(&head) : 0;
    body.length = length;
    if (at && ref) {
        body.error = open_chunk(link, &body, &arena, ref);
    } else if (at && length >= at && length <= KN_SLOT_ROOM) {
        body = (struct kn_body){(uint8_t *)words + at, length - at, 0, {NULL, 0}};
    }
    kn_ring_next(&link->ring_in);
    if (ref)
        kn_ring_tell(&link->ring_in); /* chunks are few: the writer may wait for this one */
    if (body.error == KOINE_EPROTOCOL)
        kn_link_break(link);
    else if (link->state == KN_LINKED)
        handle(link, &head, &body);
    kn_loan_give(&body.loan);
    kn_arena_deinit(&arena);
}

bool kn_link_has_news(const struct kn_link *link)
{
    return link->state == KN_LINKED && !link->choked && kn_ring_has_more(&link->ring_in);
}

int kn_link_poll(struct kn_link *link)
{
    int count = 0;
    link->users++;
    if (!kn_list_empty(&link->late))
        kn_late_send(link);
    while (count < KN_LINK_SLOTS && kn_link_has_news(link)) {
        kn_wake_earn(&link->wake);
        take_one(link);
        count++;
        if (kn_node_lags(link->node))
            break;
    }
    if (count && link->state == KN_LINKED)
        kn_ring_tell(&link->ring_in);
    link->users--;
    return count;
}
