/* SPDX-License-Identifier: MIT */
#include "node/room.h"

#include <koine/error.h>

#include <unistd.h>

void kn_rooms_init(struct kn_room rooms[KN_POOLS])
{
    for (uint32_t id = 0; id < KN_POOLS; id++)
        rooms[id] = (struct kn_room){
            .size = kn_pool_shapes[id].size, .count = kn_pool_shapes[id].count, .fd = -1};
}

void kn_views_init(struct kn_view views[KN_POOLS])
{
    for (uint32_t id = 0; id < KN_POOLS; id++)
        views[id] = (struct kn_view){
            .size = kn_pool_shapes[id].size, .count = kn_pool_shapes[id].count, .offered = -1};
}

static void close_fd(int *fdp)
{
    if (*fdp >= 0)
        close(*fdp);
    *fdp = -1;
}

void kn_rooms_deinit(struct kn_room rooms[KN_POOLS])
{
    for (uint32_t id = 0; id < KN_POOLS; id++) {
        kn_pool_deinit(&rooms[id].pool);
        kn_segment_deinit(&rooms[id].segment);
        close_fd(&rooms[id].fd);
    }
}

void kn_views_deinit(struct kn_view views[KN_POOLS])
{
    for (uint32_t id = 0; id < KN_POOLS; id++) {
        views[id].base = NULL;
        kn_segment_deinit(&views[id].segment);
        close_fd(&views[id].offered);
    }
}

static size_t octets_of(const struct kn_room *room)
{
    return (size_t)room->size * room->count;
}

static int open_pool(struct kn_room *room, uint32_t id)
{
    int rc = kn_pool_init(&room->pool, id, room->segment.base, room->size, room->count);
    if (rc)
        kn_segment_deinit(&room->segment);
    return rc;
}

int kn_room_create(struct kn_room *room, uint32_t id, int *fdp)
{
    int fd;
    if (kn_segment_create(&room->segment, &fd, octets_of(room)))
        return KOINE_ENOMEM;
    int rc = open_pool(room, id);
    if (rc)
        close(fd);
    else
        *fdp = fd;
    return rc;
}

int kn_room_accept(struct kn_room *room, uint32_t id, int fd)
{
    int rc = kn_segment_accept(&room->segment, fd, octets_of(room));
    if (rc)
        return rc == KOINE_ESYSTEM ? KOINE_ENOMEM : rc;
    return open_pool(room, id);
}

int kn_view_adopt(struct kn_view *view, int fd, size_t segment)
{
    int rc = kn_segment_adopt(&view->segment, fd, segment);
    if (!rc)
        view->base = view->segment.base;
    return rc == KOINE_ESYSTEM ? KOINE_ENOMEM : rc;
}

/* A second room of a kind that cannot be had is done without: the first will be free again. */
static int open_room(const struct kn_taking *taking, uint32_t id, bool first)
{
    struct kn_room *room = &taking->rooms[id];
    int rc = room->error;
    if (room->pool.base)
        return 0;
    if (!rc)
        rc = taking->make(taking->owner, id);
    if (!rc || rc == KOINE_EFULL)
        return rc;
    room->error = first ? 0 : rc;
    return first ? rc : KOINE_EFULL;
}

/* Another room of the same kind is asked for only when those before it are there and full. */
int kn_rooms_take(uint32_t *refp, void **chunkp, const struct kn_taking *taking, size_t size)
{
    uint32_t kind = 0;
    int rc = KOINE_ETOOBIG;
    for (uint32_t id = 0; id < KN_POOLS; id++) {
        struct kn_room *room = &taking->rooms[id];
        if (room->size < size || (kind && room->size != kind))
            continue;
        rc = open_room(taking, id, !kind);
        if (!rc)
            rc = kn_pool_take(refp, chunkp, &room->pool, taking->ring, taking->holds,
                              taking->readers);
        if (rc != KOINE_EFULL || !room->pool.base)
            return rc;
        kind = room->size;
    }
    return rc;
}

uint32_t kn_rooms_most(const struct kn_room rooms[KN_POOLS])
{
    uint32_t most = 0;
    for (uint32_t id = 0; id < KN_POOLS; id++)
        most = rooms[id].size > most ? rooms[id].size : most;
    return most;
}

int kn_views_find(const void **chunkp, const struct kn_view *views, uint32_t ref, uint32_t length)
{
    uint32_t id = kn_ref_pool(ref);
    const struct kn_view *view = &views[id < KN_POOLS ? id : 0];
    if (id < KN_POOLS && view->error)
        return view->error;
    const void *chunk = id < KN_POOLS && view->base
                            ? kn_pool_find(view->base, view->size, view->count, ref, length)
                            : NULL;
    if (!chunk)
        return KOINE_EPROTOCOL;
    *chunkp = chunk;
    return 0;
}
