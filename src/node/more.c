/* SPDX-License-Identifier: MIT
 *
 * Further memory of a link, for bodies over 64 KiB: made when the first of its kind is to be sent, and
 * kept until the link ends. The serving end makes the memory of both directions, as in the greeting, so
 * that it never receives a descriptor.
 *
 * For its own answers it makes the memory at once and sends a descriptor (POOL) before the first slot that
 * names it. A caller asks (MORE), is given memory that nobody pays for yet (ROOM), reserves and seals it,
 * and says so (FILLED) before the first slot that names it; until then its message waits. Whoever meets a
 * slot that names what he does not know has not read his socket far enough.
 *
 * A link can have each room once, so its octets are bounded by kn_pool_shapes; what a node makes for its
 * answers and samples is bounded by `max_octets` besides. Without memory nothing breaks: the message
 * that needed it fails, and the next one tries again.
 */
#include "node/control.h"
#include "node/internal.h"

#include <unistd.h>

/* ---------------------------------------------------------------- filling */

int kn_octets_reserve(struct koine_node *node, const struct kn_room *room)
{
    uint64_t octets = (uint64_t)room->size * room->count;
    if (octets > node->max_octets - node->octets)
        return KOINE_ELIMIT;
    node->octets += octets;
    return 0;
}

void kn_octets_give(struct koine_node *node, const struct kn_room rooms[KN_POOLS])
{
    for (uint32_t id = 1; id < KN_POOLS; id++)
        if (rooms[id].segment.base)
            node->octets -= rooms[id].segment.size;
}

int kn_octets_create(struct kn_room *room, uint32_t id, int *fdp, struct koine_node *node)
{
    int rc = kn_octets_reserve(node, room);
    if (rc)
        return rc;
    rc = kn_room_create(room, id, fdp);
    if (rc)
        node->octets -= (uint64_t)room->size * room->count;
    return rc;
}

static int make_own(struct kn_link *link, uint32_t id)
{
    struct kn_room *room = &link->rooms[id];
    struct kn_control pool = {.type = KN_POOL, .value = {0, id, room->size, room->count}};
    int fd, rc = kn_octets_create(room, id, &fd, link->node);
    if (rc)
        return rc;
    pool.value[4] = room->segment.size;
    rc = kn_control_send(link, &pool, &fd, 1);
    close(fd);
    if (rc)
        kn_link_drop(link);
    return rc;
}

static int ask(struct kn_link *link, uint32_t id)
{
    struct kn_control more = {.type = KN_MORE, .value = {id}};
    struct kn_room *room = &link->rooms[id];
    if (room->asked)
        return KOINE_EFULL;
    if (kn_control_send(link, &more, NULL, 0)) {
        kn_link_drop(link);
        return KOINE_EDOWN;
    }
    room->asked = true;
    return KOINE_EFULL;
}

static int make(void *owner, uint32_t id)
{
    struct kn_link *link = owner;
    return link->service ? make_own(link, id) : ask(link, id);
}

int kn_link_take(uint32_t *refp, void **chunkp, struct kn_link *link, size_t size)
{
    const struct kn_control_page *peer = (const void *)link->in.base;
    struct kn_pool_holds holds = {peer->holds, link};
    struct kn_taking taking = {link->rooms, &link->ring_out, &holds, 1, make, link};
    void *owner;
    if (kn_ring_refresh(&link->ring_out, &owner)) {
        kn_link_break(link);
        return KOINE_EPROTOCOL;
    }
    return kn_rooms_take(refp, chunkp, &taking, size);
}

bool kn_link_asks(const struct kn_link *link)
{
    for (uint32_t id = 1; id < KN_POOLS; id++)
        if (link->rooms[id].asked)
            return true;
    return false;
}

/* ---------------------------------------------------------------- the socket, serving end */

static bool is_further(uint64_t id)
{
    return id > 0 && id < KN_POOLS;
}

static bool on_more(struct kn_link *link, const struct kn_control *control)
{
    uint64_t id = control->value[0];
    struct kn_control room = {.type = KN_ROOM, .value = {id}};
    struct kn_view *view = is_further(id) ? &link->views[id] : NULL;
    if (!view || view->segment.base)
        return false;
    room.value[1] = (uint64_t)view->size * view->count;
    if (kn_segment_offer(&view->segment, &view->offered, room.value[1]))
        room.error = KOINE_ENOMEM;
    return !kn_control_send(link, &room, &view->offered, room.error ? 0 : 1);
}

static bool on_filled(struct kn_link *link, const struct kn_control *control)
{
    uint64_t id = control->value[0];
    struct kn_view *view = is_further(id) ? &link->views[id] : NULL;
    if (!view || view->offered < 0)
        return false;
    int rc = control->error ? 0 : kn_segment_verify(view->offered, view->segment.size);
    close(view->offered);
    view->offered = -1;
    if (control->error)
        kn_segment_deinit(&view->segment);
    else if (!rc)
        view->base = view->segment.base;
    return !rc;
}

/* ---------------------------------------------------------------- the socket, calling end */

static bool on_room(struct kn_link *link, const struct kn_control *control, int *fdp)
{
    uint64_t id = control->value[0];
    struct kn_control filled = {.type = KN_FILLED, .value = {id}};
    struct kn_room *room = is_further(id) ? &link->rooms[id] : NULL;
    if (!room || !room->asked)
        return false;
    room->asked = false;
    room->error = control->error ? KOINE_ENOMEM : 0;
    if (control->error)
        return true;
    if (*fdp < 0) {
        room->error = KOINE_ENOMEM; /* no descriptor was left here to receive it with */
    } else {
        room->error = kn_room_accept(room, (uint32_t)id, *fdp);
        *fdp = -1;
    }
    filled.error = room->error;
    return room->error != KOINE_EPROTOCOL && !kn_control_send(link, &filled, NULL, 0);
}

static bool on_pool(struct kn_link *link, const struct kn_control *control, int *fdp)
{
    const uint64_t *value = control->value;
    struct kn_view *view = is_further(value[1]) ? &link->views[value[1]] : NULL;
    if (!view || view->base || view->error || value[2] != view->size || value[3] != view->count ||
        value[4] != value[2] * value[3])
        return false;
    view->error = KOINE_ENOMEM;
    if (*fdp >= 0)
        view->error = kn_view_adopt(view, *fdp, value[4]);
    *fdp = -1;
    return view->error != KOINE_EPROTOCOL;
}

bool kn_more_control(struct kn_link *link, const struct kn_control *control, int *fdp)
{
    if (link->service)
        return control->type == KN_MORE     ? on_more(link, control)
               : control->type == KN_FILLED ? on_filled(link, control)
                                            : false;
    return control->type == KN_ROOM   ? on_room(link, control, fdp)
           : control->type == KN_POOL ? on_pool(link, control, fdp)
                                      : false;
}

/* ---------------------------------------------------------------- reading */

int kn_link_find(const void **chunkp, struct kn_link *link, uint32_t ref, uint32_t length)
{
    if (!kn_views_know(link->views, ref))
        kn_link_drain(link);
    return kn_views_find(chunkp, link->views, ref, length);
}

static _Atomic uint32_t *holds_of(const struct kn_link *link)
{
    return ((struct kn_control_page *)(void *)link->out.base)->holds;
}

int kn_loan_take(struct kn_loan *loan, struct kn_link *link, uint32_t ref)
{
    int hold = kn_pool_hold(holds_of(link), ref);
    if (hold < 0)
        return hold;
    link->users++;
    *loan = (struct kn_loan){link, hold};
    return 0;
}

void kn_loan_give(struct kn_loan *loan)
{
    struct kn_link *link = loan->link;
    if (!link)
        return;
    kn_pool_release(holds_of(link), loan->hold);
    link->users--;
    loan->link = NULL;
}
