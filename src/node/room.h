/* SPDX-License-Identifier: MIT
 *
 * Pools of a link or a topic, from both sides: a room is a pool that this process fills, a view one that
 * the peer fills. Each has KN_POOLS of them. The first is part of the segment that the link or the topic
 * begins with; the others are segments of their own, made when a body first needs one, and kept.
 */
#ifndef KN_NODE_ROOM_H
#define KN_NODE_ROOM_H

#include "plane/pool.h"
#include "plane/segment.h"

enum { KN_BODY_MAX = KN_CHUNK_MAX };

struct kn_room {
    uint32_t size, count; /* its shape, also before it is there; size 0: never */
    struct kn_pool pool;
    struct kn_segment segment; /* of the further ones */
    int fd;                    /* a topic's, for readers to come; else -1 */
    bool asked;                /* the calling end: the service was asked for its memory */
    int error;                 /* what the last try to have it ended with */
};

struct kn_view {
    const uint8_t *base; /* NULL: not to be read (yet) */
    uint32_t size, count;
    struct kn_segment segment;
    int offered; /* the serving end: the caller's memfd until it is verified; else -1 */
    int error;   /* it is there, and cannot be mapped here */
};

void kn_rooms_init(struct kn_room rooms[KN_POOLS]);
void kn_views_init(struct kn_view views[KN_POOLS]);
/* Safe on what was only initialised, and twice. */
void kn_rooms_deinit(struct kn_room rooms[KN_POOLS]);
void kn_views_deinit(struct kn_view views[KN_POOLS]);

/* The serving side makes room `id`; *fdp is a read-only descriptor to send. KOINE_ENOMEM. */
int kn_room_create(struct kn_room *room, uint32_t id, int *fdp);
/* The calling side, from the descriptor that it asked for, which is closed. KOINE_ENOMEM, or
 * KOINE_EPROTOCOL where it is none. */
int kn_room_accept(struct kn_room *room, uint32_t id, int fd);
/* The reader's side of `segment` octets that are chunks of `view`'s shape; closes `fd`. As above. */
int kn_view_adopt(struct kn_view *view, int fd, size_t segment);

/* From whom a chunk is taken, and for whom. `make` is asked for a room that is not there: 0 when it is
 * there now, KOINE_EFULL when it may be later, else why it cannot be. */
struct kn_taking {
    struct kn_room *rooms;
    const struct kn_ring_out *ring; /* refreshed by the caller */
    const struct kn_pool_holds *holds;
    size_t readers;
    int (*make)(void *owner, uint32_t id);
    void *owner;
};

/* A chunk of the smallest kind that holds `size` octets. KOINE_EFULL: none is free now; KOINE_ETOOBIG:
 * no room is that large; or what `make` answered for the first room of that kind. */
int kn_rooms_take(uint32_t *refp, void **chunkp, const struct kn_taking *taking, size_t size);
/* The largest body that rooms of this shape take. */
uint32_t kn_rooms_most(const struct kn_room rooms[KN_POOLS]);

static inline void kn_rooms_publish(struct kn_room *rooms, uint32_t ref, uint64_t pos)
{
    kn_pool_publish(&rooms[kn_ref_pool(ref)].pool, ref, pos);
}

static inline void kn_rooms_give(struct kn_room *rooms, uint32_t ref)
{
    kn_pool_give(&rooms[kn_ref_pool(ref)].pool, ref);
}

/* False: the peer has to be heard first, it may have sent this view's descriptor. */
static inline bool kn_views_know(const struct kn_view *views, uint32_t ref)
{
    uint32_t id = kn_ref_pool(ref);
    return id >= KN_POOLS || views[id].base || views[id].error;
}

/* Where the chunk lies. KOINE_EPROTOCOL: nowhere; KOINE_ENOMEM: in what could not be mapped. */
int kn_views_find(const void **chunkp, const struct kn_view *views, uint32_t ref, uint32_t length);

#endif
