/* SPDX-License-Identifier: MIT
 *
 * Chunks for what does not fit a slot, in the reliable form.
 *
 * A chunk belongs to the writer until it is published with a position, and comes back when every
 * reader's cursor has passed that position and no reader holds it. A reader that wants to keep a chunk
 * stores its hold first and its cursor after it; the writer reads cursors first and holds after them.
 * In that order no fence is needed. The free list is private to the writer.
 *
 * A ring may have several pools: the ref of a chunk names its pool, so one set of holds serves all.
 */
#ifndef KN_PLANE_POOL_H
#define KN_PLANE_POOL_H

#include "plane/ring.h"

struct kn_pool {
    uint8_t *base; /* NULL: there is no such pool */
    uint32_t id;   /* less than KN_POOLS */
    uint32_t size; /* octets of a chunk, a multiple of 8 */
    uint32_t count;
    uint32_t next; /* where the next search begins */
    uint64_t
        *used; /* per chunk: 0 free, UINT64_MAX loaned, else 1 + the position it was published at */
};

/* `holds` of a reader: KN_HOLDS words in its own segment. */
struct kn_pool_holds {
    const _Atomic uint32_t *words;
    const void *owner;
};

struct kn_pool_shape {
    uint32_t size, count;
};

/* The further pools of links and topics; entry 0 is empty, as the first pool is the owner's affair. */
extern const struct kn_pool_shape kn_pool_shapes[KN_POOLS];

/* KOINE_ENOMEM. */
int kn_pool_init(struct kn_pool *pool, uint32_t id, void *base, uint32_t size, uint32_t count);
void kn_pool_deinit(struct kn_pool *pool);

/* Takes a chunk: its ref and memory. `ring` is the one that its positions belong to,
 * refreshed by the caller;
 * `holds` what each reader holds. KOINE_EFULL when all are in use. */
int kn_pool_take(uint32_t *refp, void **chunkp, struct kn_pool *pool,
                 const struct kn_ring_out *ring, const struct kn_pool_holds *holds, size_t readers);
/* The chunk is about to be published at `pos`. */
void kn_pool_publish(struct kn_pool *pool, uint32_t ref, uint64_t pos);
/* Not needed after all. */
void kn_pool_give(struct kn_pool *pool, uint32_t ref);

/* How many chunks cannot be taken because this reader, which has passed what lies below `seen`, has not
 * read them yet or holds them. */
uint32_t kn_pool_blocked(const struct kn_pool *pool, uint64_t seen,
                         const struct kn_pool_holds *holds);

static inline uint32_t kn_ref_pool(uint32_t ref)
{
    return ref >> KN_POOL_SHIFT;
}

/* The reader's side: where a chunk of the pool lies, or NULL when `ref` or `length` is a lie. */
static inline const void *kn_pool_find(const uint8_t *base, uint32_t size, uint32_t count,
                                       uint32_t ref, uint32_t length)
{
    uint32_t number = ref & KN_POOL_CHUNKS_MAX;
    return number && number <= count && length <= size ? base + (size_t)(number - 1) * size : NULL;
}

/* Marks `ref` as held, before the cursor passes it; the index of the hold, or KOINE_EHOLDS. */
int kn_pool_hold(_Atomic uint32_t *words, uint32_t ref);
void kn_pool_release(_Atomic uint32_t *words, int hold);

#endif
