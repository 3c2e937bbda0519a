/* SPDX-License-Identifier: MIT
 *
 * Copies between private memory and memory that another process maps at the same time.
 *
 * By the letter of C17 a plain memcpy would be a data race, and a compiler may load a word twice: a
 * check between the two loads is then worth nothing. These copies touch each shared word exactly once,
 * as a relaxed atomic of 8 octets. Both ends of a shared run are 8-aligned and its length is rounded up
 * to 8 by its owner, so no partial word is ever needed on the shared side.
 */
#ifndef KN_BASE_COPY_H
#define KN_BASE_COPY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "shared memory needs lock-free 64-bit atomics");

static inline uint64_t kn_shared_load(const void *shared)
{
    return atomic_load_explicit((const _Atomic uint64_t *)shared, memory_order_relaxed);
}

static inline void kn_shared_store(void *shared, uint64_t word)
{
    atomic_store_explicit((_Atomic uint64_t *)shared, word, memory_order_relaxed);
}

/* Private from shared. The octets behind `length` in the last word are read and dropped. */
static inline void kn_copy_in(void *to, const void *shared, size_t length)
{
    uint8_t *out = to;
    const uint8_t *in = shared;
    size_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t word = kn_shared_load(in + at);
        memcpy(out + at, &word, 8);
    }
    if (at < length) {
        uint64_t word = kn_shared_load(in + at);
        memcpy(out + at, &word, length - at);
    }
}

/* Shared from private. The octets behind `length` in the last word become zero. */
static inline void kn_copy_out(void *shared, const void *from, size_t length)
{
    uint8_t *out = shared;
    const uint8_t *in = from;
    size_t at = 0;
    for (; at + 8 <= length; at += 8) {
        uint64_t word;
        memcpy(&word, in + at, 8);
        kn_shared_store(out + at, word);
    }
    if (at < length) {
        uint64_t word = 0;
        memcpy(&word, in + at, length - at);
        kn_shared_store(out + at, word);
    }
}

#endif
