/* SPDX-License-Identifier: MIT */
#include "plane/pool.h"

#include <koine/error.h>

#include <stdlib.h>

int kn_pool_init(struct kn_pool *pool, void *base, uint32_t size, uint32_t count)
{
    *pool = (struct kn_pool){base, size, count, 0, calloc(count ? count : 1, sizeof(uint64_t))};
    return pool->used ? 0 : KOINE_ENOMEM;
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
        if (used && (used > passed || is_held(holds, readers, at + 1)))
            continue;
        pool->used[at] = UINT64_MAX;
        pool->next = (at + 1) % pool->count;
        *refp = at + 1;
        *chunkp = pool->base + (size_t)at * pool->size;
        return 0;
    }
    return KOINE_EFULL;
}

void kn_pool_publish(struct kn_pool *pool, uint32_t ref, uint64_t pos)
{
    pool->used[ref - 1] = pos + 1;
}

void kn_pool_give(struct kn_pool *pool, uint32_t ref)
{
    pool->used[ref - 1] = 0;
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
