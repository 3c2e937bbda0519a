/* SPDX-License-Identifier: MIT
 *
 * A reliable ring of fixed slots: one writer, up to KN_RING_READERS readers whose cursors lie in
 * segments of their own.
 *
 * The writer stores the payload in relaxed words, then the stamp with release; a reader that loads the
 * stamp with acquire sees the payload whole. A killed writer has simply not stamped. The writer looks at
 * the cursors only when its private limit is reached, and accepts one only between what it saw last and
 * its own position: a reader that lies is named and can be dropped, and nothing else happens.
 *
 * Costs: a publish is the payload's lines and one private compare; a look of the reader is one load.
 */
#ifndef KN_PLANE_RING_H
#define KN_PLANE_RING_H

#include "base/copy.h"
#include "plane/layout.h"

#include <stdbool.h>

enum { KN_RING_READERS = 1024 };

struct kn_ring_reader {
    const _Atomic uint64_t *cursor; /* NULL: joined, and not ready yet: it stands where it joined */
    uint64_t seen;
    void *owner; /* whom to ask when it is slow, dead or lying */
};

struct kn_ring_out {
    struct kn_slot *slots;
    uint64_t mask;
    uint64_t pos;   /* the next to be written */
    uint64_t limit; /* write below this without looking */
    struct kn_ring_reader *readers;
    uint32_t count, room;
};

struct kn_ring_in {
    struct kn_slot *slots;
    uint64_t mask;
    uint64_t pos;    /* the next to be read */
    uint64_t stored; /* what the writer was told */
    _Atomic uint64_t *cursor;
    uint32_t batch;
};

/* `slots` is a power of two, in the writer's zeroed segment. No reader yet: nothing limits it. */
void kn_ring_out_init(struct kn_ring_out *ring, void *slots, uint32_t count);
void kn_ring_out_deinit(struct kn_ring_out *ring);

/* Joins a reader at the present position. KOINE_ENOMEM, KOINE_ELIMIT. */
int kn_ring_join(struct kn_ring_out *ring, void *owner, const _Atomic uint64_t *cursor);
/* From now on the reader's cursor is looked at. */
void kn_ring_ready(struct kn_ring_out *ring, const void *owner, const _Atomic uint64_t *cursor);
void kn_ring_leave(struct kn_ring_out *ring, const void *owner);

/* Looks at all cursors. 0, or KOINE_EPROTOCOL with the reader that lied in *ownerp. */
int kn_ring_refresh(struct kn_ring_out *ring, void **ownerp);
/* False: the reader joined, and its cursor is not looked at yet. */
bool kn_ring_is_ready(const struct kn_ring_out *ring, const void *owner);
/* The reader's cursor is not where it was at the last look. */
bool kn_ring_moved(const struct kn_ring_out *ring, const void *owner);
/* The owner of the reader that is furthest behind; NULL without readers. */
void *kn_ring_slowest(const struct kn_ring_out *ring);
/* All readers have passed what lies below. Valid after kn_ring_refresh. */
uint64_t kn_ring_passed(const struct kn_ring_out *ring);

static inline bool kn_ring_has_room(const struct kn_ring_out *ring)
{
    return ring->pos != ring->limit;
}

/* The slot to fill, `ahead` of the next one; only when there is room. */
static inline struct kn_slot *kn_ring_slot_ahead(const struct kn_ring_out *ring, uint64_t ahead)
{
    return &ring->slots[(ring->pos + ahead) & ring->mask];
}

static inline struct kn_slot *kn_ring_slot(const struct kn_ring_out *ring)
{
    return kn_ring_slot_ahead(ring, 0);
}

/* How many slots may be written without looking. */
static inline uint64_t kn_ring_room(const struct kn_ring_out *ring)
{
    return ring->limit - ring->pos;
}

/* Makes the slot `ahead` of the next one visible, for a batch that is written from its last slot to its
 * first: a reader that waits sees nothing of it before it sees all, and does not share lines that are
 * still to be written. kn_ring_pass then moves on. */
static inline void kn_ring_publish_ahead(struct kn_ring_out *ring, uint64_t ahead, uint32_t length)
{
    struct kn_slot *slot = kn_ring_slot_ahead(ring, ahead);
    atomic_store_explicit(&slot->shape, (uint64_t)length, memory_order_relaxed);
    atomic_store_explicit(&slot->stamp, ring->pos + ahead + 1, memory_order_release);
}

static inline void kn_ring_pass(struct kn_ring_out *ring, uint64_t count)
{
    ring->pos += count;
}

/* Makes the slot visible. `length` and `ref` as in layout.h. */
static inline void kn_ring_publish(struct kn_ring_out *ring, uint32_t length, uint32_t ref)
{
    struct kn_slot *slot = kn_ring_slot(ring);
    atomic_store_explicit(&slot->shape, length | (uint64_t)ref << 32, memory_order_relaxed);
    atomic_store_explicit(&slot->stamp, ++ring->pos, memory_order_release);
}

/* `count` as the writer says, a power of two; `start` the position at which reading begins. */
static inline void kn_ring_in_init(struct kn_ring_in *ring, void *slots, uint32_t count,
                                   _Atomic uint64_t *cursor, uint64_t start)
{
    *ring = (struct kn_ring_in){slots, count - 1, start, start, cursor, count / 4};
    atomic_store_explicit(cursor, start, memory_order_release);
}

/* The second line of the slot is on its way while the first is looked at. */
static inline bool kn_ring_has_more(const struct kn_ring_in *ring)
{
    const struct kn_slot *slot = &ring->slots[ring->pos & ring->mask];
    __builtin_prefetch((const uint8_t *)slot + 64);
    return atomic_load_explicit(&slot->stamp, memory_order_acquire) == ring->pos + 1;
}

/* The next slot's payload, copied whole; only when there is more. */
static inline void kn_ring_take(const struct kn_ring_in *ring, uint64_t payload[KN_SLOT_ROOM / 8],
                                uint32_t *lengthp, uint32_t *refp)
{
    const struct kn_slot *slot = &ring->slots[ring->pos & ring->mask];
    uint64_t shape = atomic_load_explicit(&slot->shape, memory_order_relaxed);
    uint32_t length = (uint32_t)shape, inside = length < KN_SLOT_ROOM ? length : KN_SLOT_ROOM;
    kn_copy_in(payload, slot->payload, inside);
    *lengthp = length;
    *refp = (uint32_t)(shape >> 32);
}

/* Tells the writer, always before parking. What was held of the slots must be marked before. */
static inline void kn_ring_tell(struct kn_ring_in *ring)
{
    if (ring->stored == ring->pos)
        return;
    ring->stored = ring->pos;
    atomic_store_explicit(ring->cursor, ring->pos, memory_order_release);
}

/* Done with the slot. */
static inline void kn_ring_next(struct kn_ring_in *ring)
{
    if (++ring->pos - ring->stored >= ring->batch)
        kn_ring_tell(ring);
}

#endif
