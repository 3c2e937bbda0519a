/* SPDX-License-Identifier: MIT
 *
 * A wrong publisher: its slot is stamped as soon as it is asked for, before the payload is in it.
 */
#ifndef KN_TESTS_KILL_WRONG_STAMP_H
#define KN_TESTS_KILL_WRONG_STAMP_H

#include "plane/ring.h"

static inline struct kn_slot *stamp_early(const struct kn_ring_out *ring, uint64_t ahead)
{
    struct kn_slot *slot = kn_ring_slot_ahead(ring, ahead);
    atomic_store_explicit(&slot->shape, 88, memory_order_relaxed);
    atomic_store_explicit(&slot->stamp, ring->pos + ahead + 1, memory_order_release);
    return slot;
}

#define kn_ring_slot_ahead stamp_early

#endif
