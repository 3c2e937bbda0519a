/* SPDX-License-Identifier: MIT
 *
 * Events: one segment per event of a service (or watched attribute), made at the first subscription,
 * with a ring and a pool that all readers share. A reader's cursor and holds lie in its own link's
 * segment, in the entry that it names when it subscribes.
 */
#ifndef KN_NODE_EVENT_H
#define KN_NODE_EVENT_H

#include "node/internal.h"

enum {
    KN_EVENT_SLOTS = 1024,
    KN_EVENT_SLOTS_MAX = 65536,
    KN_EVENT_CHUNKS = 32,
    KN_EVENT_POOL_MAX = 64 << 20
};

struct kn_reader {
    struct kn_list in_link;
    struct kn_link *link;
    struct kn_topic *topic;
    uint32_t entry;
    uint32_t told; /* bit n: it was sent the descriptor of room n */
};

struct kn_topic {
    struct koine_service *service;
    uint32_t feature;
    struct kn_segment segment;
    int fd; /* read-only, for further readers */
    struct kn_ring_out ring;
    struct kn_room rooms[KN_POOLS]; /* the first behind the ring */
    struct kn_reader **readers;
    struct kn_pool_holds *holds; /* one per reader, in the same order */
    uint32_t count, room;
    uint32_t plain; /* octets of a value that fits a slot and is copied as it lies; 0: another */
    uint32_t loan;  /* a chunk that is being filled */
    void *loaned;
};

const struct kn_reader_words *kn_reader_words(const struct kn_reader *reader);
/* A chunk for `size` octets; the ring was refreshed. KOINE_EFULL, KOINE_ETOOBIG, KOINE_ENOMEM,
 * KOINE_ELIMIT. */
int kn_topic_take(uint32_t *refp, void **chunkp, struct kn_topic *topic, size_t size);

#endif
