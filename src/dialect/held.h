/* SPDX-License-Identifier: MIT
 *
 * Input that cannot be worked off yet: the beginning of something, or what came while a peer's earlier
 * requests wait. In memory of the peer's own quota; empty, it has none.
 */
#ifndef KN_DIALECT_HELD_H
#define KN_DIALECT_HELD_H

#include "base/str.h"

struct kn_channel;

struct kn_held {
    struct kn_channel *channel;
    char *octets;
    size_t at, end, room; /* what is held lies between `at` and `end` */
    size_t limit;
};

void kn_held_init(struct kn_held *held, struct kn_channel *channel, size_t limit);
void kn_held_deinit(struct kn_held *held);

static inline struct kn_str kn_held_view(const struct kn_held *held)
{
    return (struct kn_str){held->octets ? held->octets + held->at : "", held->end - held->at};
}

/* Copies behind what is there. KOINE_ENOMEM, KOINE_ELIMIT. Views are void after it. */
int kn_held_add(struct kn_held *held, struct kn_str octets);
/* Forgets the first `length` octets; the last of them frees the memory. */
void kn_held_drop(struct kn_held *held, size_t length);

#endif
