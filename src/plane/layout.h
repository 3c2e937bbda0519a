/* SPDX-License-Identifier: MIT
 *
 * What lies where in shared memory. Two forms of segment, each written by one process only and mapped
 * read-only by all others. The writer trusts nothing that it reads back from its own segment: positions
 * and free lists live in private memory, and everything here is output.
 *
 * Link segment, one per link and direction:
 *
 *      0     bell u32 | throttled u32 | revoked u64    bell: the peer sleeps on it; the writer rings
 *      128   parked u64                                the writer sleeps: counter << 2 | where
 *      256   cursor u64                                read so far of the peer's call ring
 *      384   holds u32[16]                             chunks of the peer's call pool in use
 *      512   readers[28] of 128: cursor u64 | holds u32[16] at +64     one per subscription
 *      4096  ring: KN_LINK_SLOTS slots of 128
 *      20480 pool: KN_LINK_CHUNKS chunks of KN_CHUNK_SIZE
 *
 * Event segment, one per event of a service: ring, then pool; their sizes are told on the socket.
 *
 * Larger bodies and samples lie in further pools, each a segment of its own that is nothing but chunks
 * and is made when it is needed first (kn_pool_shapes).
 *
 * Slot:
 *
 *      0        8           12        16
 *      +--------+-----------+---------+----------------+
 *      | stamp  | length    | ref     | 112 octets     |
 *      +--------+-----------+---------+----------------+
 *
 * `stamp` is position + 1 once the slot is whole and never holds payload. `length` counts the octets of
 * the message; `ref` is 0 when they follow in the slot, else it names the chunk that holds the body:
 * pool << 16 | 1 + chunk. Words of different writers are 128 octets apart, because processors fetch lines in pairs.
 */
#ifndef KN_PLANE_LAYOUT_H
#define KN_PLANE_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KN_SLOT_SIZE = 128,
    KN_SLOT_ROOM = 112,
    KN_HOLDS = 16,
    KN_LINK_READERS = 28,
    KN_LINK_SLOTS = 128,
    KN_LINK_CHUNKS = 4,
    KN_CHUNK_SIZE = 65536,
    KN_CHUNK_MAX = 16 << 20, /* the largest chunk of any further pool */
    KN_POOLS = 4,            /* the first, and the further ones */
    KN_POOL_SHIFT = 16,
    KN_POOL_CHUNKS_MAX = 65535,
    KN_RING_AT = 4096,
    KN_POOL_AT = KN_RING_AT + KN_LINK_SLOTS * KN_SLOT_SIZE,
    KN_LINK_SEGMENT = KN_POOL_AT + KN_LINK_CHUNKS * KN_CHUNK_SIZE
};

struct kn_slot {
    _Atomic uint64_t stamp;
    _Atomic uint64_t shape; /* length | ref << 32 */
    uint64_t payload[KN_SLOT_ROOM / 8];
};

struct kn_reader_words {
    _Alignas(128) _Atomic uint64_t cursor;
    _Alignas(64) _Atomic uint32_t holds[KN_HOLDS];
};

struct kn_control_page {
    _Alignas(128) _Atomic uint32_t bell;
    _Atomic uint32_t throttled;
    _Atomic uint64_t revoked; /* bit n: subscription n of the peer was taken back */
    _Alignas(128) _Atomic uint64_t parked;
    _Alignas(128) _Atomic uint64_t cursor;
    _Alignas(128) _Atomic uint32_t holds[KN_HOLDS];
    struct kn_reader_words readers[KN_LINK_READERS];
};

/* Where a sleeper sleeps, in the low bits of `parked`. */
enum kn_where { KN_UP = 0, KN_AT_BELL = 1, KN_AT_SOCKET = 2 };

_Static_assert(sizeof(struct kn_slot) == KN_SLOT_SIZE, "slot");
_Static_assert(offsetof(struct kn_slot, payload) == 16, "payload");
_Static_assert(sizeof(struct kn_reader_words) == 128, "reader");
_Static_assert(offsetof(struct kn_control_page, parked) == 128, "parked");
_Static_assert(offsetof(struct kn_control_page, cursor) == 256, "cursor");
_Static_assert(offsetof(struct kn_control_page, holds) == 384, "holds");
_Static_assert(offsetof(struct kn_control_page, readers) == 512, "readers");
_Static_assert(sizeof(struct kn_control_page) == KN_RING_AT, "control page");
_Static_assert(KN_LINK_SEGMENT % 4096 == 0, "whole pages");

#endif
