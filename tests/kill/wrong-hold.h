/* SPDX-License-Identifier: MIT
 *
 * A wrong reader: its cursor lets the chunk go before the hold keeps it.
 */
#ifndef KN_TESTS_KILL_WRONG_HOLD_H
#define KN_TESTS_KILL_WRONG_HOLD_H

#include "plane/pool.h"

static inline int hold_late(_Atomic uint32_t *words, uint32_t ref)
{
    struct kn_reader_words *reader =
        (void *)((uint8_t *)words - offsetof(struct kn_reader_words, holds));
    uint64_t cursor = atomic_load_explicit(&reader->cursor, memory_order_relaxed);
    atomic_store_explicit(&reader->cursor, cursor + 1, memory_order_release);
    return kn_pool_hold(words, ref);
}

#define kn_pool_hold hold_late

#endif
