/* SPDX-License-Identifier: MIT
 *
 * Parking and ringing, per link.
 *
 * The sleeper stores `parked` in its own segment: a counter that no parking ever repeats, and where it
 * sleeps. It looks once more for news, then sleeps on the bell that its peer owns (or in epoll). The
 * writer, after it published, looks at `parked`; a key that it has not rung for yet is rung once, so a
 * sleeper that takes its time to run costs one system call and not one per message.
 *
 *      sleeper                                     writer
 *      b = bell                                    stamp (release)
 *      parked = ++counter << 2 | where             [fence]
 *      [fence]                                     k = parked
 *      news? -> parked = 0                         if k & 3 and k != rung:
 *      sleep while bell == b                           rung = k; bell++; wake
 *
 * With the fences one of the two always sees the other. Streams leave the fence out at the writer: then
 * a sleeper that parks at the very moment of a publish may miss it, and finds it by looking again after
 * a nap, when the writer's store buffer has long drained. tests/models/wake.pml checks both forms, and
 * that each breaks when a part is left out.
 *
 * What a peer that always claims to sleep can cost is bounded by a token bucket, which time and the
 * peer's own messages fill. With its last token the
 * writer sets `throttled`, and a sleeper that sees it after parking naps and looks again: after
 * KN_REFILL_NS without a ring there is a token for the next one. Nobody sleeps on a word that a third process maps.
 */
#ifndef KN_PLANE_WAKE_H
#define KN_PLANE_WAKE_H

#include "plane/layout.h"

#include <stdbool.h>

enum {
    KN_BURST = 64,        /* rings at once */
    KN_REFILL_NS = 50000, /* one more each: 20 000 a second */
    KN_NAP_NS = 100000,   /* much longer than any store buffer holds a word */
    KN_THROTTLED_NS = 1000000,
    KN_BELL_NS = 2000000 /* longest sleep on a bell: deaths and newcomers are seen within it */
};

struct kn_wake {
    struct kn_control_page *own;
    const struct kn_control_page *peer;
    uint64_t rung;    /* the peer's parking that was rung last */
    uint64_t counter; /* of own parkings */
    uint32_t bell;    /* what the own bell shows */
    uint32_t tokens;
    int64_t refilled; /* when the bucket was looked at last */
};

void kn_wake_init(struct kn_wake *wake, struct kn_control_page *own,
                  const struct kn_control_page *peer);

/* The sleeper, in this order: read the bell, park, look for news, sleep (or poll), get up. */
static inline uint32_t kn_wake_bell(const struct kn_wake *wake)
{
    return atomic_load_explicit(&wake->peer->bell, memory_order_acquire);
}

static inline void kn_wake_park(struct kn_wake *wake, enum kn_where where)
{
    uint64_t key = ++wake->counter << 2 | (uint64_t)where;
    atomic_store_explicit(&wake->own->parked, key, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

static inline void kn_wake_up(struct kn_wake *wake)
{
    atomic_store_explicit(&wake->own->parked, 0, memory_order_relaxed);
}

/* Sleeps while the bell shows `bell`, until `deadline` at the latest; returns early for any reason. */
void kn_wake_sleep(const struct kn_wake *wake, uint32_t bell, int64_t deadline);

/* The peer rings no more for a while: sleep at most KN_THROTTLED_NS. */
static inline bool kn_wake_throttled(const struct kn_wake *wake)
{
    return atomic_load_explicit(&wake->peer->throttled, memory_order_relaxed) != 0;
}

/* Rings for the parking `key`; true: the peer sleeps at its socket, send it one octet. */
bool kn_wake_ring(struct kn_wake *wake, uint64_t key);

/* The peer sent a message: it may be rung once more. A pair that sleeps between any two messages so never
 * runs out of rings, and one that only claims to sleep earns nothing. */
static inline void kn_wake_earn(struct kn_wake *wake)
{
    if (wake->tokens < KN_BURST)
        wake->tokens++;
}

/* The writer, after publishing. `fence` for calls, not for streams. True as above. */
static inline bool kn_wake_look(struct kn_wake *wake, bool fence)
{
    if (fence)
        atomic_thread_fence(memory_order_seq_cst);
    else
        atomic_signal_fence(memory_order_seq_cst);
    uint64_t key = atomic_load_explicit(&wake->peer->parked, memory_order_relaxed);
    if (!(key & 3) || key == wake->rung)
        return false;
    return kn_wake_ring(wake, key);
}

#endif
