/* SPDX-License-Identifier: MIT
 *
 * A stable 64-bit hash (FNV-1a, 64 bits; draft-eastlake-fnv). It tells interfaces apart and seeds
 * maps; it is no defence against somebody who looks for collisions, and nothing relies on that.
 */
#ifndef KN_BASE_HASH_H
#define KN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define KN_HASH_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t kn_hash(uint64_t hash, const void *octets, size_t length)
{
    const uint8_t *at = octets;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static inline uint64_t kn_hash_u64(uint64_t hash, uint64_t value)
{
    for (int i = 0; i < 8; i++, value >>= 8)
        hash = (hash ^ (value & 0xff)) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
