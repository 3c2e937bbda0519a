/* SPDX-License-Identifier: MIT */
#include "plane/pool.h"

#include <koine/error.h>

#include <stdlib.h>

/* Two of the largest, so that one may be held while the next message comes; but the second only when it
 * is needed. */
const struct kn_pool_shape kn_pool_shapes[KN_POOLS] = {
    {0, 0}, {1 << 20, 4}, {KN_CHUNK_MAX, 1}, {KN_CHUNK_MAX, 1}};

int kn_pool_init(struct kn_pool *pool, uint32_t id, void *base, uint32_t size, uint32_t count)
{
    uint64_t *used = calloc(count ? count : 1, sizeof *used);
    if (!used)
        return KOINE_ENOMEM;
    *pool = (struct kn_pool){base, id, size, count, 0, used};
    return 0;
}

static uint32_t number_of(uint32_t ref)
{
    return (ref & KN_POOL_CHUNKS_MAX) - 1;
}

static uint32_t ref_of(const struct kn_pool *pool, uint32_t number)
{
    return pool->id << KN_POOL_SHIFT | (number + 1);
}

void kn_pool_deinit(struct kn_pool *pool)
{
    free(pool->used);
    *pool = (struct kn_pool){0};
}

static bool is_held(const struct kn_pool_holds *holds, size_t readers, uint32_t ref)
{
    for (size_t i = 0; i < readers; i++)
        for (int h = 0; h < KN_HOLDS; h++)
            if (atomic_load_explicit(&holds[i].words[h], memory_order_acquire) == ref)
                return true;
    return false;
}

int kn_pool_take(uint32_t *refp, void **chunkp, struct kn_pool *pool,
                 const struct kn_ring_out *ring, const struct kn_pool_holds *holds, size_t readers)
{
    uint64_t passed = kn_ring_passed(ring);
    for (uint32_t i = 0; i < pool->count; i++) {
        uint32_t at = (pool->next + i) % pool->count;
        uint64_t used = pool->used[at];
        if (used && (used > passed || is_held(holds, readers, ref_of(pool, at))))
            continue;
        pool->used[at] = UINT64_MAX;
        pool->next = (at + 1) % pool->count;
        *refp = ref_of(pool, at);
        *chunkp = pool->base + (size_t)at * pool->size;
        return 0;
    }
    return KOINE_EFULL;
}

void kn_pool_publish(struct kn_pool *pool, uint32_t ref, uint64_t pos)
{
    pool->used[number_of(ref)] = pos + 1;
}

void kn_pool_give(struct kn_pool *pool, uint32_t ref)
{
    pool->used[number_of(ref)] = 0;
}

uint32_t kn_pool_blocked(const struct kn_pool *pool, uint64_t seen,
                         const struct kn_pool_holds *holds)
{
    uint32_t blocked = 0;
    for (uint32_t i = 0; i < pool->count; i++)
        blocked += pool->used[i] != UINT64_MAX && pool->used[i] > seen;
    for (int h = 0; h < KN_HOLDS; h++) {
        uint32_t ref = atomic_load_explicit(&holds->words[h], memory_order_acquire);
        uint32_t number = number_of(ref);
        blocked += ref && kn_ref_pool(ref) == pool->id && number < pool->count &&
                   pool->used[number] && pool->used[number] <= seen;
    }
    return blocked;
}

int kn_pool_hold(_Atomic uint32_t *words, uint32_t ref)
{
    for (int hold = 0; hold < KN_HOLDS; hold++) {
        if (atomic_load_explicit(&words[hold], memory_order_relaxed))
            continue;
        atomic_store_explicit(&words[hold], ref, memory_order_release);
        return hold;
    }
    return KOINE_EHOLDS;
}

void kn_pool_release(_Atomic uint32_t *words, int hold)
{
    atomic_store_explicit(&words[hold], 0, memory_order_release);
}
