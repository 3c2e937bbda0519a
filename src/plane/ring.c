/* SPDX-License-Identifier: MIT */
#include "plane/ring.h"

#include <koine/error.h>

#include <stdlib.h>

void kn_ring_out_init(struct kn_ring_out *ring, void *slots, uint32_t count)
{
    *ring = (struct kn_ring_out){.slots = slots, .mask = count - 1, .limit = count};
}

void kn_ring_out_deinit(struct kn_ring_out *ring)
{
    free(ring->readers);
    *ring = (struct kn_ring_out){0};
}

static int make_room(struct kn_ring_out *ring)
{
    if (ring->count < ring->room)
        return 0;
    if (ring->count == KN_RING_READERS)
        return KOINE_ELIMIT;
    uint32_t room = ring->room ? 2 * ring->room : 1;
    struct kn_ring_reader *readers = realloc(ring->readers, room * sizeof *readers);
    if (!readers)
        return KOINE_ENOMEM;
    ring->readers = readers;
    ring->room = room;
    return 0;
}

int kn_ring_join(struct kn_ring_out *ring, void *owner, const _Atomic uint64_t *cursor)
{
    int rc = make_room(ring);
    if (rc)
        return rc;
    ring->readers[ring->count++] = (struct kn_ring_reader){cursor, ring->pos, owner};
    return 0;
}

static struct kn_ring_reader *find(const struct kn_ring_out *ring, const void *owner)
{
    for (uint32_t i = 0; i < ring->count; i++)
        if (ring->readers[i].owner == owner)
            return &ring->readers[i];
    return NULL;
}

void kn_ring_ready(struct kn_ring_out *ring, const void *owner, const _Atomic uint64_t *cursor)
{
    struct kn_ring_reader *reader = find(ring, owner);
    if (reader)
        reader->cursor = cursor;
}

void kn_ring_leave(struct kn_ring_out *ring, const void *owner)
{
    struct kn_ring_reader *reader = find(ring, owner);
    if (reader)
        *reader = ring->readers[--ring->count];
}

uint64_t kn_ring_passed(const struct kn_ring_out *ring)
{
    uint64_t behind = 0;
    for (uint32_t i = 0; i < ring->count; i++) {
        uint64_t own = ring->pos - ring->readers[i].seen;
        behind = own > behind ? own : behind;
    }
    return ring->pos - behind;
}

int kn_ring_refresh(struct kn_ring_out *ring, void **ownerp)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        struct kn_ring_reader *reader = &ring->readers[i];
        if (!reader->cursor)
            continue;
        uint64_t cursor = atomic_load_explicit(reader->cursor, memory_order_acquire);
        if (cursor - reader->seen > ring->pos - reader->seen) {
            *ownerp = reader->owner;
            return KOINE_EPROTOCOL;
        }
        reader->seen = cursor;
    }
    ring->limit = kn_ring_passed(ring) + ring->mask + 1;
    return 0;
}

bool kn_ring_is_ready(const struct kn_ring_out *ring, const void *owner)
{
    const struct kn_ring_reader *reader = find(ring, owner);
    return reader && reader->cursor;
}

bool kn_ring_moved(const struct kn_ring_out *ring, const void *owner)
{
    const struct kn_ring_reader *reader = find(ring, owner);
    return !reader || (reader->cursor &&
                       atomic_load_explicit(reader->cursor, memory_order_relaxed) != reader->seen);
}

void *kn_ring_slowest(const struct kn_ring_out *ring)
{
    void *slowest = NULL;
    uint64_t most = 0;
    for (uint32_t i = 0; i < ring->count; i++) {
        uint64_t behind = ring->pos - ring->readers[i].seen;
        if (slowest && behind <= most)
            continue;
        slowest = ring->readers[i].owner;
        most = behind;
    }
    return slowest;
}
